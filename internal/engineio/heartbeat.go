package engineio

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// pulse is what the heartbeat keeps in each session.
type pulse struct {
	last   atomic.Int64 // the last sign of life, in nanoseconds since the server's start
	pinged int64        // the last for which a ping was sent; the heartbeat goroutine's own

	prev, next *Session // in the list of its slot; guarded by heartbeat.mu
}

// heartbeat is one timing wheel for all sessions: each waits in the slot of the time when it is to be looked at next, twice in a
// heartbeat. Its goroutine lives while there are sessions.
type heartbeat struct {
	server *Server
	tick   time.Duration

	mu sync.Mutex
	// mu guards
	slots   []*Session // heads of the lists
	now     int        // the slot of this tick
	waiting int
	running bool
}

// The tick is a fraction of the shorter of interval and time-out: a ping may be late by one.
const (
	ticksPerTimeout = 40
	minTick         = time.Millisecond
	maxTick         = 250 * time.Millisecond
)

func newHeartbeat(s *Server) *heartbeat {
	o := &s.options
	shortest := min(o.PingInterval, o.PingTimeout, o.CloseTimeout)
	longest := max(o.PingInterval, o.PingTimeout, o.CloseTimeout)
	tick := min(max(shortest/ticksPerTimeout, minTick), maxTick)
	return &heartbeat{server: s, tick: tick, slots: make([]*Session, int(longest/tick)+3)}
}

// watch looks at a session again after d.
func (h *heartbeat) watch(s *Session, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.removeLocked(s)
	h.addLocked(s, d)
	if !h.running {
		h.running = true
		h.server.running.Go(h.run)
	}
}

// linger forgets a closed polling session after CloseTimeout, if nobody has fetched its last packet until then.
func (h *heartbeat) linger(s *Session) {
	h.watch(s, h.server.options.CloseTimeout)
}

func (h *heartbeat) forget(s *Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.removeLocked(s)
}

func (h *heartbeat) addLocked(s *Session, d time.Duration) {
	ticks := min(int((d+h.tick-1)/h.tick), len(h.slots)-2)
	slot := (h.now + 1 + max(ticks, 0)) % len(h.slots)
	head := h.slots[slot]
	s.slot, s.pulse.prev, s.pulse.next = int32(slot), nil, head
	if head != nil {
		head.pulse.prev = s
	}
	h.slots[slot] = s
	h.waiting++
}

func (h *heartbeat) removeLocked(s *Session) {
	p := &s.pulse
	if s.slot < 0 {
		return
	}
	if p.prev != nil {
		p.prev.pulse.next = p.next
	} else {
		h.slots[s.slot] = p.next
	}
	if p.next != nil {
		p.next.pulse.prev = p.prev
	}
	s.slot, p.prev, p.next = -1, nil, nil
	h.waiting--
}

func (h *heartbeat) run() {
	ticker := time.NewTicker(h.tick)
	defer ticker.Stop()
	start := time.Now()
	done := 0
	var due []*Session
	for range ticker.C {
		// A ticker drops ticks when it is late; the wheel must not.
		for elapsed := int(time.Since(start) / h.tick); done < elapsed; done++ {
			var stop bool
			due, stop = h.advance(due[:0])
			for i, s := range due {
				due[i] = nil
				h.look(s)
			}
			if stop {
				return
			}
		}
	}
}

// advance goes on by a tick, and takes who is due; stop when nobody waits.
func (h *heartbeat) advance(due []*Session) (_ []*Session, stop bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = (h.now + 1) % len(h.slots)
	for s := h.slots[h.now]; s != nil; s = h.slots[h.now] {
		h.removeLocked(s)
		due = append(due, s)
	}
	if len(due) == 0 && h.waiting == 0 {
		h.running = false
		return due, true
	}
	return due, false
}

var pingPacket, pongPacket = prepareControl(packetPing), prepareControl(packetPong)

// look pings a session, or gives it up, as its last sign of life wants. Engine.IO v4, "Heartbeat": the server pings. In
// protocol 3 the client does, and is only watched.
func (h *heartbeat) look(s *Session) {
	if s.over.Load() {
		h.server.remove(s)
		return
	}
	o := &h.server.options
	last := s.pulse.last.Load()
	silent := h.server.elapsed() - time.Duration(last)
	switch {
	case silent >= o.PingInterval+o.PingTimeout:
		s.Close(ErrPingTimeout)
		return
	case silent < o.PingInterval:
		h.watch(s, o.PingInterval-silent)
	default:
		if s.pulse.pinged != last {
			s.pulse.pinged = last
			if s.protocol != V3 {
				_ = s.SendPrepared(pingPacket) // a session that has just ended needs none
			}
		}
		// The answer may come at once, and then the next ping is due after an interval, which may be shorter than the time-out.
		h.watch(s, min(o.PingInterval, o.PingInterval+o.PingTimeout-silent))
	}
	if s.over.Load() { // it ended while we looked, before it was watched again
		h.lingerOver(s)
	}
}

// lingerOver is for a session that has ended while it was about to be watched: it gives it its time to linger again, or forgets it.
// One that is removed after the second look is forgotten by who removes it.
func (h *heartbeat) lingerOver(s *Session) {
	h.linger(s)
	if !h.server.known(s) {
		h.forget(s)
	}
}

// alive notes a sign of life.
func (s *Session) alive() {
	s.pulse.last.Store(int64(s.server.elapsed()))
}

// expired tells whether the session has been silent for too long, exactly, where the wheel may be late by a tick.
func (s *Session) expired() bool {
	o := &s.server.options
	return s.server.elapsed()-time.Duration(s.pulse.last.Load()) >= o.PingInterval+o.PingTimeout
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}
