package embedded

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"chatapp/internal/folder"
	"chatapp/internal/store"
)

// trailer ends a file with pages: the offset of its index, the size and the checksum of that.
const trailer = 8 + 4 + 4

// uncut is the cut of a file of which nothing is dropped.
const uncut = math.MaxUint64

// pageFile is a file of pages, which is never changed. Its pages ascend by room, and in a room by line number.
type pageFile struct {
	number    uint64
	path      string
	kind      byte
	size      uint64
	times     times
	lastIndex uint64
	pages     []page
	damaged   error // what is wrong with the index, which was rebuilt from the pages; nil: nothing

	cut uint64 // guarded by the mutex of the state: lines above this index are dropped
}

func fileName(kind byte) string {
	if kind == kindEntries {
		return nameEntries
	}
	return nameLines
}

// openPages reads the index of a file.
func openPages(d *disk, kind byte, number uint64) (*pageFile, error) {
	file := &pageFile{number: number, path: d.Path(fileName(kind), number), kind: kind, cut: uncut}
	f, err := os.Open(file.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	wrong := func(err error) (*pageFile, error) { return nil, fmt.Errorf("read the index of %s: %w", file.path, err) }
	head := make([]byte, headerSize)
	if _, err := f.ReadAt(head, 0); err != nil || info.Size() < int64(headerSize+trailer) {
		return wrong(fmt.Errorf("it is too short: %w", store.ErrCorrupt))
	}
	if _, err := checkHeader(head, kind); err != nil {
		return wrong(err)
	}
	file.size = uint64(info.Size())
	if err := file.readIndex(f); errors.Is(err, store.ErrCorrupt) {
		if again := file.rebuildIndex(f, info.Size()); again != nil {
			return wrong(fmt.Errorf("%w; %w", err, again))
		}
		file.damaged = err
	} else if err != nil {
		return wrong(err)
	}
	for _, p := range file.pages {
		file.lastIndex = max(file.lastIndex, p.lastIndex)
	}
	return file, nil
}

// readIndex reads the index, whose place the end of the file says.
func (file *pageFile) readIndex(f *os.File) (err error) {
	end := file.size - trailer
	tail := make([]byte, trailer)
	if _, err := f.ReadAt(tail, int64(end)); err != nil {
		return err
	}
	at, size := binary.BigEndian.Uint64(tail), uint64(binary.BigEndian.Uint32(tail[8:]))
	if at > end || end-at != size {
		return fmt.Errorf("its end is damaged: %w", store.ErrCorrupt)
	}
	index := make([]byte, size)
	if _, err := f.ReadAt(index, int64(at)); err != nil {
		return err
	}
	if folder.Checksum(index) != binary.BigEndian.Uint32(tail[12:]) {
		return fmt.Errorf("its checksum is wrong: %w", store.ErrCorrupt)
	}
	file.pages, file.times, err = decodeIndex(index, file, at)
	return err
}

// read reads a page. The lines' bodies are not shared.
func (p *page) read(f *os.File) ([]store.Line, error) {
	b, err := p.encoded(f)
	if err != nil {
		return nil, err
	}
	return p.decode(b)
}

// encoded reads a page as the file has it.
func (p *page) encoded(f *os.File) ([]byte, error) {
	b := make([]byte, p.size)
	if _, err := f.ReadAt(b, int64(p.at)); err != nil {
		return nil, fmt.Errorf("read the page at offset %d of %s: %w", p.at, p.file.path, err)
	}
	return b, nil
}

func (p *page) decode(b []byte) (lines []store.Line, err error) {
	err = store.ErrCorrupt
	if folder.Checksum(b) == p.sum {
		lines, err = decodePage(b, p.room)
	}
	if err != nil {
		return nil, fmt.Errorf("read the page at offset %d of %s, lines %d to %d: %w",
			p.at, p.file.path, p.firstSeq, p.lastSeq, err)
	}
	return lines, nil
}

// below returns the lines up to a log index.
func below(lines []store.Line, cut uint64) []store.Line {
	n, _ := slices.BinarySearchFunc(lines, cut, func(l store.Line, cut uint64) int {
		if l.Index <= cut {
			return -1
		}
		return 1
	})
	return lines[:n]
}

// pageWriter writes a file of pages.
type pageWriter struct {
	d    *disk
	file *pageFile
	f    *os.File
	w    *bufio.Writer
	at   uint64
	err  error

	lines []store.Line // of the page that is not full yet
	bytes int          // of their bodies
}

func createPages(d *disk, kind byte, number uint64) (*pageWriter, error) {
	file := &pageFile{number: number, path: d.Path(fileName(kind), number), kind: kind, cut: uncut,
		times: times{math.MaxInt64, math.MinInt64}}
	f, err := d.Create(file.path)
	if err != nil {
		return nil, explain(err)
	}
	w := &pageWriter{d: d, file: file, f: f, w: bufio.NewWriterSize(f, 256<<10)}
	w.put(appendHeader(nil, kind))
	return w, nil
}

func (w *pageWriter) put(b []byte) {
	if w.err == nil {
		if w.err = w.d.Step("write", w.file.path); w.err == nil {
			_, w.err = w.w.Write(b)
		}
	}
	w.at += uint64(len(b))
}

// add writes the next line. Its body must stay as it is until the page is full.
func (w *pageWriter) add(line store.Line) {
	if n := len(w.lines); n > 0 && (w.bytes >= pageBytes || w.lines[n-1].Room != line.Room) {
		w.flush()
	}
	w.lines = append(w.lines, line)
	w.bytes += len(line.Body) + 8
	w.file.times = times{min(w.file.times.oldest, line.Time), max(w.file.times.newest, line.Time)}
}

// addPage writes what counts of a page of another file. A damaged page goes on as it is, so that it fails what reads it
// and nothing else.
func (w *pageWriter) addPage(p cutPage, f *os.File) error {
	b, err := p.encoded(f)
	if err != nil {
		return err
	}
	lines, err := p.decode(b)
	for _, line := range below(lines, p.cut) {
		w.add(line)
	}
	if err == nil || p.firstIndex > p.cut {
		return nil
	}
	w.flush()
	t := p.file.times // those of the page are not known
	w.file.times = times{min(w.file.times.oldest, t.oldest), max(w.file.times.newest, t.newest)}
	w.page(*p.page, b)
	return nil
}

func (w *pageWriter) flush() {
	if len(w.lines) == 0 {
		return
	}
	first, last := w.lines[0], w.lines[len(w.lines)-1]
	b := appendPage(nil, w.lines)
	w.page(page{room: first.Room, sum: folder.Checksum(b), count: uint32(len(w.lines)), firstSeq: first.Seq,
		lastSeq: last.Seq, firstIndex: first.Index, lastIndex: last.Index}, b)
	w.lines, w.bytes = w.lines[:0], 0
}

// page writes an encoded page.
func (w *pageWriter) page(p page, b []byte) {
	w.put(appendPageHead(nil, p.room, p.sum, b))
	if n := len(w.file.pages); n > 0 && w.file.pages[n-1].room == p.room {
		p.room = w.file.pages[n-1].room // pages of one room share it
	}
	p.file, p.at, p.size = w.file, w.at, uint32(len(b))
	w.file.pages = append(w.file.pages, p)
	w.file.lastIndex = max(w.file.lastIndex, p.lastIndex)
	w.put(b)
}

// finish makes the file last. It returns nil if no line was added.
func (w *pageWriter) finish() (*pageFile, error) {
	w.flush()
	if len(w.file.pages) == 0 {
		w.abandon()
		return nil, nil
	}
	w.put(appendPagesEnd(nil, len(w.file.pages)))
	index, at := appendIndex(nil, w.file.pages, w.file.times), w.at
	w.put(index)
	end := binary.BigEndian.AppendUint64(nil, at)
	end = binary.BigEndian.AppendUint32(end, uint32(len(index)))
	w.put(binary.BigEndian.AppendUint32(end, folder.Checksum(index)))
	w.file.size = w.at
	w.file.pages = slices.Clip(w.file.pages)
	if w.err == nil {
		w.err = w.w.Flush()
	}
	if err := w.d.Commit(w.f, w.file.path, w.err); err != nil {
		return nil, fmt.Errorf("write %s: %w", w.file.path, err)
	}
	return w.file, nil
}

// abandon removes what was written.
func (w *pageWriter) abandon() {
	folder.Abandon(w.f)
}

// byRoom orders pages as a file has them.
func byRoom(a, b *page) int {
	return cmp.Or(cmp.Compare(a.room, b.room), cmp.Compare(a.firstSeq, b.firstSeq))
}
