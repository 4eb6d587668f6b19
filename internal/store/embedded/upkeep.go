package embedded

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"os"
	"slices"
	"time"

	"chatapp/internal/store"
)

// mergeFiles is how many neighbouring files of one size class are merged into one.
const mergeFiles = 8

// mergeBytes is the size of a file that is not merged any more.
const mergeBytes = 1 << 30

func (s *Store) sealInBackground() {
	defer s.busy.Store(false)
	s.upkeep.Lock()
	defer s.upkeep.Unlock()
	if err := s.sealLocked(); err != nil {
		s.logger.Warn("can't turn a log of the store into pages", "err", err)
		return
	}
	if err := s.mergeLocked(); err != nil {
		s.logger.Warn("can't merge files of the store", "err", err)
	}
}

// sealAll turns all logs into pages. It needs upkeep held.
func (s *Store) sealAllLocked() error {
	s.writing.Lock()
	err := s.writableLocked()
	if st := s.current.Load(); err == nil && (st.last().end > logHead || s.broken) {
		err = s.rollLocked()
	}
	s.writing.Unlock()
	if err != nil {
		return err
	}
	return s.sealLocked()
}

// sealLocked turns the logs that are not written any more into pages. It needs upkeep held.
func (s *Store) sealLocked() error {
	st := s.current.Load()
	for {
		st.mu.Lock()
		log := st.logs[0]
		if log.closed == nil {
			st.mu.Unlock()
			return s.sweepLocked()
		}
		st.lowest = uncut
		entries, lines := st.inLogLocked(log)
		firstLog := st.logs[1].number
		st.mu.Unlock()
		made, err := s.writeLog(log, entries, lines)
		if err != nil {
			return err
		}
		m := s.manifestOf(st)
		m.firstLog, m.kept, m.checkpoints = firstLog, log.closed.kept, log.closed.checkpoints
		for _, file := range made {
			if file.kind == kindEntries {
				m.entries = append(m.entries, listed{file.number, uncut})
			} else {
				m.lines = append(m.lines, listed{file.number, uncut})
			}
		}
		if err := s.writeManifest(m); err != nil {
			return err
		}
		st.mu.Lock()
		st.manifest = m
		st.forgetLogLocked(log)
		for _, file := range made {
			if file.lastIndex > st.lowest {
				file.cut = st.lowest
			}
			st.addPagesLocked(file)
		}
		st.mu.Unlock()
	}
}

// manifestOf returns a manifest of the same files as before, with what has been dropped of them since.
func (s *Store) manifestOf(st *state) *manifest {
	st.mu.RLock()
	defer st.mu.RUnlock()
	m := st.manifest.clone()
	m.lines, m.entries = m.lines[:0], m.entries[:0]
	for _, file := range st.lines {
		m.lines = append(m.lines, listed{file.number, file.cut})
	}
	for _, file := range st.old {
		m.entries = append(m.entries, listed{file.number, file.cut})
	}
	m.number = s.number()
	return m
}

func (s *Store) writeManifest(m *manifest) error {
	return s.d.writeFile(s.d.path(nameManifest, m.number), appendManifest(nil, m))
}

// placed is a line in a log, and its room.
type placed struct {
	room string
	lineRef
}

// inLogLocked returns what is in a log, as a file of pages has it.
func (s *state) inLogLocked(log *logFile) (entries []entryRef, lines []placed) {
	for _, e := range s.entries {
		if e.log == log {
			entries = append(entries, e)
		}
	}
	for name, in := range s.rooms {
		for _, l := range in.tail {
			if l.log != log {
				break // of a later one
			}
			lines = append(lines, placed{name, l})
		}
	}
	return entries, lines
}

// forgetLogLocked removes the references into a log, which is the first.
func (s *state) forgetLogLocked(log *logFile) {
	s.logs = s.logs[1:]
	s.entries = slices.DeleteFunc(s.entries, func(e entryRef) bool { return e.log == log })
	for name, in := range s.rooms {
		n := 0
		for n < len(in.tail) && in.tail[n].log == log {
			n++
		}
		if n > 0 {
			in.tail = slices.Clone(in.tail[n:])
			s.forgetEmptyLocked(name, in) // addPagesLocked makes it again, where it is to be
		}
	}
}

