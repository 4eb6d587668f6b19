// Package audit writes a trace of who did what: one structured line for each kind of action of a client, with a count
// where the same happens again and again.
//
// # Concurrency
//
// The package starts no goroutine. Lines that were held back are written on one that a timer of the runtime starts.
package audit

import (
	"log/slog"
	"sync"
	"time"
)

// every is how often the same action of the same client is written at most; maxHeld bounds the actions held back.
const (
	every   = 10 * time.Second
	maxHeld = 1000
)

// Log writes audit lines to a logger. The first of its kind is written at once; those that follow within ten seconds
// are counted, and one line says how many there were. All methods may be called concurrently.
type Log struct {
	logger *slog.Logger

	mu sync.Mutex
	// mu guards
	held   map[action]int // since it was written last
	timer  *time.Timer    // nil: nothing is held
	closed bool
}

// action is what a line is about.
type action struct{ what, remote, user string }

// New returns a Log that writes to a logger, at the level info.
func New(logger *slog.Logger) *Log { return &Log{logger: logger, held: make(map[action]int)} }

// Record notes that a client at an address, with a nickname or "", has done something, or that something was done to
// it. What stands for the kind of action and never holds text of a client.
func (l *Log) Record(what, remote, user string) {
	a := action{what, remote, user}
	l.mu.Lock()
	_, known := l.held[a]
	if !known && len(l.held) >= maxHeld {
		a = action{what: what} // of too many clients to name them all
		_, known = l.held[a]
	}
	if known {
		l.held[a]++
	} else {
		l.held[a] = 0
		if l.timer == nil && !l.closed {
			l.timer = time.AfterFunc(every, l.flush)
		}
	}
	l.mu.Unlock()
	if !known {
		l.write(a, 1)
	}
}

func (l *Log) write(a action, count int) {
	l.logger.Info("audit", "action", a.what, "remote", a.remote, "user", a.user, "count", count)
}

// flush writes what was held back, and forgets what has not happened again.
func (l *Log) flush() {
	l.mu.Lock()
	held := l.held
	l.held = make(map[action]int)
	l.timer = nil
	for a, count := range held {
		if count > 0 {
			l.held[a] = 0
		}
	}
	if len(l.held) > 0 && !l.closed {
		l.timer = time.AfterFunc(every, l.flush)
	}
	l.mu.Unlock()
	for a, count := range held {
		if count > 0 {
			l.write(a, count)
		}
	}
}

// Close writes what was held back and stops the timer.
func (l *Log) Close() {
	l.mu.Lock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.mu.Unlock()
	l.flush()
}
