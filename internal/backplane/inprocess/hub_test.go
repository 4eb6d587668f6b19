package inprocess_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/backplanetest"
	"chatapp/internal/backplane/inprocess"
	"chatapp/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestContract(t *testing.T) {
	backplanetest.Run(t, func(t *testing.T, names ...string) []backplane.Bus {
		hub := inprocess.NewHub(inprocess.Options{})
		var buses []backplane.Bus
		for _, name := range names {
			bus := hub.Join(name)
			t.Cleanup(bus.Close)
			buses = append(buses, bus)
		}
		return buses
	})
}

// receive collects what bus delivers until it has count bodies or an error.
func receive(t *testing.T, bus *inprocess.Bus, count int) (got []string, err error) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = bus.Receive(ctx, func(body []byte, _ time.Time) error {
		if got = append(got, string(body)); len(got) == count {
			cancel()
		}
		return nil
	})
	return got, err
}

func publish(t *testing.T, bus *inprocess.Bus, body string) {
	t.Helper()
	if err := bus.Publish(t.Context(), backplane.Message{Body: []byte(body)}); err != nil {
		t.Fatalf("Publish(%q) = %v", body, err)
	}
}

func TestMemberFarBehindGetsErrGap(t *testing.T) {
	hub := inprocess.NewHub(inprocess.Options{MaxBacklog: 1000})
	fast, slow := hub.Join("fast"), hub.Join("slow")
	for n := range 20 {
		publish(t, fast, fmt.Sprintf("%03d%s", n, strings.Repeat("x", 97)))
		if got, err := receive(t, fast, 1); len(got) != 1 || !errors.Is(err, context.Canceled) {
			t.Fatalf("fast has %q, %v; want one message", got, err)
		}
	}
	if got, err := receive(t, slow, 1); len(got) > 0 || !errors.Is(err, backplane.ErrGap) {
		t.Errorf("slow has %q, %v; want ErrGap before anything else", got, err)
	}
	var got []string
	publish(t, fast, "behind")
	for len(got) == 0 || got[len(got)-1] != "behind" {
		more, err := receive(t, slow, 1)
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("slow has %q, %v; want what came behind the gap, without another", got, err)
		}
		got = append(got, more...)
	}
	if !slices.IsSorted(got) || len(got) > 11 {
		t.Errorf("slow has %q, want the last messages", got)
	}
}

func TestReceivedMessagesLeaveTheBacklog(t *testing.T) {
	hub := inprocess.NewHub(inprocess.Options{MaxBacklog: 10_000})
	a, b := hub.Join("a"), hub.Join("b")
	for n := range 1000 {
		publish(t, a, strings.Repeat("x", 100))
		for _, bus := range []*inprocess.Bus{a, b} {
			if got, err := receive(t, bus, 1); len(got) != 1 || !errors.Is(err, context.Canceled) {
				t.Fatalf("message %d: %q, %v; want it, and no gap for one who keeps up", n, got, err)
			}
		}
	}
}

func TestClosedBusRefuses(t *testing.T) {
	hub := inprocess.NewHub(inprocess.Options{MaxBody: 100})
	a := hub.Join("a")
	done := make(chan error)
	go func() { done <- a.Receive(context.Background(), func([]byte, time.Time) error { return nil }) }()
	a.Close()
	if err := <-done; !errors.Is(err, inprocess.ErrClosed) {
		t.Errorf("Receive of a closed bus = %v, want ErrClosed", err)
	}
	if err := a.Publish(t.Context(), backplane.Message{}); !errors.Is(err, inprocess.ErrClosed) {
		t.Errorf("Publish to a closed bus = %v, want ErrClosed", err)
	}
	b := hub.Join("b")
	if err := b.Publish(t.Context(), backplane.Message{Body: make([]byte, 101)}); err == nil {
		t.Error("Publish of more than MaxBody succeeds")
	}
}

func TestAloneUntilTheSecondMember(t *testing.T) {
	hub := inprocess.NewHub(inprocess.Options{})
	a := hub.Join("a")
	if alone, err := a.Alone(t.Context()); !alone || err != nil {
		t.Errorf("Alone() of the only member = %v, %v; want true", alone, err)
	}
	b := hub.Join("b")
	for _, bus := range []*inprocess.Bus{a, b} {
		if alone, err := bus.Alone(t.Context()); alone || err != nil {
			t.Errorf("Alone() of one of two = %v, %v; want false", alone, err)
		}
	}
}
