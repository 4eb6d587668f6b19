package chaostest

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"chatapp/internal/leaktest"
)

var full = flag.Bool("chaos.full", os.Getenv("CHATAPP_CHAOS_FULL") == "1",
	"300 users, and faults of full length; the default with CHATAPP_CHAOS_FULL=1")

var rounds = flag.Int("chaos.rounds", 0, "how often tests that kill all instances do so; 0: by -chaos.full")

// TestMain turns the test binary into a worker or a bus when the environment asks for that. Otherwise it has
// all tests run at the same time, because they mostly wait; in the long run they take turns.
func TestMain(m *testing.M) {
	for name, run := range map[string]func() error{asWorker: runWorker, asBus: runBus} {
		if os.Getenv(name) != "" {
			if err := run(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	flag.Parse()
	parallel := "8"
	if *full {
		parallel = "1"
	}
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	leaktest.Main(m)
}

// scaled returns long in the long run, and short otherwise.
func scaled[T any](long, short T) T {
	if *full {
		return long
	}
	return short
}

// patience bounds each step of a test. It is far longer than any takes, because machines are busy.
const patience = 90 * time.Second

// pause lets time pass.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
		t.Fatal("the test has ended")
	}
}
