package servicebus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/backplanetest"
	"chatapp/internal/emulator/broker"
	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/leaktest"
	"chatapp/internal/waittest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// options returns options for a bus on the emulator.
func options(t testing.TB, e *emulatortest.Server, name string) Options {
	_, port, err := net.SplitHostPort(e.HTTPAddress())
	if err != nil {
		t.Fatal(err)
	}
	http, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		ConnectionString: e.ConnectionString(), EmulatorHTTPPort: http, Name: name, retry: 10 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// open opens a bus that is closed with the test.
func open(t testing.TB, o Options) *Bus {
	t.Helper()
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil && !errors.Is(err, errExpected) {
			t.Logf("Close: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := b.Open(ctx); err != nil {
		t.Fatalf("Open = %v", err)
	}
	return b
}

var errExpected = errors.New("expected")

func TestContract(t *testing.T) {
	t.Parallel()
	backplanetest.Run(t, func(t *testing.T, names ...string) []backplane.Bus {
		e := emulatortest.Start(t)
		var buses []backplane.Bus
		for _, name := range names {
			buses = append(buses, open(t, options(t, e, name)))
		}
		return buses
	})
}

// receiver collects the bodies that a bus delivers.
type receiver struct {
	t    *testing.T
	mu   sync.Mutex
	got  []string
	grew chan struct{}
	done chan struct{}
	stop context.CancelFunc
	errs []error
}

// receive calls Receive again and again, as Node does.
func receive(t *testing.T, b *Bus) *receiver {
	ctx, cancel := context.WithCancel(context.Background())
	r := &receiver{t: t, grew: make(chan struct{}, 1), done: make(chan struct{}), stop: cancel}
	go func() {
		defer close(r.done)
		for ctx.Err() == nil {
			if err := b.Receive(ctx, r.take); ctx.Err() == nil {
				r.mu.Lock()
				r.errs = append(r.errs, err)
				r.mu.Unlock()
				pause := time.NewTimer(20 * time.Millisecond)
				<-pause.C
			}
		}
	}()
	t.Cleanup(r.end)
	return r
}

func (r *receiver) end() {
	r.stop()
	<-r.done
}

// poison is a body that receivers refuse.
const poison = "poison"

func (r *receiver) take(body []byte, _ time.Time) error {
	if string(body) == poison {
		return errors.New("it is poison")
	}
	r.mu.Lock()
	r.got = append(r.got, string(body))
	r.mu.Unlock()
	select {
	case r.grew <- struct{}{}:
	default:
	}
	return nil
}

// want waits until count bodies have arrived and returns all.
func (r *receiver) want(why string, count int) []string {
	r.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		r.mu.Lock()
		got, errs := slices.Clone(r.got), r.errs
		r.mu.Unlock()
		if len(got) >= count {
			return got
		}
		select {
		case <-r.grew:
		case <-deadline:
			r.t.Fatalf("%s: got %d bodies, want %d; errors %v", why, len(got), count, errs)
		}
	}
}

func publish(t *testing.T, b *Bus, body string) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err := b.Publish(ctx, backplane.Message{Body: []byte(body)})
		cancel()
		if err == nil {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
		t.Logf("publish %s: %v", body, err)
	}
}

// Under every fault that the emulator knows, all messages arrive at both instances in one order.
// Repeats come only from publishing again after an error.
func TestFaultsLoseAndReorderNothing(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct {
		name string
		do   func(*emulatortest.Server, *Bus)
	}{
		{"connections dropped", func(e *emulatortest.Server, _ *Bus) { e.DropConnections() }},
		{"connection dropped in mid-transfer", func(e *emulatortest.Server, _ *Bus) { e.DropMidTransfer(1) }},
		{"links detached", func(e *emulatortest.Server, _ *Bus) {
			e.DetachLinks("", "amqp:link:detach-forced", "test")
		}},
		{"receiving link detached as not allowed", func(e *emulatortest.Server, b *Bus) {
			e.DetachLinks(path(b), "amqp:not-allowed", "test")
		}},
		{"delivered twice", func(e *emulatortest.Server, b *Bus) { _ = e.DeliverTwice(path(b), 10) }},
		{"locks lost", func(e *emulatortest.Server, b *Bus) { _, _ = e.LoseLocks(path(b)) }},
		{"server busy", func(e *emulatortest.Server, _ *Bus) { e.ServerBusy(200 * time.Millisecond) }},
		{"tokens refused", func(e *emulatortest.Server, _ *Bus) {
			e.RefuseTokens(300 * time.Millisecond)
			e.DropConnections()
		}},
		{"credit stalled", func(e *emulatortest.Server, _ *Bus) { e.StallCredit(200 * time.Millisecond) }},
		{"restart", func(e *emulatortest.Server, _ *Bus) { _ = e.Restart() }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			e := emulatortest.Start(t)
			a, b := open(t, options(t, e, "a")), open(t, options(t, e, "b"))
			ra, rb := receive(t, a), receive(t, b)
			const count = 300
			for i := range count {
				publish(t, a, strconv.Itoa(i))
				if i%100 == 50 {
					fault.do(e, b)
				}
			}
			publish(t, a, "end")
			got, other := untilEnd(t, ra), untilEnd(t, rb)
			if !slices.Equal(got, other) {
				t.Errorf("two instances saw two orders:\n%v\n%v", got, other)
			}
			if distinct := slices.Compact(slices.Clone(got)); len(distinct) != count+1 {
				t.Errorf("%d distinct bodies arrived, want %d: %v", len(distinct), count+1, got)
			}
		})
	}
}

