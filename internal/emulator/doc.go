// Package emulator serves an Azure Service Bus namespace from one process: AMQP 1.0 over TCP, TLS and WebSocket, and
// the management API over HTTP. It gives the service's answers, refusals included, and injects faults on request.
//
// # Implemented
//
// Connections: SASL MSSBCBS, ANONYMOUS and PLAIN, or none; open, begin, attach, flow, transfer, disposition, detach,
// end, close; idle time-outs both ways; frames up to 64 KB, deliveries over many frames both ways; credit, drain and
// echo; windows of AMQP sessions. The time limits of the service: the first token within 20 s of connecting, a
// connection without links closed after 60 s or 5 min, a link unused for 10 min detached.
//
// $cbs: put-token with SAS (signature, expiry, scope) and JWT (expiry); rights checked at every attach and request;
// links whose token has expired are detached.
//
// Links: senders to queues and topics, one message or a batch (format 0x80013700) a delivery; receivers of queues,
// subscriptions, dead-letter and transfer dead-letter queues, in both modes, with or without a session, or the next
// free one; settlement by accepted, rejected, released and modified.
//
// Transactions: declare and discharge; transfers, dispositions, schedule-message and update-disposition in a
// transaction over any entities; rolled back at the end of the coordinator link, the AMQP session or the connection,
// and after two minutes.
//
// $management of each entity: renew-lock, peek-message, receive-by-sequence-number, schedule-message,
// cancel-scheduled-message, update-disposition, batch-delete-messages, renew-session-lock, get- and
// set-session-state, get-message-sessions, add-rule, remove-rule, enumerate-rules.
//
// HTTP: sending one message or a batch, receiving with and without a lock, renewing, unlocking, completing, as in the
// run-time operations of the Service Bus REST API.
//
// Package broker implements the entities; its comment lists what they support.
//
// # Not implemented
//
// A source filter other than the session's is refused with amqp:not-implemented. Resuming links: a detach without
// closed ends the link. Transactions over several connections: a transaction belongs to the connection of its
// coordinator. JMS, geo-replication and network rules are missing as well. An unknown operation is answered with
// status 501, "not implemented by this emulator". Unlike the service, the emulator accepts connections without SASL,
// serves TLS only if configured, detaches the links of a changed entity at once, and writes no tracking ids into its
// texts.
//
// # Concurrency
//
//	goroutine                started by         owns alone                               ends when; who waits
//	accept, per listener     Start, Restart     its listener                             listener closed; Close
//	loop, per connection     accept             AMQP sessions, links, credit and output  connection end; Close
//	                                            of its connection
//	reader, per connection   the loop           frame reads; in its turn what the loop   connection end; its loop
//	                                            owns
//	HTTP handlers            net/http           nothing                                  answer written; Close
//	restart                  fault endpoint     nothing                                  restarted; Close
//
// Loop and reader have turns: the reader handles the frames that it has read, the loop wake-ups and timers. The
// broker wakes a link from any goroutine. That queues the link and wakes the connection's loop, unless one of the two
// has its turn and so looks at the queue before the turn ends. No goroutine waits while it holds a mutex. Lock order,
// outermost first: Server.restarts, Server.mu, the broker's locks, wakeups.mu.
package emulator
