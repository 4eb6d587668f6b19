package chat

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// find searches until there is no more, and returns what was found and in how many pages.
func (p *page) find(options map[string]any) (found []string, pages int) {
	p.t.Helper()
	for {
		got := p.ask("search", options)
		if got.Code == "too_fast" {
			time.Sleep(time.Second)
			continue
		}
		if !got.OK || got.More != (got.Before != "") {
			p.t.Fatalf("search %v is answered by %+v", options, got)
		}
		pages++
		for _, l := range got.Messages {
			found = append(found, l.Room+" "+l.From+": "+l.Text)
		}
		if !got.More {
			return found, pages
		}
		options["before"] = got.Before
	}
}

func TestSearchFindsInMemoryAndStore(t *testing.T) {
	for _, raw := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := newArchive(t, 1, Options{Bounds: Bounds{RoomLines: 4}, MessageRate: -1, HistoryOnJoin: 1})
			r := a.cluster.replicas[0]
			ann, bob := r.named(raw, "Ann"), r.named(raw, "Bob")
			garden, cellar := map[string]any{"room": "garden"}, map[string]any{"room": "cellar"}
			ann.ask("join", "garden")
			bob.ask("join", "cellar")
			for i := range 6 {
				ann.ask("user message", fmt.Sprint("안녕 Rose ", i))
				ann.ask("user message", fmt.Sprint("a ROSE in the garden ", i), garden)
				bob.ask("user message", fmt.Sprint("a rose in the cellar ", i), cellar)
			}
			a.save()
			var lobby, both []string
			for i := 5; i >= 0; i-- {
				lobby = append(lobby, fmt.Sprint("lobby Ann: 안녕 Rose ", i))
				both = append(both, fmt.Sprint("garden Ann: a ROSE in the garden ", i), lobby[len(lobby)-1])
			}
			for _, test := range []struct {
				by      *page
				options map[string]any
				want    []string
			}{
				{ann, map[string]any{"text": "rose"}, both},
				{ann, map[string]any{"text": "rose", "room": "lobby"}, lobby},
				{r.visitor(raw), map[string]any{"text": "ｒｏｓｅ"}, lobby},
				{bob, map[string]any{"text": "3 rose", "room": "cellar"},
					[]string{"cellar Bob: a rose in the cellar 3"}},
				{bob, map[string]any{"text": "안녕 2"}, []string{"lobby Ann: 안녕 Rose 2"}},
				{bob, map[string]any{"text": "tulip"}, nil},
			} {
				if got, pages := test.by.find(test.options); !reflect.DeepEqual(got, test.want) || pages != 1 {
					t.Errorf("raw %v: %v finds %q in %d pages, want %q", raw, test.options, got, pages, test.want)
				}
			}
			for code, options := range map[string]any{
				"not_in_room": map[string]any{"text": "rose", "room": "garden"}, "empty": map[string]any{"text": " "},
				"bad_argument": map[string]any{"text": "x", "before": "x"},
				"room_invalid": map[string]any{"text": "x", "room": ""},
			} {
				if got := bob.ask("search", options); got.Code != code {
					t.Errorf("search %v is answered by %+v, want %s", options, got, code)
				}
			}
			got := bob.ask("search", map[string]any{"text": "rose", "before": "1.2.3"})
			if !got.OK || got.Messages == nil || len(got.Messages) != 0 || got.More {
				t.Errorf("search before a position of no log is answered by %+v, want nothing", got)
			}
			a.memory.Stall(true)
			got = ann.ask("search", map[string]any{"text": "rose"})
			if !got.OK || !got.More || len(got.Messages) == 0 {
				t.Errorf("while the store does not answer, a search is answered by %+v, want what memory has", got)
			}
			got = ann.ask("search", map[string]any{"text": "rose", "before": got.Before})
			if got.Code != "history_unavailable" {
				t.Errorf("beyond memory it is answered by %+v", got)
			}
		})
	}
}

// A search through many lines is answered in pages, none of which costs much, and finds each once.
func TestSearchIsPaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArchive(t, 1, Options{Bounds: Bounds{RoomLines: 100}, MessageRate: -1, HistoryOnJoin: 1})
		r := a.cluster.replicas[0]
		ann := r.named(false, "Ann")
		var want, hay []string
		for i := range maxScanned + 500 {
			if i == 5 || i == maxScanned {
				ann.ask("user message", fmt.Sprint("needle ", i))
				want = append([]string{fmt.Sprint("lobby Ann: needle ", i)}, want...)
			} else {
				ann.Send(fmt.Sprintf(`2["user message","hay %d"]`, i))
				if text := fmt.Sprint("lobby Ann: hay ", i); strings.Contains(text, "11") {
					hay = append([]string{text}, hay...)
				}
			}
		}
		a.save()
		if got, pages := ann.find(map[string]any{"text": "needle"}); !reflect.DeepEqual(got, want) || pages != 2 {
			t.Errorf("needles are %q in %d pages, want %q in 2", got, pages, want)
		}
		if got, pages := ann.find(map[string]any{"text": "hay 11"}); !reflect.DeepEqual(got, hay) ||
			pages != len(hay)/maxFound+1 {
			t.Errorf("found %d in %d pages, want %d in pages of %d", len(got), pages, len(hay), maxFound)
		}
	})
}
