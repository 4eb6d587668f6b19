package simulation

import (
	"time"

	"chatapp/internal/store/storetest"
)

// faults come and go.
type faults struct {
	world  *world
	over   bool
	keeper *host // holds the state while others may lose it; nil: nobody has to
}

// fault is a kind of trouble: how often it comes, and what it does. It returns how it ends, or nil for one that ends
// by itself.
type fault struct {
	name  string
	often int
	begin func(*faults, *host) (end func())
}

// next lets one fault happen, and another one later.
func (f *faults) next() {
	if f.over {
		return
	}
	w := f.world
	possible := kinds
	switch {
	case w.storage != nil:
		possible = kindsWithStore
	case w.folder != nil:
		possible = kindsWithFolder
	}
	total := 0
	for i := range possible {
		total += possible[i].often
	}
	n := w.random.IntN(total)
	h := w.hosts[w.random.IntN(len(w.hosts))]
	for i := range possible {
		if n -= possible[i].often; n < 0 {
			f.inflict(&possible[i], h)
			break
		}
	}
	w.after(w.upTo(10*time.Second), f.next)
}

// deploy replaces one instance after the other by one with the new rules, and perhaps all of them back again.
func (f *faults) deploy(rules uint64, next int) {
	w := f.world
	if f.over {
		return
	}
	if next == len(w.hosts) {
		if rules == newRules && w.chance(0.3) {
			w.after(w.upTo(20*time.Second), func() { f.deploy(oldRules, 0) })
		}
		return
	}
	h := w.hosts[next]
	if end := f.replace(h, rules); end != nil {
		w.tell("fault", "%s is replaced by a build that knows rules %d", h.name, rules)
		w.after(time.Second, end)
		next++
	}
	w.after(time.Second+w.upTo(6*time.Second), func() { f.deploy(rules, next) })
}

func (f *faults) inflict(k *fault, h *host) {
	if f.allInSync() {
		f.keeper = nil // all keep the state
	}
	if f.spares(h) {
		return
	}
	end := k.begin(f, h)
	if end == nil {
		return
	}
	f.world.tell("fault", "%s begins, of %s", k.name, h.name)
	longest := []time.Duration{3 * time.Second, 3 * time.Second, 20 * time.Second, 20 * time.Second, time.Minute}
	lasts := f.world.upTo(longest[f.world.random.IntN(len(longest))])
	f.world.after(lasts, func() {
		if !f.over {
			f.world.tell("fault", "%s ends, of %s", k.name, h.name)
			end()
		}
	})
}

// end ends all faults.
func (f *faults) end() {
	f.over = true
	w := f.world
	w.tell("fault", "all faults end")
	w.topic.weather = weather{}
	if w.folder != nil {
		w.folder.tears = false
	}
	if end := f.storeFails(storetest.Faults{}, 0); end != nil {
		end()
	}
	for _, h := range w.hosts {
		h.heal()
		h.resume()
		h.boot()
	}
}

// mayLose reports whether what an instance alone holds may be lost: another instance has the state of the log, follows
// it, and is spared until all are in sync again. That is what the log asks for to lose nothing.
func (f *faults) mayLose(h *host) bool {
	if f.world.folder != nil {
		return true
	}
	for _, other := range f.world.hosts {
		if other.fenced = other.fenced && !other.inSync(); other.fenced {
			// Once it is heard again, all go on with what it has, or it with what they have. Then what the others lack
			// is left with those alone that have written it.
			return false
		}
	}
	if f.keeper != nil && !f.allInSync() {
		return f.keeper != h && f.keeper.inSync() // the others may have evicted it
	}
	f.keeper = nil
	for _, other := range f.world.hosts {
		if other != h && !other.paused && other.link == (link{}) && other.inSync() {
			f.keeper = other
			return true
		}
	}
	return false
}

// spares reports whether a host must not be harmed at present.
func (f *faults) spares(h *host) bool { return f.keeper == h && !f.allInSync() }

// allInSync reports whether all hosts run an instance that is in sync and can be reached.
func (f *faults) allInSync() bool {
	for _, h := range f.world.hosts {
		if !h.inSync() || h.paused || h.link != (link{}) {
			return false
		}
	}
	return true
}

func (h *host) inSync() bool { return h.instance != nil && !h.instance.closing && h.instance.inSync() }

// replace ends an instance in good order, to be followed by one of a build.
func (f *faults) replace(h *host, rules uint64) (end func()) {
	if h.instance == nil || h.paused || h.instance.closing || !f.mayLose(h) {
		return nil
	}
	h.build.rules = rules
	h.instance.stop()
	return h.boot
}

// wrongClock returns how much a clock is ahead that is wrong: some seconds or a day.
func wrongClock(w *world) time.Duration {
	wrong := w.upTo(20 * time.Second)
	if w.chance(0.5) {
		wrong = 24 * time.Hour
	}
	if w.chance(0.5) {
		wrong = -wrong
	}
	return wrong
}

// crashAll ends all instances at once. They start again at about the same time.
func (f *faults) crashAll(*host) (end func()) {
	f.world.judge.forgetAll()
	f.keeper = nil // it keeps nothing any more
	for _, h := range f.world.hosts {
		h.crash()
	}
	return func() {
		for _, h := range f.world.hosts {
			f.world.after(f.world.upTo(3*time.Second), h.boot)
		}
	}
}

