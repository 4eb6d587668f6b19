package chat

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/quick"

	"chatapp/internal/socketio"
)

// Types without AppendJSON.
type (
	plainMeta   meta
	plainSaid   said
	plainRoster rosterMeta
)

// TestEventsAreEncodedByTheirTags compares what the events append with what encoding/json makes of them.
func TestEventsAreEncodedByTheirTags(t *testing.T) {
	equal := func(v socketio.Appender, plain any) bool {
		want, err := json.Marshal(plain)
		if err != nil {
			t.Fatal(err)
		}
		var got, wanted any
		appended := v.AppendJSON([]byte{'['})[1:]
		if err := json.Unmarshal(appended, &got); err != nil {
			t.Errorf("%T is encoded as %s: %v", v, appended, err)
			return false
		}
		if err := json.Unmarshal(want, &wanted); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, wanted) {
			t.Errorf("%T is encoded as %s, want %s", v, appended, want)
			return false
		}
		return true
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, property := range []any{
		func(m meta) bool { return equal(m, plainMeta(m)) },
		func(s said) bool {
			s.Latency = float64(random.Int64N(1e9)) / 1000 // as it is measured
			return equal(s, plainSaid(s))
		},
		func(v historyView) bool {
			if v.Messages == nil {
				v.Messages = []lineView{}
			}
			return equal(historyEvent(v), v)
		},
		func(m rosterMeta) bool { return equal(m, plainRoster(m)) },
		func(names rosterNames) bool {
			want := make(map[string]string)
			for _, name := range names {
				want[name] = name
			}
			return equal(names, want)
		},
	} {
		if err := quick.Check(property, &quick.Config{MaxCount: 50}); err != nil {
			t.Error(err)
		}
	}
	equal(meta{}, plainMeta{})
	equal(said{}, plainSaid{})
	equal(historyEvent{Messages: []lineView{{}}}, historyView{Messages: []lineView{{}}})
	equal(rosterMeta{}, plainRoster{})
	equal(rosterNames(nil), struct{}{})
}