// path returns the address of a bus's subscription.
func path(b *Bus) string { return "chat/Subscriptions/" + b.Instance() }

func untilEnd(t *testing.T, r *receiver) []string {
	t.Helper()
	for n := 1; ; n++ {
		got := r.want("all", n)
		if i := slices.Index(got, "end"); i >= 0 {
			return got[:i+1]
		}
		n = len(got)
	}
}

// A subscription deleted under a live instance is created again, and Receive returns ErrGap.
func TestDeletedSubscriptionIsCreatedAgain(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b := open(t, options(t, e, "b"))
	r := receive(t, b)
	publish(t, b, "before")
	r.want("before", 1)
	if err := e.Delete("chat/Subscriptions/" + b.Instance()); err != nil {
		t.Fatal(err)
	}
	waittest.Until(t, "Receive returns ErrGap", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.ContainsFunc(r.errs, func(err error) bool { return errors.Is(err, backplane.ErrGap) })
	})
	publish(t, b, "after")
	if got := r.want("after", 2); got[1] != "after" {
		t.Errorf("got %q, want what was published after", got)
	}
	if c := b.Counters(); c.Subscribed != 2 {
		t.Errorf("Subscribed = %d, want 2", c.Subscribed)
	}
}

// Messages that another link holds locked are delivered at once, not when the lock ends.
func TestLockedMessagesAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b := open(t, options(t, e, "b"))
	r := receive(t, b)
	publish(t, b, "1")
	r.want("the first", 1)
	r.end()
	for i := range 10 {
		publish(t, b, fmt.Sprint(i))
	}
	client, err := b.newClient()
	if err != nil {
		t.Fatal(err)
	}
	defer b.discard(client)
	competitor, err := client.NewReceiverForSubscription("chat", b.Instance(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := competitor.ReceiveMessages(t.Context(), 10, nil); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	again := receive(t, b)
	again.want("what another holds locked", 10)
	if waited := time.Since(start); waited > 20*time.Second { // the lock lasts 30 s
		t.Errorf("it took %v", waited)
	}
}

// A peek's response ends where it gets too large. The messages it leaves out are requested again,
// and not taken for a gap.
func TestLargeLockedMessagesAreAllDelivered(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b := open(t, options(t, e, "b"))
	r := receive(t, b)
	publish(t, b, "first")
	r.want("the first", 1)
	r.end()
	const locked = 60 // three answers of the emulator, of 4 MiB each
	padding := strings.Repeat(".", 200<<10)
	for i := range locked {
		publish(t, b, fmt.Sprint(i, padding))
	}
	client, err := b.newClient()
	if err != nil {
		t.Fatal(err)
	}
	defer b.discard(client)
	competitor, err := client.NewReceiverForSubscription("chat", b.Instance(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for held := 0; held < locked; {
		messages, err := competitor.ReceiveMessages(t.Context(), locked, nil)
		if err != nil {
			t.Fatal(err)
		}
		held += len(messages)
	}
	publish(t, b, "last")
	again := receive(t, b)
	got := again.want("what another holds locked, and what follows it", locked+1)
	for i, body := range got[:locked] {
		if want := fmt.Sprint(i, padding); body != want {
			t.Fatalf("body %d starts %.20q, want %.20q", i, body, want)
		}
	}
}

// A body that deliver refuses is dead-lettered and counted, and the bodies behind it are delivered.
func TestRefusedMessageIsDeadLettered(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b := open(t, options(t, e, "b"))
	r := receive(t, b)
	for _, body := range []string{"one", poison, "two"} {
		publish(t, b, body)
	}
	if got := r.want("all but the poison", 2); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("got %q", got)
	}
	wantDeadLetters(t, e, b, 1)
}

// A refused body is dead-lettered even if a peek has shown it before it could be fetched.
func TestMessageRefusedOnPeekIsDeadLettered(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b := open(t, options(t, e, "b"))
	r := receive(t, b)
	publish(t, b, "one")
	r.want("the first", 1)
	r.end()
	publish(t, b, poison)
	client, err := b.newClient()
	if err != nil {
		t.Fatal(err)
	}
	defer b.discard(client)
	competitor, err := client.NewReceiverForSubscription("chat", b.Instance(), nil)
	if err != nil {
		t.Fatal(err)
	}
	locked, err := competitor.ReceiveMessages(t.Context(), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	again := receive(t, b)
	publish(t, b, "two")
	again.want("what follows the message that another link has locked", 1)
	if err := competitor.AbandonMessage(t.Context(), locked[0], nil); err != nil {
		t.Fatal(err)
	}
	wantDeadLetters(t, e, b, 1)
	if got := again.want("", 1); !slices.Equal(got, []string{"two"}) {
		t.Errorf("got %q, want the refused message delivered once", got)
	}
}

// wantDeadLetters waits until the subscription of b holds nothing but a number of dead letters.
func wantDeadLetters(t *testing.T, e *emulatortest.Server, b *Bus, count int64) {
	t.Helper()
	waittest.Until(t, "the broker has the refused message as a dead letter", func() bool {
		s, err := e.Broker().Subscription("chat", b.Instance())
		return err == nil && s.Counts.DeadLetter == count && s.Counts.Total == count
	})
	if got := b.Counters().DeadLettered; got != uint64(count) {
		t.Errorf("DeadLettered = %d, want %d", got, count)
	}
}

func TestTopicThatBreaksOrderIsRefused(t *testing.T) {
	t.Parallel()
	for reason, change := range map[string]func(*broker.TopicDescription){
		"does not keep order": func(d *broker.TopicDescription) { d.SupportOrdering = false },
		"is partitioned":      func(d *broker.TopicDescription) { d.EnablePartitioning = true },
		"detects duplicates":  func(d *broker.TopicDescription) { d.RequiresDuplicateDetection = true },
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			e := emulatortest.Start(t)
			d := broker.DefaultTopic("chat")
			d.SupportOrdering = true
			change(&d)
			if err := e.Broker().CreateTopic(d); err != nil {
				t.Fatal(err)
			}
			b, err := New(options(t, e, "b"))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close(t.Context())
			var unusable *TopicError
			if err := b.Open(t.Context()); !errors.As(err, &unusable) || !strings.Contains(err.Error(), reason) {
				t.Errorf("Open = %v, want that it %s", err, reason)
			}
		})
	}
}

// Open waits for what time can repair, and says what that is.
func TestOpenWaitsAndExplains(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	e.RefuseTokens(500 * time.Millisecond)
	b := open(t, options(t, e, "b"))
	if why := b.Waiting(); why != "" {
		t.Errorf("Waiting = %q on an open bus", why)
	}
	e2 := emulatortest.Start(t)
	o := options(t, e2, "b")
	o.Subscription = "made-beforehand"
	missing, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer missing.Close(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- missing.Open(ctx) }()
	waittest.Until(t, "it says what is missing", func() bool {
		return strings.Contains(missing.Waiting(), `no subscription "made-beforehand"`)
	})
	e2.Topic("chat", "made-beforehand")
	if err := <-done; err != nil {
		t.Errorf("Open = %v, want nil once the subscription is there", err)
	}
	cancel()
}

// A sweep removes the subscriptions of a dead cluster, and leaves those of members and of others.
func TestSweepRemovesOrphanedSubscriptions(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b, other := open(t, options(t, e, "b")), open(t, options(t, e, "other"))
	dead := open(t, options(t, e, "dead"))
	e.Subscription("chat", "somebody-elses")
	j := b.Janitor()
	members := []string{b.Instance(), other.Instance()}
	for sweep, want := range []int{0, 1, 0} {
		if got, err := j.Sweep(t.Context(), members); err != nil || got != want {
			t.Errorf("sweep %d = %d, %v, want %d", sweep, got, err, want)
		}
	}
	names, err := b.subscriptions(t.Context())
	isDead := func(s subscription) bool { return s.name == dead.Instance() }
	if err != nil || len(names) != 3 || slices.ContainsFunc(names, isDead) {
		t.Errorf("subscriptions left: %v, %v", names, err)
	}
}

// Close removes the subscription.
func TestCloseRemovesSubscription(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b, other := open(t, options(t, e, "b")), open(t, options(t, e, "other"))
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if names, err := other.subscriptions(t.Context()); err != nil || len(names) != 1 {
		t.Errorf("subscriptions left: %v, %v, want the other's", names, err)
	}
	if err := b.Publish(t.Context(), backplane.Message{Body: []byte("x")}); !errors.Is(err, errBusClosed) {
		t.Errorf("Publish on a closed bus = %v, want %v", err, errBusClosed)
	}
}
