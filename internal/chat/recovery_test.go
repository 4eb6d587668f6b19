package chat

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestClientIsRecoveredOnAnotherInstance(t *testing.T) {
	for _, test := range []struct {
		name string
		raw  bool
		dies bool // the replica the client was on
		cut  time.Duration
	}{
		{"Socket.IO, within the hold", false, false, 29 * time.Second},
		{"Socket.IO", false, false, 30 * time.Second},
		{"Socket.IO, replica dies", false, true, 30 * time.Second},
		{"Socket.IO, user has expired", false, false, 100 * time.Second},
		{"raw WebSocket", true, false, 30 * time.Second},
		{"raw WebSocket, replica dies", true, true, 30 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 3, Options{MessageRate: -1})
				p := &page{raw: test.raw}
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
				// The client has nickname and rooms, and goes on like everybody.
				if p.raw {
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
						t.Errorf("bob receives %s about a user that returned in time", text)
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

// What a client has sent before its connection was lost is its own, also if the log brings it after the client has
// connected elsewhere, and before its claim.
func TestReturningClientDoesNotReceiveItsOwnMessage(t *testing.T) {
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
			t.Errorf("the client receives %q, which it has sent itself", text)
		}
		c.agree()
	})
}

func TestNicknameIsKeptForItsHoldTime(t *testing.T) {
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
			lost := time.Now()
			bob.Want("away", `2["away",*`)
			bob.Want("then announced", `2["announcement","Ann disconnected",*`)
			if kept := time.Since(lost).Round(100 * time.Millisecond); kept != test.hold {
				t.Errorf("%s: the nickname is kept for %v, want %v", test.name, kept, test.hold)
			}
			bob.Want("list", `2["nicknames",*`)
		}
		c.agree()
	})
}

// The instance that lost a connection times the expiry of its user. If it dies, all others do, and the user is
// announced once.
func TestUsersOfADeadInstanceExpireOnce(t *testing.T) {
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
			text := observer.Next("events")
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

func TestFlappingConnectionIsNotAnnounced(t *testing.T) {
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
			text := bob.Next("events")
			if strings.Contains(text, `"announcement"`) {
				lines++
			}
			if strings.Contains(text, "still here") {
				break
			}
		}
		if lines != 1 {
			t.Errorf("bob received %d announcements of a user that flapped, want 1", lines)
		}
		c.agree()
	})
}

func TestRetriedMessageIsBroadcastOnce(t *testing.T) {
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
			text := bob.Next("events")
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
