package broker

import "time"

// maxRememberedIDs bounds the ids that duplicate detection remembers. It forgets the oldest first.
const maxRememberedIDs = 1 << 20

// duplicates remembers the ids of messages sent within a window.
type duplicates struct {
	window time.Duration
	seen   map[string]struct{}
	order  []seenID
}

type seenID struct {
	id string
	at int64
}

// mark marks the arrivals whose ids were seen within the window, and remembers the ids of the others. Messages without
// an id are never duplicates.
func (d *duplicates) mark(arrivals []arrival, now int64) {
	d.expire(now)
	for i := range arrivals {
		id := arrivals[i].msg.ID
		if id == "" {
			continue
		}
		if !d.remember(seenID{id, now}) {
			arrivals[i].duplicate = true
		}
	}
}

// expire forgets the ids that were seen before the window.
func (d *duplicates) expire(now int64) {
	expired := 0
	for expired < len(d.order) && (d.order[expired].at <= now-int64(d.window) ||
		len(d.order)-expired > maxRememberedIDs) {
		delete(d.seen, d.order[expired].id)
		expired++
	}
	d.order = d.order[expired:]
}

// remember remembers an id. It reports false if the id is remembered already.
func (d *duplicates) remember(one seenID) bool {
	if _, seen := d.seen[one.id]; seen {
		return false
	}
	d.seen[one.id] = struct{}{}
	d.order = append(d.order, one)
	return true
}

func (d *duplicates) forget() {
	clear(d.seen)
	d.order = nil
}

// setWindow changes how long ids are remembered, those already seen included.
func (t *Target) setWindow(window time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.duplicates != nil {
		t.duplicates.window = window
	}
}
