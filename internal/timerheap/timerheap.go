// Package timerheap keeps any number of timed values behind a single time.Timer.
//
// # Concurrency
//
// A Heap has no lock of its own: a lock of its owner guards every method. The one goroutine is the runtime's, which
// calls the wake function when the timer fires, without that lock. It ends with the call; an owner that has to wait
// for it counts the calls itself.
package timerheap

import (
	"container/heap"
	"time"
)

// Heap holds values ordered by time. When the earliest is due it calls the wake function, which is expected to take
// the owner's lock and call Pop until that reports false.
type Heap[T any] struct {
	entries entries[T]
	wake    func()
	timer   *time.Timer // nil until the first value is added
	wakeAt  time.Time   // the time that the timer is set to; zero: it is not set
	stopped bool
}

// Entry is a value in a Heap, as a handle for Remove.
type Entry[T any] struct {
	value T
	at    time.Time
	index int // in the heap; -1 once it has left it
}

// New returns an empty heap. It calls wake on a goroutine of its own whenever a value may be due; a call may find
// nothing, where the value was removed. A heap needs no clean-up while it is empty; Stop releases its timer.
func New[T any](wake func()) *Heap[T] { return &Heap[T]{wake: wake} }

// Add inserts a value that is due at the given time. Values with equal times leave in any order. After Stop it does
// nothing; the entry it then returns is one that has left the heap.
func (h *Heap[T]) Add(at time.Time, value T) *Entry[T] {
	e := &Entry[T]{value: value, at: at, index: -1}
	if h.stopped {
		return e
	}
	heap.Push(&h.entries, e)
	if h.wakeAt.IsZero() || at.Before(h.wakeAt) {
		h.setTimer(at)
	}
	return e
}

// Remove takes an entry out before it is due. It does nothing to one that has left the heap. The timer stays set.
func (h *Heap[T]) Remove(e *Entry[T]) {
	if e.index >= 0 {
		heap.Remove(&h.entries, e.index)
	}
}

// Pop removes and returns the earliest value if it is due at now. If none is due it sets the timer for the next one
// and reports false.
func (h *Heap[T]) Pop(now time.Time) (value T, ok bool) {
	if len(h.entries) > 0 && !h.entries[0].at.After(now) {
		return heap.Pop(&h.entries).(*Entry[T]).value, true
	}
	h.wakeAt = time.Time{}
	if len(h.entries) > 0 {
		h.setTimer(h.entries[0].at)
	}
	return value, false
}

// Len returns the number of values in the heap.
func (h *Heap[T]) Len() int { return len(h.entries) }

// Stop removes all values and stops the timer. A call of the wake function that has begun already may still be under
// way; Pop then reports false.
func (h *Heap[T]) Stop() {
	for _, e := range h.entries {
		e.index = -1
	}
	h.entries, h.stopped = nil, true
	if h.timer != nil {
		h.timer.Stop()
	}
}

func (h *Heap[T]) setTimer(at time.Time) {
	h.wakeAt = at
	if h.timer == nil {
		h.timer = time.AfterFunc(time.Until(at), h.wake)
		return
	}
	h.timer.Reset(time.Until(at))
}

// entries implements heap.Interface.
type entries[T any] []*Entry[T]

func (s entries[T]) Len() int           { return len(s) }
func (s entries[T]) Less(i, j int) bool { return s[i].at.Before(s[j].at) }

func (s entries[T]) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

func (s *entries[T]) Push(x any) {
	e := x.(*Entry[T])
	e.index = len(*s)
	*s = append(*s, e)
}

func (s *entries[T]) Pop() any {
	last := len(*s) - 1
	e := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	e.index = -1
	return e
}
