package chat

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/chat/state"
	"chatapp/internal/store"
	"chatapp/internal/store/storetest"
)

// archive stores what a cluster records, as the archivist does.
type archive struct {
	t       testing.TB
	cluster *cluster
	memory  *storetest.Memory
	store   store.Store

	mu    sync.Mutex
	lines []store.Line // recorded, and not stored
}

// newArchive starts a cluster whose first replica records, and whose replicas read the store.
func newArchive(t testing.TB, n int, o Options) *archive {
	a := &archive{t: t, memory: storetest.NewMemory(1)}
	a.cluster = newCluster(t, n, o)
	a.store = a.memory.Open()
	if _, err := a.store.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.cluster.replicas[0].options.Recorded = func(lines []store.Line) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.lines = append(a.lines, lines...)
	}
	for _, r := range a.cluster.replicas {
		r.SetStore(a.memory.Open())
	}
	return a
}

// save stores what was recorded, with a checkpoint.
func (a *archive) save() {
	a.t.Helper()
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cluster.mu.Lock()
	entries := slices.Clone(a.cluster.entries)
	a.cluster.mu.Unlock()
	head, err := a.store.Head(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	b := store.Batch{After: head.Index, Lines: a.lines}
	for i := head.Index; i < uint64(len(entries)); i++ {
		b.Entries = append(b.Entries, store.Entry{Index: i + 1, Body: entries[i].Body})
	}
	b.Checkpoint = &store.Checkpoint{Index: uint64(len(entries)), Body: a.cluster.replicas[0].Snapshot()}
	if err := a.store.Append(a.t.Context(), b); err != nil {
		a.t.Fatal(err)
	}
	a.lines = nil
}

// answer is the reply to an event.
type answer struct {
	OK       bool
	Code     string
	Room     string
	Messages []lineView
	More     bool
	Dropped  bool
	Before   string
	By       int64
}

func (a answer) texts() (texts []string) {
	for _, l := range a.Messages {
		texts = append(texts, l.Text)
	}
	return texts
}

// ask sends an event and returns the answer. It drops what comes before that.
func (p *page) ask(event string, args ...any) (a answer) {
	p.t.Helper()
	encoded, err := json.Marshal(append([]any{event}, args...))
	if err != nil {
		p.t.Fatal(err)
	}
	p.ack++
	prefix := fmt.Sprintf("3%d[", p.ack)
	if p.raw {
		inner, _ := json.Marshal(append([]any{}, args...))
		p.Send(fmt.Sprintf(`{"event":%q,"args":%s,"id":%d}`, event, inner, p.ack))
		prefix = fmt.Sprintf(`{"ack":%d,"args":[`, p.ack)
	} else {
		p.Send(fmt.Sprintf("2%d%s", p.ack, encoded))
	}
	text := p.Next("an answer to " + event)
	for !strings.HasPrefix(text, prefix) {
		p.read(text)
		text = p.Next("an answer to " + event)
	}
	decoder := json.NewDecoder(strings.NewReader(strings.TrimPrefix(text, prefix)))
	if err := decoder.Decode(&a); err != nil {
		p.t.Fatalf("%s is answered by %s: %v", event, text, err)
	}
	return a
}

// visitor connects a page without a name, by either endpoint.
func (r *replica) visitor(raw bool) *page {
	p := &page{raw: raw}
	p.open(&r.site)
	p.until("the greeting", "status")
	return p
}

// all reads a room to its beginning, page by page.
func (p *page) all(room string, limit int) (lines []lineView, last answer) {
	p.t.Helper()
	options := map[string]any{"room": room, "limit": limit}
	for {
		last = p.ask("history", options)
		for last.Code == "too_fast" {
			time.Sleep(time.Second)
			last = p.ask("history", options)
		}
		if !last.OK {
			p.t.Fatalf("history %v is refused: %s", options, last.Code)
		}
		lines = append(last.Messages, lines...)
		if !last.More {
			return lines, last
		}
		if len(last.Messages) == 0 {
			p.t.Fatalf("history %v has no line, and more", options)
		}
		options["before"] = last.Messages[0].ID
	}
}

func TestHistoryReadsOnFromTheStore(t *testing.T) {
	for _, raw := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := newArchive(t, 1, Options{Bounds: Bounds{RoomLines: 10}, MessageRate: -1, HistoryOnJoin: 5})
			ann := a.cluster.replicas[0].join("Ann")
			want := []string{"Ann connected"}
			for i := range 50 {
				want = append(want, fmt.Sprint("m", i))
				ann.sent(want[len(want)-1])
			}
			a.save()
			for _, limit := range []int{1, 7, 10, 200} {
				lines, last := a.cluster.replicas[0].visitor(raw).all("lobby", limit)
				if got := (answer{Messages: lines}).texts(); !reflect.DeepEqual(got, want) || last.Dropped {
					t.Errorf("raw %v, in pages of %d: %q, dropped: %v; want all", raw, limit, got, last.Dropped)
				}
				for i := range lines[1:] {
					a, err := state.ParsePosition(lines[i].ID)
					b, err2 := state.ParsePosition(lines[i+1].ID)
					if err != nil || err2 != nil || a.Seq >= b.Seq || lines[i].Time > lines[i+1].Time {
						t.Errorf("line %+v is before %+v", lines[i], lines[i+1])
					}
				}
				kept, _ := a.cluster.replicas[0].state.Room("lobby").Last(10, 0)
				if got := lines[len(lines)-1].ID; got != kept[9].Position().String() {
					t.Errorf("id of the last line is %s, want that of memory", got)
				}
			}
		})
	}
}

