package chat

import (
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"

	"chatapp/internal/chat/state"
	"chatapp/internal/store"
)

// What an instance hands over for a store is the history, number by number, and the same on every instance.
func TestRecordedLinesAreTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recorded := make([][]store.Line, 2)
		c := newCluster(t, 2, Options{Recorded: func(lines []store.Line) {
			recorded[0] = append(recorded[0], lines...)
		}})
		c.replicas[1].options.Recorded = func(lines []store.Line) { recorded[1] = append(recorded[1], lines...) }
		ann := c.replicas[0].join("Ann")
		ann.sent("hello")
		ann.Send(`2["join","go"]`)
		ann.Send(`2["rename","Anna"]`)
		synctest.Wait()
		if !reflect.DeepEqual(recorded[0], recorded[1]) {
			t.Errorf("instances recorded %v and %v, want the same", recorded[0], recorded[1])
		}
		var got []string
		last := uint64(0)
		for _, l := range recorded[0] {
			decoded, err := state.DecodeLine(l.Body)
			if err != nil || l.Seq <= last || l.Index == 0 || l.Time == 0 || l.User != recorded[0][0].User {
				t.Errorf("line %+v, %v, want ascending numbers, an index, a time and the one user", l, err)
			}
			last, decoded.Seq = l.Seq, l.Seq
			got = append(got, fmt.Sprint(l.Room, " ", decoded.Kind, " ", decoded.From, decoded.Was, decoded.Text))
			kept, ok := c.replicas[1].state.Room(l.Room).Line(l.Seq)
			if !ok || kept.Position() != decoded.Position() {
				t.Errorf("line %s in the store is %s in memory", decoded.Position(), kept.Position())
			}
		}
		want := []string{"lobby 1 Ann", "lobby 0 Annhello", "go 1 Ann", "lobby 3 AnnaAnn", "go 3 AnnaAnn"}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("recorded %q, want %q", got, want)
		}
	})
}
