package backplane

// Entry is one entry of the log as the state machine receives it. It is flat and of plain types, so
// that a package which doesn't import this one can declare the same struct and convert entries to it,
// without a copy of the body:
//
//	func (s state) Apply(e backplane.Entry) { s.chat.Apply(chat.Entry(e)) }
type Entry struct {
	Instance string // the instance that appended it; equal to Bus.Instance: this one
	Epoch    uint64 // when that instance's process started: a later process by that name has a greater one
	Number   uint64 // in that process's life, from 1 in the order appended; control entries take some numbers
	Index    uint64 // log index: how many entries the log has up to this one
	Time     int64  // of Append, by the bus's clock, in Unix milliseconds; 0: not known
	Again    bool   // it was accepted in another log, and so acknowledged there; this one lacks it until here
	Body     []byte // belongs to the state machine, which may keep it but not modify it
	Trace    string // of AppendFor; "": none
}

// StateMachine is the state that the log drives. Its methods are called in the log's order, one at a
// time, alike on every instance, on the goroutine of Node.Run. They must be deterministic: the outcome
// depends on the state and the arguments alone, not on a clock, a random source or the order of a map.
// They must not block; they may call Node.Append.
//
// (Instance, Epoch, Number) names an entry alike on every instance and forever. Only the entries that
// Local.Joined returns, and those with Again set, are not in the order of their numbers.
//
// A panic of Apply, Gone, Begin or Raise counts as an error of Apply.
type StateMachine interface {
	// Apply applies an entry. It is called once for each entry, and not for entries that a restored
	// snapshot contains. Entries of one instance come in the order appended.
	//
	// An error says that the state machine has skipped the entry, which must be so on every instance.
	// Node reports it to Observer.Skipped and goes on.
	Apply(Entry) error

	// Gone removes an instance that has left the cluster, by a leave entry, eviction or restart, at one
	// log index for all. at is the entry that says so, with its time and no body; another instance may
	// have appended it. The instance can be this one, if it was evicted while it was paused or cut off.
	// It then joins again, and Local.Joined follows.
	Gone(at Entry, instance string)

	// Begin begins a log with the state as it is, because this instance bootstraps the cluster. The other
	// instances of the cluster receive the state behind it by Restore. at is the log's first entry. Its
	// Instance and Epoch name the log: no other one has both.
	Begin(at Entry)

	// Raise has the state follow a version of its rules from the entry at on. All members know it:
	// Options.Rules says up to which version an instance does. A state that Restore was not called for
	// follows the newest that its instance knows.
	Raise(at Entry, rules uint64)

	// Snapshot encodes the state as it is. The result belongs to Node.
	Snapshot() []byte

	// Restore replaces the state by a snapshot that another instance's Snapshot made, perhaps with
	// another version of this program. If it returns an error, it has kept the old state. One that wraps
	// ErrVersion ends Run: this version of the program can't be in the cluster.
	Restore(snapshot []byte) error
}

// Local receives what concerns this instance alone. Its methods are called on the same goroutine as the
// StateMachine's, never at the same time, and must not change the replicated state. They must not
// block; they may call Node.Append.
type Local interface {
	// Joined is called when the instance is in the cluster and in sync: at start, and again after it
	// was out of sync. The state is the cluster's: Restore was called before, unless this instance
	// bootstrapped the cluster with the state it had. Node appends the bodies returned ahead of those
	// that waited while it was out of sync: for instance, the names of the users who are connected here
	// and whom the state does not know (any more).
	Joined() (first [][]byte)

	// Provisional is called with an entry appended here that has not come back from the log within
	// Timing.ProvisionalAfter. It is called once for an entry, in the order appended. Node still
	// publishes the entry. Apply (or Committed) follows when it is back, unless the process ends first.
	Provisional(body []byte)

	// Committed reports that an entry appended here is in the log: other instances have applied it, and
	// the snapshot last given to Restore contains it. Apply is not called for it. The call comes
	// between Restore and Joined.
	Committed(e Entry)

	// CutOff is called with true when this instance's entries stop coming back from the log in time (or
	// the bus refuses to deliver), and with false when they come again.
	CutOff(cut bool)
}
