package storetest

import (
	"bytes"
	"slices"
	"strings"

	"chatapp/internal/store"
)

func testPages(u *tester) {
	s := u.claim()
	const lines = 70
	rooms := []string{"even", "odd", "few"}
	seqs := make(map[string][]uint64)
	for index := uint64(1); index <= lines; index++ {
		room := rooms[index%2]
		if index%20 == 0 {
			room = "few"
		}
		seqs[room] = append(seqs[room], index*3)
		u.append(s, store.Batch{Log: logA, After: index - 1, Entries: entries(index, index),
			Lines: []store.Line{line(room, index*3, index, strings.Repeat("x", int(index)))}})
	}
	other := u.open()
	for _, room := range rooms {
		all := seqs[room]
		for _, limit := range []int{1, 2, 7, 34, 35, 1000} {
			for _, s := range []store.Store{s, other} { // backwards, as people read
				rest, before := all, uint64(0)
				for {
					n := min(limit, len(rest))
					u.wantLines(s, room, before, limit, len(rest) > n, rest[len(rest)-n:]...)
					if rest = rest[:len(rest)-n]; len(rest) == 0 {
						break
					}
					before = rest[len(rest)-1] + 1
				}
			}
		}
		for i, seq := range all {
			u.wantLines(s, room, seq, 1, i > 1, all[max(i-1, 0):i]...)
		}
	}
}

func testNames(u *tester) {
	s := u.claim()
	names := []string{"", "lobby", "Lobby", "a/b", `a\b`, "#a", "a?", "a%2Fb", "한국어 방", "é", "e\u0301",
		"\x00\x1f\x7f\u0085", "-", "_", "'", "''", "a b", " a", "a ", "\xff\xfe", strings.Repeat("방", 100), "😀"}
	var all []store.Line
	for i, name := range names {
		all = append(all, line(name, uint64(i+1), 1, "in "+name))
	}
	u.append(s, store.Batch{Log: logA, Entries: entries(1, 1), Lines: all})
	keep := func(*store.Line) store.Change { return store.Keep }
	if err := s.Rewrite(u.Context(), 1000, keep); err != nil {
		u.Fatal(err)
	}
	for _, s := range []store.Store{s, u.open()} {
		u.wantRooms(s, names...)
		for i, name := range names {
			page, err := s.Lines(u.Context(), name, 0, 10)
			if err != nil || len(page.Lines) != 1 || !same(page.Lines[0], all[i]) {
				u.Errorf("Lines(%q) = %+v, %v, want %+v", name, page.Lines, err, all[i])
			}
		}
	}
}

func testBodies(u *tester) {
	s := u.claim()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	bodies := [][]byte{nil, {0}, every, bytes.Repeat(every, 1200)} // the last exceeds 64 KiB and 128 KiB
	b := store.Batch{Log: logA, Checkpoint: &store.Checkpoint{Log: logB, Index: 4, Body: bytes.Repeat(every, 3000)}}
	for i, body := range bodies {
		n := uint64(i + 1)
		b.Entries = append(b.Entries, store.Entry{Index: n, Body: body})
		b.Lines = append(b.Lines, store.Line{Room: "lobby", Seq: n, Index: n, Time: -5, User: 1<<64 - 1, Body: body})
	}
	u.append(s, b)
	check := func() {
		u.Helper()
		for _, s := range []store.Store{s, u.open()} {
			i := 0
			err := s.Entries(u.Context(), 0, func(e store.Entry) error {
				if !bytes.Equal(e.Body, bodies[i]) {
					u.Errorf("entry %d has %d bytes, not the %d of before", e.Index, len(e.Body), len(bodies[i]))
				}
				i++
				return nil
			})
			if err != nil || i != len(bodies) {
				u.Errorf("Entries() = %v behind %d entries, want %d", err, i, len(bodies))
			}
			page, err := s.Lines(u.Context(), "lobby", 0, 10)
			if err != nil || !slices.EqualFunc(page.Lines, b.Lines, same) {
				u.Errorf("Lines() = %d lines, %v, want those of before", len(page.Lines), err)
			}
			u.wantCheckpoint(s, b.Checkpoint)
		}
	}
	check()
	if err := s.Rewrite(u.Context(), 10, func(*store.Line) store.Change { return store.Replace }); err != nil {
		u.Fatal(err)
	}
	check()
}
