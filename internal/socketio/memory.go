package socketio

import (
	"slices"
	"strconv"
	"sync"
	"time"
)

// MemoryRecovery is a [Recovery] and [Recorder] in this process's memory: clients recover from a lost connection, not from
// a restarted server. What it keeps is bounded in age and in bytes.
type MemoryRecovery struct {
	maxAge   time.Duration
	maxBytes int
	epoch    string // stands before each offset, so that one of another process is not taken for ours

	mu sync.Mutex
	// mu guards
	sessions map[string]*keptSession // by pid
	leaving  []*keptSession          // in the order they were kept
	events   []keptEvent             // in order; events[0] has the number first
	first    uint64
	bytes    int // of events and sessions
}

type keptSession struct {
	Session
	at    time.Time
	bytes int
}

type keptEvent struct {
	Emission
	at    time.Time
	bytes int
}

// overhead is about what a kept session or event takes beside its text.
const overhead = 256

// NewMemoryRecovery returns a MemoryRecovery that keeps sessions and events for maxAge, 2 minutes if 0, and at most
// maxBytes of them, 16 MiB if 0: the oldest go first. The Data of sessions is not counted.
func NewMemoryRecovery(maxAge time.Duration, maxBytes int) *MemoryRecovery {
	setDefault(&maxAge, 2*time.Minute)
	setDefault(&maxBytes, 16<<20)
	return &MemoryRecovery{maxAge: maxAge, maxBytes: maxBytes, epoch: newID()[:8], sessions: make(map[string]*keptSession)}
}

// Keep remembers a session.
func (r *MemoryRecovery) Keep(s Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := overhead
	for _, name := range s.Rooms {
		size += len(name)
	}
	kept := &keptSession{Session: s, at: time.Now(), bytes: size}
	r.forgetLocked(s.PID)
	r.sessions[s.PID] = kept
	r.leaving = append(r.leaving, kept)
	r.bytes += size
	r.trimLocked()
	if len(r.leaving) > 2*len(r.sessions)+maxForgotten {
		r.leaving = slices.DeleteFunc(r.leaving, func(kept *keptSession) bool { return kept.PID == "" })
	}
}

// maxForgotten is how many forgotten sessions may stay in leaving at least: a client that is cut off and back all the time leaves many.
const maxForgotten = 64

// forgetLocked forgets a session; what it leaves in leaving counts nothing and goes with time, or when there are many.
func (r *MemoryRecovery) forgetLocked(pid string) {
	if old := r.sessions[pid]; old != nil {
		delete(r.sessions, pid)
		r.bytes -= old.bytes
		*old = keptSession{at: old.at}
	}
}

// Record numbers an event and keeps it.
func (r *MemoryRecovery) Record(e Emission) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	number := r.first + uint64(len(r.events))
	offset := r.epoch + strconv.FormatUint(number, 36)
	e.Event = e.Event.WithOffset(offset)
	e.Rooms, e.Except = slices.Clone(e.Rooms), slices.Clone(e.Except)
	size := overhead + e.Event.Size()
	r.events = append(r.events, keptEvent{e, time.Now(), size})
	r.bytes += size
	r.trimLocked()
	return offset
}

// trimLocked drops what is too old, and the oldest of what is too much.
func (r *MemoryRecovery) trimLocked() {
	limit := time.Now().Add(-r.maxAge)
	for len(r.leaving) > 0 && (r.leaving[0].at.Before(limit) || r.leaving[0].PID == "") {
		r.forgetLocked(r.leaving[0].PID)
		r.leaving[0] = nil
		r.leaving = r.leaving[1:]
	}
	for len(r.events) > 0 && (r.events[0].at.Before(limit) || r.bytes > r.maxBytes) {
		r.bytes -= r.events[0].bytes
		r.events[0] = keptEvent{}
		r.events = r.events[1:]
		r.first++
	}
	for len(r.leaving) > 0 && r.bytes > r.maxBytes {
		r.forgetLocked(r.leaving[0].PID)
		r.leaving = r.leaving[1:]
	}
}

// Restore returns a session that is still there, if all it missed is too.
func (r *MemoryRecovery) Restore(namespace, pid, offset string) (Restored, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trimLocked()
	kept := r.sessions[pid]
	if kept == nil || kept.Namespace != namespace {
		return Restored{}, false
	}
	next, ok := r.afterLocked(offset)
	if !ok {
		return Restored{}, false
	}
	session := kept.Session
	r.forgetLocked(pid)
	// What there is by now is taken at once, as it may be dropped before the socket is let in.
	missed, next := r.missedLocked(session, next)
	return Restored{Session: session, Missed: func() []*Prepared {
		r.mu.Lock()
		defer r.mu.Unlock()
		since, _ := r.missedLocked(session, next)
		return append(missed, since...)
	}}, true
}

// afterLocked returns the number of the event that follows the one with this offset, which must be one of ours and not
// so old that events after it are gone.
func (r *MemoryRecovery) afterLocked(offset string) (uint64, bool) {
	if len(offset) <= len(r.epoch) || offset[:len(r.epoch)] != r.epoch {
		return 0, false
	}
	number, err := strconv.ParseUint(offset[len(r.epoch):], 36, 64)
	end := r.first + uint64(len(r.events))
	if err != nil || number >= end || number+1 < r.first {
		return 0, false
	}
	return number + 1, true
}

// missedLocked returns the session's events from the number next on, and the number that the next event will have.
func (r *MemoryRecovery) missedLocked(s Session, next uint64) (events []*Prepared, end uint64) {
	for i := max(next, r.first) - r.first; i < uint64(len(r.events)); i++ {
		if e := &r.events[i]; e.Event.Namespace() == s.Namespace && e.reaches(s) {
			events = append(events, e.Event)
		}
	}
	return events, r.first + uint64(len(r.events))
}

// reaches tells whether the event went, or would have gone, to the session's socket.
func (e *Emission) reaches(s Session) bool {
	in := func(rooms []string) bool {
		return slices.ContainsFunc(rooms, func(name string) bool { return name == s.SID || slices.Contains(s.Rooms, name) })
	}
	return (e.All || in(e.Rooms)) && !in(e.Except)
}