// writeLog writes the files for a log.
func (s *Store) writeLog(log *logFile, entries []entryRef, lines []placed) (made []*pageFile, err error) {
	slices.SortFunc(lines, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.room, b.room), cmp.Compare(a.seq, b.seq))
	})
	b, err := os.ReadFile(log.path)
	if err != nil {
		return nil, err
	}
	body := func(at int64, size uint32) []byte { return b[at : at+int64(size)] }
	write := func(kind byte, count int, line func(int) store.Line) error {
		if count == 0 {
			return nil
		}
		w, err := createPages(s.d, kind, s.number())
		if err != nil {
			return err
		}
		for i := range count {
			w.add(line(i))
		}
		file, err := w.finish()
		if file != nil {
			made = append(made, file)
		}
		return err
	}
	err = write(kindLines, len(lines), func(i int) store.Line {
		l := lines[i]
		return l.line(l.room, body(l.at, l.size))
	})
	if err != nil {
		return nil, err
	}
	err = write(kindEntries, len(entries), func(i int) store.Line {
		e := entries[i]
		return store.Line{Seq: e.index, Index: e.index, Body: body(e.at, e.size)}
	})
	return made, err
}

// sweepLocked removes the files that the store does not need any more. It needs upkeep held.
func (s *Store) sweepLocked() error {
	st := s.current.Load()
	s.writing.Lock()
	l, err := s.d.list()
	needed := make(map[string]bool)
	st.mu.RLock()
	needed[s.d.path(nameManifest, st.manifest.number)] = true
	for _, log := range st.logs {
		needed[log.path] = true
	}
	for _, c := range st.checkpoints {
		needed[s.d.path(nameCheckpoint, c.number)] = true
	}
	for _, files := range [][]*pageFile{st.lines, st.old} {
		for _, file := range files {
			needed[file.path] = true
		}
	}
	st.mu.RUnlock()
	s.writing.Unlock()
	if err != nil {
		return err
	}
	for name, numbers := range l.numbers {
		for _, number := range numbers {
			if path := s.d.path(name, number); !needed[path] {
				if err := s.d.remove(path); err != nil {
					return err
				}
			}
		}
	}
	return s.d.syncFolder()
}

// replaceLocked puts a file, which may be nil, in place of neighbouring ones, whose cuts were as given when the file
// was begun. It needs upkeep held.
func (s *Store) replaceLocked(old []*pageFile, cuts []uint64, file *pageFile) error {
	st := s.current.Load()
	m := s.manifestOf(st)
	files, names := &st.lines, &m.lines
	if old[0].kind == kindEntries {
		files, names = &st.old, &m.entries
	}
	at := slices.Index(st.snapshot(files), old[0])
	var by []*pageFile
	var name []listed
	if file != nil {
		by, name = []*pageFile{file}, []listed{{file.number, uncut}}
	}
	*names = slices.Replace(*names, at, at+len(old), name...)
	if err := s.writeManifest(m); err != nil {
		return err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.manifest = m
	for i := range old {
		if file != nil && old[i].cut != cuts[i] {
			file.cut = min(file.cut, old[i].cut)
		}
	}
	*files = slices.Replace(*files, at, at+len(old), by...)
	if old[0].kind == kindLines {
		st.replacePagesLocked(old, file)
	}
	return nil
}

// replacePagesLocked has the rooms know the pages of a file in place of those of others.
func (s *state) replacePagesLocked(old []*pageFile, file *pageFile) {
	rooms := make(map[string][]*page)
	for _, f := range old {
		for i := range f.pages {
			rooms[f.pages[i].room] = nil
		}
	}
	if file != nil {
		for i := range file.pages {
			if p := &file.pages[i]; p.firstIndex <= file.cut {
				rooms[p.room] = append(rooms[p.room], p)
			}
		}
	}
	isOld := func(p *page) bool { return slices.Contains(old, p.file) }
	for name, pages := range rooms {
		in := s.roomLocked(name)
		at := slices.IndexFunc(in.pages, isOld)
		if at < 0 {
			at = len(in.pages) // all of them are above what was dropped meanwhile
		}
		rest := slices.DeleteFunc(slices.Clone(in.pages[at:]), isOld)
		in.pages = slices.Concat(in.pages[:at], pages, rest)
		s.forgetEmptyLocked(name, in)
	}
}

// cuts returns the cuts of files.
func (s *state) cuts(files []*pageFile) []uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	cuts := make([]uint64, len(files))
	for i, file := range files {
		cuts[i] = file.cut
	}
	return cuts
}

// snapshot returns a list of files as it is now.
func (s *state) snapshot(files *[]*pageFile) []*pageFile {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(*files)
}

// mergeLocked merges files that have become many. It needs upkeep held.
func (s *Store) mergeLocked() error {
	for {
		old := mergeable(s.current.Load().snapshot(&s.current.Load().lines))
		if old == nil {
			return s.sweepLocked()
		}
		if err := s.mergeFilesLocked(old); err != nil {
			return err
		}
	}
}

// mergeable returns neighbouring files of one size class, or of smaller ones, that are enough to be merged.
func mergeable(files []*pageFile) []*pageFile {
	class := func(f *pageFile) int { return bits.Len64(f.size>>17) / 3 }
	for start, first := range files {
		if first.size >= mergeBytes {
			continue
		}
		end := start
		for end < len(files) && class(files[end]) <= class(first) {
			end++
		}
		if end-start >= mergeFiles {
			return files[start:end]
		}
	}
	return nil
}

