// Package emulator is an Azure Service Bus namespace in one process, as its clients see it: AMQP 1.0, over TCP, TLS and
// WebSocket, with the management API beside it. It answers as the service answers, also where that is a refusal, and it
// misbehaves on request.
//
// # Implemented
//
// Connections: SASL MSSBCBS, ANONYMOUS and PLAIN, or none; open, begin, attach, flow, transfer, disposition, detach, end,
// close; idle time-outs both ways; frames up to 64 KB, deliveries over many frames both ways; credit, drain and echo;
// session windows. The service's own limits in time: the first token within 20 s of connecting, a connection without
// links closed after 60 s or 5 min, a link unused for 10 min detached.
//
// $cbs: put-token with SAS (signature, expiry, scope) and JWT (expiry); rights checked at every attach and request;
// links whose token has expired are detached.
//
// Links: senders to queues and topics, one message or a batch (format 0x80013700) a delivery; receivers of queues,
// subscriptions, dead-letter and transfer dead-letter queues, in both modes, with or without a session, or the next
// free one; settlement by accepted, rejected, released and modified.
//
// $management of each entity: renew-lock, peek-message, receive-by-sequence-number, schedule-message,
// cancel-scheduled-message, update-disposition, batch-delete-messages, renew-session-lock, get- and set-session-state,
// get-message-sessions, add-rule, remove-rule, enumerate-rules.
//
// What entities do with messages is package broker's, and its comment says what of that is implemented.
//
// # Not implemented
//
// Transactions: a coordinator link is refused with amqp:not-implemented, as is a source filter other than the session's.
// Resuming links: a detach without closed ends the link. The data plane over HTTP, JMS, geo-replication and network rules
// are left out as well. An operation that is unknown is answered 501, "not implemented by this emulator". Unlike the
// service the emulator takes connections without SASL, serves TLS only on request, detaches the links of a changed entity
// at once, and writes no tracking ids into its texts.
//
// # Concurrency
//
//	goroutine                    started by            owns alone                                   ends when; who waits
//	accept, per door             Start, Restart        its listener                                 listener closed; Close
//	welcome, then the loop,      accept                all AMQP state of its connection: sessions,  connection end; Close
//	  per connection                                   links, credit, writes
//	reader, per connection       the loop              frame reads                                  connection end; its loop
//	HTTP handlers                net/http              nothing                                      answer given; Close
//	restart                      the faults door       nothing                                      restarted; Close
//
// The broker calls a connection's attention from any goroutine; that only queues a link and wakes the loop. Nothing waits
// while holding a mutex. Lock order, outermost first: Server.restarts, Server.mu, the broker's own, conn.mu.
package emulator
