package chat

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// audited is a replica of people who are signed in, and how often each is named by the audit lines about a kind of
// action.
func audited(t *testing.T, bounds Bounds, what string) (enter func(name string) *testUser, named map[string]int) {
	named = make(map[string]int)
	a := newCluster(t, 1, Options{SignedIn: signedInByQuery, MessageRate: -1, Bounds: bounds,
		Audit: func(action, remote, user string) {
			if action == what && remote != "" {
				named[user]++
			}
		}}).replicas[0]
	return func(name string) *testUser {
		u := a.dial("&person=" + name)
		u.Connect("/", "")
		until(u, `"session",{"instance":"a","name":"`+name)
		synctest.Wait()
		return u
	}, named
}

// Once the history is full, everybody's next line drops old ones. The trace names one who says much, and nobody who
// talks meanwhile.
func TestAuditNamesThoseWhoFillTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enter, named := audited(t, Bounds{HistoryBytes: 256 << 10}, "filled the history: old lines dropped")
		ann, mallory := enter("Ann"), enter("Mallory")
		talk := func(pause time.Duration, often int) {
			for range often {
				ann.say(100)
				time.Sleep(pause)
			}
		}
		fill := func() {
			for range 8 {
				mallory.say(3900)
				ann.say(100)
			}
		}
		for range 8 {
			fill()
		}
		synctest.Wait()
		if len(named) != 0 {
			t.Errorf("%v are named before anything was dropped", named)
		}
		for range 10 {
			fill()
			time.Sleep(time.Minute)
		}
		talk(time.Second, 600)
		if len(named) != 0 {
			t.Errorf("%v are named, want nobody who fills the history as slowly as people talk", named)
		}
		for range 20 {
			fill()
		}
		synctest.Wait()
		if !slices.Equal(slices.Collect(maps.Keys(named)), []string{"Mallory"}) || named["Mallory"] < 5 {
			t.Errorf("%v are named, want Mallory, again and again", named)
		}
	})
}

// Once there are as many rooms as may be, everybody's next room closes another. The trace names one who makes many.
func TestAuditNamesThoseWhoMakeManyRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enter, named := audited(t, Bounds{Rooms: 5}, "made rooms for which others were closed")
		ann, mallory := enter("Ann"), enter("Mallory")
		join := func(u *testUser, room string) {
			u.Send(`21["join","` + room + `"]`)
			if got := until(u, "31["); !strings.Contains(got, `"ok":true`) {
				t.Fatalf("join = %s", got)
			}
			u.Send(`22["leave","` + room + `"]`)
			until(u, "32[")
		}
		for i := range 9 {
			join(mallory, fmt.Sprint("held ", i))
			if i == 5 {
				join(ann, "the first of Ann")
			}
		}
		time.Sleep(2 * floodTime)
		join(ann, "the second of Ann")
		synctest.Wait()
		if !slices.Equal(slices.Collect(maps.Keys(named)), []string{"Mallory"}) || named["Mallory"] < 2 {
			t.Errorf("%v are named, want Mallory alone", named)
		}
	})
}
