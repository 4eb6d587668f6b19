// Package backplanetest tests implementations of backplane.Bus with a test suite, Run. For tests of
// what uses a bus it provides a bus with faults, Topic.
package backplanetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/waittest"
)

// Run checks that an implementation keeps the contract of backplane.Bus. newBus makes one bus per name,
// all on one topic that is used for nothing else, and registers their clean-up. It may make instance
// names that differ from the names it is given. Run calls it once for each test.
func Run(t *testing.T, newBus func(t *testing.T, names ...string) []backplane.Bus) {
	for _, test := range []struct {
		name    string
		members []string
		run     func(*testing.T, []*member)
	}{
		{"reports its name and limit", []string{"a"}, testProperties},
		{"keeps what is published before Receive", []string{"a", "b"}, testKeeps},
		{"delivers to all in one order, the sender included", []string{"a", "b", "c"}, testOrder},
		{"delivers addressed messages to their instance", []string{"a", "b"}, testAddressed},
		{"delivers messages to several instances to these alone", []string{"a", "b", "c"}, testSeveral},
		{"takes a body of MaxBody bytes", []string{"a", "b"}, testLargest},
		{"keeps bodies apart", []string{"a", "b"}, testBodies},
		{"goes on behind a body that deliver refuses", []string{"a", "b"}, testRefused},
		{"resumes where it stopped", []string{"a", "b"}, testResumes},
		{"stops when its context ends", []string{"a"}, testContext},
		{"waits for a slow deliver", []string{"a", "b"}, testSlow},
		{"reports the gap to an evicted instance", []string{"a", "b"}, testEvict},
		{"lists what each instance has not read", []string{"a", "b"}, testSubscriptions},
		{"reports to at most one that it is alone", []string{"a", "b"}, testAlone},
	} {
		t.Run(test.name, func(t *testing.T) {
			var members []*member
			for _, bus := range newBus(t, test.members...) {
				members = append(members, &member{t: t, Bus: bus, arrived: make(chan struct{}, 1)})
			}
			if len(members) != len(test.members) {
				t.Fatalf("newBus made %d buses, want %d", len(members), len(test.members))
			}
			test.run(t, members)
		})
	}
}

func testProperties(t *testing.T, m []*member) {
	if name := m[0].Instance(); name == "" || len(name) > backplane.MaxInstanceName {
		t.Errorf("Instance() = %q, want 1 to %d bytes", name, backplane.MaxInstanceName)
	}
	if size := m[0].MaxBody(); size < backplane.MinBody {
		t.Errorf("MaxBody() = %d, want %d at least", size, backplane.MinBody)
	}
}

func testKeeps(t *testing.T, m []*member) {
	m[0].publish("early")
	m[1].receive()
	m[1].want("b existed when it was published", 1)
	m[0].receive()
	m[0].want("its publisher receives it, too", 1)
	for _, m := range m {
		m.mu.Lock()
		enqueued := m.enqueued[0]
		m.mu.Unlock()
		if age := time.Since(enqueued); !enqueued.IsZero() && age.Abs() > patience {
			t.Errorf("%s is told that the message was enqueued at %v, want a moment ago or no time",
				m.Instance(), enqueued)
		}
	}
}

func testOrder(t *testing.T, m []*member) {
	const each = 20
	for _, m := range m {
		m.receive()
	}
	var publishers sync.WaitGroup
	for _, m := range m {
		publishers.Go(func() {
			for i := range each {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				body := fmt.Appendf(nil, "%s %02d", m.Instance(), i)
				if err := m.Publish(ctx, backplane.Message{Body: body}); err != nil {
					t.Errorf("Publish by %s: %v", m.Instance(), err)
				}
				cancel()
			}
		})
	}
	publishers.Wait()
	first := m[0].want("every member receives every message", each*len(m))
	for _, other := range m[1:] {
		if got := other.want("every member receives every message", each*len(m)); !slices.Equal(got, first) {
			t.Errorf("%s has\n%q, want the order of %s\n%q", other.Instance(), got, m[0].Instance(), first)
		}
	}
	last := make(map[string]string)
	for _, body := range first {
		publisher := body[:len(body)-3]
		if body <= last[publisher] {
			t.Errorf("%q comes behind %q, want the order in which they were published", body, last[publisher])
		}
		last[publisher] = body
	}
}

