package servicebus

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"chatapp/internal/emulator/broker"
	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/waittest"
)

// The archive outlives the instances, keeps messages to all for longer than a topic of an earlier time let any live,
// shows what another process has locked, and counts as no instance.
func TestArchiveKeepsWhatIsPublishedToAll(t *testing.T) {
	t.Parallel()
	var later atomic.Int64 // nanoseconds by which the bus's clock is ahead
	e := emulatortest.Start(t, emulatortest.WithBroker(broker.Options{Now: func() time.Time {
		return time.Now().Add(time.Duration(later.Load()))
	}}))
	if err := e.Broker().CreateTopic(broker.TopicDescription{Name: "chat", SupportOrdering: true,
		DefaultMessageTimeToLive: time.Second, MaxSizeInMegabytes: topicMegabytes}); err != nil {
		t.Fatal(err)
	}
	o := options(t, e, "a")
	o.Archive = true
	a := open(t, o)
	if alone, err := a.Alone(t.Context()); !alone || err != nil {
		t.Errorf("Alone() beside the archive = %v, %v, want true", alone, err)
	}
	if all, err := a.Subscriptions(t.Context()); len(all) != 1 || err != nil {
		t.Errorf("Subscriptions() = %v, %v, want that of this instance alone", all, err)
	}
	janitor := a.Janitor()
	for range 2 {
		if n, err := janitor.Sweep(t.Context(), nil); n != 0 || err != nil {
			t.Errorf("Sweep() = %d, %v, want nothing removed", n, err)
		}
	}
	published := []string{"one", "two", "three"}
	for _, body := range published {
		publish(t, a, body)
	}
	later.Store(int64(1100 * time.Millisecond)) // longer than the topic let messages live
	ctx, stop := context.WithCancel(t.Context())
	completed := make(chan string, 16)
	ended := make(chan error, 1)
	go func() { // completes the first message, and keeps the others locked
		ended <- a.Drain(ctx, func(body []byte, complete func()) {
			if string(body) == "one" {
				complete()
			}
			completed <- string(body)
		})
	}()
	var drained []string
	for range published {
		drained = append(drained, <-completed)
	}
	if slices.Sort(drained); !slices.Equal(drained, []string{"one", "three", "two"}) {
		t.Errorf("Drain delivers %q, want all of %q", drained, published)
	}
	next := open(t, o)
	peeked := func() (bodies []string) {
		if err := next.Peek(t.Context(), func(body []byte) error {
			bodies = append(bodies, string(body))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return bodies
	}
	waittest.Until(t, "the archive has what is not completed", func() bool {
		return slices.Equal(peeked(), published[1:])
	})
	stop()
	if err := <-ended; err != context.Canceled {
		t.Errorf("Drain() = %v, want that it was cancelled", err)
	}
}
