package chaostest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"chatapp/internal/worker"
)

var full = flag.Bool("chaos.full", false, "300 users, and faults of full length")

// asWorker is the variable that makes this program a worker.
const asWorker = "CHATAPP_CHAOSTEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(asWorker) != "" {
		if err := work(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// A handler that leaves a request unread has net/http keep the connection half open for a moment, which no server waits for.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// work is a worker process, on the loopback interface alone.
func work() error {
	config, err := worker.LoadConfig(os.Getenv)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", config.Port))
	if err != nil {
		return err
	}
	w, err := worker.New(config, worker.NewLogger(os.Stderr, config.Log))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return w.Serve(ctx, listener)
}

// scaled is a duration of the full form, or what stands for it.
func scaled(long, short time.Duration) time.Duration {
	if *full {
		return long
	}
	return short
}

// patience is how long a test waits for what must happen: far longer than it takes, since machines are busy.
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

// until waits for a condition that nothing tells of, and returns how long that took.
func until(t *testing.T, what string, holds func() error) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		err := holds()
		if err == nil {
			return time.Since(start)
		}
		if time.Since(start) > patience {
			t.Fatalf("%s: not so after %v: %v", what, patience, err)
		}
		pause(t, 250*time.Millisecond) // less often than users may ask
	}
}
