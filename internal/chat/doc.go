// Package chat is the chat itself: who has which nickname, who is in which room, what was said there, and the events that
// bind this to sockets.
//
// # The log
//
// Whatever changes the chat is an entry of a log that all instances share. An instance appends commands (command.go) to
// it through Log and is given the entries of all instances, its own included, in one order by Apply and Gone. state, and
// nothing else, decides what an entry means: it is deterministic, so every instance holds the same state after the same
// entry. state.go, user.go, room.go, history.go, nickname.go, command.go and snapshot.go are that half; they know no
// socket, no clock, no chance and no lock. A limit that Apply heeds is part of the state (Bounds) or of the command,
// never of this instance's Options.
//
// The other half is local: Chat turns events of sockets into commands and what the state reports as changed into
// events. An event is answered when its command comes back, so "sent" is said of what the log has.
//
// # Names and sessions
//
// A user is made by the first claim of a free nickname and known again by his token, a secret of which the log has only
// a hash. A session is one socket's stay on one instance. A user whose connection is lost is held: he keeps name and
// rooms for a while, and others are told that he is away, not that he left. He is bound to another session when
// he returns, by token or by Socket.IO's private id, to whichever instance. Nobody returning, an expiry entry makes him
// lapse: one leave line per room, the name is free, and for Bounds.Recovery he may still come back to what he missed.
// The instance that lost the connection times the expiry; once it is gone, all others do, a little apart, and the first
// one's entry counts.
//
// # Positions
//
// Every line of every room has a sequence number that the state counts. It names the same line on every instance,
// which makes it the offset of connection state recovery, whatever instance the client returns to. It is written with
// a check that sums up the log so far, lest it outlive the log it was given in (position).
//
// # Crowds
//
// A line of who comes or goes is told at once, by itself, as long as that is cheap. In a crowd lines gather for up to a second
// and are told together (gather.go, run.go), and lists of names wait until it has passed (roster.go). That is this instance's
// own affair: the state, and what is told line by line, are the same everywhere.
//
// # Concurrency
//
// Chat starts no goroutine. One timer of the runtime calls Chat.tick. All else runs on the goroutines of the caller: Apply
// and its siblings on that of the log, handlers on that of their socket. One mutex guards state and clients; it is
// held while events are queued, which does not block, so that nothing falls between a replay and the live events. Lock
// order: chat; then the log's own, or namespace, socket, session.
package chat