// Where older lines are neither in memory nor in a store, the answer says so; and the beginning is one only where it
// is.
func TestBeginningIsToldTruly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArchive(t, 1, Options{Bounds: Bounds{RoomLines: 3}, MessageRate: -1, HistoryOnJoin: 5})
		r := a.cluster.replicas[0]
		event := func() string {
			u := r.dial("")
			defer u.Close()
			u.Connect("/", "")
			text := u.nextLike("history", `2["history",`)
			return text[strings.LastIndex(text, `"more"`):strings.LastIndex(text, "}")]
		}
		ann := r.join("Ann")
		if got := event(); got != `"more":false` {
			t.Errorf("history of a new room says %s", got)
		}
		for i := range 5 {
			ann.sent(fmt.Sprint("m", i))
		}
		a.save()
		if got := event(); got != `"more":true` {
			t.Errorf("with older lines in the store the event says %s", got)
		}
		// A store that lacks the first lines, as if it had come later.
		if err := a.store.Rewrite(t.Context(), 4, func(*store.Line) store.Change { return store.Drop }); err != nil {
			t.Fatal(err)
		}
		if lines, last := r.visitor(false).all("lobby", 2); len(lines) != 4 || !last.Dropped {
			t.Errorf("store without the first: %d lines, dropped %v; want 4", len(lines), last.Dropped)
		}
		r.SetStore(nil)
		if got := event(); got != `"more":false,"dropped":true` {
			t.Errorf("without a store the event says %s", got)
		}
		if lines, last := r.visitor(false).all("lobby", 2); len(lines) != 3 || !last.Dropped {
			t.Errorf("without a store: %d lines, dropped: %v; want 3 and true", len(lines), last.Dropped)
		}
	})
}

