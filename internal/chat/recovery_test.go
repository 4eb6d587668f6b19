package chat

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/chat/state"
)

func TestRecoveryElsewhere(t *testing.T) {
	for _, test := range []struct {
		name string
		bare bool
		dies bool // the replica the client was on
		cut  time.Duration
	}{
		{"Socket.IO, within the hold", false, false, 29 * time.Second},
		{"Socket.IO", false, false, 30 * time.Second},
		{"Socket.IO, replica dies", false, true, 30 * time.Second},
		{"Socket.IO, name has lapsed", false, false, 100 * time.Second},
		{"plain WebSocket", true, false, 30 * time.Second},
		{"plain WebSocket, replica dies", true, true, 30 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 3, Options{MessageRate: -1})
				p := &page{bare: test.bare}
				p.open(&c.replicas[0].site)
				p.name("Ann")
				bob := c.replicas[1].join("Bob")
				p.until("bob", "nicknames")

				p.Close()
				start := time.Now()
				if test.dies {
					c.evict("a")
				}
				for i := range 200 {
					bob.ack++
					bob.Send(fmt.Sprintf(`2%d["user message","line %d"]`, bob.ack, i))
					time.Sleep(test.cut / 250)
				}
				time.Sleep(test.cut - time.Since(start))
				if !p.open(&c.replicas[2].site) {
					t.Fatal("client was not recovered")
				}
				messages, _ := p.until("how the cluster is", "status")
				wantLines(t, messages, 200)
				synctest.Wait()
				// He has name and rooms, and goes on like everybody.
				if p.bare {
					p.Send(`{"event":"user message","args":["back"],"id":7}`)
				} else {
					p.Send(`27["user message","back"]`)
				}
				for {
					text := bob.Next("what ann says")
					if strings.HasPrefix(text, `2["user message","Ann","back",`) {
						break
					}
					if test.cut < 30*time.Second && strings.Contains(text, `"announcement"`) {
						t.Errorf("bob is told %s of who came back in time", text)
					}
				}
				c.agree()
			})
		})
	}
}

// wantLines checks that messages are line 0 to line n-1, each once and in order.
func wantLines(t *testing.T, messages []string, n int) {
	t.Helper()
	var lines []string
	for _, m := range messages {
		if strings.HasPrefix(m, "line ") {
			lines = append(lines, m)
		}
	}
	for i, line := range lines {
		if want := fmt.Sprint("line ", i); line != want {
			t.Fatalf("message %d of %d is %q, want %q", i, len(lines), line, want)
		}
	}
	if len(lines) != n {
		t.Fatalf("%d messages were replayed, want %d", len(lines), n)
	}
}

// A client that has been on an instance further ahead must not be told twice what it has.
func TestRecoveryOnALaggard(t *testing.T) {
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
		for range 5 {
			messages = append(messages, p.hear("the rest"))
		}
		wantLines(t, messages, 15)
		c.agree()
	})
}

// The cluster may have lost what a client has got: then the client is not kept waiting for it.
func TestRecoveryAfterLoss(t *testing.T) {
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
		bob.sent("and on")
		if got := p.hear("live"); got != "and on" {
			t.Errorf("client hears %q, want and on", got)
		}
	})
}

// What a client said before its connection was lost is its own, also where the log brings it after the client has come back elsewhere and
// before the log has taken it back.
func TestOwnMessageIsNotToldToWhoComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{MessageRate: -1})
		p := &page{}
		p.open(&c.replicas[0].site)
		p.name("Ann")
		bob := c.replicas[1].join("Bob")
		p.until("bob", "nicknames")
		c.replicas[1].set(func(r *replica) { r.paused = true })
		p.Send(`2["user message","said before"]`)
		synctest.Wait()
		p.Close()
		if !p.open(&c.replicas[1].site) {
			t.Fatal("client was not recovered")
		}
		p.until("connected", "status")
		c.replicas[1].set(func(r *replica) { r.paused = false })
		synctest.Wait()
		bob.sent("said after")
		if text := p.hear("the first message"); text != "said after" {
			t.Errorf("the client is told %q, which it said itself", text)
		}
		c.agree()
	})
}

func TestResumeByToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		ann := c.replicas[0].visit("")
		ann.Send(`21["nickname","Ann"]`)
		var granted []json.RawMessage
		if err := json.Unmarshal([]byte(strings.TrimPrefix(ann.Next("named"), "31")), &granted); err != nil {
			t.Fatal(err)
		}
		var detail struct{ Token string }
		if err := json.Unmarshal(granted[1], &detail); err != nil || detail.Token == "" {
			t.Fatalf("nickname is answered by %s, want a token", granted)
		}
		ann.Want("session", `2["session",*`)
		ann.Want("list", `2["nicknames",*`)
		ann.sent("said before")
		bob := c.replicas[1].join("Bob")

		// A reload: the page comes back with nothing but the token.
		ann.Close()
		bob.Want("away", `2["away",{"name":"Ann","room":"lobby","away":true}]`)
		again := c.replicas[1].dial("")
		again.Connect("/", `{"token":"`+detail.Token+`"}`)
		again.Want("who it is", `2["session",{"instance":"b","name":"Ann","rooms":["lobby"],"recovered":false,"limits":{*}}]`)
		again.Want("history with one's own", `2["history","lobby",{*"from":"Ann","text":"said before"*},"*"]`)
		again.Want("list", `2["nicknames",{"Ann":"Ann","Bob":"Bob"},*]`)
		again.Want("status", `2["status",*`)
		again.Want("confirmed", `2["session",{"instance":"b","name":"Ann",*},"*"]`)
		bob.Want("back", `2["away",{"name":"Ann","room":"lobby","away":false}]`)
		again.Want("back", `2["away",{"name":"Ann","room":"lobby","away":false}]`)

		// A second window takes over: the first is told and ended.
		second := c.replicas[0].dial("")
		second.Connect("/", `{"token":"`+detail.Token+`"}`)
		again.Want("replaced", `2["replaced",{"message":"*"}]`)
		again.Want("ended", `1`)
		if asked := fmt.Sprint(c.replicas[0].asked); asked != "[b]" {
			t.Errorf("suspected instances are %s, want [b]", asked)
		}
		bob.WantNothing("nobody is told of any of it", 5*time.Second)

		// Somebody else's nickname, asked for with the token, is refused; a free one renames.
		second.Want("session", `2["session",*`)
		second.Want("history", `2["history",*`)
		second.Want("list", `2["nicknames",*`)
		second.Want("status", `2["status",*`)
		second.Want("confirmed", `2["session",*`)
		second.Send(`22["nickname","bob",{"token":"` + detail.Token + `"}]`)
		second.Want("taken", `32[true,{"ok":false,"code":"name_taken",*`)
		second.Close()
		time.Sleep(31 * time.Second)
		bob.Want("away", `2["away",*`)
		bob.Want("told once that she has left", `2["announcement","Ann disconnected",*`)
		bob.Want("list", `2["nicknames",{"Bob":"Bob"},*`)
		c.replicas[0].join("Ann")
		bob.Want("the name is free", `2["announcement","Ann connected",*`)
		bob.Want("list", `2["nicknames",*`)
		late := c.replicas[1].dial("")
		late.Connect("/", `{"token":"`+detail.Token+`"}`)
		for _, pattern := range []string{`2["session",*`, `2["history",*`, `2["nicknames",*`, `2["status",*`} {
			late.Want("greeting", pattern)
		}
		late.Want("the name is another's now", `2["session",{"instance":"b","recovered":false,"code":"name_lost","message":"*",*},"*"]`)
		c.agree()
	})
}

func TestHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var clean atomic.Bool
		c := newCluster(t, 2, Options{NameHold: 20 * time.Second, CleanHold: 3 * time.Second,
			Clean: func(error) bool { return clean.Load() }})
		bob := c.replicas[1].join("Bob")
		for _, test := range []struct {
			name  string
			clean bool
			hold  time.Duration
		}{
			{"cut", false, 20 * time.Second},
			{"closed in the protocol's way", true, 3 * time.Second},
		} {
			clean.Store(test.clean)
			ann := c.replicas[0].join("Ann")
			bob.Want("joined", `2["announcement","Ann connected",*`)
			bob.Want("list", `2["nicknames",*`)
			ann.Close()
			bob.Want("away", `2["away",*`)
			bob.WantNothing(test.name+": held", test.hold-presenceDelay-100*time.Millisecond)
			bob.Want("then announced", `2["announcement","Ann disconnected",*`)
			bob.Want("list", `2["nicknames",*`)
		}
		c.agree()
	})
}

// The instance that lost a user times his end; when it dies, all others do, and he is announced once.
func TestHeldUsersOfADeadInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, Options{})
		observer := c.replicas[2].join("Observer")
		for i := range 5 {
			u := c.replicas[0].join(fmt.Sprint("User ", i))
			if i%2 == 0 {
				u.Close()
			}
		}
		c.replicas[0].set(func(r *replica) { r.paused = true })
		c.evict("a")
		time.Sleep(40 * time.Second)
		left := 0
		for {
			text := observer.Next("what is told")
			if strings.Contains(text, "disconnected") {
				left++
			}
			if strings.HasPrefix(text, `2["nicknames",{"Observer":"Observer"},`) && left == 5 {
				break
			}
		}
		observer.WantNothing("each has left once", time.Minute)
		c.replicas[0].set(func(r *replica) { r.paused = false })
		c.agree()
	})
}

func TestFlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		bob := c.replicas[1].join("Bob")
		p := &page{}
		p.open(&c.replicas[0].site)
		p.name("Ann")
		for i := range 10 {
			p.Close()
			time.Sleep(time.Duration(i) * time.Second)
			if !p.open(&c.replicas[i%2].site) {
				t.Fatalf("client was not recovered the %d. time", i)
			}
			if messages, _ := p.until("connected", "status"); len(messages) != 0 {
				t.Errorf("replayed %q, want nothing", messages)
			}
			synctest.Wait()
		}
		p.Send(`27["user message","still here"]`)
		lines := 0
		for {
			text := bob.Next("what bob is told")
			if strings.Contains(text, `"announcement"`) {
				lines++
			}
			if strings.Contains(text, "still here") {
				break
			}
		}
		if lines != 1 {
			t.Errorf("bob was told %d times of who flapped, want 1, when she came", lines)
		}
		c.agree()
	})
}

