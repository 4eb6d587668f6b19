package backplanetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"chatapp/internal/backplane"
)

// patience is how long the suite waits for a message that must come. It exceeds the time-outs of any bus.
const patience = time.Minute

// member is a bus and what it has delivered, without repeats.
type member struct {
	backplane.Bus
	t       *testing.T
	arrived chan struct{} // size 1: got has grown

	mu       sync.Mutex
	got      []string
	enqueued []time.Time // when each of got was
	seen     map[string]bool
}

// receive runs Receive until stop is called, which returns its error.
func (m *member) receive() (stop func() error) {
	m.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1) // so that the goroutine ends even if stop is not called
	go func() { done <- m.Receive(ctx, m.take) }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(patience):
			m.t.Errorf("Receive of %s goes on although its context has ended", m.Instance())
			return context.Canceled
		}
	})
	m.t.Cleanup(func() { stop() })
	return stop
}

// refused is a body that members refuse as being of another protocol.
const refused = "of another protocol"

func (m *member) take(body []byte, enqueued time.Time) error {
	if string(body) == refused {
		return errors.New(refused)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil {
		m.seen = make(map[string]bool)
	}
	if !m.seen[string(body)] {
		m.seen[string(body)] = true
		m.enqueued = append(m.enqueued, enqueued)
		m.got = append(m.got, string(body))
	}
	select {
	case m.arrived <- struct{}{}:
	default:
	}
	return nil
}

func (m *member) messages() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.got)
}

// want waits until at least count messages have arrived, and returns all.
func (m *member) want(reason string, count int) []string {
	m.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		if got := m.messages(); len(got) >= count {
			return got
		}
		select {
		case <-m.arrived:
		case <-deadline.C:
			m.t.Fatalf("%s: %s has %q, want %d messages", reason, m.Instance(), abbreviate(m.messages()), count)
		}
	}
}

func abbreviate(bodies []string) []string {
	for i, body := range bodies {
		bodies[i] = body[:min(len(body), 40)]
	}
	return bodies
}

func (m *member) publish(body string) {
	m.t.Helper()
	m.send(backplane.Message{Body: []byte(body)})
}

func (m *member) send(message backplane.Message) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := m.Publish(ctx, message); err != nil {
		m.t.Fatalf("Publish(%d bytes) by %s: %v", len(message.Body), m.Instance(), err)
	}
}
