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
//	go test ./internal/attacktest -run Bounds -v -attack.bounds 5s
//
// It says how long the workers' threads waited for a processor, which is what other processes took from them. On two
// cores with nothing else on them, 99 of 100 messages took at one worker and at two:
//
//	none                              0.8 ms  20 ms
//	requests above the rate           0.9 ms  18 ms
//	over-long texts                   1.0 ms  19 ms
//	largest messages                  0.9 ms  19 ms
//	history that is not read          1.1 ms  19 ms
//	rooms                             2.1 ms  19 ms
//	handshakes with large headers     2.3 ms  16 ms
//	responses that are not read       1.5 ms  17 ms
//	largest messages of many users    27 ms   27 to 45 ms
//
// The last row is above the bound. In that attack four addresses, with a new user for every ten messages, say as much
// as they may, 16 KiB each time, and every listener in the room is sent all of it. While an address might say
// MESSAGE_RATE_PER_ADDRESS messages of any size, 99 of 100 took up to 712 ms at one worker and 161 ms at two. Now that
// it may say so many KiB, the worker's time goes into connecting those users and into reading what is refused, 0.7 of
// a processor, and the attackers' processes take the rest of the two cores: a quarter as many KiB change nothing.
//
// A program from before all of this can be attacked alike, with -attack.worker PATH, for a table of before and after.
//
// Left to what stands in front (a WAF, the platform's DDoS protection): floods of packets and of TLS handshakes, an
// attacker with thousands of addresses, and what people say to each other.
package attacktest
