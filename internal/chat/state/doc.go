// Package state is the replicated half of the chat: the users with their nicknames, the rooms with their history, and
// the rules by which entries of a shared log change them.
//
// Every instance applies the same entries in the same order and so holds the same State. That works only because the
// package is deterministic: what a method does depends on the State and its arguments alone. It knows no socket, lock,
// clock, logger or random source; the time is the one that an entry carries, in Unix milliseconds. A limit that an
// entry is held against is part of the State (Bounds) or of the entry, never a setting of one instance. The test of
// imports keeps it so.
//
// # Commands
//
// The body of an entry is a Command, which an instance builds, appends to the log, and gets back with all others. Apply
// returns an Outcome for the instance that appended the command, and the list of Changes for all.
//
// # Users and connections
//
// A claim of a free nickname creates a user. A secret, the resume token, identifies the user from then on; the State
// holds only its hash. A ConnID names one socket on one instance. A user whose connection is lost is disconnected: it
// keeps nickname and rooms for its hold time. If no connection claims it in time, an Expire command frees the nickname
// and the user is expired; for Bounds.RecoveryMillis it may still return to what it missed.
//
// # Positions
//
// Every line of every room has a sequence number, counted over all rooms. It is the same on every instance, and so can
// serve as the offset of Socket.IO's connection state recovery on any of them. See Position.
package state
