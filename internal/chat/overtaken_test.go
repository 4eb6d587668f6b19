package chat

import (
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/chat/state"
)

// overtaken moves a page from replica a, whose entries are slow, to b. Then the claim of its connection at a arrives
// behind the one at b. It returns the page at a and at b.
func overtaken(t *testing.T, c *cluster, apart time.Duration) (left, live *page) {
	a, b := c.replicas[0], c.replicas[1]
	left = &page{}
	left.open(&a.site)
	left.name("Ann")
	synctest.Wait()
	a.set(func(r *replica) { r.slow = true })
	first := left.testUser
	if !left.open(&a.site) { // its claim stays where it is
		t.Fatal("client was not recovered at a")
	}
	left.until("greeted", "status")
	time.Sleep(apart)
	live = &page{pid: left.pid, offset: left.offset}
	if !live.open(&b.site) {
		t.Fatal("client was not recovered at b")
	}
	live.until("greeted", "status")
	synctest.Wait()
	a.set(func(r *replica) { r.release() })
	synctest.Wait()
	first.Close()
	return left, live
}

func TestAbandonedConnectionIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		bob := c.replicas[1].join("Bob")
		left, live := overtaken(t, c, time.Minute)
		left.until("the abandoned connection is replaced", "replaced")
		left.Want("and ended", `1`)
		live.sent("I am here")
		time.Sleep(2 * time.Minute)
		live.sent("and stay")
		for _, text := range bob.announcements() {
			if text != "Ann connected" {
				t.Errorf("bob receives %q", text)
			}
		}
		c.agree()
	})
}

// The clocks of two instances may differ about which connection is later: the one that goes on is given the nickname.
func TestConnectionOvertakenByClockSkewClaimsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		bob := c.replicas[1].join("Bob")
		left, live := overtaken(t, c, time.Second)
		left.sent("counts already")
		live.Close()
		synctest.Wait()
		left.sent("I am the one")
		time.Sleep(2 * time.Minute)
		left.sent("and stay")
		for _, text := range bob.announcements() {
			if text != "Ann connected" {
				t.Errorf("bob receives %q", text)
			}
		}
		c.agree()
	})
}

// An instance that was out of sync claims the nicknames of its clients again. What was overtaken before is settled by
// that, and not claimed a second time when its user is away.
func TestOvertakenClientIsClaimedOnceWhenTheInstanceIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		a := c.replicas[0]
		overtaken(t, c, time.Second)
		synctest.Wait()
		a.mu.Lock()
		before := len(a.nicknames.overtaken)
		a.mu.Unlock()
		bodies := a.Joined()
		a.mu.Lock()
		defer a.mu.Unlock()
		if before != 1 || len(bodies) != 1 || len(a.nicknames.overtaken) != 0 {
			t.Errorf("of %d overtaken clients, %d are claimed again and %d are left, want 1, 1 and none",
				before, len(bodies), len(a.nicknames.overtaken))
		}
	})
}

// A client may have become somebody else since the last entry that an instance has applied, which was paused. There it
// is who its resume token says, and not whom the instance knows as the user of its private id.
func TestResumeTokenOfANewerUserCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCluster(t, 1, Options{}).replicas[0]
		ann := r.dial("")
		ann.Send("0")
		ann.Next("connected")
		ann.Send(`21["nickname","Ann"]`)
		token := tokenOf(t, ann.nextLike("granted", "31["))
		synctest.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		before := &known{token: state.HashOf("of the user of the private id")}
		newer := "AAAAAAAAAAAAAAAAAAAAAA"
		for _, test := range []struct {
			token string
			want  state.Hash
		}{
			{"", before.token},
			{"no token", before.token},
			{token, before.token}, // an earlier user of the client: the answer with the later token may be lost
			{newer, state.HashOf(newer)},
		} {
			if got := r.identifyLocked(before, test.token, ""); got.token != test.want {
				t.Errorf("a client with the token %q is the user %x, want %x", test.token, got.token, test.want)
			}
		}
	})
}
