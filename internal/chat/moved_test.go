package chat

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/chat/state"
)

// lobbyTexts returns what was said in the lobby.
func (r *replica) lobbyTexts() (texts []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines, _ := r.state.Room(state.Lobby).Last(100, 0)
	for i := range lines {
		if lines[i].Kind == state.MessageLine {
			texts = append(texts, lines[i].From+": "+lines[i].Text)
		}
	}
	return texts
}

// request sends an event whose answer the client does not wait for.
func (p *page) request(event, args string) {
	if p.raw {
		p.Send(fmt.Sprintf(`{"event":%q,"args":[%s]}`, event, args))
	} else {
		p.Send(fmt.Sprintf(`2[%q,%s]`, event, args))
	}
}

// move has a client claim a nickname and say something at replica a, whose entries stay on their way, and come to
// replica b without an answer. With early the log has those entries, but b has not applied them yet.
func move(t *testing.T, c *cluster, raw, early bool) *page {
	t.Helper()
	a, b := c.replicas[0], c.replicas[1]
	p := a.visitor(raw)
	if early {
		b.set(func(r *replica) { r.paused = true })
	} else {
		a.set(func(r *replica) { r.slow = true })
	}
	p.request("nickname", `"Ann"`)
	p.request("user message", `"hi",{"cid":"c1"}`)
	time.Sleep(time.Second)
	p.Close()
	if p.open(&b.site) {
		t.Fatal("client was recovered, want its new instance not to know it")
	}
	p.until("greeted", "status")
	return p
}

// An instance may not know a client that comes from another one, of which nothing is heard. When it is heard after all,
// the client was one user all the time: what it has said again is there once.
func TestClientOfASilentInstanceIsOneUser(t *testing.T) {
	for _, raw := range []bool{false, true} {
		for _, early := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 2, Options{})
				a, b := c.replicas[0], c.replicas[1]
				p := move(t, c, raw, early)
				p.request("nickname", `"Ann"`)
				synctest.Wait()
				b.set(func(r *replica) { r.paused = false })
				if said := p.ask("user message", "hi", map[string]string{"cid": "c1"}); !said.OK {
					t.Errorf("said again: refused %s", said.Code)
				}
				a.set(func(r *replica) { r.release() })
				for range 6 { // longer than a nickname is kept
					time.Sleep(10 * time.Second)
					p.ask("who")
				}
				synctest.Wait()
				if got := strings.Join(b.lobbyTexts(), ", "); got != "Ann: hi" {
					t.Errorf("raw %v, early %v: the lobby has %q, want the message once", raw, early, got)
				}
				if again := p.ask("user message", "I am here"); !again.OK {
					t.Errorf("client is refused: %s", again.Code)
				}
				c.agree()
			})
		}
	}
}

// A user that has left before has another token than the client's instance thinks of. Then the private id is enough.
func TestClientThatHasLeftBeforeIsOneUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		a, b := c.replicas[0], c.replicas[1]
		p := a.visitor(false)
		p.name("Ann")
		p.ask("leave")
		b.set(func(r *replica) { r.paused = true })
		p.request("nickname", `"Bea"`)
		p.request("user message", `"hi",{"cid":"c1"}`)
		time.Sleep(time.Second)
		p.Close()
		if p.open(&b.site) {
			t.Fatal("client was recovered, want its new instance not to know it")
		}
		p.request("nickname", `"Bea"`)
		synctest.Wait()
		b.set(func(r *replica) { r.paused = false })
		if said := p.ask("user message", "hi", map[string]string{"cid": "c1"}); !said.OK {
			t.Errorf("said again: refused %s", said.Code)
		}
		synctest.Wait()
		if got := strings.Join(b.lobbyTexts(), ", "); got != "Bea: hi" {
			t.Errorf("the lobby has %q, want the message once", got)
		}
		c.agree()
	})
}

// A page of 4.x that comes from an instance of which nothing is heard keeps its nickname, and is no second user with a
// variant of it.
func TestV4PageOfASilentInstanceKeepsItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		a, b := c.replicas[0], c.replicas[1]
		p := a.visitor(false)
		b.set(func(r *replica) { r.paused = true })
		p.request("add user", `"Ann"`)
		p.until("logged in", "login")
		if p.open(&b.site) {
			t.Fatal("client was recovered, want its new instance not to know it")
		}
		p.request("add user", `"Ann"`)
		synctest.Wait()
		b.set(func(r *replica) { r.paused = false })
		_, args := p.until("logged in", "login")
		if got := args[0].(map[string]any)["username"]; got != "Ann" {
			t.Errorf("page is logged in as %q, want Ann", got)
		}
		c.agree()
	})
}

