package azuretable

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"chatapp/internal/store"
)

// pageRows is how many pages of a room are asked for at first. A busy room has as many lines in each as people read at
// once, and every row takes time.
const pageRows = 2

// view returns the head and the lines that are not in pages. A writer knows them.
func (s *Store) view(ctx context.Context, withLines bool) (*head, []store.Line, error) {
	s.mu.Lock()
	h, lines, term, closed := s.head, s.lines, s.term, s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return nil, nil, errClosed
	case term != 0:
		return h, lines, nil
	}
	h, rows, err := s.table.readLog(ctx, withLines)
	if err != nil {
		return nil, nil, err
	}
	lines, err = unpaged(h, rows)
	return h, lines, err
}

// Head implements store.Reader.
func (s *Store) Head(ctx context.Context) (store.Head, error) {
	h, _, err := s.view(ctx, false)
	if err != nil {
		return store.Head{}, s.wrap("read the head of", err)
	}
	return h.kept().Head, nil
}

// Checkpoint implements store.Reader.
func (s *Store) Checkpoint(ctx context.Context) (*store.Checkpoint, error) {
	var err error
	for range 5 { // the rows of one may go while they are read
		var h *head
		if h, _, err = s.view(ctx, false); err != nil {
			break
		}
		if len(h.Checkpoints) == 0 {
			return nil, nil
		}
		c := h.Checkpoints[len(h.Checkpoints)-1]
		parts := 0
		body := make([]byte, 0, c.Size)
		filter := fmt.Sprintf("PartitionKey eq 'c' and RowKey ge '%s-' and RowKey lt '%s.'", c.ID, c.ID)
		err = s.table.query(ctx, filter, false, 0, func(r *row) (bool, error) {
			parts++
			body = append(body, r.value...)
			return true, nil
		})
		if err == nil && (parts != c.Parts || len(body) != c.Size) {
			err = fmt.Errorf("checkpoint %s has %d bytes of %d: %w", c.ID, len(body), c.Size, store.ErrCorrupt)
		}
		if err == nil {
			return &store.Checkpoint{Log: c.Log, Index: c.Index, Body: body}, nil
		}
		if !errors.Is(err, store.ErrCorrupt) {
			break
		}
	}
	return nil, s.wrap("read the checkpoint of", err)
}

// stopped is an error of yield.
type stopped struct{ error }

// Entries implements store.Reader.
func (s *Store) Entries(ctx context.Context, after uint64, yield func(store.Entry) error) error {
	h, _, err := s.view(ctx, false)
	if err != nil {
		return s.wrap("read entries of", err)
	}
	gone := func(h *head) error {
		return s.wrap("read entries of", fmt.Errorf("behind index %d, of which those up to %d are not kept: %w",
			after, h.Floor, store.ErrGone))
	}
	if after < h.Floor {
		return gone(h)
	}
	filter := fmt.Sprintf("PartitionKey eq 'log' and RowKey ge 'e' and RowKey lt 'f' and Last gt %dL", after)
	last := after
	err = s.table.query(ctx, filter, false, 0, func(r *row) (bool, error) {
		var bodies [][]byte
		if err := decode(r.value, &bodies, "row "+r.key); err != nil {
			return false, err
		}
		low, high := h.entries(r.span.Turn)
		for i, body := range bodies {
			index := r.span.First + uint64(i)
			if index <= max(low, last) || index > high {
				continue
			}
			if index != last+1 {
				return false, fmt.Errorf("entry %d is missing: %w", last+1, store.ErrCorrupt)
			}
			if err := yield(store.Entry{Index: index, Body: body}); err != nil {
				return false, stopped{err}
			}
			last = index
		}
		return true, nil
	})
	if end, ok := errors.AsType[stopped](err); ok {
		return end.error
	}
	if err == nil && last < h.Index && after < h.Index {
		err = fmt.Errorf("entry %d is missing: %w", last+1, store.ErrCorrupt)
	}
	if errors.Is(err, store.ErrCorrupt) { // or removed since the head was read
		if now, _, readErr := s.table.readLog(ctx, false); readErr == nil && now.Floor > last {
			return gone(now)
		}
	}
	return s.wrap("read entries of", err)
}

