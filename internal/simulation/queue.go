package simulation

import (
	"errors"
	"slices"
	"time"

	"chatapp/internal/backplane"
)

// queue is where the instances of some simulated clusters gather their batches. One at a time reads it: the combiner.
type queue struct {
	world   *world
	missing bool      // there is none in this world
	waiting []*queued // not completed, oldest first
	readers []*reader // wait to be the combiner; the first one is
	free    time.Duration
}

// queued is a batch in the queue.
type queued struct {
	body  []byte
	at    time.Duration // when it may be read
	taken bool          // by the present combiner
}

// lockLasts is how long the lock of a combiner lasts that does not renew it.
const lockLasts = 10 * time.Second

var errLockLost = errors.New("lock of the session lost")

// put takes a batch.
func (q *queue) put(body []byte, delay time.Duration) {
	at := q.world.now() + delay
	if n := len(q.waiting); n > 0 {
		at = max(at, q.waiting[n-1].at)
	}
	q.waiting = append(q.waiting, &queued{body: body, at: at})
	if len(q.readers) > 0 {
		q.readers[0].read()
	}
}

// elect lets the first reader be the combiner, once the lock is free.
func (q *queue) elect() {
	if len(q.readers) == 0 || q.readers[0].elected {
		return
	}
	r := q.readers[0]
	q.world.after(max(q.free-q.world.now(), 0)+r.instance.host.delay(), func() {
		if len(q.readers) == 0 || q.readers[0] != r || r.elected || q.free > q.world.now() {
			return
		}
		r.elected = true
		r.instance.host.within(r.instance, func() {
			if r.elected {
				r.instance.driver.Elected()
				r.read()
			}
		})
	})
}

// leave takes a reader away. The next one has to wait for the lock where the reader has not given it back.
func (q *queue) leave(r *reader, lock time.Duration) {
	q.readers = slices.DeleteFunc(q.readers, func(other *reader) bool { return other == r })
	if r.elected {
		r.elected = false
		q.free = q.world.now() + lock
		for _, m := range q.waiting {
			m.taken = false
		}
	}
	q.elect()
}

// reader makes an instance's calls of Gatherer.Combine.
type reader struct {
	instance *instance
	calling  bool
	elected  bool
	pausing  bool // before the next call
	reading  bool
}

// check is called now and then: it begins a call that the node wants, and ends one that it does not want any more or
// that its link has lost.
func (r *reader) check() {
	h, wanted := r.instance.host, r.instance.driver.Combining()
	switch {
	case wanted && !r.calling && !r.pausing:
		r.calling = true
		h.later(r.instance, h.delay(), r.begin)
	case !r.calling:
	case !wanted:
		r.end(nil)
	case h.link.receiveCut, h.link.sendCut:
		r.end(errCut)
	}
}

func (r *reader) begin() {
	q := &r.instance.host.world.topic.queue
	switch {
	case !r.calling, slices.Contains(q.readers, r): // the call has ended, or begun again, meanwhile
	case q.missing:
		r.end(backplane.ErrNoQueue)
	default:
		q.readers = append(q.readers, r)
		q.elect()
	}
}

// read delivers the next batch to the combiner.
func (r *reader) read() {
	h := r.instance.host
	if r.reading || !r.elected {
		return
	}
	for _, m := range h.world.topic.queue.waiting {
		if !m.taken {
			r.reading = true
			h.later(r.instance, max(m.at-h.world.now(), 0)+h.delay(), func() { r.deliver(m) })
			return
		}
	}
}

func (r *reader) deliver(m *queued) {
	r.reading = false
	h, q := r.instance.host, &r.instance.host.world.topic.queue
	if !r.elected || m.taken {
		return
	}
	done := func() {
		if !r.elected {
			return // the lock is lost: the next combiner is given it again
		}
		q.waiting = slices.DeleteFunc(q.waiting, func(other *queued) bool { return other == m })
	}
	if h.link.silent || h.link.deaf || !r.instance.driver.Gathered(m.body, done) {
		r.reading = true
		h.later(r.instance, 100*time.Millisecond, func() { r.deliver(m) })
		return
	}
	m.taken = true
	r.read()
}

// end ends the call.
func (r *reader) end(err error) {
	h := r.instance.host
	r.calling, r.pausing = false, true
	lock := time.Duration(0)
	if err != nil {
		lock = h.world.upTo(lockLasts)
	}
	h.world.topic.queue.leave(r, lock)
	h.later(r.instance, r.instance.driver.CombineEnded(err), func() { r.pausing = false })
}

// stop ends the call with its instance.
func (r *reader) stop() {
	r.calling = false
	r.instance.host.world.topic.queue.leave(r, r.instance.host.world.upTo(lockLasts))
}

// pause lets the lock lapse while the instance is paused.
func (r *reader) pause() {
	h := r.instance.host
	h.world.after(lockLasts, func() {
		if h.instance == r.instance && h.paused && r.elected {
			h.world.topic.queue.leave(r, 0)
			h.within(r.instance, func() {
				if r.calling {
					r.end(errLockLost)
				}
			})
		}
	})
}
