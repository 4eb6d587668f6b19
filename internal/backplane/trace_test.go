package backplane_test

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
)

// tracedMachine also notes the trace contexts of what it applies.
type tracedMachine struct {
	*fakeMachine

	mu     sync.Mutex
	traces map[string]string // guarded by mu: by the entry's body
}

func (s *tracedMachine) Apply(e backplane.Entry) error {
	s.mu.Lock()
	s.traces[string(e.Body)] = e.Trace
	s.mu.Unlock()
	return s.fakeMachine.Apply(e)
}

// A trace context reaches every instance with its entry, and with no other.
func TestTraceContextTravelsWithItsEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		var mu sync.Mutex
		var published []string
		c := newCluster(t, 1)
		c.options.Observer.Published = func(p backplane.Publication) {
			mu.Lock()
			defer mu.Unlock()
			published = slices.AppendSeq(published, maps.Values(p.Traces))
		}
		traced := &tracedMachine{traces: make(map[string]string)}
		c.startWith("a", func(m *fakeMachine) backplane.StateMachine {
			traced.fakeMachine = m
			return traced
		})
		c.start("b")
		c.wantReady(30 * time.Second)
		want := make(map[string]string)
		for _, i := range c.instances {
			contexts := map[string]string{"plain": "", "traced": trace, "long": strings.Repeat(trace, 2)}
			for what, context := range contexts {
				if err := i.node.AppendFor([]byte(i.name+" "+what), "", context); err != nil {
					t.Fatal(err)
				}
				want[i.name+" "+what] = ""
			}
			want[i.name+" traced"] = trace
		}
		sleep(10 * time.Second)
		traced.mu.Lock()
		defer traced.mu.Unlock()
		if !maps.Equal(traced.traces, want) {
			t.Errorf("trace contexts are %q, want %q", traced.traces, want)
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(published, []string{trace, trace}) {
			t.Errorf("published are %q, want one of each instance", published)
		}
	})
}
