package servicebus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/waittest"
)

// combine has a bus combine until end is called. It completes the bodies in done.
func combine(t *testing.T, b *Bus, done ...string) (bodies <-chan string, end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	got, ended := make(chan string, 100), make(chan struct{})
	go func() {
		defer close(ended)
		err := b.Combine(ctx, func() {}, func(body []byte, complete func()) {
			if slices.Contains(done, string(body)) {
				complete()
			}
			got <- string(body)
		})
		if ctx.Err() == nil {
			t.Errorf("Combine = %v", err)
		}
	}()
	end = func() {
		cancel()
		<-ended
	}
	t.Cleanup(end)
	return got, end
}

func wantNext(t *testing.T, bodies <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-bodies:
			if got != w {
				t.Errorf("got %q, want %q", got, w)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("nothing came, want %q", w)
		}
	}
}

// One instance at a time reads the queue, in order. The next one gets what was not completed.
func TestQueueHasOneReader(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	a, b, c := open(t, options(t, e, "a")), open(t, options(t, e, "b")), open(t, options(t, e, "c"))
	if err := c.Gather(t.Context(), []byte("early")); !errors.Is(err, backplane.ErrNoQueue) {
		t.Errorf("Gather without a queue = %v, want ErrNoQueue", err)
	}
	first, end := combine(t, a, "0", "1", "2")
	waittest.Until(t, "there is a queue", func() bool { return c.Gather(t.Context(), []byte("0")) == nil })
	wantNext(t, first, "0")
	second, _ := combine(t, b)
	for i := 1; i < 6; i++ {
		if err := c.Gather(t.Context(), fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	wantNext(t, first, "1", "2", "3", "4", "5")
	waittest.Until(t, "what is done is completed", func() bool {
		info, err := e.Broker().Queue("chat-batches")
		return err == nil && info.Active == 3
	})
	if len(second) > 0 {
		t.Error("two instances read the queue at once")
	}
	end()
	wantNext(t, second, "3", "4", "5")
}

// An instance with an existing subscription creates no queue.
func TestNoQueueIsCreatedWithoutManagement(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	e.Topic("chat", "given")
	o := options(t, e, "b")
	o.Subscription = "given"
	b := open(t, o)
	err := b.Combine(t.Context(), func() {}, func([]byte, func()) {})
	if !errors.Is(err, backplane.ErrNoQueue) {
		t.Errorf("Combine without a queue = %v, want ErrNoQueue", err)
	}
	if n := b.Counters().Manages; n != 0 {
		t.Errorf("%d calls of management, want none", n)
	}
}
