package embedded

import (
	"encoding/binary"
	"fmt"

	"chatapp/internal/store"
)

// pageBytes is the size of bodies from which a page is full.
const pageBytes = 16 << 10

// page is the row of one page in the index of its file. All lines of a page are of one room. A page of entries is one
// of lines whose numbers are the log indexes, in a room without a name.
type page struct {
	file  *pageFile
	room  string
	at    uint64
	size  uint32
	sum   uint32
	count uint32

	firstSeq, lastSeq     uint64
	firstIndex, lastIndex uint64
}

// appendPage encodes the lines of a page.
func appendPage(b []byte, lines []store.Line) []byte {
	b = binary.AppendUvarint(b, uint64(len(lines)))
	var last store.Line
	for _, line := range lines {
		b = binary.AppendUvarint(b, line.Seq-last.Seq)
		b = binary.AppendUvarint(b, line.Index-last.Index)
		b = binary.AppendVarint(b, line.Time-last.Time)
		b = binary.AppendUvarint(b, line.User)
		b = appendBytes(b, line.Body)
		last = line
	}
	return b
}

// decodePage decodes the lines of a page. Their bodies stay part of b.
func decodePage(b []byte, room string) ([]store.Line, error) {
	in := reader{all: b}
	n := in.count(5)
	lines := make([]store.Line, 0, n)
	var last store.Line
	for range n {
		line := store.Line{Room: room, Seq: last.Seq + in.uvarint(), Index: last.Index + in.uvarint(),
			Time: last.Time + in.varint(), User: in.uvarint()}
		line.Body = in.bytes()
		lines = append(lines, line)
		last = line
	}
	return lines, in.end("a page")
}

// times are the bounds of the times of a file's lines.
type times struct{ oldest, newest int64 }

func appendIndex(b []byte, pages []page, t times) []byte {
	b = binary.AppendVarint(b, t.oldest)
	b = binary.AppendVarint(b, t.newest)
	b = binary.AppendUvarint(b, uint64(len(pages)))
	for _, p := range pages {
		b = appendBytes(b, p.room)
		for _, v := range []uint64{p.at, uint64(p.size), uint64(p.sum), uint64(p.count),
			p.firstSeq, p.lastSeq - p.firstSeq, p.firstIndex, p.lastIndex - p.firstIndex} {
			b = binary.AppendUvarint(b, v)
		}
	}
	return b
}

// decodeIndex decodes the index of a file whose pages end at an offset.
func decodeIndex(b []byte, file *pageFile, end uint64) ([]page, times, error) {
	in := reader{all: b}
	t := times{oldest: in.varint(), newest: in.varint()}
	n := in.count(9)
	pages := make([]page, 0, n)
	room := ""
	for range n {
		if name := in.bytes(); string(name) != room {
			room = string(name) // pages of one room share it
		}
		p := page{file: file, room: room, at: in.uvarint()}
		size, sum, count := in.uvarint(), in.uvarint(), in.uvarint()
		p.size, p.sum, p.count = uint32(size), uint32(sum), uint32(count)
		p.firstSeq = in.uvarint()
		p.lastSeq = p.firstSeq + in.uvarint()
		p.firstIndex = in.uvarint()
		p.lastIndex = p.firstIndex + in.uvarint()
		if p.at > end || size > end-p.at || sum>>32 != 0 || count == 0 || count > size {
			in.bad = true
		}
		pages = append(pages, p)
		if in.bad {
			return nil, t, fmt.Errorf("an index doesn't decode: %w", store.ErrCorrupt)
		}
	}
	return pages, t, in.end("an index")
}
