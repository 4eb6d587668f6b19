package chat

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
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

// A client whose instance is drained may come back to one that has not come in the log to where the client got its name. Then it is not
// known by its token at once, and may ask for its name with it: before the log tells who it is, or after. It gets its name either way, and
// the token stays good.
func TestResumeOnALaggard(t *testing.T) {
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
				c.evict("a") // or its goodbye

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
				once.nextLike("the token is good", `2["session",{"instance":"c","name":"Ann",`)
				c.agree()
				if n := c.replicas[2].state.Size().Users; n != 1 {
					t.Errorf("%d users, want Ann alone", n)
				}
			})
		})
	}
}
