package recorder_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/backplanetest"
	"chatapp/internal/recorder"
	"chatapp/internal/store"
	"chatapp/internal/store/storetest"
)

// archive keeps all that is published to all, in memory. Nothing of it is ever completed.
type archive struct {
	slow bool // Peek takes a while, and knows nothing of what comes meanwhile

	mu     sync.Mutex // guards what follows
	bodies [][]byte
	peeks  int
}

func (a *archive) Peek(_ context.Context, yield func([]byte) error) error {
	a.mu.Lock()
	bodies := slices.Clone(a.bodies)
	a.peeks++
	a.mu.Unlock()
	if a.slow {
		time.Sleep(2 * time.Second)
	}
	for _, body := range bodies {
		if err := yield(body); err != nil {
			return err
		}
	}
	return nil
}

func (a *archive) Drain(ctx context.Context, _ func([]byte, func())) error {
	<-ctx.Done()
	return ctx.Err()
}

func (a *archive) Usage(context.Context) (used, limit int64, err error) { return 0, 1, nil }
func (a *archive) Drop(context.Context, float64) (int, error)           { return 0, nil }

// peeked returns how often somebody has peeked.
func (a *archive) peeked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.peeks
}

// lose drops the messages that contain a text.
func (a *archive) lose(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bodies = slices.DeleteFunc(a.bodies, func(b []byte) bool { return bytes.Contains(b, []byte(text)) })
}

// archivedBus is a bus with an archive.
type archivedBus struct {
	*backplanetest.Bus
	archive *archive
}

func (b archivedBus) Publish(ctx context.Context, m backplane.Message) error {
	err := b.Bus.Publish(ctx, m)
	if err == nil && m.To == "" {
		b.archive.mu.Lock()
		defer b.archive.mu.Unlock()
		b.archive.bodies = append(b.archive.bodies, m.Body)
	}
	return err
}

// logged has the instances that start from now on log into the buffer returned.
func (c *cluster) logged() *bytes.Buffer {
	var log bytes.Buffer
	c.logger = slog.New(slog.NewTextHandler(&log, nil))
	return &log
}

// Where the archive lacks a part of what the store lacks, the next start goes on behind the gap and says so: only what
// was in it is lost, and later starts find the same.
func TestGapInTheArchiveIsBridged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 7)
		c.archive = new(archive)
		log := c.logged()
		i := c.start(recorder.Options{Behind: true})
		c.wantReady()
		for n := range 8 {
			i.say()
			sleep(time.Second)
			if n == 2 {
				c.store.SetFaults(storetest.Faults{Full: 1})
			}
		}
		c.kill()
		c.archive.lose("i1 says 5")
		c.archive.lose("i1 says 6")
		c.store.SetFaults(storetest.Faults{})
		var want []string
		for _, n := range []int{1, 2, 3, 4, 7, 8} {
			want = append(want, fmt.Sprint("i1 says ", n))
		}
		for range 3 {
			i = c.start(recorder.Options{Behind: true})
			c.wantReady()
			if !slices.Equal(i.texts, want) {
				t.Fatalf("%s begins with %q, want %q", i.name, i.texts, want)
			}
			i.say()
			sleep(5 * time.Second)
			want = append(want, i.name+" says 1")
			c.wantStored(want)
			c.kill()
		}
		if got := strings.Count(log.String(), "entries are missing in the archive"); got != 1 {
			t.Errorf("the log says %d times that entries are missing, want once:\n%s", got, log)
		}
	})
}

