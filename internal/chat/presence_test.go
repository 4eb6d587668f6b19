package chat

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestOnlyLongAbsencesAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		bob := c.replicas[0].join("Bob")
		p := &page{}
		p.open(&c.replicas[1].site)
		p.name("Ann")
		bob.Want("joined", `2["announcement","Ann connected",*`)
		bob.Want("list", `2["nicknames",*`)
		p.Close()
		time.Sleep(presenceDelay / 2)
		p.open(&c.replicas[0].site)
		bob.WantNothing("a reload is not announced", time.Minute)
		p.Close()
		bob.Want("gone for longer", `2["away",{"name":"Ann","room":"lobby","away":true}]`)
		p.open(&c.replicas[1].site)
		bob.Want("back", `2["away",{"name":"Ann","room":"lobby","away":false}]`)

		for i := range maxAwayEvents - 1 { // Ann is there, too
			c.replicas[1].join(fmt.Sprint("User ", i))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		bob.announcements()
		c.evict("b")
		time.Sleep(2 * presenceDelay)
		bob.Want("many users in one roster",
			`2["nicknames",{*},{"room":"lobby","users":21,"away":[*"User 0"*"User 18"*]}]`)
		bob.WantNothing("and not one by one", 10*time.Second)
	})
}

// Rosters are sent no more often than their bytes times the listeners allow.
func TestRostersAreLimitedByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		bob := a.join("Bob")
		for number := range uint64(2000) {
			claim := claimOf(number, fmt.Sprint("Name ", number))
			a.Apply(Entry{Instance: "z", Epoch: 1, Number: number + 1, Body: claim.Encode()})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		bob.Send(`29["status"]`)
		lists, joined := 0, 0
		for {
			text := bob.Next("events")
			if strings.HasPrefix(text, `2["nicknames"`) {
				lists++
				joined = strings.Count(text, `":"Name `)
			}
			if strings.HasPrefix(text, `39[`) {
				break
			}
		}
		if lists > 500 || joined != 2000 {
			t.Errorf("2,000 users that joined led to %d rosters, the last of %d names; want some hundreds, 2000",
				lists, joined)
		}
	})
}
