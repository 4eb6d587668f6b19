package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/backplanetest"
	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
	"chatapp/internal/socketio/socketiotest"
)

// These tests join instances by the backplane, on a topic that can be made to misbehave, in virtual time.

// system is instances joined by a backplane.
type system struct {
	t         *testing.T
	topic     *backplanetest.Topic
	instances []*instance
}

type instance struct {
	*Chat
	site
	node *backplane.Node
	bus  *backplanetest.Bus
	end  context.CancelFunc
	done chan struct{}
	dead bool
}

// adapter joins the two, as the one of the worker does.
type adapter struct{ *Chat }

func (a adapter) Apply(e backplane.Entry) error            { return a.Chat.Apply(Entry(e)) }
func (a adapter) Gone(at backplane.Entry, instance string) { a.Chat.Gone(Entry(at), instance) }
func (a adapter) Begin(at backplane.Entry)                 { a.Chat.Begin(Entry(at)) }
func (a adapter) Raise(at backplane.Entry, rules uint64)   { a.Chat.Raise(Entry(at), rules) }
func (a adapter) Committed(e backplane.Entry)              { a.Chat.Committed(Entry(e)) }

func newSystem(t *testing.T, o Options, names ...string) *system {
	s := &system{t: t, topic: backplanetest.NewTopic(1, 0)}
	t.Cleanup(func() {
		for _, i := range s.instances {
			s.kill(i)
			i.Close()
		}
	})
	for _, name := range names {
		i := s.start(name, o)
		s.waitUntil(name+" is ready", func() bool { return i.node.Status().Ready })
	}
	return s
}

// start runs one more instance.
func (s *system) start(name string, o Options) *instance {
	i := &instance{Chat: New(o), bus: s.topic.Join(name), done: make(chan struct{}), site: site{t: s.t, name: name}}
	server := socketio.NewServer(socketio.Options{Recovery: i.Recovery()})
	i.node = backplane.New(i.bus, adapter{i.Chat}, backplane.Options{Local: adapter{i.Chat}})
	i.Attach(server.Of("/"), Backplane{Instance: name, Log: i.node, Suspect: i.node.Suspect, Cluster: func() Cluster {
		status := i.node.Status()
		c := Cluster{Ready: status.Ready, CutOff: status.CutOff}
		for _, m := range status.Members {
			c.Instances = append(c.Instances, Instance{Name: m.Instance, Self: m.Self})
		}
		return c
	}})
	i.host = socketiotest.Pipe(s.t, server, engineio.Options{})
	ctx, end := context.WithCancel(context.Background())
	i.end = end
	go func() {
		defer close(i.done)
		if err := i.node.Run(ctx); err != nil {
			s.t.Logf("%s: %v", name, err) // what a killed instance leaves
		}
	}()
	s.instances = append(s.instances, i)
	return i
}

// kill ends an instance without a leave. Its sockets stay open and receive nothing.
func (s *system) kill(i *instance) {
	if i.dead {
		return
	}
	i.dead = true
	i.bus.Stall(false)
	i.bus.Cut(true)
	i.end()
	<-i.done
	s.topic.Leave(i.name)
}

// waitUntil lets virtual time pass until a condition holds.
func (s *system) waitUntil(what string, so func() bool) {
	s.t.Helper()
	for start := time.Now(); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Since(start) > 5*time.Minute {
			s.t.Fatalf("after 5 minutes it is still not true that %s", what)
		}
	}
	synctest.Wait()
}

// wantAlike checks that the live instances come to the same state.
func (s *system) wantAlike() {
	s.t.Helper()
	snapshots := func() (all []string) {
		for _, i := range s.instances {
			if !i.dead {
				all = append(all, string(i.Snapshot()))
			}
		}
		return all
	}
	s.waitUntil("all instances have the same state", func() bool {
		all := snapshots()
		return !slices.ContainsFunc(all, func(snapshot string) bool { return snapshot != all[0] })
	})
}

// drain takes what a client was sent so far and returns the messages as "author: text".
func (u *testUser) drain() (messages []string) {
	u.Send(`29["status"]`)
	for {
		text := u.Next("events")
		switch {
		case strings.HasPrefix(text, `39[`):
			return messages
		case strings.HasPrefix(text, `2["user message",`):
			var args []any
			if err := json.Unmarshal([]byte(text[1:]), &args); err != nil {
				u.t.Fatalf("%q: %v", text, err)
			}
			messages = append(messages, fmt.Sprint(args[1], ": ", args[2]))
		}
	}
}

// announcements takes what a client was sent so far and returns the texts of the announcements.
func (u *testUser) announcements() (texts []string) {
	u.Send(`29["status"]`)
	for {
		text := u.Next("events")
		if strings.HasPrefix(text, `39[`) {
			return texts
		}
		if rest, ok := strings.CutPrefix(text, `2["announcement","`); ok {
			text, _, _ = strings.Cut(rest, `"`)
			texts = append(texts, text)
		}
	}
}