func testAddressed(t *testing.T, m []*member) {
	m[0].receive()
	m[1].receive()
	m[0].send(backplane.Message{To: m[1].Instance(), Body: []byte("to b")})
	m[0].send(backplane.Message{To: m[0].Instance(), Body: []byte("to a")})
	m[0].publish("to all")
	got := m[1].want("b receives its own and the common one", 2)
	if !slices.Contains(got, "to b") || got[len(got)-1] != "to all" {
		t.Errorf("b has %q, want \"to b\" and then \"to all\"", got)
	}
	got = m[0].want("a member may send to itself", 2)
	if !slices.Contains(got, "to a") || got[len(got)-1] != "to all" {
		t.Errorf("a has %q, want \"to a\" and then \"to all\"", got)
	}
}

func testSeveral(t *testing.T, m []*member) {
	for _, m := range m {
		if bus, ok := m.Bus.(backplane.Multicaster); !ok || !bus.Multicasts() {
			t.Skip("not a Multicaster")
		}
		m.receive()
	}
	m[0].send(backplane.Message{To: m[0].Instance(), Also: []string{m[1].Instance()}, Body: []byte("to a and b")})
	m[0].publish("to all")
	for _, to := range m[:2] {
		got := to.want("the message to it and another one, and the common one", 2)
		if want := []string{"to a and b", "to all"}; !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", to.Instance(), got, want)
		}
	}
	if got := m[2].want("the common message", 1); got[0] != "to all" {
		t.Errorf("%s has %q, want \"to all\" alone", m[2].Instance(), got)
	}
}

func testLargest(t *testing.T, m []*member) {
	m[1].receive()
	body := string(bytes.Repeat([]byte("0123456789abcdef"), m[0].MaxBody()/16+1)[:m[0].MaxBody()])
	m[0].publish(body)
	if got := m[1].want("a body of MaxBody bytes", 1); got[0] != body {
		t.Errorf("a body of %d bytes arrives as one of %d", len(body), len(got[0]))
	}
	m[0].send(backplane.Message{To: m[1].Instance(), Body: []byte(body[1:])})
	if got := m[1].want("a unicast of nearly as many bytes", 2); got[1] != body[1:] {
		t.Errorf("a body of %d bytes arrives as one of %d", len(body)-1, len(got[1]))
	}
}

func testBodies(t *testing.T, m []*member) {
	m[1].receive()
	var bodies []string
	for i := range 50 {
		bodies = append(bodies, string(binary.BigEndian.AppendUint32([]byte{0, 0xff, 0xc3}, uint32(i))))
		m[0].publish(bodies[i])
	}
	if got := m[1].want("bodies of any bytes, which deliver keeps", len(bodies)); !slices.Equal(got, bodies) {
		t.Errorf("got %q, want %q", got, bodies)
	}
}

func testRefused(t *testing.T, m []*member) {
	m[1].receive()
	for _, body := range []string{"one", refused, "two", refused, "three"} {
		m[0].publish(body)
	}
	if got := m[1].want("what deliver takes", 3); !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("got %q, want one, two, three", got)
	}
}

func testResumes(t *testing.T, m []*member) {
	stop := m[1].receive()
	m[0].publish("one")
	m[1].want("before", 1)
	stop()
	m[0].publish("two")
	m[0].publish("three")
	stop = m[1].receive()
	got := m[1].want("what was published between two calls of Receive", 3)
	if !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("got %q, want one, two, three", got)
	}
	stop()
}

func testContext(t *testing.T, m []*member) {
	stop := m[0].receive()
	m[0].publish("hello")
	m[0].want("Receive works", 1)
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("Receive = %v, want the context's error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := m[0].Publish(ctx, backplane.Message{Body: []byte("late")}); !errors.Is(err, context.Canceled) {
		t.Errorf("Publish with an ended context = %v, want the context's error", err)
	}
}

