package chat

import (
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/chat/state"
)

func TestRoomWithoutListenersIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newCluster(t, 1, Options{}).replicas[0]
		u := a.visit("")
		u.Close()
		synctest.Wait()
		if n := len(a.local.rooms); n != 0 {
			t.Errorf("%d rooms have listeners after the only client has gone, want none", n)
		}
	})
}

// All commands that the log has refused are appended later.
func TestRefusedCommandsAreAllRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		a := c.replicas[0]
		users := []*testUser{a.join("Ann"), a.join("Bob"), a.join("Cid")}
		a.set(func(r *replica) { r.full = true })
		for _, u := range users {
			u.Send(`1`)
		}
		synctest.Wait()
		a.set(func(r *replica) { r.full = false })
		time.Sleep(2 * retryEvery)
		synctest.Wait()
		if n := c.replicas[1].Counters().State.Users; n != 0 {
			t.Errorf("%d of 3 users that have left are still there", n)
		}
	})
}

// Commands of an account that has filled its share of the log's room keep no other's waiting.
func TestRefusedCommandsKeepNoOtherAccountWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{SignedIn: signedInByQuery})
		a := c.replicas[0]
		leave := map[string]func(){}
		for _, name := range []string{"Ann", "Bob", "Cid"} {
			window := a.dial("&person=" + name)
			window.Connect("/", "")
			until(window, `"session",{"instance":"a","name":"`+name)
			leave[name] = func() {
				window.Send(`1`)
				synctest.Wait()
			}
		}
		want := func(when string, left int) {
			t.Helper()
			if n := c.replicas[1].Counters().State.Users; n != left {
				t.Errorf("%s %d users are still there, want %d", when, n, left)
			}
		}
		a.set(func(r *replica) { r.full = true })
		leave["Ann"]()
		leave["Bob"]()
		want("while the log takes nothing,", 3)
		a.set(func(r *replica) { r.full, r.filled = false, "subject id of Ann" })
		time.Sleep(2 * retryEvery)
		synctest.Wait()
		want("after Bob's command was retried,", 2)
		leave["Cid"]()
		want("after Cid has left,", 1)
		a.set(func(r *replica) { r.filled = "" })
		time.Sleep(2 * retryEvery)
		synctest.Wait()
		want("in the end", 0)
	})
}

func TestTypingIsRefreshedAndStaysInItsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newCluster(t, 1, Options{}).replicas[0]
		ann, bob := a.join("Ann"), a.join("Bob")
		bob.Send(`27["join","go"]`)
		bob.nextLike("joined", `37[{"ok":true`)
		synctest.Wait()
		ann.announcements()
		bob.announcements()
		ann.Send(`2["typing",{"room":"go"}]`)
		bob.WantNothing("Ann is not in the room", time.Second)
		ann.Send(`2["typing"]`)
		bob.Want("typing", `2["typing",{"username":"Ann","room":"lobby"}]`)
		synctest.Wait()
		time.Sleep(4 * time.Second)
		ann.Send(`2["typing"]`)
		bob.Want("refreshed", `2["typing",{"username":"Ann","room":"lobby"}]`)
		start := time.Now()
		bob.Want("it ends", `2["stop typing",*`)
		if lasted := time.Since(start); lasted < typingLasts {
			t.Errorf("typing ends %v after it was refreshed, want %v", lasted, typingLasts)
		}
	})
}

// An instance that joins claims the users of its clients again, except those that are being claimed.
func TestPendingClaimIsNotRepeatedOnJoining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		p := &page{}
		p.open(&a.site)
		p.name("Ann")
		a.set(func(r *replica) { r.paused = true })
		p.Close()
		if !p.open(&a.site) {
			t.Fatal("client was not recovered")
		}
		synctest.Wait()
		if bodies := a.Joined(); len(bodies) != 0 {
			t.Errorf("%d claims are appended again, want none", len(bodies))
		}
	})
}

func TestWaitingLinesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		bob := a.join("Bob")
		a.coalesceFromNow()
		a.mu.Lock()
		for range maxWaiting - 1 {
			a.lines.waiting = append(a.lines.waiting, waitingLine{room: "nobody's"})
		}
		a.mu.Unlock()
		c.put("z", claimOf(1, "Ann"))
		bob.Want("sent at once, being one too many", `2["announcement","Ann connected",*]`)
	})
}

func TestGroupIsBounded(t *testing.T) {
	lines := make([]waitingLine, maxGroup+1)
	for i := range lines {
		lines[i] = waitingLine{room: state.Lobby, line: state.Line{Kind: state.JoinLine, Seq: uint64(i + 1)}}
	}
	if groups := groupLines(lines); len(groups) != 2 || len(groups[0].lines) != maxGroup {
		t.Errorf("%d lines are put into %d groups, the first of %d lines, want 2, %d",
			len(lines), len(groups), len(groups[0].lines), maxGroup)
	}
}
