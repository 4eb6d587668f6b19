package backplane_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
)

// keeper is a Recorder that keeps everything in memory.
type keeper struct {
	machine *fakeMachine // of the node that it records

	mu         sync.Mutex // guards what follows: tests look while the node runs
	checkpoint []byte
	at         backplane.Lineage
	entries    []backplane.Recorded // behind the checkpoint
	due        bool
	broken     error // what Load returns
	messages   [][]byte
	bridged    int
	early      []string // texts that were applied before they were recorded
	standing   backplane.Standing
	kept       uint64
}

func (k *keeper) Load(_ context.Context, r *backplane.Replay) error {
	k.mu.Lock()
	broken, checkpoint, entries, messages := k.broken, k.checkpoint, slices.Clone(k.entries), k.messages
	k.mu.Unlock()
	if broken != nil || checkpoint == nil {
		return broken
	}
	if err := r.Checkpoint(checkpoint); err != nil {
		return err
	}
	for _, e := range entries {
		if err := r.Entry(e.Index, e.Body); err != nil {
			return err
		}
	}
	if _, err := r.Messages(messages); err != nil {
		return err
	}
	bridged := r.Bridge()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bridged, k.messages = bridged, nil
	return nil
}

func (k *keeper) Record(entries []backplane.Recorded) {
	applied := k.machine.texts()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range entries {
		for _, text := range applied[max(0, len(applied)-20):] {
			if strings.Contains(string(e.Body), text+"\xf4") { // behind which it is encoded that it begins no log
				k.early = append(k.early, text)
			}
		}
	}
	k.due = k.due || k.checkpoint == nil
	k.entries = append(k.entries, entries...)
}

func (k *keeper) Jump(backplane.Lineage) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.due, k.entries = true, nil
}

func (k *keeper) Tick(_ time.Time, s backplane.Standing) backplane.Keeping {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.standing = s
	return backplane.Keeping{Kept: k.kept}
}

func (k *keeper) Due() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.due
}

func (k *keeper) Checkpoint(at backplane.Lineage, body []byte, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		panic(err)
	}
	k.due, k.checkpoint, k.at, k.entries = false, body, at, nil
}

// startKept runs another instance, which goes on with what k has kept.
func (c *cluster) startKept(name string, k *keeper) *instance {
	before := c.options.Recorder
	defer func() { c.options.Recorder = before }()
	c.options.Recorder = k
	return c.startWith(name, func(m *fakeMachine) backplane.StateMachine {
		k.machine = m
		return m
	})
}

// When all instances have ended, the next one goes on with what one of them has kept: with the same state, in a log
// whose parent is theirs, and those that have ended are gone.
func TestStateOutlivesAllInstances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		k := new(keeper)
		a := c.startKept("a", k)
		c.wantReady(5 * time.Second)
		b := c.start("b")
		c.wantReady(5 * time.Second)
		var said []string
		for range 5 {
			said = append(said, a.mustSay(t), b.mustSay(t))
			sleep(time.Second)
		}
		before := c.wantAlike()
		if len(k.early) > 0 {
			t.Errorf("%q were applied before they were recorded", k.early)
		}
		for _, name := range []string{"c", "d"} {
			for _, i := range c.live() {
				c.kill(i)
			}
			next := c.startKept(name, k)
			c.wantReady(5 * time.Second)
			sleep(time.Second)
			after := next.machine.texts()
			if len(after) < len(before) || !slices.Equal(after[:len(before)], before) {
				t.Fatalf("%s has the history %q, want it to begin with %q", name, after, before)
			}
			said = append(said, next.mustSay(t))
			sleep(time.Second)
			before = c.wantAlike()
			c.wantEachOnce(before, said)
			if members := next.node.Status().Members; len(members) != 1 {
				t.Errorf("%s has the members %v, want itself alone", name, members)
			}
		}
		for _, gone := range []string{"gone a", "gone b", "gone c"} {
			if !slices.Contains(before, gone) {
				t.Errorf("history %q lacks %q", before, gone)
			}
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if n := len(k.standing.At); n != 3 {
			t.Errorf("the state has followed %d logs, want 3: %v", n, k.standing.At)
		}
	})
}