// The same message sent five times on three instances is shown once.
func TestIdempotentResend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, Options{})
		bob := c.replicas[2].join("Bob")
		p := &page{}
		p.open(&c.replicas[0].site)
		p.name("Ann")
		bob.Want("joined", `2["announcement",*`)
		bob.Want("list", `2["nicknames",*`)
		for i := range 5 {
			p.Send(`27["user message","once",{"cid":"0b77a3c1"}]`)
			synctest.Wait()
			p.Close()
			if !p.open(&c.replicas[(i+1)%3].site) {
				t.Fatal("client was not recovered")
			}
		}
		synctest.Wait()
		p.Send(`27["user message","then",{"cid":"next"}]`)
		shown := 0
		for {
			text := bob.Next("what bob is told")
			if strings.Contains(text, `"once"`) {
				shown++
			}
			if strings.Contains(text, `"then"`) {
				break
			}
		}
		if shown != 1 {
			t.Errorf("a message sent five times was shown %d times, want once", shown)
		}
		c.agree()
	})
}

func TestProvisionalLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		ann, bob := a.join("Ann"), a.join("Bob")
		ann.Want("joined", `2["announcement",*`)
		ann.Want("list", `2["nicknames",*`)
		a.set(func(r *replica) { r.paused = true })
		ann.Send(`27["user message","slow",{"cid":"m1"}]`)
		synctest.Wait()
		a.CutOff(true)
		bob.Want("told that the log is slow", `2["status",{"instance":"a","ready":true,"cutOff":true,*`)
		a.Provisional(c.entries[len(c.entries)-1].Body)
		bob.Want("shown for the time being", `2["provisional","Ann","slow",{"key":"m1","room":"lobby","time":*}]`)
		time.Sleep(10 * time.Second)
		a.set(func(r *replica) { r.paused = false })
		bob.Want("and replaced", `2["user message","Ann","slow",{*"cid":"m1","replaces":"m1"},"*"]`)
		ann.Want("told", `2["status",*`)
		ann.Want("sent", `37[{"ok":true,*"cid":"m1","latency":10000}]`)
		a.CutOff(false)
		bob.Want("all is well", `2["status",{*"cutOff":false,*`)
	})
}

// An instance that fell out of the cluster and comes back by a snapshot: its clients are told what they missed, its
// commands that are in it are answered, and its names are claimed again.
func TestRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		a, b := c.replicas[0], c.replicas[1]
		ann, bob := a.join("Ann"), b.join("Bob")
		ann.Want("joined", `2["announcement","Bob connected",*`)
		ann.Want("list", `2["nicknames",*`)
		a.set(func(r *replica) { r.paused = true })
		ann.Send(`27["user message","from outside"]`)
		bob.Want("heard", `2["user message","Ann","from outside",*`)
		bob.sent("meanwhile")
		c.evict("a")
		bob.Want("away", `2["away",{"name":"Ann","room":"lobby","away":true}]`)
		time.Sleep(time.Second)

		if err := a.Restore([]byte("no snapshot")); err == nil {
			t.Error("Restore of nonsense = nil, want an error")
		}
		if err := a.Restore(b.Snapshot()); err != nil {
			t.Fatal(err)
		}
		own := slices.IndexFunc(c.entries, func(e Entry) bool { return strings.Contains(string(e.Body), "from outside") })
		a.Committed(c.entries[own])
		a.set(func(r *replica) { r.next, r.paused = len(c.entries), false })
		for _, body := range a.Joined() {
			if err := a.Append(body); err != nil {
				t.Fatal(err)
			}
		}
		ann.Want("what she missed", `2["user message","Bob","meanwhile",*`)
		ann.Want("list", `2["nicknames",{"Ann":"Ann","Bob":"Bob"},{"room":"lobby","users":2,"away":["Ann"]}]`)
		ann.Want("her own is in the log", `37[{"ok":true,"id":"*","time":*`)
		ann.Want("status", `2["status",*`)
		ann.Want("she is who she was", `2["session",{"instance":"a","name":"Ann",*},"*"]`)
		bob.Want("back", `2["away",{"name":"Ann","room":"lobby","away":false}]`)
		ann.sent("again")
		bob.Want("heard", `2["user message","Ann","again",*`)
		c.agree()
	})
}

// What must not be lost is appended later if the log is full.
func TestFullLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		bob := c.replicas[1].join("Bob")
		ann := c.replicas[0].join("Ann")
		bob.Want("joined", `2["announcement",*`)
		bob.Want("list", `2["nicknames",*`)
		c.replicas[0].set(func(r *replica) { r.full = true })
		ann.Send(`1`)
		bob.WantNothing("the log is full", 10*time.Second)
		c.replicas[0].set(func(r *replica) { r.full = false })
		bob.Want("told late", `2["announcement","Ann disconnected",*`)
		bob.Want("list", `2["nicknames",*`)
		c.agree()
	})
}
