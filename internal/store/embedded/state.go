package embedded

import (
	"fmt"
	"os"
	"slices"
	"sync"

	"chatapp/internal/store"
)

// state is where everything is: what a process that has the store open keeps in memory.
type state struct {
	mu       sync.RWMutex // guards what follows
	manifest *manifest
	kept     store.Kept
	logs     []*logFile // ascending; the last one is written

	checkpoints []checkpointFile // ascending
	entries     []entryRef       // those in logs
	rooms       map[string]*room
	lines       []*pageFile // ascending by line number
	old         []*pageFile // with entries, ascending by log index
	lowest      uint64      // index above which something was dropped since a log began to be sealed
}

// logFile is a log. What it has from end on is torn, or not read yet.
type logFile struct {
	number uint64
	path   string
	salt   uint32
	end    int64
	closed *closing // nil: it is written
}

// closing is what the store had at the end of a log.
type closing struct {
	kept        store.Kept
	checkpoints []checkpointFile
}

// room is where the lines of a room are.
type room struct {
	pages []*page   // ascending
	tail  []lineRef // those in logs
}

// lineRef is a line in a log.
type lineRef struct {
	seq, index uint64
	time       int64
	user       uint64
	log        *logFile
	at         int64 // of the body
	size       uint32
}

func (l lineRef) line(room string, body []byte) store.Line {
	return store.Line{Room: room, Seq: l.seq, Index: l.index, Time: l.time, User: l.user, Body: body}
}

// entryRef is an entry in a log.
type entryRef struct {
	index uint64
	log   *logFile
	at    int64
	size  uint32
}

func newState() *state {
	return &state{manifest: &manifest{firstLog: 1}, rooms: make(map[string]*room), lowest: uncut}
}

// last returns the log that is written, or nil if there is none.
func (s *state) last() *logFile {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.logs) == 0 {
		return nil
	}
	return s.logs[len(s.logs)-1]
}

func (s *state) roomLocked(name string) *room {
	r := s.rooms[name]
	if r == nil {
		r = &room{}
		s.rooms[name] = r
	}
	return r
}

// applyLocked does what a record says, which begins at an offset of a log.
func (s *state) applyLocked(r *record, log *logFile, at int64) error {
	switch r.kind {
	case recordClaim:
		s.kept.Head.Term = r.term
	case recordDrop:
		s.dropEntriesLocked(r.through)
	case recordBatch:
		kept, err := s.kept.Append(&r.batch)
		if err != nil {
			return fmt.Errorf("%w: %w", store.ErrCorrupt, err)
		}
		kept.Head.Seq = r.seq
		s.applyBatchLocked(r, kept, log, at)
	}
	return nil
}

func (s *state) dropEntriesLocked(through uint64) {
	s.kept.Floor = max(s.kept.Floor, through)
	if n := len(s.checkpoints); n > 0 {
		s.checkpoints = slices.Clone(s.checkpoints[n-1:])
		s.kept.Checkpoint = s.checkpoints[0].index
	}
	s.entries = slices.DeleteFunc(s.entries, func(e entryRef) bool { return e.index <= through })
}

func (s *state) applyBatchLocked(r *record, kept store.Kept, log *logFile, at int64) {
	b := &r.batch
	if b.After < s.kept.Head.Index {
		s.cutLocked(b.After)
	}
	if kept.Floor != s.kept.Floor {
		s.entries = slices.DeleteFunc(s.entries, func(e entryRef) bool { return e.index <= kept.Floor })
	}
	s.checkpoints = slices.DeleteFunc(slices.Clone(s.checkpoints), func(c checkpointFile) bool {
		return c.index > b.After || c.index < kept.Checkpoint || b.Checkpoint != nil && c.index == b.Checkpoint.Index
	})
	if b.Checkpoint != nil {
		s.checkpoints = append(s.checkpoints, checkpointFile{r.number, b.Checkpoint.Log, b.Checkpoint.Index})
	}
	for i, entry := range b.Entries {
		s.entries = append(s.entries, entryRef{entry.Index, log, at + int64(r.entryAt[i]), uint32(len(entry.Body))})
	}
	for i, line := range b.Lines {
		in := s.roomLocked(line.Room)
		in.tail = append(in.tail, lineRef{seq: line.Seq, index: line.Index, time: line.Time, user: line.User,
			log: log, at: at + int64(r.lineAt[i]), size: uint32(len(line.Body))})
	}
	s.kept = kept
}

// cutLocked drops what is above a log index.
func (s *state) cutLocked(after uint64) {
	s.lowest = min(s.lowest, after)
	s.entries = slices.DeleteFunc(s.entries, func(e entryRef) bool { return e.index > after })
	for _, files := range [][]*pageFile{s.lines, s.old} {
		for _, file := range files {
			if file.lastIndex > after {
				file.cut = min(file.cut, after)
			}
		}
	}
	for name, in := range s.rooms {
		in.tail = slices.DeleteFunc(in.tail, func(l lineRef) bool { return l.index > after })
		in.pages = slices.DeleteFunc(in.pages, func(p *page) bool { return p.firstIndex > after })
		s.forgetEmptyLocked(name, in)
	}
}

func (s *state) forgetEmptyLocked(name string, in *room) {
	if len(in.tail) == 0 && len(in.pages) == 0 {
		delete(s.rooms, name)
	}
}

// lastLine returns the number of the last line up to a log index. It reads pages.
func (s *state) lastLine(after uint64) (uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var last uint64
	var partly []*page
	for _, in := range s.rooms {
		for _, l := range slices.Backward(in.tail) {
			if l.index <= after {
				last = max(last, l.seq)
				break
			}
		}
		for _, p := range slices.Backward(in.pages) {
			if p.firstIndex > after {
				continue
			}
			if p.lastIndex <= min(after, p.file.cut) {
				last = max(last, p.lastSeq)
				break
			}
			partly = append(partly, p)
		}
	}
	for _, p := range partly {
		f, err := os.Open(p.file.path)
		if err != nil {
			return 0, err
		}
		lines, err := p.read(f)
		f.Close()
		if err != nil {
			return 0, err
		}
		if lines = below(lines, min(after, p.file.cut)); len(lines) > 0 {
			last = max(last, lines[len(lines)-1].Seq)
		}
	}
	return last, nil
}

// addPagesLocked makes the pages of a new file, which is behind all others, known.
func (s *state) addPagesLocked(file *pageFile) {
	if file.kind == kindEntries {
		s.old = append(s.old, file)
		return
	}
	s.lines = append(s.lines, file)
	for i := range file.pages {
		if p := &file.pages[i]; p.firstIndex <= file.cut {
			in := s.roomLocked(p.room)
			in.pages = append(in.pages, p)
		}
	}
}
