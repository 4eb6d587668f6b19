package chat

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/chat/state"
)

// Two clusters that were apart merge, and two users have one name. Both keep what was acknowledged, and one loses the
// name.
func TestAcknowledgedMessagesStayIfTheNameIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t, Options{MessageRate: -1}, "a")
		a := s.instances[0]
		first := a.join("Ann")
		var want []string
		say := func(u *testUser, where string) {
			for n := range 10 {
				want = append(want, fmt.Sprint(where, n))
				u.sent(want[len(want)-1])
			}
		}
		say(first, "first ")
		a.bus.Stall(true)
		b := s.start("b", Options{MessageRate: -1})
		s.waitUntil("b goes on without a", func() bool { return b.node.Status().Ready })
		second := b.join("Ann")
		say(second, "second ")
		a.bus.Stall(false)
		s.waitUntil("both are in one cluster", func() bool {
			return len(a.node.Status().Members) == 2 && len(b.node.Status().Members) == 2
		})
		time.Sleep(10 * time.Second)
		s.wantAlike()
		merged, err := state.Decode(b.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		count := make(map[string]int)
		lines, _ := merged.Room(state.Lobby).Last(math.MaxInt, 0)
		for i := range lines {
			if l := &lines[i]; l.Kind == state.MessageLine && l.From == "Ann" {
				count[l.Text]++
			}
		}
		for _, text := range want {
			if count[text] != 1 {
				t.Errorf("%q of Ann is in the history %d times, want once", text, count[text])
			}
		}
		if users := merged.Size().Users; users != 1 {
			t.Errorf("%d users have a name, want the one that holds it", users)
		}
	})
}

// A client whose instance was started again, alone, has an offset of a log that is lost. It is told to start afresh,
// even if the new log has got as far.
func TestOffsetOfALostLogResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t, Options{}, "a")
		p := &page{testUser: s.instances[0].dial("")}
		p.Connect("/", "")
		p.Send(`21["nickname","Ann"]`)
		var token string
		for token == "" {
			if _, rest, ok := strings.Cut(p.Next("the name"), `"token":"`); ok {
				token, _, _ = strings.Cut(rest, `"`)
			}
		}
		p.until("named", "nicknames")
		s.instances[0].join("Zoe")
		p.until("Zoe has joined", "announcement")
		p.Close()
		s.kill(s.instances[0])
		b := s.start("b", Options{})
		s.waitUntil("b is ready", func() bool { return b.node.Status().Ready })
		bob := b.join("Bob")
		bob.sent("which Ann must get")
		b.join("Cid")
		bob.Send(`2["join","a new room"]`)
		time.Sleep(time.Second)
		synctest.Wait()
		if at, err := state.ParsePosition(p.offset); err != nil || b.state.Last().Seq <= at.Seq {
			t.Fatalf("new log is at %v, want it beyond %v, %v", b.state.Last(), at, err)
		}
		offset := p.offset
		p.testUser = b.dial("")
		p.Connect("/", fmt.Sprintf(`{"token":%q,"offset":%q}`, token, offset))
		_, args := p.until("what there is", "history")
		if args[0] != "lobby" || args[1].(map[string]any)["reset"] != true {
			t.Errorf("client is sent %v, want a history that replaces what it shows", args)
		}
	})
}

// An instance leaves a log in which a client was renamed and has left a room. Another instance's log, to which the
// client's requests come again, grants them or refuses them. Either way the client learns which nickname and rooms it
// has in the end.
func TestClientLearnsWhatComesOfItsRequestsInAnotherLog(t *testing.T) {
	for _, holder := range []string{"Bob", "Anna"} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 2, Options{})
			a, b := c.replicas[0], c.replicas[1]
			ann := a.join("Ann")
			ann.Send(`21["join","side"]`)
			time.Sleep(time.Second)
			b.set(func(r *replica) { r.paused = true })
			left := len(c.entries)
			ann.Send(`22["nickname","Anna"]`)
			ann.Send(`23["leave","side"]`)
			time.Sleep(time.Second)
			ann.drain()

			a.set(func(r *replica) { r.paused = true })
			own := slices.Clone(c.entries[left:])
			b.set(func(r *replica) { r.paused, r.next = false, len(c.entries) })
			b.join(holder)
			c.evict("a")
			synctest.Wait()
			if err := a.Restore(b.Snapshot()); err != nil {
				t.Fatal(err)
			}
			a.set(func(r *replica) { r.next, r.paused = len(c.entries), false })
			for _, body := range a.Joined() {
				if err := a.Append(body); err != nil {
					t.Fatal(err)
				}
			}
			a.set(func(*replica) {
				for _, e := range own {
					e.Again = true
					c.entries = append(c.entries, e)
				}
			})
			synctest.Wait()
			ann.Send(`29["status"]`)
			var last string
			for text := ""; !strings.HasPrefix(text, "39["); text = ann.Next("events") {
				if strings.HasPrefix(text, `2["session",`) {
					last = text
				}
			}
			want := `"name":"Anna","rooms":["lobby"]`
			if holder == "Anna" {
				want = `"name":"Ann","rooms":["lobby"]`
			}
			if !strings.Contains(last, want) {
				t.Errorf("while %s is there, the client is told at last %s, want %s", holder, last, want)
			}
			c.agree()
		})
	}
}
