package broker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// bench is a broker under test, with helpers that fail the test.
type bench struct {
	testing.TB
	*Broker
}

// inBubble runs f with a new broker and virtual time.
func inBubble(t *testing.T, f func(b bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := New(Options{})
		defer b.Close()
		f(bench{t, b})
	})
}

func (b bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// refused checks that an error has a code and contains a text.
func (b bench) refused(what string, err error, code Code, text string) {
	b.Helper()
	if err == nil || CodeOf(err) != code || !strings.Contains(err.Error(), text) {
		b.Errorf("%s: %v (code %d), want code %d with %q", what, err, CodeOf(err), code, text)
	}
}

func (b bench) queue(name string, change func(*QueueDescription)) (*Target, *Source) {
	b.Helper()
	d := DefaultQueue(name)
	if change != nil {
		change(&d)
	}
	b.ok(b.CreateQueue(d))
	return b.target(name), b.source(name)
}

// shrink limits an entity to 1 MB, which is less than a description may say.
func shrink(t *Target) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.maxBytes = 1 << 20
}

func (b bench) topic(name string, subs ...string) *Target {
	b.Helper()
	b.ok(b.CreateTopic(DefaultTopic(name)))
	for _, sub := range subs {
		b.ok(b.CreateSubscription(DefaultSubscription(name, sub)))
	}
	return b.target(name)
}

func (b bench) target(name string) *Target {
	b.Helper()
	t, err := b.Target(name)
	b.ok(err)
	return t
}

func (b bench) source(address string) *Source {
	b.Helper()
	s, err := b.Source(address)
	b.ok(err)
	return s
}

func (b bench) receiver(s *Source, mode Mode) *Receiver {
	b.Helper()
	r, err := s.NewReceiver(ReceiverOptions{Mode: mode, Wake: func() {}})
	b.ok(err)
	b.Cleanup(r.Close)
	return r
}

// take gives credit for n messages, returns the available ones, and withdraws the credit.
func (b bench) take(r *Receiver, n int) []Delivery {
	b.Helper()
	b.ok(r.SetCredit(n))
	deliveries := make([]Delivery, n)
	deliveries = deliveries[:r.Take(deliveries)]
	b.ok(r.SetCredit(0))
	return deliveries
}

// wantTake checks the ids of what take returns.
func (b bench) wantTake(what string, r *Receiver, n int, want ...string) []Delivery {
	b.Helper()
	got := b.take(r, n)
	if !slices.Equal(ids(got), want) {
		b.Fatalf("%s: took %q, want %q", what, ids(got), want)
	}
	return got
}

// wantPeek checks ids and states, written like "a a:deferred a:scheduled".
func (b bench) wantPeek(what string, s *Source, want ...string) []Delivery {
	b.Helper()
	found, err := s.Peek(0, MaxPeek, nil)
	b.ok(err)
	var got []string
	for _, d := range found {
		got = append(got, d.Message.ID+[...]string{"", ":deferred", ":scheduled"}[d.State])
	}
	if !slices.Equal(got, want) {
		b.Fatalf("%s: peeked %q, want %q", what, got, want)
	}
	return found
}

func (b bench) wantCounts(what string, name string, want Counts) {
	b.Helper()
	info, err := b.Queue(name)
	b.ok(err)
	if info.Counts != want {
		b.Errorf("%s: counts %+v, want %+v", what, info.Counts, want)
	}
}

func (b bench) settle(s *Source, d Delivery, how Outcome) {
	b.Helper()
	b.ok(s.Settle(d.LockToken, Settlement{Outcome: how}))
}

func ids(deliveries []Delivery) []string {
	var list []string
	for _, d := range deliveries {
		list = append(list, d.Message.ID)
	}
	return list
}

func msg(id string) *Message { return &Message{ID: id, Size: 100} }

func msgs(list ...string) []*Message {
	var all []*Message
	for _, id := range list {
		all = append(all, msg(id))
	}
	return all
}

// wait advances virtual time by d and waits until all timers that are due have run.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func numbers(from, n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint(from+i))
	}
	return list
}
