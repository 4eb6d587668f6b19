package state

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var statesFlag = flag.Int("state.seeds", 60, "random runs of TestReachableStatesDecode")

// walk applies random entries to a State. Its names, tokens, sockets and rooms are few, so that they collide.
type walk struct {
	*script
	random *rand.Rand
}

func newWalk(t testing.TB, seed uint64) *walk {
	w := &walk{script: newScript(t), random: rand.New(rand.NewPCG(seed, 1))}
	w.state = New(w.bounds())
	w.state.log.rules = 1 + w.n(Rules)
	return w
}

func (w *walk) bounds() Bounds {
	return Bounds{RoomLines: 3 + w.random.IntN(10), HistoryBytes: 600 + w.random.IntN(4000),
		Rooms: 2 + w.random.IntN(4), Users: 3 + w.random.IntN(6), Expired: 1 + w.random.IntN(3),
		RecoveryMillis:  1 + w.random.Int64N(60_000),
		RememberedBytes: messageCost * (1 + w.random.IntN(12))}
}

func (w *walk) n(n int) uint64 { return uint64(w.random.IntN(n)) }

func (w *walk) instance() string { return string(rune('a' + w.random.IntN(3))) }

func (w *walk) room() string { return []string{Lobby, "go", "c", "d", "e", "g0"}[w.random.IntN(6)] }

// name is a nickname, or now and then one of the greatest length.
func (w *walk) name() (name, key string) {
	name = []string{"Ann", "Bob", "Cid", "Ann 2"}[w.random.IntN(4)]
	if w.random.IntN(6) == 0 {
		name = strings.Repeat("x", maxKeyBytes)
	}
	return name, strings.ToLower(name)
}

// stamp is of a user in the State, mostly of its present disconnection.
func (w *walk) stamp() Stamp {
	users := slices.SortedFunc(w.state.Users(), func(a, b *User) int { return cmp.Compare(a.id, b.id) })
	if len(users) == 0 || w.random.IntN(10) == 0 {
		return Stamp{User: w.n(20), Generation: w.n(20)}
	}
	return users[w.random.IntN(len(users))].Stamp()
}

func (w *walk) action() Action {
	switch kind(1 + w.random.IntN(int(kinds)-1)) {
	case claimKind:
		return w.claim()
	case renameKind:
		name, key := w.name()
		return &Rename{Name: name, Key: key}
	case leaveChatKind:
		return &LeaveChat{}
	case disconnectKind:
		return &Disconnect{HoldMillis: w.n(3) * 1000}
	case expireKind:
		return &Expire{Users: []Stamp{w.stamp(), w.stamp()}}
	case joinKind:
		return &Join{Room: w.room(), RoomLimit: w.n(6)}
	case leaveKind:
		return &Leave{Room: w.room()}
	case sayKind:
		return &Say{Room: w.room(), CID: strings.Repeat("m", int(w.n(3))), Text: strings.Repeat("x", 1+int(w.n(200))),
			Token: Hash{byte(w.n(8))}, From: []string{"", "Ann"}[w.n(2)]}
	case enterKind:
		if w.state.Rules() < EnterSince {
			return &LeaveChat{}
		}
		room := w.room()
		return &Enter{Room: room, Key: strings.ReplaceAll(room, "0", "o"), RoomLimit: w.n(6)}
	case forgetKind, confirmErasedKind, retainKind:
		if w.state.Rules() < HistorySince {
			return &LeaveChat{}
		}
		return []Action{&Forget{Stored: w.n(2) == 0}, &ConfirmErased{Through: w.at.Index + w.n(3)},
			&Retain{Before: w.at.Time - 50 + int64(w.n(60))}}[w.n(3)]
	case adjustKind:
		if w.state.Rules() < SettingsSince {
			return &LeaveChat{}
		}
		return NewAdjust(Settings{Bounds: w.bounds(), RetentionMillis: w.random.Int64N(100)})
	case moveKind:
		if w.state.Rules() < MoveSince {
			return &LeaveChat{}
		}
		return &Move{Claim: *w.claim(), Former: Hash{byte(1 + w.n(5))}, OfOrigin: w.n(2) == 0}
	default:
		return &Typing{Room: w.room(), On: w.n(2) == 0}
	}
}

