package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"chatapp/internal/store"
)

func testRewrite(u *tester) {
	s := u.claim()
	for i := uint64(1); i <= 20; i++ {
		room := []string{"a", "b"}[i%2]
		u.append(s, store.Batch{Log: logA, After: i - 1, Entries: entries(i, i),
			Lines: []store.Line{line(room, i, i, fmt.Sprint("text ", i))}})
	}
	change := func(l *store.Line) store.Change {
		switch {
		case l.Seq > 15:
			u.Errorf("Rewrite(15) calls change with line %d", l.Seq)
		case l.Seq%5 == 0:
			return store.Drop
		case l.Seq%3 == 0:
			copy(l.Body, "TEXT") // in place
			l.User = 77
			return store.Replace
		case l.Seq%7 == 0:
			l.Body = []byte("another text, and a longer one")
			return store.Replace
		default:
			copy(l.Body, "####") // has no effect
		}
		return store.Keep
	}
	for range 2 { // the second time it changes nothing more
		if err := s.Rewrite(u.Context(), 15, change); err != nil {
			u.Fatal(err)
		}
		for _, s := range []store.Store{s, u.open()} {
			u.wantLines(s, "a", 0, 20, false, 2, 4, 6, 8, 12, 14, 16, 18, 20)
			u.wantLines(s, "b", 0, 20, false, 1, 3, 7, 9, 11, 13, 17, 19)
			page, err := s.Lines(u.Context(), "a", 9, 3)
			if err != nil || len(page.Lines) != 3 || string(page.Lines[1].Body) != "TEXT 6" ||
				page.Lines[1].User != 77 || string(page.Lines[2].Body) != "text 8" {
				u.Errorf("Lines() = %+v, %v, want 4, 6, which is rewritten, and 8", page.Lines, err)
			}
		}
	}
	page, err := s.Lines(u.Context(), "b", 8, 1)
	if err != nil || len(page.Lines) != 1 || page.Lines[0].Seq != 7 {
		u.Errorf("Lines() = %+v, %v, want 7", page, err)
	}
	page, err = s.Lines(u.Context(), "a", 15, 1)
	if err != nil || len(page.Lines) != 1 || string(page.Lines[0].Body) != "another text, and a longer one" {
		u.Errorf("Lines() = %+v, %v, want 14, which is rewritten", page, err)
	}
	if head, err := s.Head(u.Context()); err != nil || head.Seq != 20 || head.Index != 20 {
		u.Errorf("Head() = %+v, %v, want line 20 at index 20", head, err)
	}
	all := func(*store.Line) store.Change { return store.Drop }
	if err := s.Rewrite(u.Context(), 20, all); err != nil {
		u.Fatal(err)
	}
	u.wantRooms(s)
	u.append(s, store.Batch{Log: logA, After: 20, Entries: entries(21, 21), Lines: []store.Line{line("a", 21, 21, "")}})
	u.close()
	s = u.open()
	if head, err := s.Head(u.Context()); err != nil || head.Seq != 21 {
		u.Errorf("Head() = %+v, %v, want line 21", head, err)
	}
	u.wantLines(s, "a", 0, 20, false, 21)
}

func testDropLines(u *tester) {
	s := u.claim()
	var lines []store.Line
	for i := uint64(1); i <= 9; i++ {
		lines = append(lines, line([]string{"a", "b", "c"}[i/4], i, i, "text"))
	}
	u.append(s, store.Batch{Log: logA, Entries: entries(1, 9), Lines: lines})
	for _, test := range []struct {
		before int64
		rooms  []string
		b      []uint64
	}{
		{1000, []string{"a", "b", "c"}, []uint64{4, 5, 6, 7}},
		{5001, []string{"b", "c"}, []uint64{6, 7}},
		{9001, nil, nil},
	} {
		if err := s.DropLines(u.Context(), time.UnixMilli(test.before)); err != nil {
			u.Fatal(err)
		}
		for _, s := range []store.Store{s, u.open()} {
			u.wantRooms(s, test.rooms...)
			u.wantLines(s, "b", 0, 10, false, test.b...)
		}
	}
	u.wantEntries(s, 7, 8, 9)
	if head, err := s.Head(u.Context()); err != nil || head.Seq != 9 {
		u.Errorf("Head() = %+v, %v, want line 9", head, err)
	}
}