// A store with the log of another chat is left as it is, and told of: it may be somebody's only copy.
func TestStoreOfAnotherLogIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		other := newCluster(t, 8)
		other.start(recorder.Options{})
		other.wantReady()
		other.live[0].say()
		sleep(time.Second)
		other.kill()
		before, err := other.store.Open().Head(t.Context())
		if err != nil || before.Index == 0 {
			t.Fatalf("the other chat has stored %+v, %v", before, err)
		}

		c := newCluster(t, 9)
		log := c.logged()
		c.start(recorder.Options{Behind: true})
		c.wantReady()
		c.store = other.store
		i := c.start(recorder.Options{Behind: true})
		c.wantReady()
		c.crash(0)
		for range 30 { // it becomes the archivist
			i.say()
			sleep(5 * time.Second)
		}
		if s := i.recorder.Status(); !s.Writes || s.Saved || !strings.Contains(s.Why, "the log of another chat") {
			t.Errorf("Status() = %+v, want it to say that the store is another chat's", s)
		}
		if got := strings.Count(log.String(), "not saved"); got != 1 {
			t.Errorf("the log says %d times that nothing is saved, want once:\n%s", got, log)
		}
		after, err := other.store.Open().Head(t.Context())
		if before.Term = after.Term; err != nil || after != before {
			t.Errorf("the store's head is %+v, %v, want %+v still", after, err, before)
		}
		other.wantStored([]string{"i1 says 1"})
	})
}

// Where nothing joins two processes, the later one never drops what the earlier one has acknowledged as saved. It says
// that it has to be started again, and then goes on behind that.
func TestStoreThatAnotherProcessHasWrittenIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, more := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			first := newCluster(t, 13)
			i := first.start(recorder.Options{})
			first.wantReady()
			i.say()
			sleep(time.Second)

			late := newCluster(t, 14)
			late.store, late.names = first.store, 1
			var held atomic.Bool
			held.Store(true)
			late.wrap = func(s store.Store) store.Store { return heldStore{s, &held} }
			j := late.start(recorder.Options{})
			late.wantReady()
			j.say()
			if more {
				i.say()
			}
			sleep(time.Second)
			first.kill()
			want := []string{"i1 says 1", "i2 says 1", "i2 says 2"}
			if more {
				want = []string{"i1 says 1", "i1 says 2", "i2 says 1"}
			}
			held.Store(false)
			sleep(time.Minute)
			j.say()
			sleep(time.Minute)
			s := j.recorder.Status()
			if s.Saved == more || more && !strings.Contains(s.Why, "has to be started again") {
				t.Errorf("more=%v: Status() = %+v, want that it is saved, or why not", more, s)
			}
			if more {
				first.wantStored(want[:2])
				late.kill()
				late.acked = nil // they were told that nothing is saved
				late.start(recorder.Options{})
				late.wantReady()
				late.live[0].node.Append([]byte(want[2]))
				sleep(time.Second)
			}
			first.wantStored(want)
		})
	}
}

// heldStore can't be claimed as long as another process holds it.
type heldStore struct {
	store.Store
	held *atomic.Bool
}

func (h heldStore) Claim(ctx context.Context) (store.Head, error) {
	if h.held.Load() {
		return store.Head{}, store.ErrInUse
	}
	return h.Store.Claim(ctx)
}

// rewinds counts the batches that drop what the store has.
type rewinds struct {
	store.Store
	count *int
}

func (r rewinds) Append(ctx context.Context, b store.Batch) error {
	head, headErr := r.Head(ctx)
	err := r.Store.Append(ctx, b)
	if headErr == nil && b.After < head.Index && !errors.Is(err, store.ErrFenced) {
		*r.count++
	}
	return err
}

// overtaken is a store whose head moves on once, behind the first time that it is read.
type overtaken struct {
	store.Store
	once *bool
}

func (o overtaken) Head(ctx context.Context) (store.Head, error) {
	head, err := o.Store.Head(ctx)
	if err == nil && !*o.once {
		*o.once = true
		head.Index--
	}
	return head, err
}

// A start that reads what another instance stores meanwhile reads again, and calls nothing damaged.
func TestStartReadsAgainWhatAnotherInstanceWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 11)
		i := c.start(recorder.Options{})
		c.wantReady()
		for range 3 {
			i.say()
			sleep(time.Second)
		}
		texts := i.texts
		c.kill()
		log, once := c.logged(), false
		c.wrap = func(s store.Store) store.Store { return overtaken{s, &once} }
		i = c.start(recorder.Options{Behind: true})
		c.wantReady()
		if !slices.Equal(i.texts, texts) {
			t.Errorf("it begins with %q, want %q", i.texts, texts)
		}
		if s := log.String(); strings.Contains(s, "damaged") || !strings.Contains(s, "another instance has stored") {
			t.Errorf("it says %q, want that another instance stored meanwhile", s)
		}
	})
}