func (s *Store) mergeFilesLocked(old []*pageFile) error {
	st := s.current.Load()
	cuts := st.cuts(old)
	var pages []cutPage
	for i, file := range old {
		for j := range file.pages {
			pages = append(pages, cutPage{&file.pages[j], cuts[i]})
		}
	}
	slices.SortFunc(pages, func(a, b cutPage) int { return byRoom(a.page, b.page) })
	w, err := createPages(s.d, kindLines, s.number())
	if err != nil {
		return err
	}
	open := make(map[string]*os.File)
	defer func() {
		for _, f := range open {
			f.Close()
		}
	}()
	for _, p := range pages {
		f := open[p.file.path]
		if f == nil {
			if f, err = os.Open(p.file.path); err != nil {
				break
			}
			open[p.file.path] = f
		}
		var lines []store.Line
		if lines, err = p.read(f); err != nil {
			break // a damaged page stays alone in its file
		}
		for _, line := range below(lines, p.cut) {
			w.add(line)
		}
	}
	if err != nil {
		w.abandon()
		return err
	}
	file, err := w.finish()
	if err != nil {
		return err
	}
	return s.replaceLocked(old, cuts, file)
}

// rewriteLocked writes a file again with what change says about its lines, if that changes anything or a part of the
// file has been dropped. It needs upkeep held.
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
			lines, err := pages[i].read(f)
			if err != nil {
				return err
			}
			for _, line := range lines {
				w.add(line)
			}
		}
		return nil
	}
	for i := range file.pages {
		var lines []store.Line
		if err = ctx.Err(); err == nil {
			lines, err = file.pages[i].read(f)
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
		return err
	}
	written, err := w.finish()
	if err != nil {
		return err
	}
	return s.replaceLocked([]*pageFile{file}, cuts, written)
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

// change runs what a method that removes something does once all logs are pages.
func (s *Store) change(what string, do func(*state) error) error {
	s.upkeep.Lock()
	defer s.upkeep.Unlock()
	err := s.sealAllLocked()
	if err == nil {
		err = do(s.current.Load())
	}
	if err == nil {
		err = s.mergeLocked()
	}
	if err != nil {
		return fmt.Errorf("%s in %s: %w", what, s.d.folder, explain(err))
	}
	return nil
}

// DropEntries implements store.Store.
func (s *Store) DropEntries(ctx context.Context, through uint64) error {
	s.writing.Lock()
	err := s.writableLocked()
	if err == nil {
		st := s.current.Load()
		if n := len(st.checkpoints); n == 0 || through > st.checkpoints[n-1].index {
			err = fmt.Errorf("drop the entries up to index %d: no checkpoint contains them", through)
		} else if err = s.recordLocked(&record{kind: recordDrop, through: through}); err != nil {
			err = fmt.Errorf("drop entries of the store in %s: %w", s.d.folder, err)
		}
	}
	s.writing.Unlock()
	if err != nil {
		return err
	}
	return s.change("drop entries", func(st *state) error {
		st.mu.RLock()
		floor := st.kept.Floor
		st.mu.RUnlock()
		for _, file := range st.snapshot(&st.old) {
			cut := st.cuts([]*pageFile{file})
			var err error
			switch first, last := file.pages[0].firstSeq, min(file.lastIndex, cut[0]); {
			case last <= floor || cut[0] < first:
				err = s.replaceLocked([]*pageFile{file}, cut, nil)
			case first <= floor || cut[0] < file.lastIndex:
				err = s.rewriteLocked(ctx, file, func(l *store.Line) store.Change {
					if l.Seq <= floor {
						return store.Drop
					}
					return store.Keep
				})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Rewrite implements store.Store.
func (s *Store) Rewrite(ctx context.Context, through uint64, change func(*store.Line) store.Change) error {
	return s.change("rewrite lines", func(st *state) error {
		for _, file := range st.snapshot(&st.lines) {
			err := s.rewriteLocked(ctx, file, func(l *store.Line) store.Change {
				if l.Seq > through {
					return store.Keep
				}
				return change(l)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// DropLines implements store.Store.
func (s *Store) DropLines(ctx context.Context, before time.Time) error {
	limit := before.UnixMilli()
	return s.change("drop lines", func(st *state) error {
		for _, file := range st.snapshot(&st.lines) {
			var err error
			switch {
			case file.times.newest < limit:
				err = s.replaceLocked([]*pageFile{file}, st.cuts([]*pageFile{file}), nil)
			case file.times.oldest < limit:
				err = s.rewriteLocked(ctx, file, func(l *store.Line) store.Change {
					if l.Time < limit {
						return store.Drop
					}
					return store.Keep
				})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
