package recorder_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/backplanetest"
	"chatapp/internal/recorder"
	"chatapp/internal/store"
	"chatapp/internal/store/storetest"
)

// machine is a state machine whose state is all texts. Each of them is a line.
type machine struct {
	node     *backplane.Node
	recorder *recorder.Recorder
	texts    []string
	acked    []string // own ones that were applied
	restores int
}

func (m *machine) Apply(e backplane.Entry) error {
	m.texts = append(m.texts, string(e.Body))
	if e.Instance == m.node.Instance() {
		m.acked = append(m.acked, string(e.Body))
	}
	m.recorder.Lines([]store.Line{m.line(len(m.texts), e.Index)})
	return nil
}

func (m *machine) line(seq int, index uint64) store.Line {
	return store.Line{Room: "lobby", Seq: uint64(seq), Index: index, Body: []byte(m.texts[seq-1])}
}

// since implements recorder.Options.Since for a state that forgets nothing.
func (m *machine) since(seq uint64) (lines []store.Line) {
	for n := int(seq) + 1; n <= len(m.texts); n++ {
		lines = append(lines, m.line(n, 0))
	}
	return lines
}

func (m *machine) Gone(backplane.Entry, string)  {}
func (m *machine) Begin(backplane.Entry)         {}
func (m *machine) Raise(backplane.Entry, uint64) {}
func (m *machine) Snapshot() []byte              { return []byte(must(json.Marshal(m.texts))) }

func (m *machine) Restore(snapshot []byte) error {
	m.restores++
	m.texts = nil
	return json.Unmarshal(snapshot, &m.texts)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// instance is a node with a recorder.
type instance struct {
	*machine
	name string
	bus  *backplanetest.Bus
	stop context.CancelFunc
	done chan struct{}
	said int
}

// cluster has instances on one topic and one store.
type cluster struct {
	t     *testing.T
	topic *backplanetest.Topic
	store *storetest.Memory
	live  []*instance
	names int
	acked []string // of all instances that have ended
	quiet bool     // no client is connected to instances that start from now on

	// For instances that start from now on; nil: nothing special.
	wrap    func(store.Store) store.Store
	archive *archive
	logger  *slog.Logger
}

func newCluster(t *testing.T, seed uint64) *cluster {
	c := &cluster{t: t, topic: backplanetest.NewTopic(seed, backplane.MinBody), store: storetest.NewMemory(seed)}
	t.Cleanup(c.kill)
	return c
}

func (c *cluster) start(o recorder.Options) *instance {
	c.names++
	i := &instance{name: fmt.Sprint("i", c.names), machine: &machine{}, done: make(chan struct{})}
	i.bus = c.topic.Join(i.name)
	o.Since = i.since
	opened := c.store
	o.Open = func() (store.Store, error) {
		if c.wrap != nil {
			return c.wrap(opened.Open()), nil
		}
		return opened.Open(), nil
	}
	o.Logger = c.logger
	bus := backplane.Bus(i.bus)
	if c.archive != nil {
		bus = archivedBus{i.bus, c.archive}
		o.Archive = c.archive
		o.Settled = func(a *backplane.Archived) (uint64, bool, error) { return i.node.Settled(a) }
	}
	i.recorder = recorder.New(o)
	connected := !c.quiet
	i.node = backplane.New(bus, i.machine, backplane.Options{Recorder: i.recorder, Logger: c.logger,
		Connected: func() bool { return connected }})
	ctx, stop := context.WithCancel(c.t.Context())
	i.stop = stop
	go func() {
		defer close(i.done)
		_ = i.node.Run(ctx)
	}()
	go i.recorder.Run(ctx)
	c.live = append(c.live, i)
	return i
}

// kill ends all instances as kill -9 does.
func (c *cluster) kill() {
	for _, i := range c.live {
		i.bus.Cut(true)
		i.stop()
		<-i.done
		c.topic.Leave(i.name)
		c.acked = append(c.acked, i.acked...)
	}
	c.live = nil
}

func (c *cluster) wantReady() {
	c.t.Helper()
	for range 600 {
		if !slices.ContainsFunc(c.live, func(i *instance) bool { return !i.node.Status().Ready }) {
			return
		}
		sleep(100 * time.Millisecond)
	}
	for _, i := range c.live {
		c.t.Errorf("%s: %s", i.name, i.node.Status().Why)
	}
	c.t.FailNow()
}

func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (i *instance) say() {
	i.said++
	_ = i.node.Append(fmt.Appendf(nil, "%s says %d", i.name, i.said))
}

// wantStored checks that the store has a line for each text of the state, and each acknowledged one once.
func (c *cluster) wantStored(texts []string) {
	c.t.Helper()
	page, err := c.store.Open().Lines(c.t.Context(), "lobby", 0, 1<<20)
	var got []string
	for _, l := range page.Lines {
		got = append(got, string(l.Body))
	}
	if err != nil || !slices.Equal(got, texts) {
		c.t.Errorf("the store has the lines %q, %v, want %q", got, err, texts)
	}
}

func (c *cluster) wantAcked(texts []string) {
	c.t.Helper()
	count := make(map[string]int)
	for _, text := range texts {
		count[text]++
	}
	for _, text := range c.acked {
		if count[text] != 1 {
			c.t.Errorf("%q was acknowledged, and is in the state %d times", text, count[text])
		}
	}
}

// What one instance has acknowledged outlives it, however often it is killed, and each line is stored once.
func TestAcknowledgedEntriesOutliveTheProcess(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, seed)
			random := rand.New(rand.NewPCG(seed, 9))
			var before []string
			for range 6 {
				i := c.start(recorder.Options{CheckpointEntries: 20})
				c.wantReady()
				if len(i.texts) < len(before) || !slices.Equal(i.texts[:len(before)], before) {
					t.Fatalf("%s begins with %q, want %q", i.name, i.texts, before)
				}
				for range random.IntN(40) {
					i.say()
					sleep(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
				}
				i.say() // perhaps too late
				c.kill()
				before = slices.Clone(c.acked)
				c.wantAcked(i.texts)
			}
			i := c.start(recorder.Options{})
			c.wantReady()
			sleep(time.Second)
			c.wantAcked(i.texts)
			c.wantStored(i.texts)
		})
	}
}

