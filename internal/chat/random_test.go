package chat

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane/backplanetest"
	"chatapp/internal/chat/state"
)

// TestRandomSchedules lets users talk, rename, leave and return elsewhere while instances are paused, cut off
// and evicted and the topic misbehaves. Afterwards all instances agree, every acknowledged message is recorded
// once, and every client has received everything once and in order.
func TestRandomSchedules(t *testing.T) {
	for seed := range seeds() {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newSchedule(t, seed).run() })
		})
	}
}

// seeds are as many as CHAT_TEST_SEEDS says, or a few.
func seeds() uint64 { return uint64(number("CHAT_TEST_SEEDS", 3)) }

// number returns the number in an environment variable, which makes a test longer than it need be for every change.
func number(variable string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// schedule is a run with a seed.
type schedule struct {
	*system
	random  *rand.Rand
	walkers []*walker
	acked   map[string]bool // by cid
	calm    time.Time       // until when nothing more goes wrong
}

// walker is a page that moves from instance to instance.
type walker struct {
	*page
	number   int
	said     int
	asked    map[string]string // by ack id: the cid
	received []string          // ids of the lines of others, since start
	start    state.Position    // of the last history it was given
	changing int
}

func newSchedule(t *testing.T, seed uint64) *schedule {
	s := &schedule{
		system: newSystem(t, Options{MessageRate: -1, Bounds: Bounds{RoomLines: 100_000}}, "a", "b", "c"),
		random: rand.New(rand.NewPCG(seed, 7)),
		acked:  make(map[string]bool),
	}
	for n := range 9 {
		w := &walker{page: &page{raw: n%3 == 2}, number: n, asked: make(map[string]string)}
		w.open(&s.instances[n%3].site)
		w.send(1, "nickname", fmt.Sprint("Walker ", n))
		s.walkers = append(s.walkers, w)
	}
	time.Sleep(10 * time.Second)
	return s
}

func (s *schedule) run() {
	for range 150 {
		s.disturb()
		for range 3 {
			s.act(s.walkers[s.random.IntN(len(s.walkers))])
		}
		time.Sleep(time.Duration(s.random.IntN(700)) * time.Millisecond)
	}
	s.topic.SetFaults(backplanetest.Faults{})
	s.heal()
	s.waitUntil("all are ready", s.ready)
	time.Sleep(2 * time.Minute)
	s.wantAlike()
	s.check()
}

// disturb changes what goes wrong. A subscription is lost only while all instances are ready: if none is left that
// follows the log, what one alone had applied may be gone, and no instance can help it.
func (s *schedule) disturb() {
	if time.Now().Before(s.calm) {
		return
	}
	i := s.instances[s.random.IntN(len(s.instances))]
	switch s.random.IntN(14) {
	case 12, 13:
		i.coalesceFromNow()
	case 0:
		s.topic.SetFaults(backplanetest.Faults{Refuse: 0.05, Busy: 0.05, Ambiguous: 0.1, Repeat: 0.1, Redeliver: 0.1,
			PublishTime: time.Duration(s.random.IntN(2000)+1) * time.Millisecond,
			DeliverTime: time.Duration(s.random.IntN(2000)+1) * time.Millisecond})
	case 1:
		s.topic.SetFaults(backplanetest.Faults{})
	case 2:
		i.bus.Stall(true)
	case 3:
		i.bus.Cut(true)
	case 4:
		s.heal()
		if s.ready() {
			i.bus.LoseSubscription()
			s.calm = time.Now().Add(20 * time.Second)
		}
	case 5:
		i.node.Suspect(s.instances[s.random.IntN(len(s.instances))].name)
	case 6, 7, 8:
		s.heal()
	}
}

// heal lets all instances reach the topic.
func (s *schedule) heal() {
	for _, i := range s.instances {
		i.bus.Stall(false)
		i.bus.Cut(false)
	}
}

func (s *schedule) ready() bool {
	return !slices.ContainsFunc(s.instances, func(i *instance) bool { return !i.node.Status().Ready })
}

// act does something as one of the users.
func (s *schedule) act(w *walker) {
	s.absorb(w)
	switch s.random.IntN(10) {
	case 0:
		w.Close()
		if s.random.IntN(2) == 0 {
			time.Sleep(time.Duration(s.random.IntN(3000)) * time.Millisecond)
		}
		w.open(&s.instances[s.random.IntN(len(s.instances))].site)
	case 1:
		w.changing++
		w.send(1, "nickname", fmt.Sprintf("Walker %d %d", w.number, w.changing))
	case 2:
		w.send(1, "leave", state.Lobby)
		w.send(2, "nickname", fmt.Sprint("Walker ", w.number))
	default:
		w.said++
		cid := fmt.Sprintf("w%d-%d", w.number, w.said)
		id := 1000 + w.said
		w.asked[fmt.Sprint(id)] = cid
		if w.raw {
			w.Send(fmt.Sprintf(`{"event":"user message","args":["text",{"cid":%q}],"id":%d}`, cid, id))
		} else {
			w.Send(fmt.Sprintf(`2%d["user message","text",{"cid":%q}]`, id, cid))
		}
	}
}

// send sends an event with one argument.
func (w *walker) send(id int, event, argument string) {
	if w.raw {
		w.Send(fmt.Sprintf(`{"event":%q,"args":[%q],"id":%d}`, event, argument, id))
	} else {
		w.Send(fmt.Sprintf(`2%d[%q,%q]`, id, event, argument))
	}
}

// absorb takes what the client was sent so far.
func (s *schedule) absorb(w *walker) {
	time.Sleep(200 * time.Millisecond) // within the allowance of requests
	synctest.Wait()
	w.send(999, "history", "-") // of a room that nobody is in: answered at once, and short
	for {
		text := w.Next("events")
		if strings.HasPrefix(text, "3999[") || strings.HasPrefix(text, `{"ack":999,`) {
			return
		}
		s.note(w, text)
	}
}

func (s *schedule) note(w *walker, text string) {
	event, args := "", []any(nil)
	if id, answer, ok := cutAck(text); ok {
		if cid := w.asked[id]; cid != "" && strings.HasPrefix(answer, `[{"ok":true`) {
			s.acked[cid] = true
		}
		return
	}
	switch event, args = w.read(text); event {
	case "history":
		at, err := state.ParsePosition(args[2].(string))
		if err != nil {
			s.t.Errorf("history at %q: %v", args[2], err)
		}
		w.start, w.received = at, nil
	case "user message":
		if !strings.HasPrefix(args[2].(map[string]any)["cid"].(string), fmt.Sprintf("w%d-", w.number)) {
			w.received = append(w.received, args[3].(string))
		}
	case "announcement":
		meta := args[1].(map[string]any)
		if meta["id"] == nil {
			return // a refusal
		}
		names, several := meta["names"].([]any)
		if !several && !w.isNamed(meta["name"].(string)) {
			w.received = append(w.received, meta["id"].(string))
		}
		for i := range names {
			if !w.isNamed(names[i].(string)) {
				w.received = append(w.received, meta["ids"].([]any)[i].(string))
			}
		}
	}
}

// isNamed reports that a name is, or was, the walker's.
func (w *walker) isNamed(name string) bool {
	return strings.HasPrefix(name+" ", fmt.Sprintf("Walker %d ", w.number))
}

// cutAck splits an acknowledgement of either endpoint.
func cutAck(text string) (id, answer string, ok bool) {
	if rest, ok := strings.CutPrefix(text, `{"ack":`); ok {
		id, answer, _ = strings.Cut(strings.TrimSuffix(rest, "}"), `,"args":`)
		return id, answer, true
	}
	if strings.HasPrefix(text, "3") {
		i := strings.Index(text, "[")
		return text[1:i], text[i:], true
	}
	return "", "", false
}

// check compares what every client has received with the state.
func (s *schedule) check() {
	restored, err := state.Decode(s.instances[0].Snapshot())
	if err != nil {
		s.t.Fatal(err)
	}
	lines, _ := restored.Room(state.Lobby).Last(math.MaxInt, 0)
	seen := make(map[string]int)
	for _, l := range lines {
		if l.Kind == state.MessageLine {
			seen[l.CID]++
		}
	}
	for _, w := range s.walkers {
		s.absorb(w)
		var want []string
		for _, l := range lines {
			own := strings.HasPrefix(l.CID, fmt.Sprintf("w%d-", w.number)) ||
				l.Kind != state.MessageLine && w.isNamed(l.From)
			if l.Seq > w.start.Seq && !own {
				want = append(want, l.Position().String())
			}
		}
		if !slices.Equal(w.received, want) {
			s.t.Errorf("walker %d received %d lines since %v, want %d: %s",
				w.number, len(w.received), w.start, len(want), difference(w.received, want))
		}
	}
	for cid := range s.acked {
		if seen[cid] != 1 {
			s.t.Errorf("message %s was acknowledged and is there %d times, want once", cid, seen[cid])
		}
	}
	for cid, n := range seen {
		if n != 1 {
			s.t.Errorf("message %s is there %d times, want once", cid, n)
		}
	}
	if len(s.acked) < 100 {
		s.t.Errorf("only %d messages were acknowledged", len(s.acked))
	}
}

// difference describes where two lists differ first.
func difference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("number %d is %s, want %s", i, got[i], want[i])
		}
	}
	encoded, err := json.Marshal([2]int{len(got), len(want)})
	if err != nil {
		return err.Error()
	}
	return "one is the beginning of the other: " + string(encoded)
}