// A user that leaves the chat, or has itself forgotten, comes back as somebody else: on the same connection, and on
// another instance.
func TestUserThatHasLeftIsNotContinued(t *testing.T) {
	for _, event := range []string{"leave", "forget me"} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 2, Options{})
			a, b := c.replicas[0], c.replicas[1]
			p := a.visitor(false)
			tokens := make(map[string]bool)
			claim := func(name string) {
				p.ack++
				p.Send(fmt.Sprintf(`2%d["nickname",%q]`, p.ack, name))
				tokens[tokenOf(t, p.nextLike("granted", fmt.Sprintf("3%d[", p.ack)))] = true
				p.ask("user message", "hi", map[string]string{"cid": "c1"})
			}
			claim("Ann")
			p.ask(event)
			claim("Bea")
			p.ask(event)
			synctest.Wait()
			if p.open(&b.site) {
				t.Fatal("client was recovered, want it to be nobody")
			}
			claim("Cleo")
			if len(tokens) != 3 {
				t.Errorf("three users have %d resume tokens", len(tokens))
			}
			if said := len(b.lobbyTexts()); said != 3 {
				t.Errorf("the lobby has %d messages, want one of each user", said)
			}
			c.agree()
		})
	}
}

// The token of a client that keeps none is a secret. It is not that of a client which presents anything else, nor of
// another person on the same device.
func TestTokenOfClientFollowsFromItsSecretAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCluster(t, 1, Options{}).replicas[0]
		// secret returns the token of the client that has come last, or of a person who is signed in there.
		secret := func(subject string, variant bool) string {
			synctest.Wait()
			r.mu.Lock()
			defer r.mu.Unlock()
			clients := r.local.sorted()
			last := clients[len(clients)-1]
			if subject != "" {
				last.assigned = &assigned{subject: subject}
				defer func() { last.assigned = nil }()
			}
			return r.nicknames.secretLocked(last, variant)
		}
		p := r.visitor(false)
		first, kim, lee := secret("", false), secret("Kim", true), secret("Lee", true)
		p.open(&r.site)
		if again := secret("", true); again != first || !isSecret(first) {
			t.Errorf("the client that returns has the token %q, want %q", again, first)
		}
		if again := secret("Kim", true); again != kim {
			t.Errorf("the person that returns has the token %q, want %q", again, kim)
		}
		r.mu.Lock()
		r.local.sorted()[len(r.local.byConn)-1].endUser()
		r.mu.Unlock()
		next := secret("", false)
		p.pid = p.pid[:len(p.pid)-1]
		p.open(&r.site)
		guessed := secret("", false)
		r.visitor(false)
		all := map[string]bool{first: true, next: true, kim: true, lee: true, guessed: true, secret("", false): true}
		if len(all) != 6 {
			t.Errorf("six users have %d tokens", len(all))
		}
	})
}

// As long as a cluster follows rules by which a known user is refused a nickname that is taken, no page that can't be
// refused one claims as a known user.
func TestVariantIsOfANewUserUnderOlderRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCluster(t, 1, Options{}).replicas[0]
		r.visitor(false)
		changes := func(variant bool) bool {
			synctest.Wait()
			r.mu.Lock()
			defer r.mu.Unlock()
			cl := r.local.sorted()[0]
			first := r.nicknames.secretLocked(cl, variant)
			return r.nicknames.secretLocked(cl, variant) != first
		}
		if changes(true) {
			t.Error("by the present rules the client's token changes")
		}
		older := r.Snapshot()
		const rules = 2 // where a snapshot has them
		older[rules] = state.MoveSince - 1
		if err := r.Restore(older); err != nil || r.state.Rules() != state.MoveSince-1 {
			t.Fatalf("Restore = %v; the state follows rules %d", err, r.state.Rules())
		}
		if !changes(true) {
			t.Error("by older rules the client's user may be known")
		}
		if changes(false) {
			t.Error("a client that can be refused has another token each time")
		}
	})
}
