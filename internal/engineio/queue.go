package engineio

import "sync"

// queue is what waits to be written to one session. Idle sessions have none.
type queue struct {
	items []*Prepared
}

const maxPooledQueue = 4096

var queues = sync.Pool{New: func() any { return &queue{items: make([]*Prepared, 0, 8)} }}

func newQueue() *queue {
	return queues.Get().(*queue)
}

func (q *queue) release() {
	if cap(q.items) > maxPooledQueue {
		return
	}
	clear(q.items)
	q.items = q.items[:0]
	queues.Put(q)
}

// size is what the items count for in the session's bound.
func (q *queue) size() int {
	size := 0
	for _, p := range q.items {
		size += p.size
	}
	return size
}
