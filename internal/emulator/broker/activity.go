package broker

import (
	"sync"
	"sync/atomic"
	"time"
)

// activity records when an entity was used, and deletes it when it was unused for the time of AutoDeleteOnIdle.
type activity struct {
	// immutable once begun
	parent *activity // of the topic, for a subscription: its use counts as use of the topic
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

func newActivity(parent *activity, now func() int64) *activity {
	l := &activity{parent: parent, now: now, created: now(), idle: Unlimited}
	l.updated = l.created
	return l
}

// begin starts the idle timer. busy reports whether messages are scheduled, which keeps an entity from being idle; nil
// means that none can be. expire deletes the entity.
func (l *activity) begin(idle time.Duration, busy func() bool, expire func()) {
	l.busy, l.expire = busy, expire
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchLocked(idle)
}

// used records an operation of a client or the arrival of a message.
func (l *activity) used(now int64) {
	l.accessed.Store(now)
	if l.parent != nil {
		l.parent.used(now)
	}
}

// change records an update of the entity and restarts the idle timer.
func (l *activity) change(idle time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.updated = l.now()
	l.watchLocked(idle)
}

func (l *activity) watchLocked(idle time.Duration) {
	l.idle = idle
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if idle != Unlimited && !l.ended {
		l.timer = time.AfterFunc(idle, l.onTimer)
	}
}

// onTimer deletes the entity if it was idle for long enough ("Message expiration", "Idleness"). Otherwise it sets the
// timer again.
func (l *activity) onTimer() {
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

func (l *activity) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.timer != nil {
		l.timer.Stop()
	}
}

func (l *activity) times() Times {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Times{CreatedAt: unixTime(l.created), UpdatedAt: unixTime(l.updated),
		AccessedAt: unixTime(l.accessed.Load())}
}
