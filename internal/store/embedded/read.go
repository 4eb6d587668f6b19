package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sort"

	"chatapp/internal/store"
)

// retry calls read with the state until the files that it reads are not removed meanwhile.
func (s *Store) retry(ctx context.Context, what string, read func(*state) error) error {
	for try := 0; ; try++ {
		st, err := s.look()
		if err == nil {
			if err = ctx.Err(); err != nil {
				return err
			}
			err = read(st)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) || try == 20 {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

// Head implements store.Reader.
func (s *Store) Head(ctx context.Context) (head store.Head, err error) {
	err = s.retry(ctx, "read the head of the store", func(st *state) error {
		st.mu.RLock()
		defer st.mu.RUnlock()
		head = st.kept.Head
		return nil
	})
	return head, err
}

// Checkpoint implements store.Reader.
func (s *Store) Checkpoint(ctx context.Context) (checkpoint *store.Checkpoint, err error) {
	err = s.retry(ctx, "read the checkpoint", func(st *state) error {
		st.mu.RLock()
		checkpoints := st.checkpoints
		st.mu.RUnlock()
		if len(checkpoints) == 0 {
			checkpoint = nil
			return nil
		}
		path := s.d.Path(nameCheckpoint, checkpoints[len(checkpoints)-1].number)
		b, err := os.ReadFile(path)
		if err == nil {
			if checkpoint, err = decodeCheckpoint(b); err != nil {
				err = fmt.Errorf("%s: %w", path, err)
			}
		}
		return err
	})
	return checkpoint, err
}

// stopped is an error of yield.
type stopped struct{ error }

// Entries implements store.Reader.
func (s *Store) Entries(ctx context.Context, after uint64, yield func(store.Entry) error) error {
	err := s.retry(ctx, "read entries", func(st *state) error {
		st.mu.RLock()
		floor, entries := st.kept.Floor, slices.Clone(st.entries)
		var pages []cutPage
		for _, file := range st.old {
			for i := range file.pages {
				if p := &file.pages[i]; p.lastSeq > after && p.firstSeq <= file.cut {
					pages = append(pages, cutPage{p, file.cut})
				}
			}
		}
		st.mu.RUnlock()
		if after < floor {
			return fmt.Errorf("behind index %d, of which those up to %d are not kept: %w", after, floor, store.ErrGone)
		}
		give := func(e store.Entry) error {
			if e.Index <= after {
				return nil
			}
			if err := yield(e); err != nil {
				return stopped{err}
			}
			after = e.Index // where a retry goes on
			return ctx.Err()
		}
		var files files
		defer files.close()
		for _, p := range pages {
			lines, err := files.page(p)
			if err != nil {
				return err
			}
			for _, line := range lines {
				if err := give(store.Entry{Index: line.Seq, Body: line.Body}); err != nil {
					return err
				}
			}
		}
		for _, e := range entries {
			if e.index <= after {
				continue
			}
			body, err := files.body(e.log, e.at, e.size)
			if err == nil {
				err = give(store.Entry{Index: e.index, Body: body})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if end, ok := errors.AsType[stopped](err); ok {
		return end.error
	}
	return err
}

// cutPage is a page, and the index above which its lines are dropped.
type cutPage struct {
	*page
	cut uint64
}

// files is the last file that was read: most often the next page or line is in it too.
type files struct {
	path string
	file *os.File
}

func (f *files) open(path string) (*os.File, error) {
	if f.path == path {
		return f.file, nil
	}
	f.close()
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f.path, f.file = path, file
	return file, nil
}

func (f *files) close() {
	if f.file != nil {
		f.file.Close()
	}
	*f = files{}
}

func (f *files) page(p cutPage) ([]store.Line, error) {
	file, err := f.open(p.file.path)
	if err != nil {
		return nil, err
	}
	lines, err := p.read(file)
	return below(lines, p.cut), err
}

func (f *files) body(log *logFile, at int64, size uint32) ([]byte, error) {
	file, err := f.open(log.path)
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if _, err := file.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("read %s at offset %d: %w", log.path, at, err)
	}
	return b, nil
}

// Lines implements store.Reader.
func (s *Store) Lines(ctx context.Context, room string, before uint64, limit int) (page store.Page, err error) {
	if limit < 1 {
		return page, fmt.Errorf("read a page of %d lines", limit)
	}
	if before == 0 {
		before = 1<<64 - 1
	}
	err = s.retry(ctx, "read a page of a room", func(st *state) error {
		tail, pages := st.find(room, before, limit+1)
		var files files
		defer files.close()
		var newest []store.Line // descending
		for _, l := range slices.Backward(tail) {
			body, err := files.body(l.log, l.at, l.size)
			if err != nil {
				return err
			}
			newest = append(newest, l.line(room, body))
		}
		for _, p := range slices.Backward(pages) {
			if len(newest) > limit {
				break
			}
			lines, err := files.page(p)
			if err != nil {
				return err
			}
			for _, l := range slices.Backward(lines) {
				if l.Seq < before {
					newest = append(newest, l)
				}
			}
		}
		page.More = len(newest) > limit
		newest = newest[:min(limit, len(newest))]
		slices.Reverse(newest)
		page.Lines = newest
		return nil
	})
	return page, err
}

// find returns where the last lines of a room are with numbers below before, at least count of them if there are.
func (s *state) find(name string, before uint64, count int) (tail []lineRef, pages []cutPage) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	in := s.rooms[name]
	if in == nil {
		return nil, nil
	}
	n := sort.Search(len(in.tail), func(i int) bool { return in.tail[i].seq >= before })
	tail = slices.Clone(in.tail[max(0, n-count):n])
	count -= len(tail)
	i := sort.Search(len(in.pages), func(i int) bool { return in.pages[i].firstSeq >= before })
	for i--; i >= 0 && count > 0; i-- {
		p := cutPage{in.pages[i], in.pages[i].file.cut}
		pages = append(pages, p)
		if p.lastSeq < before && p.lastIndex <= p.cut {
			count -= int(p.count)
		}
	}
	slices.Reverse(pages)
	return tail, pages
}

// Rooms implements store.Reader.
func (s *Store) Rooms(ctx context.Context, yield func(room string) error) error {
	var rooms []string
	err := s.retry(ctx, "read the rooms", func(st *state) error {
		st.mu.RLock()
		defer st.mu.RUnlock()
		rooms = rooms[:0]
		for name := range st.rooms {
			rooms = append(rooms, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, room := range rooms {
		if err := yield(room); err != nil {
			return err
		}
	}
	return nil
}
