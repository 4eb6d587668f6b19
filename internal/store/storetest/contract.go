// Package storetest tests implementations of store.Store with a test suite, Run. For tests of what uses a store it
// provides a store with faults, Memory.
package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"chatapp/internal/store"
)

// Subject is an empty store under test.
type Subject struct {
	// Open opens the store as another process would, each time. Run closes what it returns.
	Open func() (store.Store, error)

	// Raw returns all bytes that the store keeps anywhere, and is nil if there is no way to see them.
	Raw func() []byte

	// Steps is the number of random operations that Run compares with a model; 0: 300.
	Steps int
}

// Run checks that an implementation keeps the contract of store.Store. newSubject makes an empty store for each test
// and registers its clean-up.
func Run(t *testing.T, newSubject func(t *testing.T) Subject) {
	for _, test := range []struct {
		name string
		run  func(*tester)
	}{
		{"begins empty", testEmpty},
		{"keeps what is appended", testKeeps},
		{"takes lines behind their entries", testLateLines},
		{"has one writer", testWriter},
		{"drops what is above the index that a batch goes behind", testRewind},
		{"takes a batch again", testAgain},
		{"refuses a batch behind a gap", testGap},
		{"goes on behind a checkpoint that jumps", testJump},
		{"drops entries", testDropEntries},
		{"pages rooms in all sizes", testPages},
		{"takes any name of a room", testNames},
		{"takes any body", testBodies},
		{"rewrites lines", testRewrite},
		{"drops old lines", testDropLines},
		{"rewrites while batches are appended", testRewriteAside},
		{"keeps no byte of what is erased", testErased},
		{"does as the model does", testRandom},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := &tester{T: t, subject: newSubject(t)}
			t.Cleanup(u.close)
			test.run(u)
		})
	}
}

var (
	logA = store.LogID{Stamp: 1, Founder: "a"}
	logB = store.LogID{Stamp: 1 << 63, Founder: "b/#?\\é"}
)

func entries(first, last uint64) []store.Entry {
	var all []store.Entry
	for i := first; i <= last; i++ {
		all = append(all, store.Entry{Index: i, Body: fmt.Appendf(nil, "entry %d", i)})
	}
	return all
}

func line(room string, seq, index uint64, body string) store.Line {
	return store.Line{Room: room, Seq: seq, Index: index, Time: int64(index) * 1000, User: seq % 3, Body: []byte(body)}
}

func checkpoint(index uint64, body string) *store.Checkpoint {
	return &store.Checkpoint{Log: logA, Index: index, Body: []byte(body)}
}

func testEmpty(u *tester) {
	s := u.open()
	if head, err := s.Head(u.Context()); err != nil || head != (store.Head{}) {
		u.Errorf("Head() = %+v, %v, want the zero head", head, err)
	}
	u.wantEntries(s, 0)
	u.wantCheckpoint(s, nil)
	u.wantLines(s, "lobby", 0, 10, false)
	u.wantRooms(s)
	s = u.claim()
	if head, err := s.Head(u.Context()); err != nil || head.Term == 0 || head.Index != 0 {
		u.Errorf("Head() behind the first claim = %+v, %v, want a term and nothing else", head, err)
	}
}

func testLateLines(u *tester) {
	s := u.claim()
	u.append(s, store.Batch{Log: logA, Entries: entries(1, 2), Checkpoint: checkpoint(2, "state at 2"),
		Lines: []store.Line{line("lobby", 1, 1, "one")}})
	u.append(s, store.Batch{Log: logA, After: 2, Entries: entries(3, 4), Lines: []store.Line{
		line("lobby", 3, 2, "three"), line("room", 4, 3, "four")}})
	for range 2 { // the answer to the first is lost
		u.append(s, store.Batch{Log: logA, After: 2, Entries: entries(3, 4), Lines: []store.Line{
			line("lobby", 3, 2, "three"), line("room", 4, 3, "four")}})
	}
	for range 2 {
		u.append(s, store.Batch{Log: logA, After: 4, Lines: []store.Line{line("lobby", 6, 4, "six")}})
	}
	u.wantLines(s, "lobby", 0, 10, false, 1, 3, 6)
	u.append(s, store.Batch{Log: logB, After: 3, Entries: entries(4, 4)})
	u.wantLines(s, "lobby", 0, 10, false, 1, 3)
	u.append(s, store.Batch{Log: logB, After: 4, Checkpoint: checkpoint(4, "state at 4"),
		Lines: []store.Line{line("lobby", 7, 4, "seven")}})
	u.close()
	s = u.open()
	u.wantLines(s, "lobby", 0, 10, false, 1, 3, 7)
	u.wantLines(s, "room", 0, 10, false, 4)
}

