package chat

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/chat/state"
)

func TestProvisionalMessageIsReplaced(t *testing.T) {
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
		bob.Want("the log is slow", `2["status",{"instance":"a","ready":true,"cutOff":true,*`)
		a.Provisional(c.entries[len(c.entries)-1].Body)
		bob.Want("provisional", `2["provisional","Ann","slow",{"key":"m1","room":"lobby","time":*}]`)
		time.Sleep(10 * time.Second)
		a.set(func(r *replica) { r.paused = false })
		bob.Want("and replaced", `2["user message","Ann","slow",{*"cid":"m1","replaces":"m1"},"*"]`)
		ann.Want("status", `2["status",*`)
		ann.Want("sent", `37[{"ok":true,*"cid":"m1","latency":10000}]`)
		a.CutOff(false)
		bob.Want("all is well", `2["status",{*"cutOff":false,*`)
	})
}

// Provisional messages are replaced, also when the real ones arrive in a snapshot.
func TestProvisionalMessageIsReplacedAfterRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		a, b := c.replicas[0], c.replicas[1]
		ann, bob := a.join("Ann"), a.join("Bob")
		ann.Want("joined", `2["announcement",*`)
		ann.Want("list", `2["nicknames",*`)
		a.set(func(r *replica) { r.paused = true })
		ann.Send(`27["user message","slow",{"cid":"m1"}]`)
		synctest.Wait()
		own := c.entries[len(c.entries)-1]
		a.Provisional(own.Body)
		bob.Want("for the time being", `2["provisional","Ann","slow",{"key":"m1",*`)
		if err := a.Restore(b.Snapshot()); err != nil {
			t.Fatal(err)
		}
		a.Committed(own)
		bob.Want("replaced", `2["user message","Ann","slow",{*"replaces":"m1"},"*"]`)
		ann.Want("list", `2["nicknames",*`)
		ann.Want("sent", `37[{"ok":true,*`)
	})
}

// slowMessage has Ann at replica a send a message that stays on its way, which Bob there receives provisionally.
func slowMessage(t *testing.T, c *cluster) (ann *page, bob *testUser) {
	t.Helper()
	a := c.replicas[0]
	ann = &page{}
	ann.open(&a.site)
	ann.name("Ann")
	bob = a.join("Bob")
	ann.wantRoster("Ann, Bob")
	a.set(func(r *replica) { r.slow = true })
	ann.Send(`27["user message","slow",{"cid":"m1"}]`)
	synctest.Wait()
	a.Provisional(a.onWay[0])
	bob.Want("provisional", `2["provisional","Ann","slow",{"key":"m1","room":"lobby","time":*}]`)
	a.Provisional(a.onWay[0])
	bob.WantNothing("it is sent once", time.Millisecond)
	return ann, bob
}

// The client sends its message again on another instance, and that one is first. Both instances have it once.
func TestProvisionalMessageIsReplacedByTheOneSentElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		ann, bob := slowMessage(t, c)
		if !ann.open(&c.replicas[1].site) {
			t.Fatal("client was not recovered")
		}
		ann.until("greeted", "status")
		ann.Send(`27["user message","slow",{"cid":"m1"}]`)
		bob.Want("replaced", `2["user message","Ann","slow",{*"instance":"b","cid":"m1","replaces":"m1"},"*"]`)
		a := c.replicas[0]
		late := a.onWay[0]
		a.set(func(r *replica) { r.release() })
		synctest.Wait()
		a.Provisional(late)
		bob.WantNothing("that is all", time.Second)
		c.agree()
	})
}

func TestProvisionalMessageIsWithdrawnIfRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		_, bob := slowMessage(t, c)
		c.put("a", state.Command{Conn: annsConn(c), Action: &state.LeaveChat{}})
		bob.Want("ann has left", `2["announcement","Ann disconnected",*]`)
		bob.Want("list", `2["nicknames",{"Bob":"Bob"},*]`)
		c.replicas[0].set(func(r *replica) { r.release() })
		bob.Want("withdrawn", `2["withdrawn",{"key":"m1","room":"lobby"}]`)
		bob.WantNothing("once", time.Second)
		c.agree()
	})
}

// The message arrives in a snapshot, from another instance, and too many lines after it for the snapshot to have it.
func TestProvisionalMessageIsWithdrawnIfItsLineIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{Bounds: Bounds{RoomLines: 3}, MessageRate: -1})
		ann, bob := slowMessage(t, c)
		a, b := c.replicas[0], c.replicas[1]
		a.set(func(r *replica) { r.paused = true })
		if !ann.open(&b.site) {
			t.Fatal("client was not recovered")
		}
		ann.until("greeted", "status")
		ann.Send(`27["user message","slow",{"cid":"m1"}]`)
		for range 5 {
			ann.Send(`28["user message","and more"]`)
		}
		synctest.Wait()
		if err := a.Restore(b.Snapshot()); err != nil {
			t.Fatal(err)
		}
		bob.Want("what there is", `2["history","lobby",{*"reset":true},"*"]`)
		bob.Want("list", `2["nicknames",*]`)
		a.set(func(r *replica) { r.next, r.paused = len(c.entries), false })
		a.set(func(r *replica) { r.release() })
		bob.Want("withdrawn", `2["withdrawn",{"key":"m1","room":"lobby"}]`)
		c.agree()
	})
}

