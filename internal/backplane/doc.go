// Package backplane makes one system of many instances. Everything that happens is an entry in one log; the log is what
// a Bus delivers, in one order to all; every instance applies it to its own copy of the state. Node is one
// instance's part: it numbers, batches and publishes what is appended here, follows the log, and keeps the membership.
//
// # What holds
//
// Every instance in step applies the same entries in the same order, each once, whatever the bus repeats, refuses or
// delays. An entry that has come back is in the log for all. Entries of one instance keep their order. What the bus
// loses, against its contract, is found out and repaired.
//
// There is no database: the state is in the memory of the instances in step. An entry that was acknowledged survives
// so long as at any time one instance that has applied it lives and can follow the log. When none is left, who
// has followed the log furthest begins anew with the state that it has, and every instance publishes again the last of
// its own entries that this state lacks.
//
// # How
//
// Numbers. An instance's entries are numbered in its present epoch. An entry is accepted only if its number is the next
// one: repeats are dropped, and so are entries whose predecessor is missing, which come again. This is decided by
// the log alone, so all decide alike. An entry that doesn't come back is published again under its number. A second
// number, Seq, counts in the life of the process; it makes the entry's lasting name, and by it an entry published
// again in a later epoch is known.
//
// Joining. Whoever is not in step opens a new epoch by an ask, an entry that is nobody's state yet: it waits for it to
// come back, holds what follows, and is sent the state as it was at the ask by one who is in step. Which one follows
// from the log: the most senior at the first attempt, the next one at the second, and so on. If
// nobody answers and nobody in step is heard, it founds the cluster by an entry that, if somebody is in step after
// all, is an ask like any other. Of two who found at once the first in the log has founded; who has state of an earlier
// time goes before who has none. Clusters that were founded apart, because no one could be heard, merge when they
// hear of each other: the members of the younger ask anew.
//
// Checking. A batch says how many entries its sender has accepted and a hash over them. Who had fewer when
// the batch arrives, or others, has missed something and asks anew; if it isn't plain who, both put their
// account in the log, and whoever lacks something, or else is junior, asks anew.
//
// Membership. Anything heard is a sign of life; who says nothing for a minute beats. Who is silent for longer, or
// suspected by Suspect, is asked for a sign of life by an entry of the log, which shows the asker that the log
// itself is alive, and evicted by another if it owes it; void, if it has said more meanwhile. The evicted,
// if alive, finds that in the log, and asks anew.
//
// Batching. While one message is on its way to the bus entries gather, and the next one takes all of them, up to
// the bus's limit, or, where a rate of sends is set, until the next is allowed. After the bus was busy there are pauses between them, which double and shrink again.
//
// # Bounds, and what happens at them
//
//   - Entries not yet back, by number and bytes: Append refuses with ErrFull.
//   - Log held while the snapshot is awaited: let go, and asked anew.
//   - A snapshot's bytes: not sent, with an error in the log of the program; not taken.
//   - Messages to single instances: the newest is dropped; whoever misses it asks again.
//   - Own entries kept after they came back, to be published again for a cluster that lacks them: the oldest is let go.
//   - Records of instances gone: the one longest gone is forgotten, and should it come back, what it published but
//     never saw again may be applied twice.
//
// # Format
//
// A message's body is an envelope: a CBOR map (RFC 8949, core deterministic encoding; definite lengths and no tags) from
// small integers:
//
//	1  version that the sender writes           uint
//	2  least version that a reader must know    uint
//	3  kind: 1 log, 2 snapshot part, 3 missing  uint
//	4  sender's name                            text
//	5  sender's epoch                           uint
//	6  number of the first item; kind 3: of the first entry missed
//	7  items of kind 1: array of [kind, seq, time, body]
//	8  cluster: [founder's epoch, founder's name]
//	9  place: entries accepted by the sender; absent if it isn't in step
//	10 hash over the names of these
//	11 part of kind 2: {1: asker's epoch, 2: index, 3: count, 4: bytes}
//	12 addressee of kinds 2 and 3
//
// An item's time is Unix milliseconds. Its kind is 0 for the state machine's, whose body is opaque; 1 beat, 2 ask, 3 found,
// 4 joined, 5 probe, 6 evict, 7 goodbye, 8 compare are Node's own, with a map as body (type control) or none. Parts of a
// snapshot add up to a map (type snapshot). Numbers in an epoch begin with 1, the ask; epochs are Unix
// milliseconds, or one more than the one before.
//
// Unknown keys and item kinds are ignored; an item of an unknown kind takes its number all the same. So a newer
// version may add those and say that version 1 suffices to read it. What needs more it may write only once the asks of
// all members have said that they read it; an older program that meets it ends with ErrVersion, for it could not stay in
// step by skipping it. Bodies that are no envelope are counted and ignored.
//
// # Concurrency
//
//	goroutine  started by        owns alone                               ends when; who waits
//	loop       is Run's own      order, membership, calls of the state    Run's context, after a flush; Run's caller
//	receiver   Run               the call of Bus.Receive, decoding        loop's end; Run
//	sender     Run               the one send under way, encoding         loop's end; Run
//	evictor    Run               the call of Evictor.Evict                loop's end; Run
//
// Append and the rest share with them what Node.mu guards.
package backplane
