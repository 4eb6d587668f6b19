package embedded

import (
	"math/bits"
	"os"
	"slices"
)

// mergeFiles is how many neighbouring files of one size class are merged into one.
const mergeFiles = 8

// mergeBytes is the size of a file that is not merged any more.
const mergeBytes = 1 << 30

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
		if err = w.addPage(p, f); err != nil {
			break
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