// The user has left by the time of the snapshot that brings the message, or has it refused.
func TestProvisionalMessageOfAUserThatLeftIsResolved(t *testing.T) {
	for _, test := range []struct {
		name  string
		said  bool // before it left
		wants []string
	}{
		{"said", true, []string{`2["user message","Ann","slow",{*"replaces":"m1"},"*"]`,
			`2["announcement","Ann disconnected",*]`, `2["nicknames",*]`}},
		{"refused", false, []string{`2["announcement","Ann disconnected",*]`, `2["nicknames",*]`,
			`2["withdrawn",{"key":"m1","room":"lobby"}]`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 2, Options{})
				_, bob := slowMessage(t, c)
				a, b := c.replicas[0], c.replicas[1]
				a.set(func(r *replica) { r.paused = true })
				leave := state.Command{Conn: annsConn(c), Action: &state.LeaveChat{}}
				if test.said {
					a.set(func(r *replica) { r.release() })
				}
				c.put("a", leave)
				synctest.Wait()
				a.set(func(r *replica) { r.release() })
				synctest.Wait()
				if err := a.Restore(b.Snapshot()); err != nil {
					t.Fatal(err)
				}
				own := c.entries[len(c.entries)-1]
				if test.said {
					own = c.entries[len(c.entries)-2]
				}
				a.Committed(own)
				a.set(func(r *replica) { r.next, r.paused = len(c.entries), false })
				for _, want := range test.wants {
					bob.Want(test.name, want)
				}
				bob.WantNothing("that is all", time.Second)
			})
		})
	}
}

// A message that is displayed already is not displayed provisionally, and another user's message is another.
func TestOnlyTheMessageItselfIsProvisional(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		ann, bob := slowMessage(t, c)
		a, b := c.replicas[0], c.replicas[1]
		cid := b.join("Cid")
		bob.Want("joined", `2["announcement","Cid connected",*]`)
		bob.Want("list", `2["nicknames",*]`)
		cid.Send(`2["user message","another",{"cid":"m1"}]`)
		bob.Want("not the real one", `2["user message","Cid","another",{*"cid":"m1"},"*"]`)
		a.set(func(r *replica) { r.release() })
		bob.Want("the real one", `2["user message","Ann","slow",{*"cid":"m1","replaces":"m1"},"*"]`)

		if !ann.open(&b.site) {
			t.Fatal("client was not recovered")
		}
		ann.until("greeted", "status")
		synctest.Wait()
		b.set(func(r *replica) { r.slow = true })
		ann.Send(`27["user message","slow",{"cid":"m1"}]`)
		synctest.Wait()
		b.Provisional(b.onWay[0])
		cid.Want("the real one", `2["user message","Ann","slow",{*"cid":"m1"},"*"]`)
		cid.WantNothing("is there already", time.Second)
	})
}

// The user connects again while its message is under way. The newer connection is sent the message provisionally, and
// the real line, although that is its own.
func TestProvisionalMessageIsReplacedAtANewerConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newCluster(t, 1, Options{}).replicas[0]
		ann := a.dial("")
		ann.Connect("/", "")
		ann.Send(`21["nickname","Ann"]`)
		var token string
		for named := false; !named; {
			_, token, named = strings.Cut(ann.Next("nickname"), `"token":"`)
		}
		token, _, _ = strings.Cut(token, `"`)
		a.set(func(r *replica) { r.slow = true })
		ann.Send(`27["user message","slow",{"cid":"m1"}]`)
		synctest.Wait()
		newer := &page{testUser: a.dial("")}
		newer.Connect("/", fmt.Sprintf(`{"token":%q}`, token))
		synctest.Wait()
		a.Provisional(a.onWay[0])
		newer.until("for the time being", "provisional")
		a.set(func(r *replica) { r.release() })
		_, args := newer.until("the real line", "user message")
		if info := args[2].(map[string]any); info["replaces"] != "m1" {
			t.Errorf("the newer connection is sent %v, want it to replace the provisional line", info)
		}
	})
}

// annsConn returns the number of Ann's socket at replica a.
func annsConn(c *cluster) uint64 {
	for u := range c.replicas[0].state.Users() {
		if u.Nickname().Name == "Ann" {
			return u.Conn().Conn
		}
	}
	return 0
}
