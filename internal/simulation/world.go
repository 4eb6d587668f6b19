package simulation

import (
	"fmt"
	"math/rand/v2"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
)

// The life of a cluster: users may talk from the beginning; faults come from faultsBegin to faultsEnd; everybody is
// in sync syncWithin later; and the judge looks at lifetime.
const (
	faultsBegin = 8 * time.Second
	faultsEnd   = 90 * time.Second
	syncWithin  = 10 * time.Second
	lifetime    = 120 * time.Second
)

// moment is how exact times are. What happens within a moment happens at its end, in the order of its exact times. So a
// life needs half as many sleeps, each of which is two switches of goroutines and a timer.
const moment = 20 * time.Millisecond

// smallBody is how large messages may be in some lives, in bytes. Service Bus takes much larger ones. But the states of
// two minutes are small, too, and their snapshots are to take several messages: so newcomers share them. In still
// smaller ones a backlog would take more of the pauses after throttling than the judge waits for.
const smallBody = 12 << 10

// world is one run.
type world struct {
	random  *rand.Rand
	at      time.Duration // since the beginning
	ending  bool          // this step may have ended a session, which takes a goroutine
	events  schedule
	topic   *topic
	storage *storage     // nil: nothing outlives the instances
	folder  *storeFolder // of the only instance; nil: there are more
	hosts   []*host
	users   []*user
	faults  faults
	judge   judge
	story   *story // nil: nobody will read it
	trace   trace
	gather  int                // from how many instances on batches are gathered
	hold    time.Duration      // how long users that are away keep their nicknames
	parsed  map[string]*packet // of events that several users have received, by their text
}

// Result is the outcome of a run.
type Result struct {
	Seed      uint64
	Anomalies []Anomaly // what the judge found; none if all is well
	Story     string    // for people, if it was asked for
	Trace     uint64    // a hash over all that the instances applied, and when
	Messages  int       // that were acknowledged
	Applied   int       // entries, by all instances
}

// Run lives the life that follows from a seed. It must be called in a bubble of testing/synctest, and with a source
// of crypto/rand that follows from the seed as well.
func Run(seed uint64, tell bool) Result {
	w := &world{random: rand.New(rand.NewPCG(seed, 1)), parsed: make(map[string]*packet)}
	if tell {
		w.story = &story{world: w}
	}
	w.hold = 2*time.Second + w.upTo(28*time.Second)
	if w.chance(0.3) {
		w.hold = w.upTo(3 * time.Second)
	}
	w.gather = 100
	if w.chance(0.4) {
		w.gather = 3 + w.random.IntN(2) // seven instances would take too long to simulate
	}
	w.topic = newTopic(w)
	w.topic.forbids = w.chance(0.1)
	instances := 3 + w.random.IntN(3)
	switch kept := rand.New(rand.NewPCG(seed, 3)).Float64(); {
	case kept < 0.4:
		w.storage = newStorage(w, seed)
	case kept > 0.9:
		w.folder = newStoreFolder(w)
		defer w.folder.remove()
		instances = 1
	}
	w.judge.world = w
	w.faults.world = w
	sharing := rand.New(rand.NewPCG(seed, 4))
	w.topic.maxBody = backplane.MinBody
	if sharing.Float64() < 0.5 {
		w.topic.maxBody = smallBody
	}
	for i := range instances {
		h := newHost(w, string(rune('a'+i)))
		h.multicasts = sharing.Float64() < 0.8
		if w.chance(0.1) {
			h.clock = wrongClock(w)
		}
		w.hosts = append(w.hosts, h)
		w.after(w.upTo(3*time.Second), h.boot)
	}
	for i := range 2*len(w.hosts) + 1 {
		u := newUser(w, i)
		w.users = append(w.users, u)
		w.after(w.upTo(5*time.Second), u.wakeUp)
	}
	w.after(faultsBegin, w.faults.next)
	if w.chance(0.3) {
		w.after(faultsBegin+w.upTo(30*time.Second), func() { w.faults.deploy(newRules, 0) })
	}
	w.after(faultsEnd, w.faults.end)
	if !w.topic.forbids { // otherwise instances may have to wait longer before they go on without others
		w.after(faultsEnd+syncWithin, w.judge.wantInSync)
	}
	w.after(lifetime-4*time.Second, func() { w.judge.quiet = true })
	w.run(lifetime)
	w.judge.judge()
	story := w.story
	w.story = nil // what follows is no part of it
	for _, h := range w.hosts {
		h.crash()
	}
	time.Sleep(time.Minute) // the last sessions end
	r := Result{Seed: seed, Anomalies: w.judge.anomalies, Trace: w.trace.hash,
		Messages: len(w.judge.acked), Applied: w.trace.applied}
	if tell {
		r.Story = story.tellOf(r.Anomalies)
	}
	return r
}

