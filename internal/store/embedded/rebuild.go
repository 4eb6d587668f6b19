package embedded

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"

	"chatapp/internal/folder"
	"chatapp/internal/store"
)

// A file of pages can be read without its index: in front of each page stands its head, and behind the last one a mark
// with their number. The index leads to the pages themselves, so that files of before there were heads are read alike.
const (
	headOfPage = 'p'
	endOfPages = 'e'
)

// appendPageHead encodes the head of an encoded page of a room, and its checksum.
func appendPageHead(b []byte, room string, sum uint32, encoded []byte) []byte {
	start := len(b)
	b = append(b, headOfPage)
	b = binary.BigEndian.AppendUint32(b, uint32(len(encoded)))
	b = binary.BigEndian.AppendUint32(b, sum)
	b = appendBytes(b, room)
	return binary.BigEndian.AppendUint32(b, folder.Checksum(b[start:]))
}

// appendPagesEnd encodes the mark behind the last page.
func appendPagesEnd(b []byte, pages int) []byte {
	start := len(b)
	b = append(b, endOfPages)
	b = binary.BigEndian.AppendUint32(b, uint32(pages))
	return binary.BigEndian.AppendUint32(b, folder.Checksum(b[start:]))
}

// maxPageHead is more than a head takes: the names of rooms are shorter.
const maxPageHead = 4 << 10

// rebuildIndex finds the pages of a file whose index is damaged. It fails unless it finds all of them undamaged.
func (file *pageFile) rebuildIndex(f *os.File, size int64) error {
	file.pages, file.times = nil, times{math.MaxInt64, math.MinInt64}
	for at := int64(headerSize); ; {
		b := make([]byte, min(maxPageHead, size-at))
		if _, err := f.ReadAt(b, at); err != nil {
			return err
		}
		h, ok := decodePageHead(b)
		switch {
		case ok && h.kind == endOfPages && int(h.n) == len(file.pages) && h.n > 0:
			return nil
		case !ok || h.kind != headOfPage || int64(h.n) > size-at-int64(h.size):
			return fmt.Errorf("the head of the page at offset %d is missing or damaged, too: %w", at, store.ErrCorrupt)
		}
		at += int64(h.size)
		p := page{file: file, room: h.room, at: uint64(at), size: h.n, sum: h.sum}
		if last := len(file.pages) - 1; last >= 0 && file.pages[last].room == h.room {
			p.room = file.pages[last].room // pages of one room share it
		}
		lines, err := p.read(f)
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			return fmt.Errorf("the page at offset %d is empty: %w", at, store.ErrCorrupt)
		}
		first, last := &lines[0], &lines[len(lines)-1]
		p.count = uint32(len(lines))
		p.firstSeq, p.lastSeq, p.firstIndex, p.lastIndex = first.Seq, last.Seq, first.Index, last.Index
		file.times.add(lines)
		file.pages = append(file.pages, p)
		at += int64(h.n)
	}
}

// pageHead is a decoded head, or the mark behind the last page.
type pageHead struct {
	kind byte
	n    uint32 // of bytes of the page; of pages
	sum  uint32 // of the page
	room string
	size int // of the head itself
}

// decodePageHead decodes what b begins with. It reports false if that is damaged.
func decodePageHead(b []byte) (h pageHead, ok bool) {
	fixed := 1 + 4
	if len(b) > 0 && b[0] == headOfPage {
		fixed += 4
	}
	if len(b) < fixed {
		return h, false
	}
	h.kind, h.n = b[0], binary.BigEndian.Uint32(b[1:])
	in := reader{all: b, at: fixed}
	if h.kind == headOfPage {
		h.sum = binary.BigEndian.Uint32(b[5:])
		h.room = in.string()
	}
	if in.bad || len(b) < in.at+4 || binary.BigEndian.Uint32(b[in.at:]) != folder.Checksum(b[:in.at]) {
		return h, false
	}
	h.size = in.at + 4
	return h, true
}

func (t *times) add(lines []store.Line) {
	for i := range lines {
		t.oldest, t.newest = min(t.oldest, lines[i].Time), max(t.newest, lines[i].Time)
	}
}
