package chaostest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"chatapp/internal/chatcheck"
)

// The times within which a cluster must be right again. They gate only the full form, which has the machine to itself.
const (
	presenceWithin      = 10 * time.Second
	subscriptionsWithin = 60 * time.Second
)

// check waits until presence is right at every instance and subscriptions are those of the living, and tells how long after the fault's
// end that was.
func (s *site) check(t *testing.T, over time.Time) {
	t.Helper()
	until(t, "presence is right everywhere", func() error { return s.presence(t, s.comparePresence) })
	present := time.Since(over)
	until(t, "the lost have left", func() error { return s.presence(t, s.compareLost) })
	until(t, "subscriptions are those of the living", s.subscriptions)
	subscribed := time.Since(over)
	t.Logf("after the fault: presence right %v, subscriptions right %v", present.Round(10*time.Millisecond), subscribed.Round(10*time.Millisecond))
	if *full && (present > presenceWithin || subscribed > subscriptionsWithin) {
		t.Errorf("presence right after %v, want %v; subscriptions after %v, want %v", present, presenceWithin, subscribed, subscriptionsWithin)
	}
}

// presence asks at every instance who is there, and compares.
func (s *site) presence(t *testing.T, compare func(got map[string]bool) error) error {
	for _, i := range s.instances {
		n := slices.IndexFunc(s.users, func(c *chatcheck.Client) bool {
			state := c.State()
			return state.Named && state.Instance == i.name && !s.lost[c.Name()]
		})
		if n < 0 {
			continue // nobody is there who could see it
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		got, err := s.users[n].Presence(ctx)
		cancel()
		if err != nil {
			return fmt.Errorf("%s at %s: %w", s.users[n].Name(), i.name, err)
		}
		if err := compare(got); err != nil {
			return fmt.Errorf("at %s: %w", i.name, err)
		}
	}
	return nil
}

// comparePresence wants those who are there to be there, and those who are lost to be gone or away.
func (s *site) comparePresence(got map[string]bool) error {
	got = maps.Clone(got)
	var wrong []string
	for _, c := range s.users {
		away, there := got[c.Name()]
		delete(got, c.Name())
		switch {
		case there && s.lost[c.Name()] && !away:
			wrong = append(wrong, c.Name()+" is still there")
		case !there && !s.lost[c.Name()]:
			wrong = append(wrong, c.Name()+" is missing")
		case away && !s.lost[c.Name()]:
			wrong = append(wrong, c.Name()+" is away")
		}
	}
	for name := range got {
		if strings.HasPrefix(name, "user-") {
			wrong = append(wrong, name+" is a stranger")
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d wrong: %s", len(wrong), strings.Join(wrong[:min(len(wrong), 5)], ", "))
	}
	return nil
}

func (s *site) compareLost(got map[string]bool) error {
	for name := range s.lost {
		if _, there := got[name]; there {
			return fmt.Errorf("%s is still there", name)
		}
	}
	return nil
}

func (s *site) subscriptions() error {
	all, err := s.emulator.Broker().Subscriptions("chat")
	if err != nil {
		return err
	}
	var got, want []string
	for _, d := range all {
		got = append(got, strings.ToLower(d.Name))
	}
	for _, i := range s.instances {
		want = append(want, strings.ToLower(i.name))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("subscriptions %q, want %q", got, want)
	}
	return nil
}

// isRefusedConnection tells what a client writes down that tried an instance that was not there, or had just gone.
func isRefusedConnection(trouble string) bool {
	return strings.HasPrefix(trouble, "not connected: ")
}
