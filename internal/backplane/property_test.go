package backplane_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane/backplanetest"
)

var (
	seedFlag   = flag.Uint64("backplane.seed", 0, "run this seed of the random schedules alone")
	roundsFlag = flag.Int("backplane.rounds", 2, "random schedules of each kind")
)

// seeds returns the seeds to run: the one that a flag or the environment names, or random ones.
func seeds() []uint64 {
	one := *seedFlag
	if env := os.Getenv("BACKPLANE_SEED"); env != "" && one == 0 {
		one, _ = strconv.ParseUint(env, 10, 64)
	}
	if one != 0 {
		return []uint64{one}
	}
	seeds := make([]uint64, *roundsFlag)
	for i := range seeds {
		seeds[i] = rand.Uint64N(1<<40) + 1
	}
	return seeds
}

// allowedFaults are within the contract of Bus; forbiddenFaults are not.
func allowedFaults(random *rand.Rand) backplanetest.Faults {
	f := backplanetest.Faults{
		PublishTime: time.Duration(random.IntN(300)) * time.Millisecond,
		DeliverTime: time.Duration(random.IntN(300)) * time.Millisecond,
		Refuse:      random.Float64() * 0.2,
		Busy:        random.Float64() * 0.2,
		Ambiguous:   random.Float64() * 0.2,
		Repeat:      random.Float64() * 0.2,
		Redeliver:   random.Float64() * 0.2,
	}
	if random.IntN(6) == 0 {
		f.DeliverTime = time.Duration(random.IntN(20)) * time.Second // a spike
	}
	return f
}

func forbiddenFaults(random *rand.Rand) backplanetest.Faults {
	f := allowedFaults(random)
	f.LoseForAll = random.Float64() * 0.05
	f.LoseForOne = random.Float64() * 0.05
	return f
}

func TestRandomSchedules(t *testing.T) {
	for _, kind := range []struct {
		name   string
		faults func(*rand.Rand) backplanetest.Faults
		lossy  bool
	}{
		{"faults within the contract", allowedFaults, false},
		{"losses beyond the contract", forbiddenFaults, true},
	} {
		for _, seed := range seeds() {
			t.Run(fmt.Sprintf("%s/seed=%d", kind.name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { runSchedule(t, seed, kind.faults, kind.lossy) })
			})
		}
	}
}

// schedule drives a cluster through an hour or so of random events.
type schedule struct {
	*cluster
	random *rand.Rand
	lossy  bool
	names  int
	calm   time.Time // no message is under way for longer than two seconds since; zero: some are
}

func runSchedule(t *testing.T, seed uint64, faults func(*rand.Rand) backplanetest.Faults, lossy bool) {
	s := &schedule{cluster: newCluster(t, seed), random: rand.New(rand.NewPCG(seed, 2)), lossy: lossy, calm: time.Now()}
	if s.random.IntN(2) == 0 {
		s.options.MaxWaiting = 5 + s.random.IntN(20)
		s.options.MaxBuffered = 4096
	}
	for range 2 + s.random.IntN(3) {
		s.startOne()
	}
	for range 100 {
		if s.random.IntN(4) == 0 {
			s.setFaults(faults(s.random))
		}
		s.event()
		for range s.random.IntN(20) {
			s.talk()
			if s.random.IntN(3) > 0 {
				sleep(time.Duration(s.random.IntN(400)) * time.Millisecond)
			}
		}
		if s.random.IntN(6) == 0 {
			sleep(time.Duration(s.random.IntN(300)) * time.Second)
		}
	}
	s.heal()
	s.check()
}

func (s *schedule) startOne() {
	s.names++
	s.start(fmt.Sprintf("i%d", s.names))
}

// talk has a random instance say something or claim a name that others claim, too.
func (s *schedule) talk() {
	live := s.live()
	i := live[s.random.IntN(len(live))]
	if s.random.IntN(3) > 0 {
		i.say()
		return
	}
	i.said++
	i.node.Append(fmt.Appendf(nil, "claim name%d/%s-%d", s.random.IntN(30), i.name, i.said))
}