// Behind an answer that was lost the recorder finds out what the store has. It does not drop and write it again.
func TestLostAnswerRewindsNothing(t *testing.T) {
	t.Parallel()
	for _, behind := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, count := newCluster(t, 10), 0
			c.wrap = func(s store.Store) store.Store { return rewinds{s, &count} }
			i := c.start(recorder.Options{Behind: behind})
			c.wantReady()
			c.store.SetFaults(storetest.Faults{LoseAnswer: .5})
			for range 100 {
				i.say()
				sleep(time.Second)
			}
			c.store.SetFaults(storetest.Faults{})
			sleep(time.Minute)
			c.wantStored(i.texts)
			if s := i.recorder.Status(); s.Failures == 0 || count > 0 {
				t.Errorf("behind %d lost answers %d batches drop what is stored, want none", s.Failures, count)
			}
		})
	}
}

// An instance that is late with the log may take itself for the archivist that it was, when another one has stored more
// already, and completed that in the archive. It drops none of it, and goes on behind it once it has come so far.
func TestLateArchivistRewindsNothing(t *testing.T) {
	memory, count := storetest.NewMemory(1), 0
	log := backplane.LogID{Stamp: 1, Founder: "a"}
	start := func() *recorder.Recorder {
		r := recorder.New(recorder.Options{Behind: true, Open: func() (store.Store, error) {
			return rewinds{memory.Open(), &count}, nil
		}})
		r.Checkpoint(backplane.Lineage{{Log: log, Index: 1}}, []byte("state"), nil)
		return r
	}
	follow := func(r *recorder.Recorder, from, to uint64) {
		for index := from; index <= to; index++ {
			r.Record([]backplane.Recorded{{Log: log, Index: index, Body: fmt.Append(nil, index)}})
		}
		at := backplane.Lineage{{Log: log, Index: to}}
		r.Tick(time.Now(), backplane.Standing{At: at, InSync: true, Archivist: true})
		for range 2 { // the first one may find that a checkpoint is older than what is stored
			r.Write(t.Context())
		}
	}
	wantHead := func(when string, want uint64) {
		t.Helper()
		head, err := memory.Open().Head(t.Context())
		if err != nil || head.Index != want || count > 0 {
			t.Errorf("%s: store has index %d, %d batches have dropped a part of it, %v; want %d and none",
				when, head.Index, count, err, want)
		}
	}
	late, other := start(), start()
	follow(late, 2, 3)
	follow(other, 2, 8)
	wantHead("the other one has written", 8)
	late.Record([]backplane.Recorded{{Log: log, Index: 4, Body: []byte("4")}})
	late.Write(t.Context()) // is told that it is not the writer any more
	follow(late, 5, 6)
	wantHead("the late one has", 8)
	follow(late, 7, 10)
	wantHead("it has come further", 10)
}

// Instances that start at the same time, after all had ended, read the same store and archive, and may begin logs one
// behind the other. All that archivists among them have stored can be read, and nothing acknowledged is missing.
func TestInstancesStartAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, seed)
			c.archive = &archive{slow: true}
			c.topic.SetFaults(backplanetest.Faults{DeliverTime: 300 * time.Millisecond})
			c.store.SetFaults(storetest.Faults{Time: 500 * time.Millisecond})
			random := rand.New(rand.NewPCG(seed, 11))
			for range 8 {
				for range 3 {
					c.start(recorder.Options{Behind: true, CheckpointEntries: 40})
					sleep(time.Duration(random.Int64N(int64(1200 * time.Millisecond))))
				}
				c.wantReady()
				for range random.IntN(10) {
					c.live[random.IntN(3)].say()
					sleep(time.Duration(random.Int64N(int64(300 * time.Millisecond))))
				}
				c.kill()
			}
			i := c.start(recorder.Options{Behind: true})
			c.wantReady()
			sleep(time.Minute)
			c.wantAcked(i.texts)
			c.wantStored(i.texts)
		})
	}
}