// While the store does not answer, the chat goes on, few requests wait, each for a bounded time, and the refusal says
// why.
func TestSlowStoreHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArchive(t, 1, Options{Bounds: Bounds{RoomLines: 3}, MessageRate: -1, HistoryOnJoin: 3})
		r := a.cluster.replicas[0]
		ann := r.join("Ann")
		for i := range 5 {
			ann.sent(fmt.Sprint("m", i))
		}
		a.save()
		bob := r.visitor(true)
		first := bob.ask("history", map[string]any{"limit": 2})
		if !first.OK || !first.More {
			t.Fatalf("first page is %+v, want more", first)
		}
		a.memory.Stall(true)
		older := map[string]any{"before": first.Messages[0].ID, "limit": 200}
		start := time.Now()
		got := bob.ask("history", older)
		if took := time.Since(start); !got.OK || !got.More || len(got.Messages) != 1 || took != maxReadTime {
			t.Errorf("what memory has is answered by %+v after %v, want one line and more", got, took)
		}
		older["before"] = got.Messages[0].ID
		if got := bob.ask("history", older); got.Code != "history_unavailable" {
			t.Errorf("what memory lacks is answered by %+v", got)
		}
		bob.Send(fmt.Sprintf(`{"event":"history","args":[{"before":%q}],"id":1}`, older["before"]))
		bob.Send(fmt.Sprintf(`{"event":"history","args":[{"before":%q}],"id":2}`, older["before"]))
		if got := bob.ask("history", older); got.Code != "overloaded" {
			t.Errorf("a third request at a time is answered by %+v, want overloaded", got)
		}
		ann.sent("meanwhile")
		a.memory.Stall(false)
		synctest.Wait()
		if got := bob.ask("history", older); !got.OK || len(got.Messages) != 3 || got.More {
			t.Errorf("once the store answers, it is %+v, want three lines", got)
		}
		a.memory.Stall(true)
		bob.Send(fmt.Sprintf(`{"event":"history","args":[{"before":%q}],"id":3}`, older["before"]))
		synctest.Wait()
		start = time.Now()
		r.Close()
		if took := time.Since(start); took != 0 {
			t.Errorf("Close has waited %v for the store", took)
		}
	})
}

// Between what memory has dropped and what the store has already, there is no silent gap.
func TestLinesThatAreNotSavedYetAreNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArchive(t, 1, Options{Bounds: Bounds{RoomLines: 3}, MessageRate: -1, HistoryOnJoin: 3})
		r := a.cluster.replicas[0]
		ann := r.join("Ann")
		ann.sent("saved")
		a.save()
		for i := range 5 {
			ann.sent(fmt.Sprint("m", i))
		}
		bob := r.visitor(false)
		page := bob.ask("history", map[string]any{"limit": 3})
		if !page.More || len(page.Messages) != 3 {
			t.Fatalf("what memory has is %+v, want 3 lines and more", page)
		}
		older := map[string]any{"before": page.Messages[0].ID, "limit": 10}
		if got := bob.ask("history", older); got.Code != "history_unavailable" {
			t.Errorf("history behind a gap is answered by %+v", got)
		}
		a.save()
		got, want := bob.ask("history", older).texts(), []string{"Ann connected", "saved", "m0", "m1"}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("once they are saved, it is %q, want %q", got, want)
		}
	})
}

// Lines of a log that this one does not continue, and lines that can't be read, are left out; a position is checked as
// in memory.
func TestForeignLinesAreNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArchive(t, 1, Options{Bounds: Bounds{RoomLines: 3}, MessageRate: -1, HistoryOnJoin: 3})
		r := a.cluster.replicas[0]
		ann := r.join("Ann")
		for i := range 6 {
			ann.sent(fmt.Sprint("m", i))
		}
		synctest.Wait()
		foreign := state.Line{Log: 77, From: "Eve", Text: "of a lost log"}
		a.lines[2].Body = foreign.Encode()
		a.lines[3].Body = []byte("malformed")
		a.save()
		bob := r.visitor(false)
		lines, _ := bob.all("lobby", 2)
		got, want := (answer{Messages: lines}).texts(), []string{"Ann connected", "m0", "m3", "m4", "m5"}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("history is %q, want %q", got, want)
		}
		page, err := a.store.Lines(t.Context(), "lobby", 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		foreign.Seq = page.Lines[2].Seq
		for _, before := range []state.Position{foreign.Position(), {Log: 5, Seq: 4, Check: 6}} {
			if got := bob.ask("history", map[string]any{"before": before.String()}); !got.OK || got.Messages == nil ||
				len(got.Messages) != 0 || got.More {
				t.Errorf("history before a foreign position is %+v, want none", got)
			}
		}
		if got := bob.ask("history", map[string]any{"before": "x"}); got.Code != "bad_argument" {
			t.Errorf("history before no position is %+v", got)
		}
	})
}