func testRewriteAside(u *tester) {
	s := u.claim()
	const before, during = 30, 40
	index := uint64(0)
	next := func() error {
		index++
		return s.Append(u.Context(), store.Batch{Log: logA, After: index - 1, Entries: entries(index, index),
			Lines: []store.Line{line("lobby", index, index, "text")}})
	}
	for range before {
		if err := next(); err != nil {
			u.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	failed := make(chan error, 1)
	wg.Go(func() {
		for range 3 {
			err := s.Rewrite(u.Context(), before, func(l *store.Line) store.Change {
				l.Body = append(l.Body, '!')
				return store.Replace
			})
			if err == nil {
				err = s.DropLines(u.Context(), time.UnixMilli(10_001))
			}
			if err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	})
	for range during {
		if err := next(); err != nil {
			u.Fatal(err)
		}
		page, err := s.Lines(u.Context(), "lobby", 0, 3)
		if err != nil || len(page.Lines) != 3 || page.Lines[2].Seq != index {
			u.Fatalf("Lines() behind line %d = %+v, %v, want the last three", index, page, err)
		}
	}
	if err := <-failed; err != nil {
		u.Fatal(err)
	}
	for _, s := range []store.Store{s, u.open()} {
		page, err := s.Lines(u.Context(), "lobby", 0, 100)
		if err != nil || len(page.Lines) != during+before-10 {
			u.Fatalf("Lines() = %d lines, %v, want %d", len(page.Lines), err, during+before-10)
		}
		for _, l := range page.Lines {
			if rewritten := bytes.Contains(l.Body, []byte("!")); rewritten != (l.Seq <= before) {
				u.Errorf("line %d is %q", l.Seq, l.Body)
			}
		}
	}
}

func testErased(u *tester) {
	if u.subject.Raw == nil {
		u.Skip("there is no way to see the raw bytes of this store")
	}
	s := u.claim()
	for i := uint64(1); i <= 12; i++ {
		u.append(s, store.Batch{Log: logA, After: i - 1,
			Entries: []store.Entry{{Index: i, Body: fmt.Appendf(nil, "entry-secret-%d.", i)}},
			Lines:   []store.Line{line("lobby", i, i, fmt.Sprintf("line-secret-%d.", i))}})
	}
	raw := func() string { return string(u.subject.Raw()) }
	for _, secret := range []string{"entry-secret-3.", "line-secret-3.", "line-secret-12."} {
		if !strings.Contains(raw(), secret) {
			u.Fatalf("Raw() has not %q, so this test can't see anything", secret)
		}
	}
	if err := s.Rewrite(u.Context(), 12, func(l *store.Line) store.Change {
		switch l.Seq {
		case 2, 12:
			l.Body = []byte("erased")
			return store.Replace
		case 3:
			return store.Drop
		}
		return store.Keep
	}); err != nil {
		u.Fatal(err)
	}
	if err := s.DropLines(u.Context(), time.UnixMilli(2000)); err != nil {
		u.Fatal(err)
	}
	u.append(s, store.Batch{Log: logA, After: 12, Checkpoint: checkpoint(12, "checkpoint-secret-1.")})
	u.append(s, store.Batch{Log: logA, After: 12, Entries: entries(13, 13), Checkpoint: checkpoint(13, "of 13")})
	if err := s.DropEntries(u.Context(), 7); err != nil {
		u.Fatal(err)
	}
	left := raw()
	for _, gone := range []string{"line-secret-1.", "line-secret-2.", "line-secret-3.", "line-secret-12.",
		"entry-secret-1.", "entry-secret-7.", "checkpoint-secret-1."} {
		if strings.Contains(left, gone) {
			u.Errorf("the raw bytes of the store have %q, which was erased", gone)
		}
	}
	for _, kept := range []string{"line-secret-4.", "line-secret-11.", "entry-secret-8.", "entry-secret-12."} {
		if !strings.Contains(left, kept) {
			u.Errorf("the raw bytes of the store don't have %q, which was not erased", kept)
		}
	}
	u.wantLines(s, "lobby", 0, 4, true, 9, 10, 11, 12)
	// What a losing log had is erased too, once something is dropped.
	u.append(s, store.Batch{Log: logB, After: 13, Entries: []store.Entry{{Index: 14, Body: []byte("entry-loser.")}},
		Lines: []store.Line{line("lobby", 13, 14, "line-loser.")}})
	u.append(s, store.Batch{Log: logB, After: 13, Entries: entries(14, 14), Checkpoint: checkpoint(14, "of 14")})
	if err := errors.Join(s.Rewrite(u.Context(), 13, func(*store.Line) store.Change { return store.Keep }),
		s.DropEntries(u.Context(), 14)); err != nil {
		u.Fatal(err)
	}
	if left := raw(); strings.Contains(left, "loser.") {
		u.Error("the raw bytes of the store have what the next log has dropped")
	}
}
