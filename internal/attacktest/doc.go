// Package attacktest attacks workers as a visitor from the internet would, over real sockets and with the default
// limits, and checks what everybody else still gets. It has tests alone.
//
// # Threat model
//
// What is worth protecting: that people can join, talk, and read what was said (availability, and order); that a name
// belongs to one person, and nobody passes for another; what one person alone may know, which is resume tokens, private
// ids and session ids; and the machine of a developer who runs the local cluster.
//
// The attackers are a visitor with any number of connections from one address, or with some addresses; a person who is
// signed in; a web page in the browser of somebody who can reach a worker or the emulator; another user of the network
// between proxy and worker. No instance attacks another: a process that can write to the topic, or has a snapshot,
// can do everything.
//
// The table has the ways in, and what each may cost the others:
//
//	entry                      bounded by
//	connections                counted in all and by address, with a deadline for each step; a rate by address
//	requests by plain HTTP     a rate by address, spread over time; a deadline for each response
//	messages and requests      rates by connection, by user and by address, kept outside of connections
//	the way to the log         shared by address, in bytes, where more waits than a message takes
//	refused requests           a rate by connection and by address; then the connection ends with code 1008
//	bytes                      a rate by address; a limit for each message, in bytes as well as in characters
//	answers that are not read  a bound for each queue, and one for all of them, from which the slowest pay
//	rooms, history             shares by user and address, decided alike on every instance
//	names                      one skeleton, one person; signed-in people by the identity provider's id
//	Host, Origin               lists of those that are let in
//	X-Forwarded-*, sign-in     believed from TRUSTED_PROXIES alone
//	metrics, profiles          on a listener of their own
//
// Limits by address are kept by each instance, so N instances allow N times as much. Shares of rooms and history are
// part of the replicated state.
//
// Every test checks what the others still get by the work that it takes: how much a newcomer reads until it has
// joined, how many messages come before the one that it waits for, and the process's memory. TestBounds measures the
// same as people notice it, at worker processes that are attacked meanwhile: newcomers join within a second, 99 of 100
// messages arrive within 20 ms, and a worker takes at most 250 MB. At two workers messages take up to 20 ms by
// themselves, since what is sent to Service Bus is paced: there an attack may add 8 ms. The attackers are a process of
// the lowest priority, since they have machines of their own. Nothing else should run:
//
//	go test ./internal/attacktest -run Bounds -v -attack.bounds 10s
//
// It says how long the workers' threads waited for a processor, which is what other processes took from them. On two
// cores that others kept busy, with 160 messages of eight speakers, worker and honest clients before all others, 99 of
// 100 messages took at one worker and at two:
//
//	none                              15 ms  21 ms
//	requests above the rate            2 ms  19 ms
//	over-long texts                    4 ms  19 ms
//	largest messages                  38 ms 139 ms
//	history that is not read           2 ms  21 ms
//	rooms                              2 ms  21 ms
//	handshakes with large headers      4 ms  15 ms
//	responses that are not read       14 ms  43 ms
//
// Half of the messages took 1 ms at one worker and 2 ms at two in all rows, newcomers 162 ms at most, and a worker
// 44 MB.
//
// Left to what stands in front (a WAF, the platform's DDoS protection): floods of packets and of TLS handshakes, an
// attacker with thousands of addresses, and what people say to each other.
package attacktest
