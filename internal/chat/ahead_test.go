package chat

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/chat/state"
)

// wantRoster takes events until one is a roster, and checks who is in it.
func (p *page) wantRoster(want string) {
	p.t.Helper()
	_, args := p.until("roster", "nicknames")
	names := slices.Sorted(maps.Keys(args[0].(map[string]any)))
	if got := strings.Join(names, ", "); got != want {
		p.t.Errorf("roster is %q, want %q", got, want)
	}
}

// ahead is the offset of a client that has received more than any log of these tests has.
var aheadOfAll = state.Position{Seq: 1000, Check: 1}.String()

// A client that returns from an instance further ahead must not receive anything twice.
func TestClientWaitsForAnInstanceBehindIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{MessageRate: -1})
		p := &page{}
		p.open(&c.replicas[0].site)
		p.name("Ann")
		bob := c.replicas[0].join("Bob")
		p.until("bob", "nicknames")
		synctest.Wait()
		c.replicas[1].set(func(r *replica) { r.paused = true })
		for i := range 10 {
			bob.sent(fmt.Sprint("line ", i))
		}
		var messages []string
		for range 10 {
			messages = append(messages, p.hear("live"))
		}
		c.replicas[0].join("Cid")
		p.wantRoster("Ann, Bob, Cid")
		p.Close()
		if !p.open(&c.replicas[1].site) {
			t.Fatal("client was not recovered")
		}
		p.until("connected", "status")
		for i := 10; i < 15; i++ {
			bob.sent(fmt.Sprint("line ", i))
		}
		p.WantNothing("the replica has not come so far", time.Second)
		c.replicas[1].set(func(r *replica) { r.paused = false })
		p.wantRoster("Ann, Bob, Cid") // as of the position that the client had
		for range 5 {
			messages = append(messages, p.hear("the rest"))
		}
		wantLines(t, messages, 15)
		c.agree()
	})
}

// The cluster may have lost what a client has received. Then the client does not wait for it.
func TestClientDoesNotWaitForALostLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		bob := c.replicas[1].join("Bob")
		p := &page{}
		p.open(&c.replicas[0].site)
		p.name("Ann")
		before := c.replicas[0].Snapshot()
		bob.sent("lost")
		bob.sent("lost, too")
		p.hear("lost")
		p.hear("lost, too")
		synctest.Wait()
		for _, r := range c.replicas {
			if err := r.Restore(before); err != nil {
				t.Fatal(err)
			}
		}
		if _, args := p.take("what is shown is void"); args[0] != "lobby" || args[1].(map[string]any)["reset"] != true {
			t.Errorf("client is sent %v, want a history that replaces what it shows", args)
		}
		p.Close()
		p.offset = state.Position{Seq: 1000, Check: 1}.String()
		if !p.open(&c.replicas[1].site) {
			t.Fatal("client was not recovered")
		}
		p.until("greeted", "status")
		time.Sleep(maxAheadWait)
		if messages, _ := p.until("what there is", "history"); len(messages) != 0 {
			t.Errorf("client is sent %q before", messages)
		}
		p.wantRoster("Ann, Bob")
		bob.sent("and on")
		if got := p.hear("live"); got != "and on" {
			t.Errorf("client hears %q, want and on", got)
		}
	})
}

// After its only instance was started again, or all of them, a client has an offset of a log that is lost. It does not
// wait for that, receives what there is, and hears of joins and leaves at once.
func TestClientDoesNotWaitWhereNothingCanCome(t *testing.T) {
	for _, test := range []struct {
		name      string
		instances int
		offset    string
	}{
		{"instance alone", 1, aheadOfAll},
		{"offset of another log", 2, state.Position{Log: 7, Seq: 1000, Check: 1}.String()},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, test.instances, Options{})
				a := c.replicas[0]
				bob := &page{}
				bob.open(&a.site)
				bob.name("Bob")
				p := &page{}
				p.open(&a.site)
				p.name("Ann")
				bob.wantRoster("Ann, Bob")
				p.Close()
				a.visit("") // its history is no reset
				p.offset = test.offset
				p.open(&a.site)
				start := time.Now()
				_, args := p.until("what there is", "history")
				if reset := args[1].(map[string]any)["reset"]; reset != true {
					t.Errorf("history is sent with reset %v, want true", reset)
				}
				p.wantRoster("Ann, Bob")
				if waited := time.Since(start); waited > 0 {
					t.Errorf("client has waited for %v", waited)
				}
				cid := a.join("Cid")
				p.wantRoster("Ann, Bob, Cid")
				cid.Send("1")
				p.wantRoster("Ann, Bob")
			})
		})
	}
}

