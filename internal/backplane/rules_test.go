package backplane_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
)

// build is a state machine of one of two builds. The newer one knows rules 2, by which texts are recorded in capitals,
// and a kind of body that the older one does not know: "!text".
type build struct {
	*fakeMachine
	rules uint64
}

var errUnknownBody = errors.New("unknown body")

func (b build) Apply(e backplane.Entry) error {
	follows := b.follows()
	if follows > b.rules {
		panic("follows rules that it does not know")
	}
	if bytes.HasPrefix(e.Body, []byte("!")) && (b.rules < 2 || follows < 2) {
		return errUnknownBody
	}
	if follows >= 2 {
		e.Body = bytes.ToUpper(e.Body)
	}
	return b.fakeMachine.Apply(e)
}

// follows is the version that the state follows.
func (b build) follows() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.state.Rules, 1)
}

// startBuild runs an instance of a build.
func (c *cluster) startBuild(name string, rules uint64) *instance {
	c.options.Rules = rules
	return c.startWith(name, func(m *fakeMachine) backplane.StateMachine { return build{m, rules} })
}

// chatter has all instances say something for a while.
func (c *cluster) chatter(t *testing.T, while time.Duration) {
	t.Helper()
	for range int(while / (200 * time.Millisecond)) {
		for _, i := range c.live() {
			i.mustSay(t)
		}
		sleep(200 * time.Millisecond)
	}
}

func TestClusterOfTwoBuilds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		a, b := c.startBuild("a", 1), c.startBuild("b", 1)
		c.wantReady(20 * time.Second)
		c.chatter(t, 5*time.Second)
		d := c.startBuild("d", 2)
		c.wantReady(20 * time.Second)
		// A body of the newer build, which must not be appended yet, is skipped alike.
		if err := d.node.Append([]byte("!of rules 2")); err != nil {
			t.Fatal(err)
		}
		c.chatter(t, 2*time.Minute)
		if text := strings.Join(c.wantAlike(), " "); strings.Contains(text, "SAYS") || strings.Contains(text, "!") {
			t.Error("rules 2 are followed while an instance knows rules 1 alone")
		}
		for _, i := range c.live() {
			if got := i.node.Counters().Skipped; got != 1 {
				t.Errorf("%s has skipped %d entries, want the unknown one", i.name, got)
			}
		}

		// Roll-back: older instances come, and those before go. For a while the oldest one is of the newer build.
		e := c.startBuild("e", 1)
		c.wantReady(20 * time.Second)
		c.leave(a)
		c.leave(b)
		c.chatter(t, 2*time.Minute)
		if strings.Contains(strings.Join(c.wantAlike(), " "), "SAYS") {
			t.Error("rules 2 are followed while an instance knows rules 1 alone, because the oldest knows them")
		}
		c.leave(d)
		c.chatter(t, 5*time.Second)

		// Upgrade.
		f, g := c.startBuild("f", 2), c.startBuild("g", 2)
		c.wantReady(20 * time.Second)
		c.kill(e)
		c.chatter(t, 4*time.Minute)
		history := c.wantAlike()
		if last := history[len(history)-1]; last != strings.ToUpper(last) {
			t.Errorf("%q is recorded by rules 1, a minute after the last older build has gone", last)
		}
		if err := f.node.Append([]byte("!of rules 2")); err != nil {
			t.Fatal(err)
		}
		sleep(time.Second)
		if history := c.wantAlike(); !slices.Contains(history, "!OF RULES 2") {
			t.Error("the newer kind is not applied under its rules")
		}

		// Roll-back too late: the older build ends and says why.
		late := c.startBuild("late", 1)
		late.dead = true
		sleep(10 * time.Second)
		select {
		case err := <-late.done:
			const why = "rules, this build knows version 1"
			if !errors.Is(err, backplane.ErrVersion) || !strings.Contains(err.Error(), why) {
				t.Errorf("Run of the older build = %v, want ErrVersion and a sentence", err)
			}
		default:
			t.Error("the older build is still trying")
		}
		late.stop()
		c.topic.Leave("late")
		c.chatter(t, 5*time.Second)
		c.wantAlike()
		if members := g.node.Status().Members; len(members) != 2 {
			t.Errorf("members are %v, want the older build never among them", members)
		}
	})
}

func TestEntryThatPanicsIsSkippedAndReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		var log bytes.Buffer
		var mu sync.Mutex
		var skipped []backplane.Entry
		c.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
		c.options.Observer.Skipped = func(e backplane.Entry, _ error) {
			mu.Lock()
			defer mu.Unlock()
			skipped = append(skipped, e)
		}
		for _, name := range []string{"a", "b"} {
			c.startWith(name, func(m *fakeMachine) backplane.StateMachine { return poisoned{m} })
			c.wantReady(20 * time.Second)
		}
		a := c.instances[0]
		said := []string{a.mustSay(t)}
		for n := range 3 {
			if err := a.node.Append(fmt.Appendf(nil, "poison %d", n)); err != nil {
				t.Fatal(err)
			}
		}
		said = append(said, a.mustSay(t))
		sleep(time.Second)
		c.wantReady(0)
		if history := c.wantAlike(); !slices.Equal(history, said) {
			t.Errorf("history is %q, want %q: what can't be applied skipped", history, said)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(skipped) != 6 || string(skipped[0].Body) != "poison 0" || skipped[0].Index == 0 {
			t.Errorf("skipped are %+v, want three on each instance", skipped)
		}
		if want := fmt.Sprintf("index=%d", skipped[0].Index); !strings.Contains(log.String(), want) {
			t.Errorf("log is %s\nwant %q in it", log.String(), want)
		}
	})
}

// poisoned is a machine that some bodies make panic.
type poisoned struct{ *fakeMachine }

func (p poisoned) Apply(e backplane.Entry) error {
	if bytes.HasPrefix(e.Body, []byte("poison")) {
		panic(string(e.Body))
	}
	return p.fakeMachine.Apply(e)
}
