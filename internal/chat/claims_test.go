package chat

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Requests that a client sends while its claim is pending are decided in the order of the log, too.
func TestRequestsBehindPendingClaimKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		ann := a.join("Ann")
		bob := a.visit("")
		a.set(func(r *replica) { r.paused = true })
		bob.Send(`21["nickname","Ann"]`)
		bob.Send(`22["nickname","Bob"]`)
		bob.Send(`23["nickname","Bobby"]`)
		bob.Send(`24["user message","hi"]`)
		synctest.Wait()
		a.set(func(r *replica) { r.paused = false })
		bob.Want("taken", `31[true,{"ok":false,"code":"name_taken",*`)
		token := tokenOf(t, bob.nextLike("granted", `32[false,{"ok":true,"name":"Bob",`))
		bob.Want("session", `2["session",{*"name":"Bob"*`)
		bob.Want("list", `2["nicknames",{"Ann":"Ann","Bob":"Bob"},*`)
		bob.Want("renamed, with the same token",
			`33[false,{"ok":true,"name":"Bobby","token":"`+token+`","room":"lobby","rooms":["lobby"]}]`)
		bob.Want("session", `2["session",{*"name":"Bobby"*`)
		bob.Want("list", `2["nicknames",{"Ann":"Ann","Bobby":"Bobby"},*`)
		bob.Want("said", `34[{"ok":true,*`)
		ann.Want("connected", `2["announcement","Bob connected",*`)
		ann.Want("list", `2["nicknames",*`)
		ann.Want("renamed", `2["announcement","Bob is now called Bobby",*`)
		ann.Want("list", `2["nicknames",*`)
		ann.Want("said", `2["user message","Bobby","hi",*`)
	})
}

// A page of 4.x requests its nickname again after every reconnection, recovered or not.
func TestV4PageIsLoggedInAgainAfterReconnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		ann := c.replicas[0].join("Ann")
		p := &page{}
		p.open(&c.replicas[0].site)
		p.Send(`2["add user","Ann"]`)
		p.until("logged in", "login")
		ann.Want("joined", `2["announcement","Ann 2 connected",*`)
		ann.Want("list", `2["nicknames",*`)

		p.Close()
		ann.sent("missed")
		if !p.open(&c.replicas[1].site) {
			t.Fatal("client was not recovered")
		}
		p.Send(`2["add user","Ann"]`)
		_, args := p.until("missed", "new message")
		if got := args[0].(map[string]any)["message"]; got != "missed" {
			t.Errorf("replayed was %q, want missed", got)
		}
		_, args = p.until("logged in", "login")
		if got := args[0].(map[string]any)["username"]; got != "Ann 2" {
			t.Errorf("recovered page is logged in as %q, want Ann 2", got)
		}
		ann.WantNothing("nobody else is sent anything", 10*time.Second)

		// After so long that somebody else has the nickname, the page receives a variant.
		p.Close()
		time.Sleep(time.Minute)
		ann.Want("away", `2["away",*`)
		ann.Want("left", `2["announcement","Ann 2 disconnected",*`)
		ann.Want("list", `2["nicknames",*`)
		c.replicas[0].join("Ann 2")
		ann.announcements()
		if !p.open(&c.replicas[1].site) {
			t.Fatal("client was not recovered")
		}
		c.replicas[1].set(func(r *replica) { r.paused = true })
		p.Send(`2["add user","Ann"]`)
		synctest.Wait()
		c.replicas[1].set(func(r *replica) { r.paused = false })
		for {
			text := p.Next("logged in")
			if strings.HasPrefix(text, `2["login",{"numUsers":3,"username":"Ann 3",`) {
				break
			}
			if strings.HasPrefix(text, `2["login"`) {
				t.Fatalf("page receives %s, want Ann 3", text)
			}
		}
		c.agree()
	})
}

// A connection that takes over another's socket and is lost before its claim is appended must not leave the user
// behind for ever.
func TestSupersededSocketsUserExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		bob := a.join("Bob")
		p := &page{}
		p.open(&a.site)
		p.name("Ann")
		bob.Want("joined", `2["announcement","Ann connected",*`)
		bob.Want("list", `2["nicknames",*`)
		first := p.testUser
		for i := range 5 {
			before := p.testUser
			if !p.open(&a.site) { // the old connection is still open
				t.Fatalf("client was not recovered the %d. time", i)
			}
			before.WantClose(fmt.Sprint("connection ", i, " is superseded"), 0)
		}
		p.Close()
		first.Close()
		bob.Want("away", `2["away",{"name":"Ann","room":"lobby","away":true}]`)
		time.Sleep(31 * time.Second)
		bob.Want("announced once", `2["announcement","Ann disconnected",*`)
		bob.Want("list", `2["nicknames",{"Bob":"Bob"},*`)
		bob.WantNothing("and no more", time.Minute)
	})
}