// Three instances, some users on each, two writers on each at 50 messages a second: everybody sees one sequence.
func TestAllClientsReceiveOneSequence(t *testing.T) {
	const writers, perWriter = 2, 100
	users := number("CHAT_TEST_USERS", 12)
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t, Options{MessageRate: -1}, "a", "b", "c")
		s.topic.SetFaults(backplanetest.Faults{DeliverTime: 20 * time.Millisecond, PublishTime: 20 * time.Millisecond,
			Repeat: 0.02, Redeliver: 0.02, Ambiguous: 0.02})
		var clients []*testUser
		var names []string
		for _, i := range s.instances {
			for n := range users {
				u, name := i.dial(""), fmt.Sprint(i.name, n)
				u.Connect("/", "")
				u.Send(`21["nickname","` + name + `"]`)
				clients, names = append(clients, u), append(names, name)
			}
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		var writing sync.WaitGroup
		for instance := range s.instances {
			for w := range writers {
				u := clients[instance*users+w]
				writing.Go(func() {
					for n := range perWriter {
						if err := u.TrySend(fmt.Sprintf(`2["user message","%d"]`, n)); err != nil {
							t.Errorf("send: %v", err)
						}
						time.Sleep(20 * time.Millisecond)
					}
				})
			}
		}
		writing.Wait()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		all := clients[users-1].drain()
		if want := len(s.instances) * writers * perWriter; len(all) != want {
			t.Fatalf("an observer received %d messages, want %d", len(all), want)
		}
		for i, u := range clients {
			if i == users-1 {
				continue
			}
			want := slices.DeleteFunc(slices.Clone(all), func(m string) bool {
				return strings.HasPrefix(m, names[i]+":")
			})
			if got := u.drain(); !slices.Equal(got, want) {
				t.Fatalf("%s received %d messages, in another order or others than the %d of the first observer",
					names[i], len(got), len(want))
			}
		}
		s.wantAlike()
	})
}

// The same nickname claimed on two instances at once, again and again: one of them gets it.
func TestNicknameClaimedTwiceHasOneHolder(t *testing.T) {
	const rounds = 250
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t, Options{}, "a", "b")
		s.topic.SetFaults(backplanetest.Faults{DeliverTime: 5 * time.Millisecond, PublishTime: 5 * time.Millisecond})
		clients := []*testUser{s.instances[0].visit(""), s.instances[1].visit("")}
		accepted := [2]int{}
		for round := range rounds {
			for _, u := range clients {
				u.Send(fmt.Sprintf(`21["nickname","Name %d"]`, round))
			}
			got := 0
			for i, u := range clients {
				answer := u.Next("the answer")
				for !strings.HasPrefix(answer, "31[") {
					answer = u.Next("the answer")
				}
				if strings.HasPrefix(answer, `31[false,{"ok":true`) {
					got++
					accepted[i]++
				} else if !strings.HasPrefix(answer, `31[true,{"ok":false,"code":"name_taken"`) {
					t.Fatalf("round %d: nickname is answered by %s", round, answer)
				}
			}
			if got != 1 {
				t.Fatalf("round %d: %d of two claims were granted, want 1", round, got)
			}
			for _, u := range clients {
				u.Send(`22["leave"]`)
				for !strings.HasPrefix(u.Next("left"), "32[") {
				}
			}
			time.Sleep(time.Second)
		}
		if accepted[0] == 0 || accepted[1] == 0 {
			t.Errorf("claims were granted %v times: they did not compete", accepted)
		}
		s.wantAlike()
	})
}

// A client is cut off for 30 s while 200 messages pass, and returns to another instance; its own may have died.
func TestClientReturnsToAnotherInstance(t *testing.T) {
	for _, dies := range []bool{false, true} {
		t.Run(fmt.Sprintf("dies=%v", dies), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSystem(t, Options{MessageRate: -1}, "a", "b", "c")
				s.topic.SetFaults(backplanetest.Faults{DeliverTime: 50 * time.Millisecond, Repeat: 0.05,
					Ambiguous: 0.05})
				p := &page{}
				p.open(&s.instances[0].site)
				p.name("Ann")
				time.Sleep(time.Second)
				bob := s.instances[1].join("Bob")
				p.until("bob", "nicknames")
				if dies {
					s.kill(s.instances[0])
				}
				p.Close()
				start := time.Now()
				for i := range 200 {
					bob.Send(fmt.Sprintf(`2["user message","line %d"]`, i))
					time.Sleep(140 * time.Millisecond)
				}
				time.Sleep(30*time.Second - time.Since(start))
				if !p.open(&s.instances[2].site) {
					t.Fatal("client was not recovered")
				}
				messages, _ := p.until("how the cluster is", "status")
				wantLines(t, messages, 200)
				p.Send(`27["user message","back"]`)
				for !strings.HasPrefix(bob.Next("what ann says"), `2["user message","Ann","back",`) {
				}
				s.wantAlike()
			})
		})
	}
}
