package chat

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// An instance that was evicted and returns by a snapshot sends its clients what they missed, replies to the
// commands that the snapshot contains, and claims its nicknames again.
func TestRestoredInstanceCatchesItsClientsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		a, b := c.replicas[0], c.replicas[1]
		ann, bob := a.join("Ann"), b.join("Bob")
		ann.Want("joined", `2["announcement","Bob connected",*`)
		ann.Want("list", `2["nicknames",*`)
		a.set(func(r *replica) { r.paused = true })
		ann.Send(`27["user message","from outside"]`)
		bob.Want("heard", `2["user message","Ann","from outside",*`)
		bob.sent("missed")
		c.evict("a")
		bob.Want("away", `2["away",{"name":"Ann","room":"lobby","away":true}]`)
		time.Sleep(time.Second)

		if err := a.Restore([]byte("no snapshot")); err == nil {
			t.Error("Restore of nonsense = nil, want an error")
		}
		if err := a.Restore(b.Snapshot()); err != nil {
			t.Fatal(err)
		}
		own := slices.IndexFunc(c.entries, func(e Entry) bool {
			return strings.Contains(string(e.Body), "from outside")
		})
		a.Committed(c.entries[own])
		a.set(func(r *replica) { r.next, r.paused = len(c.entries), false })
		for _, body := range a.Joined() {
			if err := a.Append(body); err != nil {
				t.Fatal(err)
			}
		}
		ann.Want("what she missed", `2["user message","Bob","missed",*`)
		ann.Want("list", `2["nicknames",{"Ann":"Ann","Bob":"Bob"},{"room":"lobby","users":2,"away":["Ann"]}]`)
		ann.Want("her own is in the log", `37[{"ok":true,"id":"*","time":*`)
		ann.Want("status", `2["status",*`)
		ann.Want("the user is claimed again", `2["session",{"instance":"a","name":"Ann",*},"*"]`)
		bob.Want("back", `2["away",{"name":"Ann","room":"lobby","away":false}]`)
		ann.sent("again")
		bob.Want("heard", `2["user message","Ann","again",*`)
		c.agree()
	})
}

// An instance that was evicted, and that nobody answers, loads a state in which its client's user is not known yet.
// What the client says is then on its way, as at any other time, and acknowledged once the instance is in sync.
func TestClientUnknownToALoadedStateGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		a, b := c.replicas[0], c.replicas[1]
		old := a.Snapshot()
		ann := a.join("Ann")
		time.Sleep(time.Second)
		a.set(func(r *replica) { r.paused, r.slow = true, true })
		c.evict("a")
		time.Sleep(time.Second)
		if err := a.Restore(old); err != nil {
			t.Fatal(err)
		}
		ann.drain()
		ann.Send(`27["user message","meanwhile"]`)
		time.Sleep(time.Second)
		if err := a.Restore(b.Snapshot()); err != nil {
			t.Fatal(err)
		}
		var said [][]byte
		a.set(func(r *replica) {
			said, r.onWay, r.slow = r.onWay, nil, false
			r.next, r.paused = len(c.entries), false
		})
		for _, body := range append(a.Joined(), said...) { // as a node orders them
			if err := a.Append(body); err != nil {
				t.Fatal(err)
			}
		}
		answer := ""
		for !strings.HasPrefix(answer, "37[") {
			answer = ann.Next("the answer")
		}
		if !strings.HasPrefix(answer, `37[{"ok":true,`) {
			t.Errorf("the message is answered %s, want that it is acknowledged", answer)
		}
		c.agree()
	})
}

// The client of an instance that the others have evicted requests a nickname that somebody has. It keeps the one that
// it had.
func TestRefusedNicknameLeavesTheFormerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		a, b := c.replicas[0], c.replicas[1]
		ann := a.join("Ann")
		bob := b.join("Bob")
		a.set(func(r *replica) { r.paused, r.slow = true, true })
		c.evict("a")
		time.Sleep(time.Second)
		if err := a.Restore(b.Snapshot()); err != nil {
			t.Fatal(err)
		}
		ann.Send(`27["nickname","Bob"]`)
		time.Sleep(time.Second)
		for _, body := range a.Joined() { // it precedes what waits
			a.set(func(r *replica) { r.putLocked(body) })
		}
		a.set(func(r *replica) {
			r.release()
			r.next, r.paused = slices.IndexFunc(c.entries, func(e Entry) bool { return e.Body == nil })+1, false
		})
		time.Sleep(time.Minute) // longer than her nickname is kept while she is away
		ann.drain()
		bob.drain()
		ann.sent("still here")
		bob.Want("her message", `2["user message","Ann","still here",*`)
		ann.Send(`28["user message","as Ann"]`)
		bob.Want("her nickname", `2["user message","Ann","as Ann",*`)
		c.agree()
	})
}

func TestRefusedCommandIsRetried(t *testing.T) {
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
		bob.Want("announced late", `2["announcement","Ann disconnected",*`)
		bob.Want("list", `2["nicknames",*`)
		c.agree()
	})
}