func (s *schedule) setFaults(faults backplanetest.Faults) {
	switch slow := faults.DeliverTime > 2*time.Second; {
	case slow:
		s.calm = time.Time{}
	case s.calm.IsZero():
		s.calm = time.Now()
	}
	s.topic.SetFaults(faults)
}

// sound reports whether another instance than i is in sync and can follow the log. While one is,
// acknowledged entries are safe. It must have been so for a minute: an instance that was slow may have
// been evicted without having heard of it.
func (s *schedule) sound(i *instance) bool {
	const while = time.Minute
	if s.calm.IsZero() || time.Since(s.calm) < while {
		return false
	}
	return slices.ContainsFunc(s.live(), func(other *instance) bool {
		return other != i && !other.impaired && time.Since(other.healed) >= while &&
			other.node.Counters().Joins > other.lossAfter && other.node.Status().Ready
	})
}

// event does something to a random instance. With forbidden faults, it may be the last sound one.
func (s *schedule) event() {
	live := s.live()
	i := live[s.random.IntN(len(live))]
	kind := s.random.IntN(9)
	if !s.lossy && !s.sound(i) && kind != 2 && kind != 3 && kind != 5 {
		return
	}
	switch kind {
	case 0:
		i.impaired = true
		i.bus.Stall(true)
	case 1:
		i.impaired = true
		i.bus.Cut(true)
	case 2, 3:
		for _, i := range live {
			if i.impaired {
				i.impaired, i.healed = false, time.Now()
			}
			i.bus.Stall(false)
			i.bus.Cut(false)
		}
	case 4:
		if len(live) > 2 {
			s.kill(i)
		}
	case 5:
		if len(live) < 5 {
			s.startOne()
		}
	case 6:
		if len(live) > 2 {
			s.leave(i)
		}
	case 7:
		i.node.Suspect(live[s.random.IntN(len(live))].name)
	case 8:
		if s.lossy && s.random.IntN(2) == 0 {
			i.bus.Expire()
		} else {
			i.lossAfter = i.node.Counters().Joins
			i.bus.LoseSubscription()
		}
	}
}

// heal ends all faults and gives the cluster time.
func (s *schedule) heal() {
	s.topic.SetFaults(backplanetest.Faults{})
	for _, i := range s.live() {
		i.bus.Stall(false)
		i.bus.Cut(false)
	}
	sleep(10 * time.Minute)
	s.wantReady(time.Minute)
}

func (s *schedule) check() {
	s.t.Helper()
	history := s.wantAlike()
	said := make(map[string]int)
	for _, text := range history {
		if !strings.HasPrefix(text, "gone ") {
			said[text]++
		}
	}
	for text, count := range said {
		if count != 1 {
			s.t.Errorf("%q is in the history %d times, want once", text, count)
		}
	}
	for _, i := range s.instances {
		lost := slices.DeleteFunc(i.machine.ackedTexts(), func(text string) bool { return said[text] > 0 })
		if len(lost) > 0 && !s.lossy {
			s.t.Errorf("%s acknowledged %q, which is not in the history", i.name, lost)
		}
		if status := i.node.Status(); !i.dead && status.Waiting != 0 {
			s.t.Errorf("%s still has %d entries waiting", i.name, status.Waiting)
		}
	}
	live := s.live()
	members := live[0].node.Status().Members
	if len(members) != len(live) {
		s.t.Errorf("members are %v, want the %d that live", members, len(live))
	}
	live[0].machine.look(func(m *fakeMachine) {
		for name, holder := range m.state.Holders {
			owner, _, _ := strings.Cut(holder, "-")
			if !slices.ContainsFunc(live, func(i *instance) bool { return i.name == owner }) {
				s.t.Errorf("%s is held by %s, whose instance is gone", name, holder)
			}
		}
	})
	if s.t.Failed() {
		seed := s.t.Name()[strings.LastIndex(s.t.Name(), "=")+1:]
		s.t.Logf("run again with: go test -run TestRandomSchedules -backplane.seed=%s", seed)
	}
}