func (w *walk) claim() *Claim {
	c := &Claim{Token: Hash{byte(w.n(6))}, Client: Hash{byte(w.n(5))}, SID: fmt.Sprint(w.n(3)), Born: w.n(50),
		Protocol: Protocol(w.n(2)), Variant: w.n(3) == 0, HoldMillis: w.n(3) * 1000, RoomLimit: w.n(5)}
	if w.n(3) > 0 {
		c.Name, c.Key = w.name()
	}
	for range w.n(4) {
		c.Rooms = append(c.Rooms, w.room())
	}
	return c
}

// step applies one random entry.
func (w *walk) step() {
	if w.random.IntN(8) == 0 {
		w.at.Time += w.random.Int64N(30_000)
	}
	switch w.random.IntN(60) {
	case 0, 1, 2, 3, 4:
		w.gone(w.instance())
		return
	case 5:
		w.at.Number++
		w.state.Begin(w.at)
		return
	case 6:
		w.at.Number++
		w.state.Skip(w.at)
		return
	case 7:
		w.at.Number++
		w.state.Raise(w.at, Rules)
		return
	}
	w.at.Again = w.random.IntN(10) == 0
	c := Command{Conn: 1 + w.n(4), Action: w.action()}
	if !c.Action.valid() {
		w.t.Fatalf("random command %+v is not valid", c.Action)
	}
	w.do(w.instance(), c)
}

// Every State that entries can lead to decodes from its snapshot, as itself. Otherwise no instance could join any more.
func TestReachableStatesDecode(t *testing.T) {
	start := uint64(1)
	if *statesFlag > 60 {
		start = uint64(time.Now().UnixNano())
	}
	for seed := start; seed < start+uint64(*statesFlag); seed++ {
		w := newWalk(t, seed)
		for step := range 150 {
			w.step()
			if step%3 == 0 {
				w.check()
			}
			if t.Failed() {
				t.Fatalf("seed %d, step %d: %s", seed, step, describe(w.last, nil))
			}
		}
	}
}

// An evicted user whose socket another one claims is left without a socket.
func TestUserWithoutSocketIsDecoded(t *testing.T) {
	s := newScript(t)
	s.do("a", claimOf(1, "Ann"))
	s.gone("a")
	again := claimOf(1, "Bob")
	again.Action.(*Claim).Token = Hash{9}
	s.want("another claim on the socket", s.do("a", again), "Bob at a1; Bob joins lobby")
	if ann := s.state.byKey["ann"]; len(ann.conns) != 0 {
		t.Fatalf("the first user has the sockets %v, want none", ann.conns)
	}
	s.check()
	s.want("it returns", s.do("b", resumeOf(5, 1)), "Ann at b5; Ann back")
	s.check()
}

// A command that is refused leaves the State as it was, up to the position in the log.
func TestRefusedCommandChangesNothing(t *testing.T) {
	refused := 0
	for seed := range uint64(30) {
		w := newWalk(t, seed)
		for range 100 {
			w.step()
			before, err := Decode(w.state.Encode())
			if err != nil {
				t.Fatal(err)
			}
			c := Command{Conn: 1 + w.n(4), Action: w.action()}
			w.do(w.instance(), c)
			if w.last.Code == Accepted {
				continue
			}
			refused++
			before.begin(w.at)
			if !bytes.Equal(before.Encode(), w.state.Encode()) {
				t.Fatalf("seed %d: %T is refused as %v and has changed the State", seed, c.Action, w.last.Code)
			}
		}
	}
	if refused < 500 {
		t.Errorf("%d commands were refused, want some hundreds for the test to mean something", refused)
	}
}

// FuzzApply applies any command that decodes to random States: none panics, and what results decodes.
func FuzzApply(f *testing.F) {
	for i, test := range commands {
		f.Add(uint64(i), test.command.Encode())
	}
	f.Fuzz(func(t *testing.T, seed uint64, body []byte) {
		c, err := DecodeCommand(body)
		if err != nil {
			return
		}
		w := newWalk(t, seed)
		for range 40 {
			w.step()
		}
		if a, ok := c.Action.(laterAction); ok {
			w.at.Number++
			w.state.Raise(w.at, a.since())
		}
		for _, instance := range []string{"a", "b", "c"} {
			w.at.Again = w.n(2) == 0
			w.do(instance, c) // reports a panic
		}
		w.check()
	})
}
