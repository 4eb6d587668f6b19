package azuretable

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"chatapp/internal/store"
)

// writers is how many pages are written at a time.
const writers = 8

// page turns all lines into pages.
func (s *Store) page(ctx context.Context) error {
	s.upkeep.Lock()
	defer s.upkeep.Unlock()
	return s.pageLocked(ctx)
}

// pageLocked turns all lines into pages. It needs upkeep held.
func (s *Store) pageLocked(ctx context.Context) error {
	for {
		s.writing.Lock() // a batch whose answer was lost counts or not from now on
		err := s.settleLocked(ctx)
		var h *head
		if err == nil {
			h, err = s.writable()
		}
		s.mu.Lock()
		lines := s.lines
		s.mu.Unlock()
		s.writing.Unlock()
		if err != nil {
			return err
		}
		if err := s.putPages(ctx, pages(lines, h.turn())); err != nil {
			return err
		}
		done, err := s.countPages(ctx, h)
		if err != nil || done {
			return err
		}
	}
}

// pages returns the rows for lines.
func pages(lines []store.Line, turn uint64) []*row {
	byRoom := make(map[string][]store.Line)
	for _, l := range lines {
		byRoom[l.Room] = append(byRoom[l.Room], l)
	}
	var rows []*row
	for room, lines := range byRoom {
		split(lines, pageBytes, lineSize, func(lines []store.Line) {
			key := fmt.Sprintf("%s-%08x", reversed(lines[0].Seq), turn)
			rows = append(rows, linesRow(roomPartition(room), key, turn, lines, room))
		})
	}
	return rows
}