// An instance whose kept state can't be read waits and says so. It never begins without.
func TestInstanceWaitsForKeptState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := new(keeper)
		a := c.startKept("a", k)
		c.wantReady(5 * time.Second)
		said := a.mustSay(t)
		sleep(time.Second)
		c.kill(a)
		k.broken = errors.New("disk is upside down")
		b := c.startKept("b", k)
		sleep(time.Minute)
		if s := b.node.Status(); s.Ready || !strings.Contains(s.Why, "disk is upside down") {
			t.Errorf("ready is %v because of %q, want false because of the disk", s.Ready, s.Why)
		}
		k.mu.Lock()
		k.broken = nil
		k.mu.Unlock()
		c.wantReady(5 * time.Second)
		c.wantEachOnce(b.machine.texts(), []string{said})
	})
}

// What is kept beside a live cluster is not loaded: the new instance takes the cluster's state.
func TestLiveClusterGoesBeforeKeptState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		old := new(keeper)
		a := c.startKept("a", old)
		c.wantReady(5 * time.Second)
		a.mustSay(t)
		sleep(time.Second)
		c.kill(a)
		c.start("b")
		c.wantReady(time.Minute)
		c.startKept("d", old)
		c.wantReady(time.Minute)
		if history := c.wantAlike(); slices.Contains(history, "a says 1") {
			t.Errorf("the history is %q, want none of what was kept", history)
		}
		if !old.due && len(old.at) != 1 {
			t.Errorf("the recorder has a state of %v, want it to have been told of the live cluster's", old.at)
		}
	})
}

// slowKeeper is a keeper whose storage takes a while for each call, however much it is given.
type slowKeeper struct {
	keeper
	takes time.Duration
	most  int // entries in one call
}

func (k *slowKeeper) Record(entries []backplane.Recorded) {
	time.Sleep(k.takes)
	k.keeper.Record(entries)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.most = max(k.most, len(entries))
}

// startRecordingSlowly starts an instance alone, with a recorder that takes 10 ms for each call.
func startRecordingSlowly(t *testing.T) (*cluster, *slowKeeper, *instance) {
	t.Helper()
	c := newCluster(t, 4)
	k := &slowKeeper{takes: 10 * time.Millisecond}
	c.options.Recorder = k
	a := c.startWith("a", func(m *fakeMachine) backplane.StateMachine {
		k.machine = m
		return m
	})
	c.wantReady(5 * time.Second)
	return c, k, a
}

// What comes while the recorder waits for its storage is recorded in one call, so that no queue grows in front of it.
func TestWhatComesMeanwhileIsRecordedTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, k, a := startRecordingSlowly(t)
		var said []string
		for range 100 {
			said = append(said, a.mustSay(t))
			sleep(time.Millisecond)
		}
		sleep(2 * k.takes)
		c.wantEachOnce(a.machine.texts(), said)
		if len(k.early) > 0 {
			t.Errorf("%q were applied before they were recorded", k.early)
		}
	})
}

// A backlog is taken in parts, so that a node needs no more room for the effects of a step than it keeps.
func TestBacklogIsRecordedInParts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, k, a := startRecordingSlowly(t)
		const backlog = 20_000
		for i := range backlog {
			if err := a.node.Append(fmt.Appendf(nil, "%0100d", i)); err != nil {
				t.Fatal(err)
			}
		}
		sleep(time.Second)
		k.mu.Lock()
		defer k.mu.Unlock()
		if applied := len(a.machine.texts()); k.most > backlog/3 || applied < backlog {
			t.Errorf("%d entries of %d were recorded in one call, and %d applied", k.most, backlog, applied)
		}
	})
}
