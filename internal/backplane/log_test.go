package backplane_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane/backplanetest"
	"chatapp/internal/logtest"
)

// A failure that lasts is logged every half minute, not once and not at every attempt.
func TestLastingFailureIsLoggedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logtest.Buffer
		c := newCluster(t, 1)
		c.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
		a := c.start("a")
		c.wantReady(30 * time.Second)
		a.bus.Cut(true)
		sleep(10 * time.Minute)
		// Two goroutines meet the bus, each every half minute; the sender only where there is something
		// to send.
		if n := log.Count("bus operation failed"); n < 10 || n > 50 {
			t.Errorf("the failure of the bus was logged %d times in ten minutes, want every half minute", n)
		}
		a.bus.Cut(false)
		sleep(time.Minute)
		before := log.Count("bus operation failed")
		sleep(time.Hour)
		if n := log.Count("bus operation failed"); n != before {
			t.Errorf("a failure of the bus was logged %d times though the bus works", n-before)
		}

		c.topic.SetFaults(backplanetest.Faults{Refuse: 1})
		c.start("b")
		sleep(10 * time.Minute)
		if n := log.Count("not in sync yet"); n < 10 || n > 20 {
			t.Errorf("it was logged %d times in ten minutes that b is not in sync, want every half minute", n)
		}
	})
}
