package backplane

import (
	"errors"
	"slices"
	"time"
)

// maxEvictTries is how often the bus is asked to remove the subscription of an evicted instance. No
// other instance asks.
const maxEvictTries = 10

// maxRecent bounds the evictions remembered, in case that their evictor dies too.
const maxRecent = 64

// evictions are the instances whose orphaned subscriptions the bus has to remove. That may take long,
// so it has a goroutine of its own in the shell, and entries don't wait for it.
type evictions struct {
	queue []string // the first is under way
	last  string
	tries int // for last
	pace  pacer

	recent []recentEviction // oldest first
}

// recentEviction says which instance has to remove an orphaned subscription.
type recentEviction struct{ instance, by string }

// evicted notes an eviction by the log.
func (q *evictions) evicted(instance, by string) {
	if len(q.recent) >= maxRecent {
		q.recent = q.recent[1:]
	}
	q.recent = append(q.recent, recentEviction{instance, by})
}

// inherit adds the subscriptions that an evicted instance may not have removed any more.
func (q *evictions) inherit(by string) {
	for _, r := range q.recent {
		if r.by == by {
			q.add(r.instance)
		}
	}
}

func (q *evictions) add(instance string) {
	if !slices.Contains(q.queue, instance) {
		q.queue = append(q.queue, instance)
	}
}

// remove takes an instance out of the queue: it is evicted from the bus, or has joined again and needs
// its subscription.
func (q *evictions) remove(instance string) {
	q.queue = slices.DeleteFunc(q.queue, func(name string) bool { return name == instance })
	q.recent = slices.DeleteFunc(q.recent, func(r recentEviction) bool { return r.instance == instance })
}

// managing is a call of the bus's Evict or Subscriptions.
type managing struct {
	list     bool   // of Subscriptions
	fence    bool   // of Evict, before this instance bootstraps
	instance string // of Evict: its argument
}

// nextManaging returns the call of Evict or Subscriptions that is to be made next, if there is one. An instance that is
// out of sync does not evict: what it knows may be outdated.
func (p *protocol) nextManaging() (managing, bool) {
	q, b := &p.evictions, &p.bootstrapping
	switch {
	case p.join != nil && len(b.fence) > 0:
		return managing{fence: true, instance: b.fence[0]}, true
	case p.join != nil && b.look.due:
		return managing{list: true}, true
	case p.join != nil || len(q.queue) == 0:
		return managing{}, false
	}
	if q.queue[0] != q.last {
		q.last, q.tries = q.queue[0], 0
	}
	return managing{instance: q.queue[0]}, true
}

// managed takes the outcome of a call of Evict or Subscriptions. It returns how long to wait before the next one.
func (p *protocol) managed(now time.Time, m managing, subscriptions []Subscription, err error) (pause time.Duration) {
	switch {
	case m.list:
		return p.listed(now, subscriptions, err)
	case m.fence:
		return p.fenced(now, m.instance, err)
	}
	return p.evicted(now, m.instance, err)
}

// evicted takes the outcome of a call of Evictor.Evict. It returns how long to wait before the next call.
func (p *protocol) evicted(now time.Time, instance string, err error) (pause time.Duration) {
	switch {
	case errors.Is(err, ErrBusy):
		p.counters.Busy++
	case err != nil:
		p.counters.Failures++
	}
	q := &p.evictions
	if q.tries++; err != nil && q.tries >= maxEvictTries {
		p.logError("subscription of an evicted instance not removed", "instance", instance, "err", err)
	}
	if err == nil || q.tries >= maxEvictTries {
		q.remove(instance)
		q.last = ""
	}
	return p.pause(now, &q.pace, err)
}
