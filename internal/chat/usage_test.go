package chat

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/allowance"
	"chatapp/internal/engineio"
	"chatapp/internal/tokenbucket"
)

// clusterOfAddress is one replica that all clients reach from one address, which may say rate messages a second.
func clusterOfAddress(t *testing.T, o Options, rate float64) *replica {
	addresses := allowance.NewTable(allowance.Limits{allowance.Messages: tokenbucket.NewLimit(rate, 2*rate)})
	return newClusterOver(t, 1, o, engineio.Options{Addresses: addresses}).replicas[0]
}

// say sends a text of a number of bytes, and returns the acknowledgement.
func (u *testUser) say(bytes int) string {
	u.Send(`21["user message","` + strings.Repeat("x", bytes) + `"]`)
	return until(u, "31[")
}

// saysMost has a client say texts of a number of bytes until one is refused, and returns how many were said.
func (u *testUser) saysMost(bytes int) (said int) {
	for strings.Contains(u.say(bytes), `"ok":true`) {
		said++
	}
	return said
}

// A message counts to its address once for each KiB that it begins, and to its user once.
func TestMessagesOfAnAddressCountBySize(t *testing.T) {
	for _, row := range []struct{ bytes, said int }{{1, 20}, {1024, 20}, {1025, 10}, {2048, 10}, {2049, 6}, {3900, 5}} {
		t.Run(fmt.Sprint(row.bytes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ann := clusterOfAddress(t, Options{MessageRate: 100}, 10).join("Ann")
				if said := ann.saysMost(row.bytes); said != row.said {
					t.Errorf("%d messages of %d bytes were said at once, want %d", said, row.bytes, row.said)
				}
			})
		})
	}
}

// What checking a large text costs counts: a client that may say nothing is refused without it.
func TestLargeTextIsCheckedOnlyIfItMayBeSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann := clusterOfAddress(t, Options{MessageRate: 100, MaxMessageLength: 2000}, 2).join("Ann")
		tooLong := func(why string, bytes int, code string) {
			t.Helper()
			if answer := ann.say(bytes); !strings.Contains(answer, code) {
				t.Errorf("%s = %s, want %s", why, answer, code)
			}
		}
		tooLong("the first long text", 2001, "too_long")
		tooLong("another", 2001, "too_long")
		tooLong("one more than the address may say", 2001, "too_fast")
		tooLong("one that is refused for its bytes alone", 16<<10+1, "too_long")
		time.Sleep(time.Second)
		tooLong("a long text a second later", 2001, "too_long")
		if said := ann.saysMost(1); said != 0 {
			t.Errorf("%d messages were said at once behind it, want none", said)
		}
	})
}

// A message that its address may not say any more takes nothing from what its user and connection may say. One that its
// user may not say takes nothing from what the address may. Either way the client is told how long to wait.
func TestRefusedMessageTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := clusterOfAddress(t, Options{MessageRate: 5}, 10)
		ann, bob := a.join("Ann"), a.join("Bob")
		if said := bob.saysMost(1); said != 10 {
			t.Fatalf("Bob says %d messages, want 10", said)
		}
		bob.Send(`21["user message","x"]`)
		bob.Want("refused by what Bob may say", `31[{"ok":false,"code":"too_fast","message":"*","wait":20*}]`)
		for i := range 10 {
			want := `"wait":20` // until the address may say another two KiB
			if i < 5 {
				want = `{"ok":true,`
			}
			if answer := ann.say(1025); !strings.Contains(answer, want) {
				t.Errorf("message %d of two KiB = %s, want %s", i, answer, want)
			}
		}
		time.Sleep(time.Second) // the address may say ten again, and Bob five
		if said := ann.saysMost(1); said != 10 {
			t.Errorf("Ann says %d messages at once behind five said and five refused, want all ten", said)
		}
		time.Sleep(time.Second)
		if said := bob.saysMost(1); said != 10 {
			t.Errorf("Bob says %d messages at once behind two seconds, want ten", said)
		}
	})
}
