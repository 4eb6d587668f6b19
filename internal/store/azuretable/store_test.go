package azuretable

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chatapp/internal/leaktest"
	"chatapp/internal/store"
	"chatapp/internal/store/azuretable/azuritetest"
	"chatapp/internal/store/storetest"
)

var manyLines = flag.Int("azuretable.lines", 1500, "number of lines in the table of which pages are read")

func TestMain(m *testing.M) { leaktest.Main(m) }

// azurite is a running emulator of Azure storage, and how the stores of a test reach it.
type azurite struct {
	connection string
	client     *http.Client
	tables     int
	lose       atomic.Bool // the answers of transactions are lost
}

// startAzurite starts an emulator that ends with the test.
func startAzurite(t *testing.T) *azurite {
	a := &azurite{connection: azuritetest.Start(t), client: &http.Client{Transport: new(http.Transport)}}
	t.Cleanup(a.client.CloseIdleConnections)
	return a
}

// Do implements policy.Transporter.
func (a *azurite) Do(r *http.Request) (*http.Response, error) {
	response, err := a.client.Do(r)
	if err == nil && a.lose.Load() && strings.HasSuffix(r.URL.Path, "$batch") {
		response.Body.Close()
		return nil, errors.New("the answer is lost")
	}
	return response, err
}

func (a *azurite) options() Options {
	a.tables++
	return Options{ConnectionString: a.connection, Table: fmt.Sprint("chat", a.tables), PageLines: 20, transport: a}
}

