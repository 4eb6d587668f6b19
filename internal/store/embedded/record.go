package embedded

import (
	"encoding/binary"
	"fmt"

	"chatapp/internal/folder"
	"chatapp/internal/store"
)

// Kinds of records of a log.
const (
	recordClaim = 'c'
	recordBatch = 'b'
	recordDrop  = 'd'
)

const recordKinds = string(recordClaim) + string(recordBatch) + string(recordDrop)

// record is a record of a log. Its kind says which fields it has.
type record struct {
	kind byte

	term    uint64 // claim
	through uint64 // drop

	// batch:
	batch  store.Batch // the body of its checkpoint is in a file
	number uint64      // of the checkpoint's file
	seq    uint64      // of the head behind the batch

	// Where in the record the bodies are. Encoding and decoding set it.
	entryAt, lineAt []int
}

// appendRecord encodes a record, with what stands in front of it.
func appendRecord(b []byte, r *record, salt uint32) []byte {
	start := len(b)
	b = folder.BeginRecord(b)
	b = append(b, r.kind)
	switch r.kind {
	case recordClaim:
		b = binary.AppendUvarint(b, r.term)
	case recordDrop:
		b = binary.AppendUvarint(b, r.through)
	case recordBatch:
		b = appendBatch(b, r, start+folder.RecordHead)
	}
	folder.EndRecord(b, start, salt)
	return b
}

func appendBatch(b []byte, r *record, start int) []byte {
	r.entryAt, r.lineAt = r.entryAt[:0], r.lineAt[:0]
	batch := &r.batch
	b = appendLog(b, batch.Log)
	b = binary.AppendUvarint(b, batch.After)
	b = binary.AppendUvarint(b, r.seq)
	b = binary.AppendUvarint(b, r.number)
	if r.number != 0 {
		b = appendLog(b, batch.Checkpoint.Log)
		b = binary.AppendUvarint(b, batch.Checkpoint.Index)
	}
	b = binary.AppendUvarint(b, uint64(len(batch.Entries)))
	if len(batch.Entries) > 0 {
		b = binary.AppendUvarint(b, batch.Entries[0].Index)
	}
	for _, entry := range batch.Entries {
		b = appendBytes(b, entry.Body)
		r.entryAt = append(r.entryAt, len(b)-len(entry.Body)-start)
	}
	b = binary.AppendUvarint(b, uint64(len(batch.Lines)))
	for _, line := range batch.Lines {
		b = appendBytes(b, line.Room)
		b = binary.AppendUvarint(b, line.Seq)
		b = binary.AppendUvarint(b, line.Index)
		b = binary.AppendVarint(b, line.Time)
		b = binary.AppendUvarint(b, line.User)
		b = appendBytes(b, line.Body)
		r.lineAt = append(r.lineAt, len(b)-len(line.Body)-start)
	}
	return b
}

// decodeRecord decodes a record without what stands in front of it. The bodies stay part of b.
func decodeRecord(b []byte) (*record, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("a record is empty: %w", store.ErrCorrupt)
	}
	r, in := &record{kind: b[0]}, reader{all: b, at: 1}
	switch r.kind {
	case recordClaim:
		r.term = in.uvarint()
	case recordDrop:
		r.through = in.uvarint()
	case recordBatch:
		decodeBatch(&in, r)
	default:
		return nil, fmt.Errorf("a record of kind %q: %w", r.kind, store.ErrVersion)
	}
	return r, in.end("a record")
}

func decodeBatch(in *reader, r *record) {
	batch := &r.batch
	batch.Log = in.log()
	batch.After = in.uvarint()
	r.seq = in.uvarint()
	if r.number = in.uvarint(); r.number != 0 {
		id := in.log()
		batch.Checkpoint = &store.Checkpoint{Log: id, Index: in.uvarint()}
	}
	if n := in.count(1); n > 0 {
		first := in.uvarint()
		batch.Entries = make([]store.Entry, 0, n)
		r.entryAt = make([]int, 0, n)
		for i := range n {
			body := in.bytes()
			batch.Entries = append(batch.Entries, store.Entry{Index: first + uint64(i), Body: body})
			r.entryAt = append(r.entryAt, in.at-len(body))
		}
	}
	n := in.count(6)
	batch.Lines = make([]store.Line, 0, n)
	r.lineAt = make([]int, 0, n)
	for range n {
		line := store.Line{Room: in.string(), Seq: in.uvarint(), Index: in.uvarint(), Time: in.varint()}
		line.User = in.uvarint()
		line.Body = in.bytes()
		batch.Lines = append(batch.Lines, line)
		r.lineAt = append(r.lineAt, in.at-len(line.Body))
	}
}
