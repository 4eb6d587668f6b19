// Package chaostest has three workers chat through Service Bus, as the real SDK speaks it to the emulator, and breaks what lies between
// them, and them. Whatever happens, everybody gets every message of the others once, all in one order.
//
// With -chaos.full there are 300 users and faults last as long as they do on bad days; without, as many and as long as prove the same.
package chaostest
