package backplane_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// logged is where a logger writes while a test reads.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// lines counts those that contain a text.
func (l *logged) lines(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// Trouble that lasts is told now and then, neither once nor at every attempt.
func TestLastingTroubleIsToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		c := newCluster(t, 1)
		c.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
		a := c.start("a")
		c.wantReady(30 * time.Second)
		a.bus.Cut(true)
		sleep(10 * time.Minute)
		// Two goroutines meet the bus, each every half minute; the sender only where there is something to send.
		if n := log.lines("bus operation failed"); n < 10 || n > 50 {
			t.Errorf("the log was told %d times in ten minutes that the bus fails, want it now and then", n)
		}
		a.bus.Cut(false)
		sleep(time.Minute)
		told := log.lines("bus operation failed")
		sleep(time.Hour)
		if n := log.lines("bus operation failed"); n != told {
			t.Errorf("the log was told %d times more that the bus fails, which works", n-told)
		}

		b := c.start("b")
		b.bus.Stall(true)
		sleep(10 * time.Minute)
		if n := log.lines("not in sync yet"); n < 10 || n > 20 {
			t.Errorf("the log was told %d times in ten minutes that b is not in step, want it now and then", n)
		}
		b.bus.Stall(false)
	})
}
