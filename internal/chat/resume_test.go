package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// nextLike takes messages until one contains a text.
func (u *testUser) nextLike(why, text string) string {
	u.t.Helper()
	for {
		if next := u.Next(why); strings.Contains(next, text) {
			return next
		}
	}
}

// A client that returns to an instance which lags learns of a room that it has joined meanwhile when the instance has
// caught up. It receives who is there, too.
func TestRoomJoinedElsewhereComesWithItsRoster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		ann := c.replicas[0].visit("")
		ann.Send(`21["nickname","Ann"]`)
		token := tokenOf(t, ann.nextLike("named", "31["))
		synctest.Wait()
		c.replicas[1].set(func(r *replica) { r.paused = true })
		ann.Send(`22["join","attic"]`)
		ann.nextLike("joined", `32[{"ok":true`)
		ann.Close()
		again := c.replicas[1].dial("")
		again.Connect("/", `{"token":"`+token+`"}`)
		again.nextLike("the rooms that are known", `"name":"Ann","rooms":["lobby"]`)
		c.replicas[1].set(func(r *replica) { r.paused = false })
		again.nextLike("its past", `2["history","attic",`)
		again.nextLike("its people", `2["nicknames",{"Ann":"Ann"},{"room":"attic",`)
		again.nextLike("its rooms", `"rooms":["lobby","attic"]`)
	})
}

// A client whose instance is drained may return to one that has not applied the claim of its nickname. That
// instance does not know the token yet. The client may request its nickname with the token, before the instance
// catches up or after. It gets the nickname either way, and the token stays valid.
func TestTokenResumesUserOnAnInstanceThatLags(t *testing.T) {
	for _, test := range []struct {
		name  string
		early bool // asks while the instance lags
	}{{"asks at once", true}, {"asks when it is known again", false}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 3, Options{})
				ann := c.replicas[0].visit("")
				c.replicas[1].set(func(r *replica) { r.paused = true })
				ann.Send(`21["nickname","Ann"]`)
				var granted []json.RawMessage
				if err := json.Unmarshal([]byte(strings.TrimPrefix(ann.Next("named"), "31")), &granted); err != nil {
					t.Fatal(err)
				}
				var detail struct{ Token string }
				if err := json.Unmarshal(granted[1], &detail); err != nil || detail.Token == "" {
					t.Fatalf("nickname is answered by %s, want a token", granted)
				}
				ann.Close()
				c.evict("a") // or its leave

				again := c.replicas[1].dial("")
				again.Connect("/", `{"token":"`+detail.Token+`"}`)
				again.Want("nobody yet", `2["session",{"instance":"b","recovered":false,"limits":{*}}]`)
				ask := func() { again.Send(`21["nickname","Ann",{"token":"` + detail.Token + `"}]`) }
				if test.early {
					ask()
					synctest.Wait()
				}
				c.replicas[1].set(func(r *replica) { r.paused = false })
				again.nextLike("known again", `2["session",{"instance":"b","name":"Ann",`)
				if !test.early {
					ask()
				}
				again.nextLike("the name is granted", `31[false,{"ok":true,"name":"Ann"`)
				again.sent("I am here")
				again.Close()

				once := c.replicas[2].dial("")
				once.Connect("/", `{"token":"`+detail.Token+`"}`)
				once.nextLike("the token is valid", `2["session",{"instance":"c","name":"Ann",`)
				c.agree()
				if n := c.replicas[2].state.Size().Users; n != 1 {
					t.Errorf("%d users, want Ann alone", n)
				}
			})
		})
	}
}

func TestTokenResumesUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		ann := c.replicas[0].visit("")
		ann.Send(`21["nickname","Ann"]`)
		var granted []json.RawMessage
		if err := json.Unmarshal([]byte(strings.TrimPrefix(ann.Next("named"), "31")), &granted); err != nil {
			t.Fatal(err)
		}
		var detail struct{ Token string }
		if err := json.Unmarshal(granted[1], &detail); err != nil || detail.Token == "" {
			t.Fatalf("nickname is answered by %s, want a token", granted)
		}
		ann.Want("session", `2["session",*`)
		ann.Want("list", `2["nicknames",*`)
		ann.sent("said before")
		bob := c.replicas[1].join("Bob")

		// A reload: the page comes back with nothing but the token.
		ann.Close()
		bob.Want("away", `2["away",{"name":"Ann","room":"lobby","away":true}]`)
		again := c.replicas[1].dial("")
		again.Connect("/", `{"token":"`+detail.Token+`"}`)
		again.Want("session",
			`2["session",{"instance":"b","name":"Ann","rooms":["lobby"],"recovered":false,"limits":{*}}]`)
		again.Want("history with one's own", `2["history","lobby",{*"from":"Ann","text":"said before"*},"*"]`)
		again.Want("list", `2["nicknames",{"Ann":"Ann","Bob":"Bob"},*]`)
		again.Want("status", `2["status",*`)
		again.Want("confirmed", `2["session",{"instance":"b","name":"Ann",*},"*"]`)
		bob.Want("back", `2["away",{"name":"Ann","room":"lobby","away":false}]`)
		again.Want("back", `2["away",{"name":"Ann","room":"lobby","away":false}]`)

		// A second window takes over: the first is replaced.
		second := c.replicas[0].dial("")
		second.Connect("/", `{"token":"`+detail.Token+`"}`)
		again.Want("replaced", `2["replaced",{"message":"*"}]`)
		again.Want("ended", `1`)
		if asked := fmt.Sprint(c.replicas[0].asked); asked != "[b]" {
			t.Errorf("suspected instances are %s, want [b]", asked)
		}
		bob.WantNothing("nothing of it is announced", 5*time.Second)

		// Somebody else's nickname, asked for with the token, is refused; a free one renames.
		second.Want("session", `2["session",*`)
		second.Want("history", `2["history",*`)
		second.Want("list", `2["nicknames",*`)
		second.Want("status", `2["status",*`)
		second.Want("confirmed", `2["session",*`)
		second.Send(`22["nickname","bob",{"token":"` + detail.Token + `"}]`)
		second.Want("taken", `32[true,{"ok":false,"code":"name_taken",*`)
		second.Close()
		time.Sleep(31 * time.Second)
		bob.Want("away", `2["away",*`)
		bob.Want("announced once", `2["announcement","Ann disconnected",*`)
		bob.Want("list", `2["nicknames",{"Bob":"Bob"},*`)
		c.replicas[0].join("Ann")
		bob.Want("the name is free", `2["announcement","Ann connected",*`)
		bob.Want("list", `2["nicknames",*`)
		late := c.replicas[1].dial("")
		late.Connect("/", `{"token":"`+detail.Token+`"}`)
		for _, pattern := range []string{`2["session",*`, `2["history",*`, `2["nicknames",*`, `2["status",*`} {
			late.Want("greeting", pattern)
		}
		late.Want("the name is another's now",
			`2["session",{"instance":"b","recovered":false,"code":"name_lost","message":"*",*},"*"]`)
		c.agree()
	})
}
