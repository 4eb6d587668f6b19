package chat

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/chat/state"
)

// expiries returns how many users each expiry entry of the log names.
func (c *cluster) expiries(t *testing.T) (users []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.entries {
		if e.Body == nil {
			continue
		}
		command, err := state.DecodeCommand(e.Body)
		if err != nil {
			t.Fatal(err)
		}
		if expire, ok := command.Action.(*state.Expire); ok {
			users = append(users, len(expire.Users))
		}
	}
	return users
}

// The instance that has lost the connection times the expiry alone, and again if the log refuses the entry.
func TestUserIsExpiredByOneInstance(t *testing.T) {
	for _, test := range []struct {
		name string
		full bool // the log takes nothing while the hold time ends
		want time.Duration
	}{
		{"at once", false, 30 * time.Second},
		{"log is full", true, 30*time.Second + expireRetryEvery},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 3, Options{})
				a := c.replicas[0]
				ann := a.join("Ann")
				ann.Close()
				synctest.Wait()
				lost := time.Now()
				if test.full {
					a.set(func(r *replica) { r.full = true })
					time.Sleep(32 * time.Second)
					a.set(func(r *replica) { r.full = false })
				}
				for c.replicas[1].Counters().State.Users > 0 {
					if time.Since(lost) > 5*time.Minute {
						t.Fatal("user never expires")
					}
					time.Sleep(100 * time.Millisecond)
				}
				if after := time.Since(lost).Round(time.Second); after != test.want {
					t.Errorf("user has expired after %v, want %v", after, test.want)
				}
				time.Sleep(time.Minute)
				if got := c.expiries(t); len(got) != 1 || got[0] != 1 {
					t.Errorf("expiry entries name %v users, want one entry of one", got)
				}
			})
		})
	}
}

func TestManyUsersAreExpiredByBoundedEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users = maxExpired + 200
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		for n := range uint64(users) {
			c.put("z", claimOf(n, fmt.Sprint("User ", n)))
			c.put("z", state.Command{Conn: n, Action: &state.Disconnect{HoldMillis: 60_000}})
		}
		synctest.Wait()
		a.mu.Lock()
		now := time.Now()
		for u := range a.state.Users() {
			a.expiry.expireLocked(u.Stamp(), now)
		}
		a.unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		if got := c.expiries(t); slices.Max(got) > maxExpired {
			t.Errorf("expiry entries name %v users, want %d at most", got, maxExpired)
		}
		if n := a.Counters().State.Users; n != 0 {
			t.Errorf("%d users are left, want none", n)
		}
	})
}

// A user that returns after its nickname was freed is the same user, and is not away any more.
func TestUserThatReturnsAfterExpiryIsNotAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		bob := &page{}
		bob.open(&c.replicas[0].site)
		bob.name("Bob")
		p := &page{}
		p.open(&c.replicas[1].site)
		p.name("Ann")
		bob.wantRoster("Ann, Bob")
		p.Close()
		bob.until("away", "away")
		bob.wantRoster("Bob")
		if !p.open(&c.replicas[1].site) {
			t.Fatal("client was not recovered")
		}
		_, args := bob.until("back", "nicknames")
		if meta := args[1].(map[string]any); meta["users"] != 2.0 || meta["away"] != nil {
			t.Errorf("roster says %v, want two users and none of them away", meta)
		}
	})
}