// Lines implements store.Reader.
func (s *Store) Lines(ctx context.Context, room string, before uint64, limit int) (store.Page, error) {
	if limit < 1 {
		return store.Page{}, fmt.Errorf("read a page of %d lines", limit)
	}
	h, lines, err := s.view(ctx, true)
	if err != nil {
		return store.Page{}, s.wrap("read a page of", err)
	}
	if before == 0 {
		before = 1<<64 - 1
	}
	var newest []store.Line // descending
	add := func(lines []store.Line) {
		for _, l := range slices.Backward(lines) {
			if l.Room == room && l.Seq < before && len(newest) <= limit {
				newest = append(newest, l)
			}
		}
	}
	add(lines)
	if len(newest) <= limit {
		filter := fmt.Sprintf("PartitionKey eq '%s' and RowKey ge '%s'", roomPartition(room), reversed(before-1))
		err = s.table.query(ctx, filter, false, pageRows, func(r *row) (bool, error) {
			after, through := h.paged(r.span.Turn)
			if r.span.Room != room || r.span.First > through || r.span.Last <= after {
				return true, nil
			}
			lines, err := r.lines()
			if err == nil {
				add(between(lines, after, through))
			}
			return len(newest) <= limit, err
		})
		if err != nil {
			return store.Page{}, s.wrap("read a page of", err)
		}
	}
	page := store.Page{More: len(newest) > limit, Lines: newest[:min(limit, len(newest))]}
	slices.Reverse(page.Lines)
	return page, nil
}

// rooms are the partitions with pages.
const rooms = "PartitionKey ge 'r' and PartitionKey lt 's'"

// Rooms implements store.Reader. It reads what all pages say of themselves, but not the pages.
func (s *Store) Rooms(ctx context.Context, yield func(room string) error) error {
	h, lines, err := s.view(ctx, true)
	if err != nil {
		return s.wrap("read the rooms of", err)
	}
	seen := make(map[string]bool)
	for _, l := range lines {
		seen[l.Room] = true
	}
	err = s.table.query(ctx, rooms, true, 0, func(r *row) (bool, error) {
		if after, through := h.paged(r.span.Turn); r.span.First <= through && r.span.Last > after {
			seen[r.span.Room] = true
		}
		return true, nil
	})
	if err != nil {
		return s.wrap("read the rooms of", err)
	}
	for room := range seen {
		if err := yield(room); err != nil {
			return err
		}
	}
	return nil
}

// lastLine returns the number of the last line up to a log index. If that is in a page, it reads what all pages say.
func (s *Store) lastLine(ctx context.Context, h *head, index uint64) (uint64, error) {
	_, lines, err := s.view(ctx, true)
	if err != nil {
		return 0, err
	}
	for _, l := range slices.Backward(lines) {
		if l.Index <= index {
			return l.Seq, nil
		}
	}
	var last uint64
	var partly []*row
	err = s.table.query(ctx, rooms, true, 0, func(r *row) (bool, error) {
		after, through := h.paged(r.span.Turn)
		switch {
		case r.span.First > through || r.span.Last <= max(after, last):
		case r.span.Last <= through && r.span.LastIndex <= index:
			last = r.span.Last
		default:
			partly = append(partly, r)
		}
		return true, nil
	})
	if err != nil {
		return 0, err
	}
	for _, r := range partly {
		after, through := h.paged(r.span.Turn)
		filter := fmt.Sprintf("PartitionKey eq '%s' and RowKey eq '%s'", r.partition, r.key)
		err := s.table.query(ctx, filter, false, 0, func(r *row) (bool, error) {
			lines, err := r.lines()
			for _, l := range between(lines, after, through) {
				if l.Index <= index {
					last = max(last, l.Seq)
				}
			}
			return true, err
		})
		if err != nil {
			return 0, err
		}
	}
	return last, nil
}
