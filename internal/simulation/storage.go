package simulation

import (
	"context"
	"errors"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/recorder"
	"chatapp/internal/store"
	"chatapp/internal/store/storetest"
)

// storage is what outlives all instances of some simulated clusters: a store, and the archive of the topic, which keeps
// what is published to all until it is stored.
type storage struct {
	world   *world
	memory  *storetest.Memory
	archive []*archived // not completed, in the order of the topic
	late    float64     // part of the writes that the store answers with an error, and does later
}

// archived is a message in the archive.
type archived struct {
	body []byte
	lock *saver // has received it; nil: nobody
}

func newStorage(w *world, seed uint64) *storage {
	return &storage{world: w, memory: storetest.NewMemory(seed)}
}

// put keeps a message. It is called with every message to all.
func (s *storage) put(body []byte) { s.archive = append(s.archive, &archived{body: body}) }

// saver has an instance store what it accepts, and complete the messages of the archive that are stored.
type saver struct {
	*recorder.Recorder
	instance *instance
	storage  *storage
	stepper  *recorder.Stepper
	loading  bool // what is applied was accepted by somebody before
}

// saveEvery is how often a saver writes.
const saveEvery = 250 * time.Millisecond

func newSaver(i *instance, o recorder.Options) *saver {
	s := &saver{instance: i, storage: i.host.world.storage}
	o.Open = func() (store.Store, error) { return lateStore{s.storage.memory.Open(), s.storage}, nil }
	o.Behind, o.Archive = true, s
	o.Settled = func(m *backplane.Archived) (uint64, bool, error) { return i.driver.Node().Settled(m) }
	o.Since = func(seq uint64) []store.Line { return i.chat.LinesSince(seq) }
	o.CheckpointEntries = 100 // two minutes have no more than a thousand
	s.Recorder = recorder.New(o)
	s.stepper = recorder.NewStepper(s.Recorder)
	return s
}

// Load implements backplane.Recorder.
func (s *saver) Load(ctx context.Context, replay *backplane.Replay) error {
	s.loading = true
	defer func() { s.loading = false }()
	err := s.Recorder.Load(ctx, replay)
	s.instance.host.world.tell(s.instance.host.name, "loads log index %d: %v", replay.Position().Last().Index, err)
	return err
}

// save is called now and then.
func (s *saver) save() {
	s.stepper.Write(context.Background())
	if s.stepper.Drains() && !s.instance.host.link.receiveCut {
		for _, m := range s.storage.archive {
			if m.lock == nil {
				m.lock = s
				s.stepper.Take(m.body, func() { s.complete(m) })
			}
		}
		s.stepper.Complete()
	} else {
		s.unlock()
	}
	s.instance.host.later(s.instance, saveEvery/2+s.storage.world.upTo(saveEvery), s.save)
}

// complete removes a message from the archive.
func (s *saver) complete(m *archived) {
	if m.lock != s {
		return // another instance has it
	}
	for i, other := range s.storage.archive {
		if other == m {
			s.storage.archive = append(s.storage.archive[:i:i], s.storage.archive[i+1:]...)
			return
		}
	}
}

// unlock gives back what the saver has received and not completed.
func (s *saver) unlock() {
	for _, m := range s.storage.archive {
		if m.lock == s {
			m.lock = nil
		}
	}
}

// stop ends the saver with its instance. Its locks last a while.
func (s *saver) stop() { s.storage.world.after(s.storage.world.upTo(lockLasts), s.unlock) }

// Peek implements recorder.Archive.
func (s *saver) Peek(_ context.Context, yield func([]byte) error) error {
	if s.instance.host.link.receiveCut || s.storage.world.chance(s.storage.world.topic.weather.failing) {
		return errCut
	}
	for _, m := range s.storage.archive {
		if err := yield(m.body); err != nil {
			return err
		}
	}
	return nil
}

// Drain implements recorder.Archive.
func (s *saver) Drain(context.Context, func([]byte, func())) error {
	panic("simulation: a Stepper does not receive")
}

// Usage implements recorder.Archive.
func (s *saver) Usage(context.Context) (used, limit int64, err error) {
	return 0, 0, errors.New("simulation: the topic is never full")
}

// Drop implements recorder.Archive.
func (s *saver) Drop(context.Context, float64) (int, error) {
	panic("simulation: the topic is never full")
}

// lateStore is a store that does some writes after it has answered with an error.
type lateStore struct {
	store.Store
	storage *storage
}

func (s lateStore) Append(ctx context.Context, b store.Batch) error {
	w := s.storage.world
	if !w.chance(s.storage.late) {
		return s.Store.Append(ctx, b)
	}
	before, err := s.Store.Head(ctx)
	if err != nil {
		return err
	}
	w.after(w.upTo(5*time.Second), func() {
		// A store refuses what is late: where its own writer has gone on, by the condition of that write; where another
		// one has, by the term.
		if head, err := s.Store.Head(context.Background()); err == nil && (head == before || head.Term != before.Term) {
			_ = s.Store.Append(context.Background(), b)
		}
	})
	return errTimeout
}
