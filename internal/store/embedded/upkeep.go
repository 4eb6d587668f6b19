package embedded

import (
	"cmp"
	"os"
	"slices"

	"chatapp/internal/store"
)

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
	return s.d.WriteFile(s.d.Path(nameManifest, m.number), appendManifest(nil, m))
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
	l, err := s.d.List()
	needed := make(map[string]bool)
	st.mu.RLock()
	needed[s.d.Path(nameManifest, st.manifest.number)] = true
	for _, log := range st.logs {
		needed[log.path] = true
	}
	for _, c := range st.checkpoints {
		needed[s.d.Path(nameCheckpoint, c.number)] = true
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
	for name, numbers := range l.Numbers {
		for _, number := range numbers {
			if path := s.d.Path(name, number); !needed[path] {
				if err := s.d.Remove(path); err != nil {
					return err
				}
			}
		}
	}
	return s.d.SyncFolder()
}