func testSlow(t *testing.T, m []*member) {
	const count = 30
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	var delivering sync.Mutex
	release := make(chan struct{})
	group.Go(func() {
		m[1].Receive(ctx, func(body []byte, enqueued time.Time) error {
			if !delivering.TryLock() {
				t.Error("deliver is called while another call of it is under way")
				return nil
			}
			defer delivering.Unlock()
			select {
			case <-release:
			case <-ctx.Done():
			}
			return m[1].take(body, enqueued)
		})
	})
	m[0].receive()
	for i := range count {
		m[0].publish(fmt.Sprintf("%02d", i))
	}
	m[0].want("a slow instance does not hold up the others", count)
	close(release)
	if got := m[1].want("and it receives everything in the end", count); !slices.IsSorted(got) {
		t.Errorf("got %q, want them in order", got)
	}
}

func testEvict(t *testing.T, m []*member) {
	evictor, ok := m[0].Bus.(backplane.Evictor)
	if !ok {
		t.Skip("the bus keeps nothing for an instance")
	}
	stopped := make(chan error, 1) // so that the goroutine ends after a failure, too
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	go func() { stopped <- m[1].Receive(ctx, m[1].take) }()
	m[0].publish("before")
	m[1].want("Receive works", 1)
	for range 2 {
		if err := evictor.Evict(ctx, m[1].Instance()); err != nil {
			t.Fatalf("Evict(b) = %v, want no error either time", err)
		}
	}
	m[0].publish("nudge") // some buses find out only when there is something to deliver
	if err := <-stopped; !errors.Is(err, backplane.ErrGap) {
		t.Fatalf("Receive of an evicted instance = %v, want ErrGap", err)
	}
	m[0].publish("behind")
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !slices.Contains(m[1].messages(), "behind") {
		again, end := context.WithCancel(ctx)
		done := make(chan error, 1) // likewise
		go func() { done <- m[1].Receive(again, m[1].take) }()
		select {
		case <-m[1].arrived:
		case err := <-done: // a second gap, of the second eviction
			if !errors.Is(err, backplane.ErrGap) {
				t.Errorf("Receive behind the gap = %v", err)
			}
			m[0].publish("behind")
			end()
			continue
		case <-deadline.C:
			t.Error("the bus delivers nothing behind the gap")
			end()
			<-done
			return
		}
		end()
		<-done
	}
}

func testSubscriptions(t *testing.T, m []*member) {
	lister, ok := m[0].Bus.(backplane.Lister)
	if !ok {
		t.Skip("the bus does not know")
	}
	const count = 5
	m[0].receive() // and m[1] does not
	for i := range count {
		m[0].publish(fmt.Sprint(i))
	}
	m[0].want("Receive works", count)
	waittest.UntilNil(t, "the list has what a has read and b has not", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		all, err := lister.Subscriptions(ctx)
		if err != nil {
			t.Fatalf("Subscriptions() of %s: %v", m[0].Instance(), err)
		}
		unread := make(map[string]int64)
		for _, s := range all {
			unread[s.Instance] = s.Unread
		}
		a, hasA := unread[m[0].Instance()]
		b, hasB := unread[m[1].Instance()]
		if len(all) != 2 || !hasA || !hasB || a != 0 || b < count {
			return fmt.Errorf("subscriptions are %+v, want 0 unread for %s, %d or, repeated, more for %s",
				all, m[0].Instance(), count, m[1].Instance())
		}
		return nil
	})
}

func testAlone(t *testing.T, m []*member) {
	var alone []string
	for _, m := range m {
		checker, ok := m.Bus.(backplane.LoneChecker)
		if !ok {
			t.Skip("the bus does not know")
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		is, err := checker.Alone(ctx)
		cancel()
		if err != nil {
			t.Fatalf("Alone() of %s: %v", m.Instance(), err)
		}
		if is {
			alone = append(alone, m.Instance())
		}
	}
	if len(alone) > 0 {
		t.Errorf("Alone() is true for %q, want for none of two", alone)
	}
}
