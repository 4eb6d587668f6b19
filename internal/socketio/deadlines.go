package socketio

import (
	"container/heap"
	"sync"
	"time"
)

// deadlines calls functions when their time has come: connect time-outs and acknowledgements of a whole server share one
// heap and one timer, which is set for the first of them.
type deadlines struct {
	running sync.WaitGroup // calls of run past their check of closed

	mu sync.Mutex
	// mu guards
	queue  deadlineHeap
	timer  *time.Timer
	closed bool
}

// deadline is one function and its time.
type deadline struct {
	at    time.Time
	fire  func()
	index int // in the heap; -1 once it has left it
}

// add has fire called after d, on a goroutine of its own, unless remove comes first.
func (q *deadlines) add(d time.Duration, fire func()) *deadline {
	entry := &deadline{at: time.Now().Add(d), fire: fire, index: -1}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return entry
	}
	heap.Push(&q.queue, entry)
	if entry.index == 0 {
		q.setTimerLocked()
	}
	return entry
}

// remove forgets entry. One that is due already may be called all the same.
func (q *deadlines) remove(entry *deadline) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if entry.index >= 0 && !q.closed {
		heap.Remove(&q.queue, entry.index)
	}
}

// close forgets all entries and waits for the calls under way.
func (q *deadlines) close() {
	q.mu.Lock()
	q.closed = true
	q.queue = nil
	if q.timer != nil {
		q.timer.Stop()
	}
	q.mu.Unlock()
	q.running.Wait()
}

// setTimerLocked sets the timer for the first entry. Where entries are removed it is left as it is and may find nothing.
func (q *deadlines) setTimerLocked() {
	wait := time.Until(q.queue[0].at)
	if q.timer == nil {
		q.timer = time.AfterFunc(wait, q.run)
		return
	}
	q.timer.Reset(wait)
}

// run calls what is due and sets the timer for what is next.
func (q *deadlines) run() {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return
	}
	q.running.Add(1)
	defer q.running.Done()
	now := time.Now()
	var due []*deadline
	for len(q.queue) > 0 && !q.queue[0].at.After(now) {
		due = append(due, heap.Pop(&q.queue).(*deadline))
	}
	if len(q.queue) > 0 {
		q.setTimerLocked()
	}
	q.mu.Unlock()
	for _, entry := range due {
		entry.fire()
	}
}

// deadlineHeap implements heap.Interface, the earliest first.
type deadlineHeap []*deadline

func (h deadlineHeap) Len() int           { return len(h) }
func (h deadlineHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

func (h deadlineHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *deadlineHeap) Push(x any) {
	entry := x.(*deadline)
	entry.index = len(*h)
	*h = append(*h, entry)
}

func (h *deadlineHeap) Pop() any {
	last := len(*h) - 1
	entry := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	entry.index = -1
	return entry
}
