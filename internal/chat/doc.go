// Package chat binds the replicated chat to the sockets of one instance.
//
// # The log
//
// Every change of the chat is an entry of a log that all instances share. Events of clients become commands, which
// Chat appends to the log (events.go, commands.go). The log hands the entries of all instances to Chat.Apply and
// Chat.Gone, in one order. Package state, and nothing else, decides what an entry means, so every instance holds the
// same state after the same entry. Then Chat replies to the client that sent the event and broadcasts what has changed
// (reply.go, broadcast.go). A reply that a message was sent means that the log has it.
//
// # Parts
//
// A Chat consists of parts by concern: the clients here, lines, commands, expiry, typing, the cluster's status,
// history, rosters, presence, resumption, nicknames. Each has its own fields, and handles the events that belong to it.
// All share core (core.go), and each refers only to the parts that stand above it in Chat (chat.go). What is left to
// Chat walks through the parts, forward: it lets clients in, applies entries, and restores snapshots.
//
// # Delivery
//
// Critical sections only decide what to send to which sockets and put that into the outbox (outbox.go). It is encoded
// and sent after the lock is released, in the same order.
//
// # Returning clients
//
// A client whose connection is lost returns to its user by resume token or by Socket.IO's private id, on whichever
// instance (connect.go, recovery.go, resume.go). The instance that has lost the connection times the expiry of the
// nickname; if that instance is gone, all others do, a little apart, and the first one's entry counts (expiry.go).
//
// # Many users at once
//
// A line that a user has joined or left is broadcast at once while that is cheap. Otherwise lines are coalesced for up
// to a second (coalesce.go, group.go), and rosters wait until that is over (roster.go). This is the instance's own
// affair: the state, and what clients receive line by line, are the same everywhere.
//
// # Concurrency
//
// Methods of Chat run on the goroutines of their callers: Apply and its siblings on the log's, handlers on their
// socket's, and Chat.runTimers on one that a timer of the runtime starts. Chat starts a goroutine for each request that
// has to read the store (past.go), few at a time; Close ends them and waits for them.
//
// One mutex, Chat.mu, guards the state, the clients and the queue of the outbox. It is not held while events are
// encoded and sent. A second one, outbox.delivery, is held then: by one goroutine at a time, which may send what other
// goroutines have decided. Both are released before a socket is disconnected, which calls back.
//
// Lock order: outbox.delivery; then Chat.mu, or namespace, socket, session. Chat.mu; then the log's own.
package chat
