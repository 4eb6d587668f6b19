package engineio

import (
	"sync"
	"sync/atomic"
	"time"
)

// heartbeatEntry is what the heartbeat keeps in each session.
type heartbeatEntry struct {
	lastSeen  atomic.Int64 // the last sign of life, in nanoseconds since the server's start
	pingedFor int64        // the lastSeen for which a ping was sent; the heartbeat goroutine owns it

	// heartbeat.mu guards
	prev, next *Session // in the list of the slot
	slot       int32    // of the wheel; -1: in none
}

// heartbeat is one timing wheel for all sessions. Each waits in the slot of the time when it is
// due, twice in a heartbeat. The goroutine lives while there are sessions.
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

// schedule checks a session after d, in place of when it was scheduled before.
func (h *heartbeat) schedule(s *Session, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.removeLocked(s)
	h.addLocked(s, d)
	if !h.running {
		h.running = true
		h.server.running.Go(h.run)
	}
}

// linger expires a lingering session after CloseTimeout, if no poll has taken the last packet until
// then.
func (h *heartbeat) linger(s *Session) {
	h.schedule(s, h.server.options.CloseTimeout)
}

func (h *heartbeat) forget(s *Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.removeLocked(s)
}

func (h *heartbeat) addLocked(s *Session, d time.Duration) {
	ticks := min(int((d+h.tick-1)/h.tick), len(h.slots)-2)
	slot := (h.now + 1 + max(ticks, 0)) % len(h.slots)
	e, head := &s.heartbeat, h.slots[slot]
	e.slot, e.prev, e.next = int32(slot), nil, head
	if head != nil {
		head.heartbeat.prev = s
	}
	h.slots[slot] = s
	h.waiting++
}

func (h *heartbeat) removeLocked(s *Session) {
	e := &s.heartbeat
	if e.slot < 0 {
		return
	}
	if e.prev != nil {
		e.prev.heartbeat.next = e.next
	} else {
		h.slots[e.slot] = e.next
	}
	if e.next != nil {
		e.next.heartbeat.prev = e.prev
	}
	e.slot, e.prev, e.next = -1, nil, nil
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
				h.check(s)
			}
			if stop {
				return
			}
		}
	}
}

// advance moves the wheel by a tick, and takes the sessions that are due. It reports stop when no
// session is left.
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

// check pings a session, or closes it, depending on its last sign of life. Engine.IO v4,
// "Heartbeat": the server pings. In protocol 3 the client does, and the server only checks.
func (h *heartbeat) check(s *Session) {
	if s.life.over() {
		s.transition(eventExpired, nil)
		return
	}
	o := &h.server.options
	last := s.heartbeat.lastSeen.Load()
	silent := h.server.elapsed() - time.Duration(last)
	switch {
	case silent >= o.PingInterval+o.PingTimeout:
		s.Close(ErrPingTimeout)
		return
	case silent < o.PingInterval:
		h.schedule(s, o.PingInterval-silent)
	default:
		if s.heartbeat.pingedFor != last {
			s.heartbeat.pingedFor = last
			if s.protocol != V3 {
				_ = s.SendPrepared(pingPacket) // a session that has just ended needs none
			}
		}
		// The answer may come at once, and then the next ping is due after an interval, which may
		// be shorter than the time-out.
		h.schedule(s, min(o.PingInterval, o.PingInterval+o.PingTimeout-silent))
	}
	if s.life.over() { // since the check: its transition may have come before schedule
		h.rescheduleOver(s)
	}
}

// rescheduleOver corrects the schedule of a session that may have ended before it was scheduled: a
// lingering one is due after CloseTimeout again, another one not at all. If it is removed after
// known was asked, remove forgets it.
func (h *heartbeat) rescheduleOver(s *Session) {
	h.linger(s)
	if !h.server.known(s) {
		h.forget(s)
	}
}

// alive records a sign of life.
func (s *Session) alive() {
	s.heartbeat.lastSeen.Store(int64(s.server.elapsed()))
}

// expired reports whether the client has been silent for too long. It is exact, where the wheel may
// be late by a tick.
func (s *Session) expired() bool {
	o := &s.server.options
	return s.server.elapsed()-time.Duration(s.heartbeat.lastSeen.Load()) >= o.PingInterval+o.PingTimeout
}
