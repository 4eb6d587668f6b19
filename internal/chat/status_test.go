package chat

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/chat/state"
)

// A client learns of each other instance how long ago that was heard, and of none where that is not known.
func TestStatusSaysWhenInstancesWereHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		a.backplane.Cluster = func() Cluster {
			return Cluster{Ready: true, Instances: []Instance{{Name: "a", Self: true, Heard: time.Now()},
				{Name: "b", Heard: time.Now().Add(-1500 * time.Millisecond)}, {Name: "c"}}}
		}
		a.join("Ann").Want("status", `2["status",{"instance":"a","ready":true,"cutOff":false,"latency":0,"instances":[`+
			`{"name":"a","self":true,"users":*},{"name":"b","heard":1500,"users":*},{"name":"c","users":*}]}]`)
	})
}

// Many clients may ask how many users there are: they are counted once a second.
func TestUsersAreCountedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		users := func() int {
			a.mu.Lock()
			defer a.mu.Unlock()
			s := a.status.infoLocked()
			return s.Instances[0].Users
		}
		c.put("a", claimOf(1, "Ann"))
		time.Sleep(usersEvery)
		for i, want := range []int{1, 1, 3} {
			if got := users(); got != want {
				t.Errorf("after %d ms there are %d users, want %d", 600*i, got, want)
			}
			c.put("a", claimOf(uint64(2+i), fmt.Sprint("Bob ", i)))
			time.Sleep(600 * time.Millisecond)
		}
	})
}

// The roster of another room, which goes out with the same entry, does not stand for the lobby's, which is not sent to
// all yet: a client that has just got its nickname receives that one by itself.
func TestJoinerReceivesTheLobbysRoster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		ann, bob := a.join("Ann"), a.join("Bob")
		ann.Send(`21["join","side"]`)
		synctest.Wait()
		ann.drain()
		bob.drain()
		a.mu.Lock()
		now := time.Now()
		a.local.rooms[state.Lobby].roster.next = now.Add(time.Hour)
		a.rosters.changeLocked(state.Lobby)
		a.rosters.changeLocked("side")
		a.rosters.joiners = append(a.rosters.joiners, a.local.sorted()[1])
		a.rosters.sendNowLocked(now)
		a.unlock()
		bob.Want("the lobby's roster", `2["nicknames",{"Ann":"Ann","Bob":"Bob"},{"room":"lobby","users":2}]`)
		ann.Want("the other room's", `2["nicknames",{"Ann":"Ann"},{"room":"side","users":1}]`)
		ann.WantNothing("the lobby's comes later", time.Minute)
	})
}

// A timer of lines that were sent early has nothing to say about those that wait since.
func TestWaitingLinesAreNotSentByAnEarlierTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		observer := a.join("Observer")
		synctest.Wait()
		observer.drain()
		a.coalesceFromNow()
		c.put("z", claimOf(1, "Ann"))
		synctest.Wait()
		a.mu.Lock()
		earlier := a.lines.due
		a.lines.due = earlier.Add(time.Second)
		a.timers.Add(a.lines.due, a.lines.flushDueLocked)
		a.mu.Unlock()
		observer.WantNothing("the line waits", time.Until(earlier)+500*time.Millisecond)
		observer.Want("until it is due", `2["announcement","Ann connected",*`)
	})
}