// A log begins with the state that its instance had found in the archive. What has come to the archive until then is no
// part of it for any later start either. Otherwise one log would have two contents.
func TestLogBeginsWhereItsInstanceHadRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 12)
		c.archive = &archive{slow: true}
		i := c.start(recorder.Options{Behind: true})
		c.wantReady()
		sleep(time.Minute)
		i.say()
		sleep(time.Second)
		log := c.logged()
		c.kill()
		c.store.SetFaults(storetest.Faults{Full: 1})
		i = c.start(recorder.Options{Behind: true})
		for before := c.archive.peeked(); c.archive.peeked() == before; {
			sleep(100 * time.Millisecond)
		}
		c.start(recorder.Options{Behind: true}) // its request to join comes between
		sleep(time.Minute)
		c.wantReady()
		i.say()
		sleep(time.Second)
		c.kill()
		c.store.SetFaults(storetest.Faults{})
		i = c.start(recorder.Options{Behind: true, CheckpointEntries: 1})
		c.wantReady()
		sleep(5 * time.Second)
		if want := []string{"i1 says 1", "i2 says 1"}; !slices.Equal(i.texts, want) {
			t.Errorf("%s begins with %q, want %q", i.name, i.texts, want)
		}
		checkpoint, err := c.store.Open().Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at, err := backplane.CheckpointLineage(checkpoint.Body)
		if err != nil || len(at) != 3 || at[1].Log.Founder != "i2" {
			t.Fatalf("the state has followed %+v, %v, want the logs of i1, i2 and i4", at, err)
		}
		if want := fmt.Sprint("to=", at[0].Index, "\n"); !strings.Contains(log.String(), want) {
			t.Errorf("the first log ends at %d for i4, want the index that i2 has found:\n%s", at[0].Index, log)
		}
	})
}

// The others go on without an instance that is cut off, and end. When it is back, nobody answers it, and the state
// that it has in memory is old. It begins a log with what is kept, not with that. If the store can't be read, it goes
// on with its own state after a while.
func TestOldStateInMemoryIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	for _, readable := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 11)
			c.archive = new(archive)
			for range 3 {
				c.start(recorder.Options{Behind: true})
				c.wantReady()
			}
			old := c.live[2]
			c.live[0].say()
			sleep(5 * time.Second)
			old.bus.Cut(true)
			sleep(30 * time.Second)
			for range 5 {
				c.live[1].say()
				sleep(time.Second)
			}
			sleep(20 * time.Second)
			for _, i := range c.live[:2] {
				c.acked = append(c.acked, i.acked...)
			}
			c.crash(0)
			c.crash(0)
			if !readable {
				c.store.SetFaults(storetest.Faults{Refuse: 1})
			}
			old.bus.Cut(false)
			sleep(20 * time.Second)
			if readable != old.node.Status().Ready {
				t.Fatalf("store readable: %v, ready 20 s later: %v", readable, old.node.Status().Ready)
			}
			c.wantReady()
			want := []string{"i1 says 1", "i2 says 1", "i2 says 2", "i2 says 3", "i2 says 4", "i2 says 5"}
			if !readable {
				want = want[:1]
			}
			old.say()
			sleep(5 * time.Second)
			if want = append(want, "i3 says 1"); !slices.Equal(old.texts, want) {
				t.Errorf("store readable: %v, the instance has %q, want %q", readable, old.texts, want)
			}
			if readable {
				c.wantAcked(old.texts)
				c.wantStored(old.texts)
			}
		})
	}
}

// A text that is to be erased has gone only once the archive does not have it either. What is published later does
// not matter.
func TestUpkeepWaitsForTheArchive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 12)
		c.archive = new(archive)
		i := c.start(recorder.Options{Behind: true})
		c.wantReady()
		i.say()
		sleep(5 * time.Second)
		u := recorder.Upkeep{Index: i.recorder.Status().Index,
			Change: func(*store.Line) store.Change { return store.Keep }}
		want := func(when string, want bool) {
			t.Helper()
			done, err := i.recorder.Upkeep(t.Context(), u)
			if done != want || err != nil {
				t.Errorf("%s: Upkeep() = %v, %v, want %v", when, done, err, want)
			}
		}
		want("without a checkpoint", false)
		sleep(5 * time.Second)
		for range 2 {
			want("the archive has it", false)
		}
		c.archive.lose("") // all is completed
		i.say()
		sleep(5 * time.Second)
		want("the archive has what is newer", true)
	})
}