// slowDrop is a store that takes five seconds to drop entries.
type slowDrop struct{ store.Store }

func (s slowDrop) DropEntries(ctx context.Context, through uint64) error {
	time.Sleep(5 * time.Second)
	return s.Store.DropEntries(ctx, through)
}

// Entries that a checkpoint contains are dropped, and nobody waits for an answer meanwhile.
func TestNobodyWaitsForDroppedEntries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 12)
		c.wrap = func(s store.Store) store.Store { return slowDrop{s} }
		i := c.start(recorder.Options{CheckpointEntries: 5})
		c.wantReady()
		for n := range 30 {
			i.say()
			sleep(time.Second)
			if len(i.acked) != n+1 {
				t.Fatalf("a second after %d messages %d are acknowledged", n+1, len(i.acked))
			}
		}
		sleep(time.Minute)
		err := c.store.Open().Entries(t.Context(), 0, func(store.Entry) error { return nil })
		if !errors.Is(err, store.ErrGone) {
			t.Errorf("reading all entries ends with %v, want that those are gone which a checkpoint contains", err)
		}
		c.wantStored(i.texts)
	})
}

// A store that fails does not stop the log. It says that nothing is saved, and catches up.
func TestStoreCatchesUpBehindAnOutage(t *testing.T) {
	t.Parallel()
	for _, behind := range []bool{false, true} {
		for _, memory := range []int{0, 2000} {
			t.Run(fmt.Sprintf("behind=%v,memory=%d", behind, memory), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newCluster(t, 3)
					i := c.start(recorder.Options{Behind: behind, Memory: memory})
					c.wantReady()
					i.say()
					sleep(time.Second)
					c.store.SetFaults(storetest.Faults{Full: 1})
					for range 50 {
						i.say()
						sleep(500 * time.Millisecond)
					}
					if len(i.acked) != 51 {
						t.Errorf("%d entries are acknowledged while the store fails, want 51", len(i.acked))
					}
					if s := i.recorder.Status(); s.Saved || !strings.Contains(s.Why, "full") {
						t.Errorf("Status() = %+v, want it to say that the store is full", s)
					}
					c.store.SetFaults(storetest.Faults{LoseAnswer: 0.5})
					for range 20 {
						i.say()
						sleep(2 * time.Second)
					}
					c.store.SetFaults(storetest.Faults{})
					sleep(time.Minute)
					if s := i.recorder.Status(); !s.Saved || s.Behind != 0 {
						t.Errorf("Status() = %+v, want everything saved", s)
					}
					c.wantStored(i.texts)
					c.kill()
					i = c.start(recorder.Options{Behind: behind})
					c.wantReady()
					c.wantAcked(i.texts)
				})
			})
		}
	}
}

// crash ends one instance as kill -9 does.
func (c *cluster) crash(n int) {
	i := c.live[n]
	c.live = slices.Delete(c.live, n, n+1)
	i.bus.Cut(true)
	i.stop()
	<-i.done
	c.topic.Leave(i.name)
}

// Archivists follow each other, and the store has every line all the same, whatever it answers.
func TestArchivistsFollowEachOther(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, seed)
			random := rand.New(rand.NewPCG(seed, 10))
			o := recorder.Options{Behind: true, CheckpointEntries: 30}
			c.start(o)
			c.wantReady()
			c.start(o)
			c.start(o)
			c.wantReady()
			c.store.SetFaults(storetest.Faults{Refuse: 0.1, LoseAnswer: 0.1, Time: 100 * time.Millisecond})
			for range 4 {
				for range 20 {
					c.live[random.IntN(len(c.live))].say()
					sleep(time.Duration(random.Int64N(int64(300 * time.Millisecond))))
				}
				c.crash(random.IntN(2))
				sleep(time.Duration(random.Int64N(int64(20 * time.Second))))
				c.start(o)
				c.wantReady()
			}
			c.store.SetFaults(storetest.Faults{})
			sleep(time.Minute)
			c.wantStored(c.live[0].texts)
			writers := 0
			for _, i := range c.live {
				if i.recorder.Status().Writes {
					writers++
				}
			}
			if writers != 1 {
				t.Errorf("%d instances write the store, want 1", writers)
			}
		})
	}
}
