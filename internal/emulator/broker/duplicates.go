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

// drop returns the arrivals whose ids were not seen within the window, and remembers their ids. Messages without an id
// are never duplicates.
func (d *duplicates) drop(arrivals []arrival, now int64) []arrival {
	expired := 0
	for expired < len(d.order) && (d.order[expired].at <= now-int64(d.window) ||
		len(d.order)-expired > maxRememberedIDs) {
		delete(d.seen, d.order[expired].id)
		expired++
	}
	d.order = d.order[expired:]
	fresh := make([]arrival, 0, len(arrivals))
	for _, a := range arrivals {
		if id := a.msg.ID; id != "" {
			if _, twice := d.seen[id]; twice {
				continue
			}
			d.seen[id] = struct{}{}
			d.order = append(d.order, seenID{id, now})
		}
		fresh = append(fresh, a)
	}
	return fresh
}

// setWindow changes how long ids are remembered, those already seen included.
func (t *Target) setWindow(window time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.duplicates != nil {
		t.duplicates.window = window
	}
}
