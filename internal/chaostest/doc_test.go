// Package chaostest has three workers chat through Service Bus, which is the emulator, as Azure's
// SDK speaks to it. The tests break the workers and what lies between them. Whatever happens, every
// user gets every message of the others once, and all in one order.
//
// By default a cluster has 18 users, and faults last a few seconds. The long run has 300 users,
// faults that last as long as on a bad day, and limits on how long the cluster takes to recover. It
// needs the machine to itself:
//
//	go test -count=1 -timeout 1h -v ./internal/chaostest -chaos.full
//
// The environment variable CHATAPP_CHAOS_FULL=1 stands for the flag, for scripts that test all
// packages.
package chaostest