// An instance that is about to begin a log is alone a moment later.
func TestClientStopsWaitingOnceTheInstanceIsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		p := &page{}
		p.open(&c.replicas[0].site)
		p.name("Ann")
		p.Close()
		p.offset = aheadOfAll
		p.open(&c.replicas[0].site)
		p.until("greeted", "status")
		p.until("claimed", "session")
		p.WantNothing("the other instance may have more", time.Second)
		c.mu.Lock()
		c.gone = "b"
		c.mu.Unlock()
		start := time.Now()
		p.wantRoster("Ann")
		if waited := time.Since(start); waited > checkAheadEvery {
			t.Errorf("client has waited for %v, want %v at most", waited, checkAheadEvery)
		}
	})
}

// A client may return to an instance that has been started again and is not in sync. It receives what it has missed
// once the instance has the log.
func TestClientWaitsForAnInstanceThatJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		a, b := c.replicas[0], c.replicas[1]
		bob := a.join("Bob")
		p := &page{raw: true}
		p.open(&a.site)
		p.name("Ann")
		synctest.Wait()
		b.set(func(r *replica) { r.paused, r.cluster.joining = true, "b" })
		b.Begin(Entry{Instance: "b", Epoch: 7}) // the log of its earlier life
		bob.sent("live")
		p.hear("live")
		p.Close()
		bob.sent("missed")
		p.open(&b.site)
		p.until("greeted", "status")
		p.WantNothing("it has not joined", maxAheadWait/2)
		if err := b.Restore(a.Snapshot()); err != nil {
			t.Fatal(err)
		}
		if messages, _ := p.until("roster", "nicknames"); !slices.Equal(messages, []string{"missed"}) {
			t.Errorf("client is sent %q, want what it has missed", messages)
		}
	})
}

// A client that waits may enter a room, and receives its history afterwards. Nothing that it is sent before carries an
// offset: the client would fall behind what it has.
func TestWaitingClientEntersRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		cid := c.replicas[1].join("Cid")
		cid.Send(`27["join","go"]`)
		p := &page{}
		p.open(&c.replicas[0].site)
		p.name("Ann")
		p.Close()
		p.offset = aheadOfAll
		p.open(&c.replicas[0].site)
		p.until("greeted", "status")
		p.Send(`27["join","go"]`)
		synctest.Wait()
		cid.Send(`28["user message","in go",{"room":"go"}]`)
		for text := ""; text != `37[{"ok":true,"room":"go","users":2}]`; {
			text = p.Next("the answer")
			p.read(text)
		}
		if p.offset != aheadOfAll {
			t.Errorf("offset is %s while the client waits, want %s as before", p.offset, aheadOfAll)
		}
		time.Sleep(maxAheadWait)
		for _, want := range []string{"lobby", "go"} {
			_, args := p.until("history", "history")
			if args[0] != want {
				t.Errorf("history of %s, want %s", args[0], want)
			}
			if text := fmt.Sprint(args[1]); want == "go" && strings.Count(text, "in go") != 1 {
				t.Errorf("history of go is %s, want what was said meanwhile", text)
			}
		}
		p.wantRoster("Ann, Cid")
		p.wantRoster("Ann, Cid")
		cid.Send(`29["user message","live",{"room":"go"}]`)
		if text := p.hear("live"); text != "live" {
			t.Errorf("client hears %q, want live", text)
		}
	})
}
