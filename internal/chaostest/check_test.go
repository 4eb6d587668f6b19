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
	"chatapp/internal/waittest"
)

// The times within which a cluster must have recovered. They are checked only in the long run,
// which has the machine to itself.
const (
	presenceWithin      = 10 * time.Second
	subscriptionsWithin = 60 * time.Second
)

// check waits until presence is right at every instance and there is a subscription for each living
// instance. It logs how long after the fault that was.
func (c *cluster) check(t *testing.T, over time.Time) {
	t.Helper()
	waittest.UntilNil(t, "presence is right everywhere", func() error { return c.presence(t, c.comparePresence) })
	present := time.Since(over)
	waittest.UntilNil(t, "the lost users have left", func() error { return c.presence(t, c.compareLost) })
	waittest.UntilNil(t, "subscriptions are those of the living instances", c.subscriptions)
	subscribed := time.Since(over)
	t.Logf("after the fault: presence right %v, subscriptions right %v",
		present.Round(10*time.Millisecond), subscribed.Round(10*time.Millisecond))
	if *full && (present > presenceWithin || subscribed > subscriptionsWithin) {
		t.Errorf("presence right after %v, want %v; subscriptions after %v, want %v",
			present, presenceWithin, subscribed, subscriptionsWithin)
	}
}

// askEvery is less often than users may ask for presence.
const askEvery = 250 * time.Millisecond

// presence asks a user at each instance for presence, and compares the answers.
func (c *cluster) presence(t *testing.T, compare func(got map[string]bool) error) error {
	pause(t, askEvery-time.Since(c.asked))
	c.asked = time.Now()
	for _, i := range c.instances {
		n := slices.IndexFunc(c.users, func(user *chatcheck.Client) bool {
			state := user.State()
			return state.Named && state.Instance == i.name && !c.lost[user.Name()]
		})
		if n < 0 {
			continue // the instance has no user to ask
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		got, err := c.users[n].Presence(ctx)
		cancel()
		if err != nil {
			return fmt.Errorf("%s at %s: %w", c.users[n].Name(), i.name, err)
		}
		if err := compare(got); err != nil {
			return fmt.Errorf("at %s: %w", i.name, err)
		}
	}
	return nil
}

// comparePresence wants all users to be present but the lost ones, who are away or have left.
func (c *cluster) comparePresence(got map[string]bool) error {
	got = maps.Clone(got)
	var wrong []string
	for _, user := range c.users {
		away, present := got[user.Name()]
		delete(got, user.Name())
		switch {
		case present && c.lost[user.Name()] && !away:
			wrong = append(wrong, user.Name()+" is still present")
		case !present && !c.lost[user.Name()]:
			wrong = append(wrong, user.Name()+" is missing")
		case away && !c.lost[user.Name()]:
			wrong = append(wrong, user.Name()+" is away")
		}
	}
	for name := range got {
		if strings.HasPrefix(name, "user-") {
			wrong = append(wrong, name+" is no user of this test")
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d wrong: %s", len(wrong), strings.Join(wrong[:min(len(wrong), 5)], ", "))
	}
	return nil
}

// compareLost wants the lost users to have left.
func (c *cluster) compareLost(got map[string]bool) error {
	for name := range c.lost {
		if _, present := got[name]; present {
			return fmt.Errorf("%s is still present", name)
		}
	}
	return nil
}

func (c *cluster) subscriptions() error {
	all, err := c.emulator.Broker().Subscriptions("chat")
	if err != nil {
		return err
	}
	var got, want []string
	for _, d := range all {
		got = append(got, strings.ToLower(d.Name))
	}
	for _, i := range c.instances {
		want = append(want, strings.ToLower(i.name))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("subscriptions %q, want %q", got, want)
	}
	return nil
}
