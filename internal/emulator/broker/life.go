package broker

import (
	"sync"
	"sync/atomic"
	"time"
)

// life is when an entity was used, and its end when it was not for the time of AutoDeleteOnIdle.
type life struct {
	// immutable once begun
	parent *life // a subscription's topic: using one uses the other
	now    func() int64
	busy   func() bool
	expire func()

	accessed atomic.Int64 // 0 until first used

	mu sync.Mutex
	// mu guards
	created, updated int64
	idle             time.Duration // Unlimited means never
	timer            *time.Timer
	ended            bool
}

func newLife(parent *life, now func() int64) *life {
	l := &life{parent: parent, now: now, created: now(), idle: Unlimited}
	l.updated = l.created
	return l
}

// begin starts to watch for idleness. busy tells whether messages are scheduled, which keeps an entity alive; nil means
// none can be.
func (l *life) begin(idle time.Duration, busy func() bool, expire func()) {
	l.busy, l.expire = busy, expire
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchLocked(idle)
}

// used notes an operation of a client, or a message.
func (l *life) used(now int64) {
	l.accessed.Store(now)
	if l.parent != nil {
		l.parent.used(now)
	}
}

// change notes an update by management.
func (l *life) change(idle time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.updated = l.now()
	l.watchLocked(idle)
}

func (l *life) watchLocked(idle time.Duration) {
	l.idle = idle
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if idle != Unlimited && !l.ended {
		l.timer = time.AfterFunc(idle, l.tick)
	}
}

// tick ends the entity if it has been idle for long enough ("Message expiration", "Idleness"), else it looks again when
// it may have been.
func (l *life) tick() {
	l.mu.Lock()
	if l.ended || l.idle == Unlimited {
		l.mu.Unlock()
		return
	}
	if l.busy != nil && l.busy() {
		l.accessed.Store(l.now())
	}
	end := addTime(max(l.updated, l.accessed.Load()), l.idle)
	if left := end - l.now(); left > 0 {
		l.timer.Reset(time.Duration(left))
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	l.expire()
}

func (l *life) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.timer != nil {
		l.timer.Stop()
	}
}

func (l *life) times() Times {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Times{CreatedAt: unixTime(l.created), UpdatedAt: unixTime(l.updated), AccessedAt: unixTime(l.accessed.Load())}
}