// run lets virtual time pass.
func (w *world) run(d time.Duration) {
	for {
		e, ok := w.events.pop()
		if !ok || e.at > d {
			return
		}
		if e.at > w.at {
			at := (e.at + moment - 1).Truncate(moment)
			time.Sleep(at - w.at) // the timers that are due before have run, and what they have called has returned
			w.at = at
		}
		w.happen(&e)
		if w.ending {
			synctest.Wait()
			w.ending = false
		}
		for _, h := range w.hosts {
			h.pump()
		}
	}
}

// happen lets an event happen. An instance may crash in the middle of it.
func (w *world) happen(e *event) {
	if w.folder != nil {
		defer func() {
			switch r := recover().(type) {
			case nil:
			case tornBy:
				w.hosts[0].crash()
			default:
				panic(r)
			}
		}()
	}
	if e.on == nil {
		e.run()
		return
	}
	e.on.host.within(e.on, e.run)
}

// keeps reports whether what was acknowledged outlives all instances.
func (w *world) keeps() bool { return w.storage != nil || w.folder != nil }

// now is how long the run has lasted.
func (w *world) now() time.Duration { return w.at }

// after has something happen later.
func (w *world) after(d time.Duration, run func()) { w.events.push(event{at: w.now() + d, run: run}) }

// upTo returns a random duration below d.
func (w *world) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(w.random.Int64N(int64(d)))
}

// chance reports true with probability p.
func (w *world) chance(p float64) bool { return w.random.Float64() < p }

// tell adds a line to the story.
func (w *world) tell(who, format string, args ...any) {
	if w.story != nil {
		w.story.add(who, fmt.Sprintf(format, args...))
	}
}

// trace is a hash over what the instances did.
type trace struct {
	hash    uint64
	applied int
}

func (t *trace) add(numbers ...uint64) {
	for _, n := range numbers {
		t.hash = (t.hash ^ n) * 0x100000001b3
		t.hash ^= t.hash >> 29
	}
}

// schedule is what is going to happen, as a binary heap. Of two events at one time the one scheduled first comes
// first.
type schedule struct {
	queue []event
	last  uint64
}

type event struct {
	at     time.Duration
	number uint64
	run    func()
	on     *instance // on which it happens, see host.within; nil: on none
}

func (e *event) before(other *event) bool {
	return e.at < other.at || e.at == other.at && e.number < other.number
}

func (s *schedule) push(e event) {
	s.last++
	e.number = s.last
	s.queue = append(s.queue, e)
	q := s.queue
	for i := len(q) - 1; i > 0 && q[i].before(&q[(i-1)/2]); i = (i - 1) / 2 {
		q[i], q[(i-1)/2] = q[(i-1)/2], q[i]
	}
}

// pop returns the next event, if there is one.
func (s *schedule) pop() (e event, ok bool) {
	q := s.queue
	if len(q) == 0 {
		return event{}, false
	}
	first, n := q[0], len(q)-1
	q[0], q[n] = q[n], event{}
	s.queue, q = q[:n], q[:n]
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < n; c++ {
			if q[c].before(&q[least]) {
				least = c
			}
		}
		if least == i {
			return first, true
		}
		q[i], q[least] = q[least], q[i]
		i = least
	}
}