func testKeeps(u *tester) {
	s := u.claim()
	u.append(s, store.Batch{Log: logA, Entries: entries(1, 3), Lines: []store.Line{
		line("lobby", 5, 2, "five"), line("room", 6, 2, "six"), line("lobby", 9, 3, "nine")}})
	u.append(s, store.Batch{Log: logB, After: 3, Entries: entries(4, 4), Lines: []store.Line{
		line("lobby", 10, 4, "ten")}, Checkpoint: checkpoint(4, "state at 4")})
	u.append(s, store.Batch{Log: logB, After: 4, Entries: entries(5, 6)})
	check := func(who string, r store.Store) {
		u.Helper()
		head, err := r.Head(u.Context())
		if err != nil || head.Log != logB || head.Index != 6 || head.Seq != 10 {
			u.Errorf("Head() of %s = %+v, %v, want the log %v, index 6, line 10", who, head, err, logB)
		}
		u.wantEntries(r, 0, 1, 2, 3, 4, 5, 6)
		u.wantEntries(r, 4, 5, 6)
		u.wantEntries(r, 6)
		u.wantCheckpoint(r, checkpoint(4, "state at 4"))
		u.wantLines(r, "lobby", 0, 10, false, 5, 9, 10)
		u.wantLines(r, "room", 0, 10, false, 6)
		u.wantLines(r, "another", 0, 10, false)
		u.wantRooms(r, "lobby", "room")
		page, err := r.Lines(u.Context(), "lobby", 10, 1)
		if want := line("lobby", 9, 3, "nine"); err != nil || len(page.Lines) != 1 || !same(page.Lines[0], want) {
			u.Errorf("Lines() of %s = %+v, %v, want %+v", who, page.Lines, err, want)
		}
	}
	check("the writer", s)
	check("another process", u.open())
	u.Run("until yield returns an error", func(*testing.T) {
		enough, calls := errors.New("enough"), 0
		err := s.Entries(u.Context(), 1, func(store.Entry) error {
			if calls++; calls == 2 {
				return enough
			}
			return nil
		})
		if err != enough || calls != 2 {
			u.Errorf("Entries() = %v behind %d calls, want yield's error behind 2", err, calls)
		}
		if err := s.Rooms(u.Context(), func(string) error { return enough }); err != enough {
			u.Errorf("Rooms() = %v, want yield's error", err)
		}
	})
	u.close()
	s = u.claim()
	check("the next process", s)
	u.append(s, store.Batch{Log: logB, After: 6, Entries: entries(7, 7)})
	u.wantEntries(s, 5, 6, 7)
}

func testWriter(u *tester) {
	a, b := u.claim(), u.open()
	u.append(a, store.Batch{Log: logA, Entries: entries(1, 1)})
	batch := store.Batch{Log: logA, After: 1, Entries: entries(2, 2)}
	if err := b.Append(u.Context(), batch); !errors.Is(err, store.ErrFenced) {
		u.Errorf("Append() without a claim = %v, want ErrFenced", err)
	}
	first, _ := a.Head(u.Context())
	second, err := b.Claim(u.Context())
	if errors.Is(err, store.ErrInUse) { // only one process can write
		u.append(a, batch)
		if err := a.Close(); err != nil {
			u.Fatal(err)
		}
		second, err = b.Claim(u.Context())
	} else {
		u.append(b, batch)
		for _, write := range []struct {
			name string
			call func() error
		}{ // the first one learns it from the store
			{"DropEntries", func() error { return a.DropEntries(u.Context(), 0) }},
			{"Append", func() error { return a.Append(u.Context(), batch) }},
			{"DropLines", func() error { return a.DropLines(u.Context(), time.Now()) }},
			{"Rewrite", func() error {
				return a.Rewrite(u.Context(), 9, func(*store.Line) store.Change { return store.Drop })
			}},
		} {
			if err := write.call(); !errors.Is(err, store.ErrFenced) {
				u.Errorf("%s() of the writer before = %v, want ErrFenced", write.name, err)
			}
		}
	}
	if err != nil || second.Term <= first.Term {
		u.Errorf("Claim() = %+v, %v, want a term above %d", second, err, first.Term)
	}
	u.append(b, store.Batch{Log: logA, After: 2, Entries: entries(3, 3)})
	u.wantEntries(b, 0, 1, 2, 3)
}