// raw returns the keys and values of all rows of a table.
func raw(t *testing.T, s *Store) []byte {
	var all []byte
	err := s.table.query(t.Context(), "", false, 0, func(r *row) (bool, error) {
		all = fmt.Appendf(all, "%s %s %s\n", r.partition, r.key, r.value)
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func open(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func claim(t *testing.T, o Options) *Store {
	t.Helper()
	s := open(t, o)
	if _, err := s.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func numbered(n uint64) store.Batch {
	body := fmt.Appendf(nil, "text %d", n)
	return store.Batch{After: n - 1, Entries: []store.Entry{{Index: n, Body: body}},
		Lines: []store.Line{{Room: fmt.Sprint("room ", n%3), Seq: n, Index: n, Time: int64(n), Body: body}}}
}

// TestAzurite has all tests that need the emulator, so that one process serves them.
func TestAzurite(t *testing.T) {
	a := startAzurite(t)
	t.Run("contract", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) storetest.Subject {
			o := a.options()
			return storetest.Subject{
				Open:  func() (store.Store, error) { return Open(o) },
				Raw:   func() []byte { return raw(t, open(t, o)) },
				Steps: 60,
			}
		})
	})
	t.Run("lost answers", func(t *testing.T) { testLostAnswers(t, a) })
	t.Run("late writer", func(t *testing.T) { testLateWriter(t, a) })
	t.Run("newer version", func(t *testing.T) { testNewerVersion(t, a) })
	t.Run("damaged page", func(t *testing.T) { testDamagedPage(t, a) })
	t.Run("large batch", func(t *testing.T) { testLargeBatch(t, a) })
	t.Run("many lines", func(t *testing.T) { testManyLines(t, a) })
}

// A batch whose answer is lost is stored once.
func testLostAnswers(t *testing.T, a *azurite) {
	o := a.options()
	o.retries = -1 // none
	s := claim(t, o)
	a.lose.Store(true)
	if err := s.Append(t.Context(), numbered(1)); err != nil {
		t.Errorf("Append() = %v, want the head to tell that it has arrived", err)
	}
	a.lose.Store(false)
	if err := s.Append(t.Context(), numbered(2)); err != nil {
		t.Error(err)
	}
	page, err := s.Lines(t.Context(), "room 1", 0, 10)
	if err != nil || len(page.Lines) != 1 {
		t.Errorf("Lines() = %+v, %v, want line 1", page, err)
	}
}

// What a writer writes once its turn is over counts for nobody, and the next rewrite removes it.
func testLateWriter(t *testing.T, a *azurite) {
	o := a.options()
	o.PageLines = 1000
	late := claim(t, o)
	for n := range uint64(6) {
		if err := late.Append(t.Context(), numbered(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	h, lines, err := late.view(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	s := claim(t, o)
	erase := func(l *store.Line) store.Change {
		l.Body = []byte("erased")
		return store.Replace
	}
	if err := s.Rewrite(t.Context(), 6, erase); err != nil {
		t.Fatal(err)
	}
	if err := late.putPages(t.Context(), pages(lines, h.turn())); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{s, open(t, o)} {
		page, err := s.Lines(t.Context(), "room 1", 0, 10)
		if err != nil || len(page.Lines) != 2 || string(page.Lines[0].Body) != "erased" {
			t.Errorf("Lines() = %+v, %v, want two erased lines", page, err)
		}
	}
	if done, err := late.countPages(t.Context(), h); done || !errors.Is(err, store.ErrFenced) {
		t.Errorf("the late writer's pages count: %v, %v, want ErrFenced", done, err)
	}
	if err := s.Rewrite(t.Context(), 6, func(*store.Line) store.Change { return store.Keep }); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), store.Batch{After: 6, Checkpoint: &store.Checkpoint{Index: 6}}); err != nil {
		t.Fatal(err)
	}
	if err := s.DropEntries(t.Context(), 6); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw(t, s), []byte("text ")) {
		t.Error("the table has what was erased")
	}
}

// A page whose value is damaged fails what reads it, and nothing else: other rooms, and what is newer, are read.
func testDamagedPage(t *testing.T, a *azurite) {
	o := a.options()
	o.PageLines = 6
	s := claim(t, o)
	for n := range uint64(12) {
		if err := s.Append(t.Context(), numbered(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	keep := func(*store.Line) store.Change { return store.Keep }
	if err := s.Rewrite(t.Context(), 0, keep); err != nil { // has all of them in pages
		t.Fatal(err)
	}
	var damaged *row
	err := s.table.query(t.Context(), "", false, 0, func(r *row) (bool, error) {
		if r.span.Room == "room 1" && bytes.Contains(r.value, []byte("text 4")) {
			damaged = r
		}
		return true, nil
	})
	if err != nil || damaged == nil {
		t.Fatalf("the table has no page of room 1: %v", err)
	}
	damaged.value = damaged.value[:len(damaged.value)/2]
	if err := s.table.put(t.Context(), damaged); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), numbered(13)); err != nil { // of room 1
		t.Fatal(err)
	}
	next := open(t, o)
	if page, err := next.Lines(t.Context(), "room 1", 0, 10); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("Lines() over the damaged page = %+v, %v, want ErrCorrupt", page, err)
	}
	if page, err := next.Lines(t.Context(), "room 1", 0, 1); err != nil || page.Lines[0].Seq != 13 {
		t.Errorf("Lines() behind the damaged page = %+v, %v, want line 13", page, err)
	}
	if page, err := next.Lines(t.Context(), "room 2", 0, 10); err != nil || len(page.Lines) != 4 {
		t.Errorf("Lines() of another room = %+v, %v, want 4 lines", page, err)
	}
	if head, err := next.Head(t.Context()); err != nil || head.Index != 13 {
		t.Errorf("Head() = %+v, %v, want index 13", head, err)
	}
}

func testNewerVersion(t *testing.T, a *azurite) {
	o := a.options()
	s := claim(t, o)
	s.mu.Lock()
	h := s.head.clone()
	s.mu.Unlock()
	h.Format++
	if err := s.table.put(t.Context(), h.row()); err != nil {
		t.Fatal(err)
	}
	next := open(t, o)
	if _, err := next.Claim(t.Context()); !errors.Is(err, store.ErrVersion) {
		t.Errorf("Claim() = %v, want ErrVersion", err)
	}
	if _, err := next.Head(t.Context()); !errors.Is(err, store.ErrVersion) {
		t.Errorf("Head() = %v, want ErrVersion", err)
	}
}

// A batch of more than one transaction's worth is stored as a whole.
func testLargeBatch(t *testing.T, a *azurite) {
	o := a.options()
	o.PageLines = 100_000
	s := claim(t, o)
	body := bytes.Repeat([]byte{1, 2, 3, 255}, 50_000)
	var b store.Batch
	for n := range uint64(7) { // 2.8 MB, above transactionBytes
		b.Entries = append(b.Entries, store.Entry{Index: n + 1, Body: body})
		b.Lines = append(b.Lines, store.Line{Room: "room", Seq: n + 1, Index: n + 1, Body: body})
	}
	if err := s.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	reader, count := open(t, o), 0
	err := reader.Entries(t.Context(), 0, func(store.Entry) error { count++; return nil })
	page, linesErr := reader.Lines(t.Context(), "room", 0, 100)
	if err != nil || linesErr != nil || count != 7 || len(page.Lines) != 7 {
		t.Errorf("there are %d entries, %v, and %d lines, %v, want 7", count, err, len(page.Lines), linesErr)
	}
}

// testManyLines measures pages of rooms:
//
//	go test ./internal/store/azuretable -run TestAzurite/many -azuretable.lines 100000 -v -timeout 1h
func testManyLines(t *testing.T, a *azurite) {
	o := a.options()
	o.PageLines = 0
	s := claim(t, o)
	start := time.Now()
	text := strings.Repeat("text ", 20)
	for n := 0; n < *manyLines; n += 100 {
		b := store.Batch{After: uint64(n)}
		for i := uint64(n + 1); i <= uint64(n+100); i++ {
			b.Entries = append(b.Entries, store.Entry{Index: i, Body: []byte(text)})
			b.Lines = append(b.Lines, store.Line{Room: fmt.Sprint("room ", i%10), Seq: i, Index: i, Body: []byte(text)})
		}
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	t.Logf("%d lines in %v", *manyLines, time.Since(start))
	reader := open(t, o)
	reads := min(200, *manyLines/100)
	var took []time.Duration
	for i := range reads {
		start := time.Now()
		before := uint64(*manyLines) * uint64(i+1) / uint64(reads)
		page, err := reader.Lines(t.Context(), fmt.Sprint("room ", i%10), before, 50)
		took = append(took, time.Since(start))
		if want := min(50, (int(before)-1-i%10)/10); err != nil || len(page.Lines) < want-1 {
			t.Fatalf("Lines(%d) = %d lines, %v, want some %d", before, len(page.Lines), err, want)
		}
	}
	slices.Sort(took)
	t.Logf("a page in %v (p50), %v (p99), %v at most", took[reads/2], took[reads*99/100], took[reads-1])
}

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{}, "exactly one of"},
		{Options{ConnectionString: "x", Endpoint: "y"}, "exactly one of"},
		{Options{Endpoint: "https://x.table.core.windows.net", Table: "a-b"}, "not the name of a table"},
		{Options{ConnectionString: "nonsense"}, "connection string"},
	} {
		if _, err := Open(test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Open(%+v) = %v, want %q", test.o, err, test.want)
		}
	}
}
