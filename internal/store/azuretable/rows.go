package azuretable

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/fxamacker/cbor/v2"

	"chatapp/internal/store"
)

// Limits of the service, and what is kept below them: values are sent in base64, which makes them a third longer.
const (
	propertyBytes    = 64 << 10
	rowBytes         = 8 * propertyBytes // of 1 MiB
	transactionBytes = 2400 << 10        // of 4 MiB
	transactionRows  = 100
	pageBytes        = 60 << 10
)

// Partitions.
const (
	partitionLog         = "log"
	partitionCheckpoints = "c"
)

// row is a row of the table.
type row struct {
	partition, key string
	etag           string
	span           span
	value          []byte
}

// span is what a row says of its value, so that it can be judged without that.
type span struct {
	Turn        uint64 // in which it was written
	First, Last uint64 // entries or lines
	LastIndex   uint64 // of lines
	Oldest      int64  // times of lines
	Newest      int64
	Room        string
}

func (r *row) encode() ([]byte, error) {
	properties := map[string]any{
		"Turn": aztables.EDMInt64(r.span.Turn), "First": aztables.EDMInt64(r.span.First),
		"Last": aztables.EDMInt64(r.span.Last), "LastIndex": aztables.EDMInt64(r.span.LastIndex),
		"Oldest": aztables.EDMInt64(r.span.Oldest), "Newest": aztables.EDMInt64(r.span.Newest),
		"Room": aztables.EDMBinary(r.span.Room), "Size": int32(len(r.value)),
	}
	if len(r.value) > rowBytes {
		return nil, fmt.Errorf("a row of %d bytes, of which %d fit", len(r.value), rowBytes)
	}
	for i, rest := 0, r.value; len(rest) > 0; i++ {
		n := min(len(rest), propertyBytes)
		properties[fmt.Sprint("D", i)] = aztables.EDMBinary(rest[:n])
		rest = rest[n:]
	}
	entity := aztables.EDMEntity{Properties: properties}
	entity.PartitionKey, entity.RowKey = r.partition, r.key
	return json.Marshal(entity)
}

// decodeRow decodes a row. Its value is nil if it was not asked for.
func decodeRow(b []byte) (*row, error) {
	var entity aztables.EDMEntity
	if err := json.Unmarshal(b, &entity); err != nil {
		return nil, fmt.Errorf("a row doesn't decode: %w: %w", store.ErrCorrupt, err)
	}
	r := &row{partition: entity.PartitionKey, key: entity.RowKey, etag: entity.ETag}
	number := func(name string) int64 {
		n, _ := entity.Properties[name].(aztables.EDMInt64)
		return int64(n)
	}
	room, _ := entity.Properties["Room"].(aztables.EDMBinary)
	r.span = span{Turn: uint64(number("Turn")), First: uint64(number("First")), Last: uint64(number("Last")),
		LastIndex: uint64(number("LastIndex")), Oldest: number("Oldest"), Newest: number("Newest"), Room: string(room)}
	for i := 0; ; i++ {
		part, ok := entity.Properties[fmt.Sprint("D", i)].(aztables.EDMBinary)
		if !ok {
			break
		}
		r.value = append(r.value, part...)
	}
	if size, ok := entity.Properties["Size"].(int32); r.value != nil && (!ok || int(size) != len(r.value)) {
		return nil, fmt.Errorf("row %s of partition %s has %d bytes of %d: %w",
			r.key, r.partition, len(r.value), size, store.ErrCorrupt)
	}
	return r, nil
}

// spanProperties are all properties but the value.
const spanProperties = "PartitionKey,RowKey,Turn,First,Last,LastIndex,Oldest,Newest,Room"

// longRoom is the length from which names of rooms are hashed: a key has at most 512 characters.
const longRoom = 360

func roomPartition(room string) string {
	if len(room) > longRoom {
		sum := sha256.Sum256([]byte(room))
		return "rh" + base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return "rn" + base64.RawURLEncoding.EncodeToString([]byte(room))
}

// reversed has greater numbers sort first.
func reversed(seq uint64) string { return fmt.Sprintf("%016x", math.MaxUint64-seq) }

// encodedLine is a line in a value. Lines of several rooms have the room's name in each.
type encodedLine struct {
	_     struct{} `cbor:",toarray"`
	Room  string
	Seq   uint64
	Index uint64
	Time  int64
	User  uint64
	Body  []byte
}

func encode(v any) []byte {
	b, err := cbor.Marshal(v)
	if err != nil {
		panic(err) // none of the types here can fail
	}
	return b
}

func decode(b []byte, v any, what string) error {
	if err := cbor.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s doesn't decode: %w: %w", what, store.ErrCorrupt, err)
	}
	return nil
}

// linesRow is a row with lines.
func linesRow(partition, key string, turn uint64, lines []store.Line, room string) *row {
	r := &row{partition: partition, key: key, span: span{Turn: turn, First: lines[0].Seq, Last: lines[len(lines)-1].Seq,
		LastIndex: lines[len(lines)-1].Index, Oldest: math.MaxInt64, Newest: math.MinInt64, Room: room}}
	encoded := make([]encodedLine, len(lines))
	for i, l := range lines {
		r.span.Oldest, r.span.Newest = min(r.span.Oldest, l.Time), max(r.span.Newest, l.Time)
		encoded[i] = encodedLine{Room: l.Room, Seq: l.Seq, Index: l.Index, Time: l.Time, User: l.User, Body: l.Body}
		if partition != partitionLog {
			encoded[i].Room = "" // it is that of the row
		}
	}
	r.value = encode(encoded)
	return r
}

func (r *row) lines() ([]store.Line, error) {
	var encoded []encodedLine
	if err := decode(r.value, &encoded, "row "+r.key+" of partition "+r.partition); err != nil {
		return nil, err
	}
	lines := make([]store.Line, len(encoded))
	for i, l := range encoded {
		lines[i] = store.Line{Room: l.Room, Seq: l.Seq, Index: l.Index, Time: l.Time, User: l.User, Body: l.Body}
		if r.partition != partitionLog {
			lines[i].Room = r.span.Room
		}
	}
	return lines, nil
}

// split calls add with parts whose bodies together have at most limit bytes, or are one.
func split[T any](all []T, limit int, size func(T) int, add func([]T)) {
	for len(all) > 0 {
		n, bytes := 1, size(all[0])
		for n < len(all) && bytes+size(all[n]) <= limit {
			bytes += size(all[n])
			n++
		}
		add(all[:n])
		all = all[n:]
	}
}

func lineSize(l store.Line) int   { return len(l.Body) + len(l.Room) + 40 }
func entrySize(e store.Entry) int { return len(e.Body) + 16 }
