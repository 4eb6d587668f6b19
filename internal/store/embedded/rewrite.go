package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"chatapp/internal/store"
)

// rewriteLocked writes a file again with what change says about its lines, if that changes anything or a part of the
// file has been dropped. Damaged pages stay as they are. Where it meets one it does the rest, and returns an error that
// wraps store.ErrCorrupt. It needs upkeep held.
func (s *Store) rewriteLocked(ctx context.Context, file *pageFile, change func(*store.Line) store.Change) error {
	st := s.current.Load()
	cuts := st.cuts([]*pageFile{file})
	f, err := os.Open(file.path)
	if err != nil {
		return err
	}
	defer f.Close()
	var w *pageWriter
	begin := func(pages []page) error { // those that stay as they are
		if w, err = createPages(s.d, file.kind, s.number()); err != nil {
			return err
		}
		for i := range pages {
			if err := w.addPage(cutPage{&pages[i], cuts[0]}, f); err != nil {
				return err
			}
		}
		return nil
	}
	var damaged error
	for i := range file.pages {
		var lines []store.Line
		if err = ctx.Err(); err == nil {
			lines, err = file.pages[i].read(f)
		}
		if errors.Is(err, store.ErrCorrupt) {
			damaged = errors.Join(damaged, err)
			if err = nil; w != nil {
				err = w.addPage(cutPage{&file.pages[i], cuts[0]}, f)
			}
			if err != nil {
				break
			}
			continue
		}
		if err != nil {
			break
		}
		kept, changed := changeLines(below(lines, cuts[0]), change)
		changed = changed || len(kept) < len(lines)
		if changed && w == nil {
			if err = begin(file.pages[:i]); err != nil {
				break
			}
		}
		if w != nil {
			for _, line := range kept {
				w.add(line)
			}
		}
	}
	if err != nil || w == nil {
		if w != nil {
			w.abandon()
		}
		return errors.Join(err, damaged)
	}
	written, err := w.finish()
	if err != nil {
		return err
	}
	return errors.Join(s.replaceLocked([]*pageFile{file}, cuts, written), damaged)
}

// changeLines returns what becomes of lines, and whether that is anything else.
func changeLines(lines []store.Line, change func(*store.Line) store.Change) (kept []store.Line, changed bool) {
	for _, line := range lines {
		altered := line
		altered.Body = slices.Clone(line.Body)
		switch change(&altered) {
		case store.Drop:
			changed = true
			continue
		case store.Replace:
			changed = true
			line.Body, line.User = altered.Body, altered.User
		}
		kept = append(kept, line)
	}
	return kept, changed
}

// change runs for each file of a list what a method that removes something does, once all logs are pages. Damaged pages
// keep it from no other file.
func (s *Store) change(what string, files func(*state) *[]*pageFile, do func(*state, *pageFile) error) error {
	s.upkeep.Lock()
	defer s.upkeep.Unlock()
	fail := func(err error) error { return fmt.Errorf("%s in %s: %w", what, s.d.Dir, explain(err)) }
	if err := s.sealAllLocked(); err != nil {
		return fail(err)
	}
	st := s.current.Load()
	var damaged error
	for _, file := range st.snapshot(files(st)) {
		err := do(st, file)
		switch {
		case errors.Is(err, store.ErrCorrupt):
			damaged = errors.Join(damaged, err)
		case err != nil:
			return fail(err)
		}
	}
	if err := errors.Join(s.mergeLocked(), damaged); err != nil {
		return fail(err)
	}
	return nil
}

func filesOfLines(st *state) *[]*pageFile   { return &st.lines }
func filesOfEntries(st *state) *[]*pageFile { return &st.old }

// DropEntries implements store.Store.
func (s *Store) DropEntries(ctx context.Context, through uint64) error {
	s.writing.Lock()
	err := s.writableLocked()
	if err == nil {
		st := s.current.Load()
		if n := len(st.checkpoints); n == 0 || through > st.checkpoints[n-1].index {
			err = fmt.Errorf("drop the entries up to index %d: no checkpoint contains them", through)
		} else if err = s.recordLocked(&record{kind: recordDrop, through: through}); err != nil {
			err = fmt.Errorf("drop entries of the store in %s: %w", s.d.Dir, err)
		}
	}
	s.writing.Unlock()
	if err != nil {
		return err
	}
	return s.change("drop entries", filesOfEntries, func(st *state, file *pageFile) error {
		st.mu.RLock()
		floor := st.kept.Floor
		st.mu.RUnlock()
		cut := st.cuts([]*pageFile{file})
		switch first, last := file.pages[0].firstSeq, min(file.lastIndex, cut[0]); {
		case last <= floor || cut[0] < first:
			return s.replaceLocked([]*pageFile{file}, cut, nil)
		case first <= floor || cut[0] < file.lastIndex:
			return s.rewriteLocked(ctx, file, func(l *store.Line) store.Change {
				if l.Seq <= floor {
					return store.Drop
				}
				return store.Keep
			})
		}
		return nil
	})
}

// Rewrite implements store.Store.
func (s *Store) Rewrite(ctx context.Context, through uint64, change func(*store.Line) store.Change) error {
	return s.change("rewrite lines", filesOfLines, func(_ *state, file *pageFile) error {
		return s.rewriteLocked(ctx, file, func(l *store.Line) store.Change {
			if l.Seq > through {
				return store.Keep
			}
			return change(l)
		})
	})
}

// DropLines implements store.Store.
func (s *Store) DropLines(ctx context.Context, before time.Time) error {
	limit := before.UnixMilli()
	return s.change("drop lines", filesOfLines, func(st *state, file *pageFile) error {
		switch {
		case file.times.newest < limit:
			return s.replaceLocked([]*pageFile{file}, st.cuts([]*pageFile{file}), nil)
		case file.times.oldest < limit:
			return s.rewriteLocked(ctx, file, func(l *store.Line) store.Change {
				if l.Time < limit {
					return store.Drop
				}
				return store.Keep
			})
		}
		return nil
	})
}
