package azuretable

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"

	"chatapp/internal/store"
)

// settleLocked finds out what has become of a batch whose answer was lost. It needs writing held.
func (s *Store) settleLocked(ctx context.Context) error {
	if s.unsure == nil {
		return nil
	}
	h, rows, err := s.table.readLog(ctx, true)
	if err != nil {
		return err
	}
	lines, err := unpaged(h, rows)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.Term != s.term {
		s.term = 0
		return store.ErrFenced
	}
	s.head, s.lines = h, lines
	if h.Append != s.seed {
		s.unsure = nil // it did not arrive
	}
	return nil
}

// Append implements store.Store.
func (s *Store) Append(ctx context.Context, b store.Batch) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.wrap("append to", s.appendLocked(ctx, b))
}

func (s *Store) appendLocked(ctx context.Context, b store.Batch) error {
	if err := s.settleLocked(ctx); err != nil {
		return err
	}
	h, err := s.writable()
	if err != nil {
		return err
	}
	if s.unsure != nil {
		again := reflect.DeepEqual(*s.unsure, b)
		if s.unsure = nil; again {
			return nil // it has arrived
		}
	}
	given := b
	kept, err := h.kept().Append(&b)
	if err != nil {
		return err
	}
	rewinds := b.After < h.Index
	last := h.Seq
	if rewinds {
		if last, err = s.lastLine(ctx, h, b.After); err == nil {
			err = b.Behind(last)
		}
		if err != nil {
			return err
		}
		if len(b.Lines) == 0 {
			kept.Head.Seq = last
		}
	}
	next := h.clone()
	next.Append = rand.Uint64()
	if rewinds || kept.Floor != h.Floor || s.orphans {
		next.begin(b.After, last)
	}
	next.Log, next.Index, next.Seq, next.Floor = kept.Head.Log, kept.Head.Index, kept.Head.Seq, kept.Floor
	next.Checkpoints = slices.DeleteFunc(next.Checkpoints, func(c checkpoint) bool {
		return c.Index > b.After || c.Index < kept.Checkpoint || b.Checkpoint != nil && c.Index == b.Checkpoint.Index
	})
	if b.Checkpoint != nil {
		c, err := s.putCheckpoint(ctx, next.turn(), b.Checkpoint)
		if err != nil {
			return err
		}
		next.Checkpoints = append(next.Checkpoints, c)
	}
	rows := batchRows(&b, next.turn())
	if h, rows, err = s.putFirst(ctx, h, rows); err != nil {
		s.orphans = true
		return err
	}
	won, err := s.swap(ctx, h, next, rows)
	if err != nil {
		s.unsure, s.seed = &given, next.Append
		return err
	}
	return s.appended(next, &b, rewinds, won)
}

// appended notes what a batch has led to.
func (s *Store) appended(next *head, b *store.Batch, rewinds, won bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !won {
		s.term = 0
		return store.ErrFenced
	}
	s.head, s.orphans = next, false
	if rewinds {
		s.lines = slices.DeleteFunc(slices.Clone(s.lines), func(l store.Line) bool { return l.Index > b.After })
	}
	for _, line := range b.Lines {
		line.Body = slices.Clone(line.Body)
		s.lines = append(s.lines, line)
	}
	if len(s.lines) >= s.pageLines && !s.closed && s.busy.CompareAndSwap(false, true) {
		s.background.Go(func() {
			defer s.busy.Store(false)
			if err := s.page(context.Background()); err != nil && !errors.Is(err, store.ErrFenced) {
				s.logger.Warn("can't turn lines into pages", "err", err)
			}
		})
	}
	return nil
}

// batchRows returns the rows of a batch.
func batchRows(b *store.Batch, turn uint64) []*row {
	var rows []*row
	split(b.Entries, rowBytes/2, entrySize, func(entries []store.Entry) {
		bodies := make([][]byte, len(entries))
		for i, e := range entries {
			bodies[i] = e.Body
		}
		first, last := entries[0].Index, entries[len(entries)-1].Index
		rows = append(rows, &row{partition: partitionLog, key: fmt.Sprintf("e%016x-%08x", first, turn),
			span: span{Turn: turn, First: first, Last: last}, value: encode(bodies)})
	})
	split(b.Lines, rowBytes/2, lineSize, func(lines []store.Line) {
		rows = append(rows, linesRow(partitionLog, fmt.Sprintf("l%016x-%08x", lines[0].Seq, turn), turn, lines, ""))
	})
	return rows
}

// putFirst writes those rows of a batch that don't fit into one transaction with the head, each time with a head that
// says the same as before, so that only the writer can. It returns that head and the rows that are left.
func (s *Store) putFirst(ctx context.Context, h *head, rows []*row) (*head, []*row, error) {
	for {
		n, bytes := 0, 64<<10
		for n < len(rows) && n < transactionRows-2 && bytes+len(rows[n].value) < transactionBytes {
			bytes += len(rows[n].value) + 1024
			n++
		}
		if n == len(rows) {
			return h, rows, nil
		}
		if err := s.changeLocked(ctx, func(*head) {}, rows[:n]); err != nil {
			return nil, nil, err
		}
		var err error
		if h, err = s.writable(); err != nil {
			return nil, nil, err
		}
		rows = rows[n:]
	}
}

// putCheckpoint writes the chunks of a checkpoint.
func (s *Store) putCheckpoint(ctx context.Context, turn uint64, c *store.Checkpoint) (checkpoint, error) {
	id := fmt.Sprintf("%016x-%08x-%08x", c.Index, turn, rand.Uint32())
	var rows []*row
	for rest := c.Body; len(rest) > 0; {
		n := min(len(rest), rowBytes)
		key := fmt.Sprintf("%s-%06d", id, len(rows))
		rows = append(rows, &row{partition: partitionCheckpoints, key: key, value: rest[:n]})
		rest = rest[n:]
	}
	err := s.table.upsert(ctx, rows)
	return checkpoint{ID: id, Log: c.Log, Index: c.Index, Size: len(c.Body), Parts: len(rows)}, err
}
