package backplane_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane/backplanetest"
)

// logged collects what a logger writes.
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

// A failure that lasts is logged every half minute, not once and not at every attempt.
func TestLastingFailureIsLoggedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		c := newCluster(t, 1)
		c.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
		a := c.start("a")
		c.wantReady(30 * time.Second)
		a.bus.Cut(true)
		sleep(10 * time.Minute)
		// Two goroutines meet the bus, each every half minute; the sender only where there is something
		// to send.
		if n := log.lines("bus operation failed"); n < 10 || n > 50 {
			t.Errorf("the failure of the bus was logged %d times in ten minutes, want every half minute", n)
		}
		a.bus.Cut(false)
		sleep(time.Minute)
		before := log.lines("bus operation failed")
		sleep(time.Hour)
		if n := log.lines("bus operation failed"); n != before {
			t.Errorf("a failure of the bus was logged %d times though the bus works", n-before)
		}

		c.topic.SetFaults(backplanetest.Faults{Refuse: 1})
		c.start("b")
		sleep(10 * time.Minute)
		if n := log.lines("not in sync yet"); n < 10 || n > 20 {
			t.Errorf("it was logged %d times in ten minutes that b is not in sync, want every half minute", n)
		}
	})
}
