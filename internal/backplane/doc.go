// Package backplane makes one cluster of many instances. Everything that happens is an entry in one
// log. A Bus delivers the log to all instances in one order, and every instance applies it to its own
// copy of the state. Node is one instance's part: it numbers, batches and publishes what is appended
// here, follows the log, and keeps the membership.
//
// # Guarantees
//
// Every instance in sync applies the same entries in the same order, each once, whatever the bus
// repeats, refuses or delays. An entry that has come back is in the log for all. Entries that an
// instance appends for one account keep their order. Node detects and repairs what the bus loses
// against its contract.
//
// The state is in the memory of the instances in sync. An acknowledged entry survives as long as at any
// time one instance that has applied it lives and can follow the log. If no such instance is left, the
// one that has followed the log furthest bootstraps it again with the state that it has. Every instance
// then publishes again the last of its own entries that this state lacks. What a Recorder has kept
// survives the end of all instances.
//
// # Protocol
//
// Numbers. An instance numbers its entries in its current epoch. Instances accept an entry only if its
// number is the next one. They drop repeats, and entries whose predecessor is missing, which come
// again. The log alone decides this, so all instances decide alike. If an entry doesn't come back, its
// instance publishes it again under the same number. A second number, Seq, counts in the life of the
// process. It makes the entry's lasting name, and identifies an entry that is published again in a
// later epoch.
//
// Joining. An instance that is out of sync opens a new epoch with a join request, an entry that changes
// no state. It waits until the request comes back, and buffers the log behind it. An instance in sync,
// the donor, sends it the state as it was at the log index of the request. The log determines the
// donor: the oldest instance for the first attempt, the next one for the second, and so on. Newcomers
// that ask a donor while it sends a snapshot share the next one. It tells them to wait, appends an
// entry, and takes the snapshot where that entry comes back; they follow the log from there.
//
// Bootstrapping. An instance begins a log, by an entry of another kind, if its join request has come
// back, no instance has answered for ten seconds after that, and the subscriptions of all silent
// instances fill with what is published: one that reads lives, even if it can't answer. It first
// removes these subscriptions, as a fence: an instance that was only paused does not see its entries
// come back any more, so it acknowledges nothing, and joins again. Where the bus does not let it
// manage subscriptions it waits for thirty seconds. If the bus has no other subscriptions, or only
// those of instances known to be out of sync, it need not wait. An instance is known to be out of sync
// for as long as its last join request is not older than ten seconds, so one that waits for another to
// bootstrap requests again every five. That request also ends what was known of the process before by
// that name. If an instance is in sync after all, the entry is a join request like any other. Of two
// instances that bootstrap at once, the first one in the log wins. An instance that has state of an
// earlier time goes before one that has none.
//
// Recording. Where the log accepts an entry, a Recorder takes it before the state machine does, in a form
// that leads to the same log state and the same state when it passes through the same code again
// (Replay). An instance without a state that is about to bootstrap first loads what its Recorder has
// kept, and goes on with that in a log of its own, as a survivor would. So does one with a state where
// everything acknowledged is kept: others may have gone on since, and ended. A live cluster that answers
// goes before: beside it nothing is loaded. Of two instances that have loaded, the first one in the log
// goes on, even if the other has a request or two more, which came while it was reading. If loading fails,
// an instance without a state waits; it never begins without what is kept. One with a state begins with
// that after half a minute. The instance evicts the members of the time before.
// The oldest of the members in sync that have a Recorder is the archivist. It writes for all where they
// share a store; its batches say up to which log index everything is kept.
//
// Logs. Each bootstrap begins a log with a name of its own, also if it goes on with the state of an
// earlier log. That one is then its parent, up to the index of the branch. Such a lineage orders states:
// what has more of the log last followed in common is the greater one. Clusters that were bootstrapped
// apart merge when they hear of each other: the members of the lesser one join the greater one. Every
// instance then publishes again those of its own entries that the log lacks. Those that had been
// accepted, and so were acknowledged, are marked (Entry.Again), because the state machine must not
// refuse them any more.
//
// Time. Entries are stamped with the bus's time, which an instance takes from what it receives and
// carries on by its monotonic clock. So a clock that is wrong on one machine moves nobody's time; its
// instance says so in the program's log.
//
// Rules. What the state machine does with an entry has a version, the rules. The log has one, too, which
// all instances follow, whatever newer ones they know. The oldest member raises it by an entry once all
// members know a newer one. An instance that does not know the log's version neither joins nor
// bootstraps: it ends with ErrVersion.
//
// Consistency checks. A batch says how many entries its sender has accepted, its log index, and a hash
// over them. An instance that had accepted fewer when the batch arrived, or others, has missed
// something and joins again. If it isn't clear which one has, both append their version vectors. Then
// the one that lacks an entry, or else the younger one, joins again. The hash is over the entries' ids.
// All copies of an entry have the same body and the same time, which its sender takes once.
//
// Membership. Anything heard is a sign of life. The members form a ring by age. An instance that has
// published nothing for a while sends a sign of life to the next one in sync alone, which watches it.
// So each sends one and receives one, whatever their number, and an instance that receives nothing
// knows that it may be cut off. Signs are frequent while a client is connected to any instance, which
// the log says, and rare otherwise. A watched instance whose signs stay away, and one that is suspected
// by Suspect, is probed by an entry of the log. That this entry comes back shows the prober that the
// log itself is alive. Another entry evicts the instance if it gives no sign of life; on a slow bus it
// has longer for that. The eviction is void if the log had more of the instance than its evictor knew.
// An evicted instance that lives finds the eviction in the log, and joins again.
//
// Batching. While one message is on its way to the bus, entries collect in the outbox. The next message
// takes all of them, up to the bus's limit. Where credits are set, the next message waits until what all
// instances have sent is covered. Each knows that, since it receives it. After the bus was busy there
// are pauses between messages, which double with each refusal and shrink with each success.
//
// Fairness. An entry may be appended for an account, such as a client's address. Where more waits than
// the next message takes, each account gets a like part of it in bytes. So one that appends thousands
// of entries delays another's entry by one message at most, and not by all of its own.
//
// Combining. A message to all costs three credits for every instance. So from seven instances on, where
// the bus has a queue, an instance puts its batches into the queue, and one instance, the combiner,
// publishes them in combined messages. The bus elects the combiner: only one instance at a time reads
// the queue. A combiner publishes first and completes then. What does not come back in time is sent
// directly, until a combiner is heard again; whatever comes twice is dropped. The queue keeps each
// instance's order, and an instance that stops to use it sends again what is not back.
//
// Turns. Where so many instances send directly that what all may send at one moment costs more than a
// quarter of a second's credits, they send one after the other: each waits, from when the credits allow
// a message, for as many round trips as there are members before it. A probed instance then answers by a
// sign of life to all besides, because its entries may wait for a while.
//
// # Limits
//
//   - Entries not yet back, by number and bytes, and of one account as many as are left: Append returns ErrFull.
//   - Log buffered while a snapshot is awaited: dropped, and the snapshot requested again.
//   - Size of a snapshot, compressed and not: a larger one is neither sent, which is logged as an error, nor taken.
//   - Messages to single instances: the newest is dropped, and the instance that misses it asks again.
//   - Own entries kept after they came back, to publish them again for a cluster that lacks them: 64 MiB,
//     then the oldest is dropped.
//   - Records of instances that left: the first to leave is dropped. Should it come back, what it published but
//     never saw again may be applied twice.
//
// # Format
//
// A message's body is an envelope: a CBOR map (RFC 8949, core deterministic encoding; definite lengths
// and no tags) from small integers:
//
//	1  version that the sender writes           uint
//	2  least version that a reader must know    uint
//	3  kind: 1 log, 2 snapshot part, 3 missing, 4 sign of life, 5 refusal, 6 combined, 7 wait for a snapshot
//	4  sender's name                            text
//	5  sender's epoch                           uint
//	6  number of the first item; kind 3: of the first entry missed
//	7  items of kind 1: array of [kind, seq, time, body]
//	8  log: [epoch, name] of the instance that bootstrapped it
//	9  log index: entries accepted by the sender; absent if it is out of sync
//	10 hash over the names of these
//	11 part of kind 2: {1: requester's epoch, 2: index, 3: count, 4: bytes, 5: number of the sender's entry
//	   at which the snapshot was taken; absent: at the join request}
//	12 receiver of kinds 2 to 5; none: all
//	13 refusal of kind 5: {1: requester's epoch, 2: rules that it must know, 3: epoch that it must exceed}
//	14 parts of kind 6: array of encoded envelopes of kind 1; none: there is a combiner
//	15 log index up to which the archivist has stored everything
//	16 W3C trace contexts (traceparent) of items that are traced, by the item's index; readers may ignore them
//	17 trouble of the archivist's storage
//	18 receivers of kinds 2 and 7, if they are several: array of [name, epoch of the join request]
//
// An item's time is Unix milliseconds. Its kind is 0 for the state machine's, whose body is opaque,
// and 11 for one that was accepted in another log. Control entries are of kind 1 heartbeat, 2 join
// request, 3 bootstrap, 4 joined, 5 probe, 6 evict, 7 leave, 8 compare, 9 connected, 10 raise, 12 mark
// of a shared snapshot, with a map as body (type control) or none. The parts of a snapshot add up to a
// DEFLATE stream (RFC 1951): four bytes with the length of a map (type snapshot), the map, and the
// state machine's bytes. Numbers in an epoch begin with 1, the join request. An epoch is the time of
// the join request in Unix milliseconds, or one more than the epoch before.
//
// Readers ignore unknown keys and item kinds; an item of an unknown kind takes its number all the same.
// So a newer version may add keys and kinds, and say that version 2 suffices to read them. What needs
// more it may write only once the join requests of all members have said that they read it. An older
// program that meets such an envelope ends with ErrVersion, because it would get out of sync by
// skipping it. Version 1 can read join requests alone. An instance that hears of a member of version 1
// while it joins ends with ErrVersion, so that it leaves that cluster alone. Bodies that are no envelope
// are counted and refused (see Bus.Receive).
//
// # Code
//
// protocol decides everything and does nothing else: its inputs take the present time, and its effects
// are values. Its files import no clock, lock, logger or random source, which a test enforces, so that
// it can be simulated. Node is its shell: node.go, execute.go, receiver.go, sender.go, evictor.go and
// combiner.go. Driver steps a Node in package simulation. For the checker spin, testdata/join.pml is a
// model of joining and bootstrapping, and testdata/asking.pml one of instances that are all out of sync.
//
// # Concurrency
//
//	goroutine  started by    owns alone                           ends when; who waits
//	loop       is Run's own  inputs with effects, and executing   Run's context ends, after a flush; Run's
//	                         them: StateMachine, Local, Recorder  caller
//	receiver   Run           the call of Bus.Receive, decoding    loop's end; Run
//	sender     Run           the one message under way, encoding  loop's end; Run
//	manager    Run           calls of Evictor and Lister          loop's end; Run
//	combiner   Run           the call of Gatherer.Combine         loop's end; Run
//
// Node.mu guards the protocol. It is released before effects are executed, so StateMachine and Local
// may call Append.
package backplane