// storeFails has the store fail as faults say, and do a part of the writes late.
func (f *faults) storeFails(faults storetest.Faults, late float64) (end func()) {
	s := f.world.storage
	if s == nil {
		return nil
	}
	s.memory.SetFaults(faults)
	s.late = late
	return func() {
		s.memory.SetFaults(storetest.Faults{})
		s.late = 0
	}
}

var kinds = []fault{
	{"slow topic", 3, func(f *faults, _ *host) func() {
		w := &f.world.topic.weather
		w.slow = f.world.upTo(2 * time.Second)
		return func() { w.slow = 0 }
	}},
	{"throttling", 3, func(f *faults, _ *host) func() {
		w := &f.world.topic.weather
		w.busy = 0.3 + 0.7*f.world.random.Float64()
		return func() { w.busy = 0 }
	}},
	{"failing calls", 3, func(f *faults, _ *host) func() {
		w := &f.world.topic.weather
		w.failing = 0.5 * f.world.random.Float64()
		return func() { w.failing = 0 }
	}},
	{"repeats", 3, func(f *faults, _ *host) func() {
		w := &f.world.topic.weather
		w.repeats = 0.5 * f.world.random.Float64()
		return func() { w.repeats = 0 }
	}},
	{"slow link", 3, func(f *faults, h *host) func() {
		h.link.slow = f.world.upTo(4 * time.Second)
		return func() { h.link.slow = 0 }
	}},
	{"silence", 3, func(_ *faults, h *host) func() {
		h.link.silent = true
		return h.heal
	}},
	{"dead link", 3, func(f *faults, h *host) func() {
		h.link.deaf = true
		return func() {}
	}},
	{"cut of sending", 3, func(_ *faults, h *host) func() {
		h.link.sendCut = true
		return h.heal
	}},
	{"cut of receiving", 3, func(_ *faults, h *host) func() {
		h.link.receiveCut = true
		if h.instance != nil && !h.paused {
			h.instance.receiver.schedule()
		}
		return h.heal
	}},
	{"cut", 4, func(_ *faults, h *host) func() {
		h.link.sendCut, h.link.receiveCut = true, true
		if h.instance != nil && !h.paused {
			h.instance.receiver.schedule()
		}
		return h.heal
	}},
	{"pause", 4, func(_ *faults, h *host) func() {
		if h.instance == nil || h.paused {
			return nil
		}
		h.pause()
		return h.resume
	}},
	{"crash", 4, func(f *faults, h *host) func() {
		if h.instance == nil || !f.mayLose(h) {
			return nil
		}
		h.crash()
		return h.boot
	}},
	{"restart in good order", 2, func(f *faults, h *host) func() { return f.replace(h, h.build.rules) }},
	{"deletion of the subscription", 3, func(f *faults, h *host) func() {
		if h.instance == nil || !f.mayLose(h) {
			return nil
		}
		f.world.topic.unsubscribe(h.name)
		return func() {}
	}},
	{"deletion of the topic", 1, func(f *faults, _ *host) func() {
		if !f.allInSync() || f.world.keeps() {
			return nil // what one alone has applied may be lost, and what the archive alone has
		}
		f.world.topic.delete()
		return func() {}
	}},
	{"crash of all", 1, (*faults).crashAll},
	{"upgrade", 2, func(f *faults, h *host) func() { return f.replace(h, newRules) }},
	{"roll-back", 1, func(f *faults, h *host) func() { return f.replace(h, oldRules) }},
	{"wrong clock", 2, func(f *faults, h *host) func() {
		h.clock = wrongClock(f.world)
		return func() { h.clock = 0 }
	}},
	{"poison", 1, func(_ *faults, h *host) func() {
		if h.instance == nil {
			return nil
		}
		_ = h.instance.driver.Node().Append(poison)
		return func() {}
	}},
	{"suspicion", 2, func(f *faults, h *host) func() {
		other := f.world.hosts[f.world.random.IntN(len(f.world.hosts))]
		if h.instance == nil {
			return nil
		}
		h.instance.driver.Node().Suspect(other.name)
		return func() {}
	}},
}

// kindsWithFolder are the kinds of faults of an instance with a folder.
var kindsWithFolder = append([]fault{
	{"crash within a batch", 12, func(f *faults, h *host) func() {
		f.world.folder.tears = true
		return func() {
			f.world.folder.tears = false
			h.boot()
		}
	}},
}, kinds...)

// kindsWithStore are the kinds of faults of a cluster with a store, which outlives the crash of all instances.
var kindsWithStore = append([]fault{
	{"crash of all", 3, (*faults).crashAll},
	{"outage of the store", 3, func(f *faults, _ *host) func() { return f.storeFails(storetest.Faults{Refuse: 1}, 0) }},
	{"failing store", 3, func(f *faults, _ *host) func() {
		return f.storeFails(storetest.Faults{Refuse: 0.3, Full: 0.1, LoseAnswer: 0.3}, 0.3)
	}},
}, kinds...)