// putPages writes rows of many partitions.
func (s *Store) putPages(ctx context.Context, rows []*row) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	next := make(chan *row)
	for range min(writers, len(rows)) {
		wg.Go(func() {
			for r := range next {
				if err := s.table.put(ctx, r); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, r := range rows {
		select {
		case next <- r:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// countPages makes the pages of all lines up to a head's count, and removes the rows that had the lines before. It
// reports whether it did: not if another turn has begun.
func (s *Store) countPages(ctx context.Context, paged *head) (bool, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.settleLocked(ctx); err != nil {
		return false, err
	}
	h, err := s.writable()
	if err != nil {
		return false, err
	}
	if h.turn() != paged.turn() {
		return false, nil
	}
	if paged.Seq > h.Paged {
		if err := s.changeLocked(ctx, func(h *head) { h.Paged = paged.Seq }, nil); err != nil {
			return false, err
		}
	}
	s.mu.Lock()
	s.lines = slices.DeleteFunc(slices.Clone(s.lines), func(l store.Line) bool { return l.Seq <= paged.Seq })
	h = s.head
	s.mu.Unlock()
	var old []*row
	filter := "PartitionKey eq 'log' and RowKey ge 'l' and RowKey lt 'm'"
	err = s.table.query(ctx, filter, true, 0, func(r *row) (bool, error) {
		if after, through := h.unpaged(r.span.Turn); r.span.Last <= after || r.span.First > through {
			old = append(old, r)
		}
		return true, nil
	})
	if err == nil {
		err = s.table.remove(ctx, old)
	}
	return err == nil, err
}

// DropEntries implements store.Store.
func (s *Store) DropEntries(ctx context.Context, through uint64) error {
	s.upkeep.Lock()
	defer s.upkeep.Unlock()
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.wrap("drop entries of", s.dropEntriesLocked(ctx, through))
}

func (s *Store) dropEntriesLocked(ctx context.Context, through uint64) error {
	err := s.settleLocked(ctx)
	var h *head
	if err == nil {
		h, err = s.writable()
	}
	if err != nil {
		return err
	}
	if n := len(h.Checkpoints); n == 0 || through > h.Checkpoints[n-1].Index {
		if err := s.stillWriterLocked(ctx); err != nil {
			return err
		}
		return fmt.Errorf("no checkpoint contains the entries up to index %d", through)
	}
	err = s.changeLocked(ctx, func(h *head) {
		h.Floor = max(h.Floor, through)
		h.Checkpoints = h.Checkpoints[len(h.Checkpoints)-1:]
	}, nil)
	if err != nil {
		return err
	}
	if h, err = s.writable(); err != nil {
		return err
	}
	var old []*row
	filter := fmt.Sprintf("PartitionKey eq 'log' and RowKey ge 'e' and RowKey le 'e%016x~'", h.Floor)
	err = s.table.query(ctx, filter, false, 0, func(r *row) (bool, error) {
		after, through := h.entries(r.span.Turn)
		switch {
		case r.span.Last <= h.Floor || r.span.Last <= after || r.span.First > through:
			old = append(old, r)
			return true, nil
		case r.span.First > h.Floor:
			return true, nil
		}
		return true, s.shorten(ctx, h.Floor, r)
	})
	if err != nil {
		return err
	}
	needed := h.Checkpoints[0].ID
	err = s.table.query(ctx, "PartitionKey eq 'c'", true, 0, func(r *row) (bool, error) {
		if !strings.HasPrefix(r.key, needed) {
			old = append(old, r)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return s.table.remove(ctx, old)
}

// shorten removes the entries up to an index from a row. Their bodies are emptied, so that the row keeps its key.
func (s *Store) shorten(ctx context.Context, floor uint64, r *row) error {
	var bodies [][]byte
	if err := decode(r.value, &bodies, "row "+r.key); err != nil {
		return err
	}
	for i := range bodies {
		if r.span.First+uint64(i) <= floor {
			bodies[i] = nil
		}
	}
	r.value = encode(bodies)
	return s.table.replace(ctx, r)
}

// Rewrite implements store.Store.
func (s *Store) Rewrite(ctx context.Context, through uint64, change func(*store.Line) store.Change) error {
	return s.wrap("rewrite lines of", s.rewrite(ctx, func(*row) bool { return true }, func(l *store.Line) store.Change {
		if l.Seq > through {
			return store.Keep
		}
		return change(l)
	}))
}

// DropLines implements store.Store.
func (s *Store) DropLines(ctx context.Context, before time.Time) error {
	limit := before.UnixMilli()
	old := func(r *row) bool { return r.span.Oldest < limit }
	return s.wrap("drop lines of", s.rewrite(ctx, old, func(l *store.Line) store.Change {
		if l.Time < limit {
			return store.Drop
		}
		return store.Keep
	}))
}

// rewrite changes lines in the pages that are chosen by what they say of themselves, and removes those that don't
// count.
func (s *Store) rewrite(ctx context.Context, chosen func(*row) bool, change func(*store.Line) store.Change) error {
	s.upkeep.Lock()
	defer s.upkeep.Unlock()
	if err := s.pageLocked(ctx); err != nil {
		return err
	}
	h, err := s.writable()
	if err != nil {
		return err
	}
	var old, read []*row
	err = s.table.query(ctx, rooms, true, 0, func(r *row) (bool, error) {
		after, through := h.paged(r.span.Turn)
		switch {
		case r.span.First > through || r.span.Last <= after:
			old = append(old, r)
		case r.span.Last > through || chosen(r):
			read = append(read, r)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, of := range read {
		filter := fmt.Sprintf("PartitionKey eq '%s' and RowKey eq '%s'", of.partition, of.key)
		err := s.table.query(ctx, filter, false, 0, func(r *row) (bool, error) {
			gone, err := s.rewriteRow(ctx, h, r, change)
			if gone {
				old = append(old, r)
			}
			return true, err
		})
		if err != nil {
			return err
		}
	}
	if err := s.table.remove(ctx, old); err != nil {
		return err
	}
	now, _, err := s.table.readLog(ctx, false)
	if err == nil && now.Term != h.Term {
		err = store.ErrFenced
	}
	return err
}

// rewriteRow changes the lines of a page. It reports whether none is left.
func (s *Store) rewriteRow(ctx context.Context, h *head, r *row, change func(*store.Line) store.Change) (bool, error) {
	lines, err := r.lines()
	if err != nil {
		return false, err
	}
	count := len(lines)
	after, through := h.paged(r.span.Turn)
	lines = between(lines, after, through)
	var kept []store.Line
	changed := len(lines) < count
	for _, l := range lines {
		altered := l
		altered.Body = slices.Clone(l.Body)
		switch change(&altered) {
		case store.Drop:
			changed = true
			continue
		case store.Replace:
			changed = true
			l.Body, l.User = altered.Body, altered.User
		}
		kept = append(kept, l)
	}
	if !changed || len(kept) == 0 {
		return len(kept) == 0, nil
	}
	written := linesRow(r.partition, r.key, r.span.Turn, kept, r.span.Room)
	written.etag = r.etag
	return false, s.table.replace(ctx, written)
}