func testRewind(u *tester) {
	s := u.claim()
	u.append(s, store.Batch{Log: logA, Entries: entries(1, 4), Checkpoint: checkpoint(4, "four"), Lines: []store.Line{
		line("lobby", 1, 1, "one"), line("lobby", 2, 3, "two"), line("gone", 3, 4, "three"),
		line("lobby", 4, 4, "four")}})
	u.append(s, store.Batch{Log: logA, After: 4, Entries: entries(5, 9), Checkpoint: checkpoint(9, "nine"),
		Lines: []store.Line{line("lobby", 5, 6, "five")}})
	u.append(s, store.Batch{Log: logB, After: 8})
	u.wantEntries(s, 0, 1, 2, 3, 4, 5, 6, 7, 8)
	u.wantCheckpoint(s, checkpoint(4, "four"))
	u.wantLines(s, "lobby", 0, 10, false, 1, 2, 4, 5)
	u.append(s, store.Batch{Log: logB, After: 3, Entries: []store.Entry{{Index: 4, Body: []byte("another")}},
		Lines: []store.Line{line("lobby", 3, 4, "another three")}})
	for _, r := range []store.Store{s, u.open()} {
		if head, err := r.Head(u.Context()); err != nil || head.Log != logB || head.Index != 4 || head.Seq != 3 {
			u.Errorf("Head() = %+v, %v, want the log %v, index 4, line 3", head, err, logB)
		}
		var got []string
		err := r.Entries(u.Context(), 2, func(e store.Entry) error {
			got = append(got, string(e.Body))
			return nil
		})
		if want := []string{"entry 3", "another"}; err != nil || !slices.Equal(got, want) {
			u.Errorf("Entries(2) = %q, %v, want %q", got, err, want)
		}
		u.wantCheckpoint(r, nil)
		u.wantLines(r, "lobby", 0, 10, false, 1, 2, 3)
		u.wantRooms(r, "lobby")
	}
	u.close()
	s = u.claim()
	u.wantLines(s, "lobby", 0, 10, false, 1, 2, 3)
	u.append(s, store.Batch{Log: logB})
	u.wantLines(s, "lobby", 0, 10, false)
	u.wantEntries(s, 0)
}

func testAgain(u *tester) {
	s := u.claim()
	u.append(s, store.Batch{Log: logA, Entries: entries(1, 2), Lines: []store.Line{line("lobby", 1, 2, "one")}})
	batch := store.Batch{Log: logA, After: 2, Entries: entries(3, 4), Checkpoint: checkpoint(4, "four"),
		Lines: []store.Line{line("lobby", 2, 4, "two")}}
	for range 3 {
		u.append(s, batch)
		u.wantEntries(s, 0, 1, 2, 3, 4)
		u.wantLines(s, "lobby", 0, 10, false, 1, 2)
		u.wantCheckpoint(s, batch.Checkpoint)
	}
	u.close()
	s = u.claim()
	u.append(s, batch)
	u.wantEntries(s, 0, 1, 2, 3, 4)
	u.wantLines(s, "lobby", 0, 10, false, 1, 2)
}

