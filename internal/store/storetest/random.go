package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"chatapp/internal/store"
)

// testRandom does random operations to the store and to a Memory, and compares the two.
func testRandom(u *tester) {
	steps := u.subject.Steps
	if steps == 0 {
		steps = 300
	}
	seed := rand.Uint64()
	u.Logf("seed %d", seed)
	r := &rivals{tester: u, random: rand.New(rand.NewPCG(seed, 3)), model: NewMemory(1).Open(), subject: u.claim()}
	if _, err := r.model.Claim(u.Context()); err != nil {
		u.Fatal(err)
	}
	r.other = u.open()
	for step := range steps {
		what := r.step()
		if step%10 == 0 {
			r.compare(r.subject)
			r.compare(r.other)
		}
		if u.Failed() {
			u.Fatalf("in step %d: %s", step, what)
		}
	}
}

// rivals are a store and its model.
type rivals struct {
	*tester
	random  *rand.Rand
	model   store.Store
	subject store.Store
	other   store.Store // reads only
}

// both does the same to both, and returns what it was.
func (r *rivals) both(what string, do func(s store.Store) error) string {
	want, got := do(r.model), do(r.subject)
	if (want == nil) != (got == nil) || errors.Is(want, store.ErrGap) != errors.Is(got, store.ErrGap) {
		r.Errorf("%s = %v, want %v", what, got, want)
	}
	return what
}

func (r *rivals) step() string {
	head, err := r.model.Head(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	switch n := r.random.IntN(100); {
	case n < 80:
		b := r.batch(head)
		return r.both(fmt.Sprintf("Append(%d entries, %d lines behind %d of %d, checkpoint: %v)", len(b.Entries),
			len(b.Lines), b.After, head.Index, b.Checkpoint != nil),
			func(s store.Store) error { return s.Append(r.Context(), b) })
	case n < 86:
		through := back(r.random, head.Index)
		return r.both(fmt.Sprintf("DropEntries(%d)", through),
			func(s store.Store) error { return s.DropEntries(r.Context(), through) })
	case n < 91:
		through, divisor := back(r.random, head.Seq), 2+r.random.Uint64N(9)
		return r.both(fmt.Sprintf("Rewrite(%d)", through), func(s store.Store) error {
			return s.Rewrite(r.Context(), through, func(l *store.Line) store.Change {
				switch l.Seq % divisor {
				case 0:
					return store.Drop
				case 1:
					l.Body = fmt.Appendf(nil, "rewritten %d", l.Seq)
					return store.Replace
				}
				return store.Keep
			})
		})
	case n < 94:
		before := time.UnixMilli(int64(back(r.random, head.Index)) * 500)
		return r.both("DropLines", func(s store.Store) error { return s.DropLines(r.Context(), before) })
	default:
		r.close()
		r.subject, r.other = r.claim(), r.open()
		if _, err := r.model.Claim(r.Context()); err != nil {
			r.Fatal(err)
		}
		return "open again"
	}
}

// back returns a number up to n, most often one that is not far below.
func back(random *rand.Rand, n uint64) uint64 {
	if random.IntN(10) == 0 {
		return random.Uint64N(n + 1)
	}
	return n - min(n, random.Uint64N(12))
}

func (r *rivals) batch(head store.Head) store.Batch {
	b := store.Batch{Log: logA, After: head.Index}
	seq := head.Seq
	switch r.random.IntN(20) {
	case 0: // a part of the log is dropped
		b.Log, b.After = logB, back(r.random, head.Index)
		if err := r.model.Entries(r.Context(), b.After, func(store.Entry) error { return nil }); err == nil {
			seq = min(seq, b.After*3)
		}
	case 1:
		b.After += r.random.Uint64N(3)
	}
	index := b.After
	if r.random.IntN(5) == 0 {
		index += r.random.Uint64N(3) * r.random.Uint64N(2)
		b.Checkpoint = &store.Checkpoint{Log: logB}
	}
	for range r.random.IntN(6) {
		index++
		body := fmt.Appendf(nil, "entry %d %d", index, r.random.Int())
		b.Entries = append(b.Entries, store.Entry{Index: index, Body: body})
		seq = max(seq, index*3-3)
		for range r.random.IntN(3) {
			seq++
			text := strings.Repeat("text ", r.random.IntN(20))
			b.Lines = append(b.Lines, line(fmt.Sprint("room ", r.random.IntN(5)), seq, index, text))
		}
	}
	if b.Checkpoint != nil {
		b.Checkpoint.Index = index
		b.Checkpoint.Body = fmt.Appendf(nil, "state at %d", index)
	}
	return b
}

// compare reads everything.
func (r *rivals) compare(s store.Store) {
	r.Helper()
	want, _ := r.model.Head(r.Context())
	got, err := s.Head(r.Context())
	if want.Term = got.Term; err != nil || got != want {
		r.Errorf("Head() = %+v, %v, want %+v", got, err, want)
	}
	for _, after := range []uint64{0, back(r.random, want.Index)} {
		var wanted, found []string
		wantErr := r.model.Entries(r.Context(), after, func(e store.Entry) error {
			wanted = append(wanted, fmt.Sprintf("%d: %s", e.Index, e.Body))
			return nil
		})
		err := s.Entries(r.Context(), after, func(e store.Entry) error {
			found = append(found, fmt.Sprintf("%d: %s", e.Index, e.Body))
			return nil
		})
		if errors.Is(err, store.ErrGone) != errors.Is(wantErr, store.ErrGone) || !slices.Equal(found, wanted) {
			r.Errorf("Entries(%d) = %q, %v, want %q, %v", after, found, err, wanted, wantErr)
		}
	}
	checkpoint, _ := r.model.Checkpoint(r.Context())
	r.wantCheckpoint(s, checkpoint)
	var rooms []string
	r.model.Rooms(r.Context(), func(room string) error {
		rooms = append(rooms, room)
		return nil
	})
	r.wantRooms(s, rooms...)
	for _, room := range rooms {
		limit, before := 1+r.random.IntN(40), back(r.random, want.Seq+1)
		page, _ := r.model.Lines(r.Context(), room, before, limit)
		got, err := s.Lines(r.Context(), room, before, limit)
		if err != nil || got.More != page.More || !slices.EqualFunc(got.Lines, page.Lines, same) {
			r.Errorf("Lines(%q, %d, %d) = %+v, %v, want %+v", room, before, limit, got, err, page)
		}
	}
}
