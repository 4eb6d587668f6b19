package backplane

// Entry is one item of the log as the state machine is given it. It is flat and of plain types, so that a package which
// doesn't import this one can declare the same struct and be handed it by conversion, without a copy of the body:
//
//	func (s state) Apply(e backplane.Entry) { s.chat.Apply(chat.Entry(e)) }
type Entry struct {
	Instance string // who appended it; equal to Bus.Instance: this instance
	Epoch    uint64 // when its process started: another process by that name has a greater one
	Number   uint64 // within its process's life, from 1 in the order appended; Node's own entries take some
	Time     int64  // when it was appended, by the appending instance's clock, in Unix milliseconds
	Body     []byte // belongs to the state machine, which may keep it but not modify it
}

// StateMachine is the state that the log drives. Its methods are called in the log's order, one at a time, alike on
// every instance, on Node's own goroutine. They must be deterministic: the outcome depends on the state and the
// arguments alone, not on a clock, chance or the order of a map. They must not block; they may call Node.Append.
//
// (Instance, Epoch, Number) names an entry alike on every instance and for ever: it serves as a recovery offset. Only
// entries that Local.Joined put first are not in the order of their numbers.
type StateMachine interface {
	// Apply applies an entry. No entry is applied to a state that has it; those of one instance come in the order appended.
	Apply(Entry)

	// Gone tells that an instance has left the cluster, by goodbye, eviction or restart, at one place in the log for
	// all. at is the entry which says so, with its time and no body; its appender may be another instance. The instance
	// gone can be this one: evicted while paused or cut off. It joins again, and Local.Joined follows.
	Gone(at Entry, instance string)

	// Snapshot encodes the state as it is. The result belongs to Node.
	Snapshot() []byte

	// Restore replaces the state by a snapshot that another instance's Snapshot made, with the same or
	// the neighbouring version of this program. On error the old state must still be there.
	Restore(snapshot []byte) error
}

// Local is told what concerns this instance alone. Its methods are called on the same goroutine as the StateMachine's,
// never at the same time, and must not change the replicated state. They must not block; they may call Node.Append.
type Local interface {
	// Joined tells that the instance is in the cluster and in step: at start, and again after it had fallen out. The
	// state is the cluster's (Restore was called before, unless this instance founded the cluster with the state it
	// had). The bodies returned are appended ahead of those that waited while it was out: for instance the
	// names of the users who are connected here and whom the state does not know (any more).
	Joined() (first [][]byte)

	// Provisional tells that an entry appended here has not come back from the log within Options.ProvisionalAfter.
	// It is told once an entry, in the order appended. The entry still goes out, and Apply (or Committed) follows when
	// it is back, unless the process ends first.
	Provisional(body []byte)

	// Committed reports that an entry appended here is in the log: other instances have applied it, and the snapshot
	// last given to Restore contains it. Apply is not called for it. The call comes between Restore and Joined.
	Committed(e Entry)

	// CutOff tells when this instance's entries stop coming back from the log in time (or the bus refuses to deliver),
	// and when they come again.
	CutOff(cut bool)
}