func testGap(u *tester) {
	s := u.claim()
	u.append(s, store.Batch{Log: logA, Entries: entries(1, 5), Checkpoint: checkpoint(5, "five"),
		Lines: []store.Line{line("lobby", 7, 5, "seven")}})
	if err := s.DropEntries(u.Context(), 4); err != nil {
		u.Fatal(err)
	}
	for name, test := range map[string]struct {
		gap   bool
		batch store.Batch
	}{
		"behind the log":        {true, store.Batch{After: 6, Entries: entries(7, 7)}},
		"behind what is kept":   {true, store.Batch{After: 3, Entries: entries(4, 9)}},
		"no checkpoint below":   {true, store.Batch{After: 4, Entries: entries(5, 9)}},
		"entries leave one out": {false, store.Batch{After: 5, Entries: append(entries(6, 6), entries(8, 8)...)}},
		"entries begin early":   {false, store.Batch{After: 5, Entries: entries(5, 6)}},
		"the line's number": {false, store.Batch{After: 5, Entries: entries(6, 6),
			Lines: []store.Line{line("lobby", 7, 6, "")}}},
		"the line's index": {false, store.Batch{After: 5, Entries: entries(6, 6),
			Lines: []store.Line{line("lobby", 8, 7, "")}}},
		"the checkpoint's": {false, store.Batch{After: 5, Entries: entries(6, 6), Checkpoint: checkpoint(5, "")}},
	} {
		test.batch.Log = logA
		if err := s.Append(u.Context(), test.batch); err == nil || errors.Is(err, store.ErrGap) != test.gap {
			u.Errorf("Append(%s) = %v, want an error, ErrGap: %v", name, err, test.gap)
		}
	}
	u.append(s, store.Batch{Log: logA, After: 5, Entries: entries(6, 6)})
	u.wantEntries(s, 4, 5, 6)
}

func testJump(u *tester) {
	s := u.claim()
	u.append(s, store.Batch{Log: logA, Entries: entries(1, 3), Lines: []store.Line{line("lobby", 1, 1, "one")},
		Checkpoint: checkpoint(3, "three")})
	u.append(s, store.Batch{Log: logB, After: 3, Checkpoint: checkpoint(10, "ten"),
		Lines: []store.Line{line("lobby", 2, 8, "two"), line("lobby", 3, 10, "three")}})
	u.append(s, store.Batch{Log: logB, After: 10, Entries: entries(11, 12),
		Lines: []store.Line{line("lobby", 4, 11, "four")}})
	check := func() {
		u.Helper()
		u.wantCheckpoint(s, checkpoint(10, "ten"))
		u.wantEntries(s, 10, 11, 12)
		u.wantGone(s, 9)
		u.wantLines(s, "lobby", 0, 10, false, 1, 2, 3, 4)
	}
	check()
	u.close()
	s = u.claim()
	check()
	// Entries without those in between, of a log that has lost entries, and below what is kept.
	u.append(s, store.Batch{Log: logB, After: 20, Entries: entries(22, 23), Checkpoint: checkpoint(23, "more")})
	u.wantEntries(s, 21, 22, 23)
	u.wantGone(s, 20)
	u.append(s, store.Batch{Log: logB, After: 8, Entries: entries(9, 9), Checkpoint: checkpoint(9, "nine")})
	u.wantCheckpoint(s, checkpoint(9, "nine"))
	u.wantEntries(s, 8, 9)
	u.wantGone(s, 7)
	u.wantLines(s, "lobby", 0, 10, false, 1, 2)
}

func testDropEntries(u *tester) {
	s := u.claim()
	if err := s.DropEntries(u.Context(), 1); err == nil {
		u.Error("DropEntries() without a checkpoint = nil, want an error")
	}
	u.append(s, store.Batch{Log: logA, Entries: entries(1, 5), Checkpoint: checkpoint(5, "five"),
		Lines: []store.Line{line("lobby", 1, 1, "one")}})
	u.append(s, store.Batch{Log: logA, After: 5, Entries: entries(6, 10), Checkpoint: checkpoint(10, "ten")})
	u.append(s, store.Batch{Log: logA, After: 10, Entries: entries(11, 13)})
	if err := s.DropEntries(u.Context(), 11); err == nil {
		u.Error("DropEntries() above the newest checkpoint = nil, want an error")
	}
	for _, through := range []uint64{8, 3, 10} {
		if err := s.DropEntries(u.Context(), through); err != nil {
			u.Fatalf("DropEntries(%d): %v", through, err)
		}
		r := u.open()
		for _, s := range []store.Store{s, r} {
			u.wantGone(s, max(through, 8)-1)
			u.wantEntries(s, 10, 11, 12, 13)
			u.wantCheckpoint(s, checkpoint(10, "ten"))
			u.wantLines(s, "lobby", 0, 10, false, 1)
		}
	}
	u.close()
	s = u.claim()
	u.wantGone(s, 9)
	u.append(s, store.Batch{Log: logA, After: 13, Entries: entries(14, 14)})
	u.wantEntries(s, 12, 13, 14)
}
