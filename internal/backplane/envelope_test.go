package backplane

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// formats are examples of all that travels, by the name of their golden file below testdata/v2, which
// every later version must go on reading.
var formats = []struct {
	name  string
	value any
}{
	{"batch", &envelope{
		Version: 2, Needs: 2, Kind: kindLog, From: "worker-1", Epoch: 1795305600000, First: 7,
		Items: []item{
			{Kind: entryBody, Seq: 5, Time: 1795305600123, Body: []byte("hello")},
			{Kind: entryHeartbeat, Seq: 6, Time: 1795305600124, Body: []byte{}},
		},
		Cluster: clusterID{Stamp: 1795300000000, Founder: "worker-0"}, Index: 41, Hash: 0xfedcba9876543210,
	}},
	{"joinrequest", &envelope{
		Version: 2, Needs: 1, Kind: kindLog, From: "worker-1", Epoch: 1795305600000, First: 1,
		Items: []item{{Kind: entryJoinRequest, Time: 1795305600000, Body: (&control{
			Start: 1795300000000, Base: 1795300000001, BaseNext: 12, Attempt: 2, Reads: 2,
			Cluster: clusterID{Stamp: 1795300000000, Founder: "worker-0"}, Index: 41, Rules: 3, StateRules: 2,
			Parents: lineage{{Cluster: clusterID{Stamp: 1795200000000, Founder: "worker-9"}, Index: 30}},
		}).encode()}},
	}},
	{"traced", &envelope{
		Version: 2, Needs: 2, Kind: kindLog, From: "worker-0", Epoch: 1795300000000, First: 17,
		Items: []item{
			{Kind: entryBody, Seq: 5, Time: 1795305600123, Body: []byte("hello")},
			{Kind: entryBody, Seq: 6, Time: 1795305600124, Body: []byte("traced")},
		},
		Traces: map[uint]string{1: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}},
	{"chunk", &envelope{
		Version: 2, Needs: 2, Kind: kindChunk, From: "worker-0", Epoch: 1795300000000, To: "worker-1",
		Chunk: &chunk{Epoch: 1795305600000, Index: 1, Count: 3, Data: []byte("part of a snapshot")},
	}},
	{"missing", &envelope{
		Version: 2, Needs: 2, Kind: kindMissing, From: "worker-1", Epoch: 1795305600000, First: 17, To: "worker-0",
	}},
	{"refusal", &envelope{
		Version: 2, Needs: 2, Kind: kindRefusal, From: "worker-0", Epoch: 1795300000000, To: "worker-1",
		Refusal: &refusal{Epoch: 1795305600000, Rules: 2, Above: 1795305700000},
	}},
	{"probe", &control{Instance: "worker-2", Epoch: 1795300000002}},
	{"evict", &control{Instance: "worker-2", Epoch: 1795300000002, Next: 99}},
	{"compare", &control{Vector: []vectorEntry{
		{Instance: "worker-0", Epoch: 1795300000000, Next: 3},
		{Instance: "worker-1", Epoch: 1795305600000, Next: 8},
	}}},
	{"snapshot", &snapshot{
		Cluster: clusterID{Stamp: 1795300000000, Founder: "worker-0"}, Index: 41, Hash: 0x0123456789abcdef,
		State: []byte("state"), Rules: 2,
		Parents: lineage{{Cluster: clusterID{Stamp: 1795200000000, Founder: "worker-9"}, Index: 30}},
		Records: []record{
			{
				Instance: "worker-0", Start: 1795300000000, Epoch: 1795300000000, Next: 3,
				Seen: []span{{First: 1, Last: 1}}, Rank: 1, InSync: true, Reads: 2, Rules: 3,
			},
			{
				Instance: "worker-2", Start: 1795300000000, Epoch: 1795300000002, Next: 9,
				Seen: []span{{First: 1, Last: 5}, {First: 8, Last: 9}}, Rank: 2, Gone: true, Reads: 2, GoneIndex: 40,
				Rules: 2,
			},
		},
	}},
}

func decodeAs(value any, body []byte) (any, error) {
	switch value.(type) {
	case *envelope:
		return decodeEnvelope(body)
	case *control:
		return decodeControl(body)
	default:
		return decodeSnapshot(body)
	}
}

func TestFormatIsGolden(t *testing.T) {
	for _, format := range formats {
		name := filepath.Join("testdata", "v2", format.name+".hex")
		got, err := encoder.Marshal(format.value)
		if err != nil {
			t.Fatal(err)
		}
		if os.Getenv("BACKPLANE_WRITE_GOLDEN") != "" { // only for a format that no release has written
			if err := os.WriteFile(name, []byte(hex.EncodeToString(got)+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(strings.TrimSpace(string(file)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s encodes as\n%x, want\n%x", format.name, got, want)
		}
		decoded, err := decodeAs(format.value, want)
		if err != nil || !reflect.DeepEqual(decoded, format.value) {
			t.Errorf("%s decodes as %+v, %v, want %+v", format.name, decoded, err, format.value)
		}
	}
}

// with encodes an envelope changed by some keys.
func with(t *testing.T, changes map[int]any) []byte {
	t.Helper()
	fields := map[int]any{
		1: 2, 2: 2, 3: kindLog, 4: "a", 5: 1, 6: 1, 7: []any{[]any{0, 1, 0, []byte("x")}}, 8: []any{0, ""},
	}
	for key, value := range changes {
		if fields[key] = value; value == nil {
			delete(fields, key)
		}
	}
	body, err := encoder.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// withChunk encodes an envelope with a part of a snapshot.
func withChunk(t *testing.T, index, count int) []byte {
	t.Helper()
	return with(t, map[int]any{3: kindChunk, 11: map[int]any{1: 1, 2: index, 3: count, 4: []byte("x")}})
}

func TestDecodeEnvelopeRefuses(t *testing.T) {
	long := strings.Repeat("x", MaxInstanceName+1)
	for _, test := range []struct {
		name string
		body []byte
		want error
	}{
		{"nothing", nil, errMalformed},
		{"text", []byte("hello"), errMalformed},
		{"something behind it", append(with(t, nil), 0), errMalformed},
		{"half of it", with(t, nil)[:20], errMalformed},
		{"a map of indefinite length", append(append([]byte{0xbf}, with(t, nil)[1:]...), 0xff), errMalformed},
		{"a key twice", append([]byte{0xa9, 1, 2}, with(t, nil)[1:]...), errMalformed},
		{"a tag", append([]byte{0xc1}, with(t, nil)...), errMalformed},
		{"version 0", with(t, map[int]any{1: 0}), errMalformed},
		{"more needed than written", with(t, map[int]any{2: 2, 1: 1}), errMalformed},
		{"no name", with(t, map[int]any{4: nil}), errMalformed},
		{"a long name", with(t, map[int]any{4: long}), errMalformed},
		{"a long founder's name", with(t, map[int]any{8: []any{1, long}}), errMalformed},
		{"a long receiver's name", with(t, map[int]any{12: long}), errMalformed},
		{"a name that is no text", with(t, map[int]any{4: []byte("a")}), errMalformed},
		{"a name that is not UTF-8", bytes.Replace(with(t, nil), []byte("\x61a"), []byte("\x61\xff"), 1), errMalformed},
		{"no epoch", with(t, map[int]any{5: nil}), errMalformed},
		{"a number near overflow", with(t, map[int]any{6: uint64(1<<64 - 1)}), errMalformed},
		{"no first number", with(t, map[int]any{6: nil}), errMalformed},
		{"no items", with(t, map[int]any{7: nil}), errMalformed},
		{"an item of three", with(t, map[int]any{7: []any{[]any{0, 1, 0}}}), errMalformed},
		{"a negative number", with(t, map[int]any{6: -1}), errMalformed},
		{"a part without content", with(t, map[int]any{3: kindChunk}), errMalformed},
		{"a part beyond its count", withChunk(t, 3, 3), errMalformed},
		{"too many parts", withChunk(t, 0, maxChunks+1), errMalformed},
		{"a version that must be known", with(t, map[int]any{1: 4, 2: 3}), ErrVersion},
		{"one that looks otherwise, too", with(t, map[int]any{1: 4, 2: 3, 4: 17, 7: "items"}), ErrVersion},
	} {
		if _, err := decodeEnvelope(test.body); !errors.Is(err, test.want) {
			t.Errorf("decodeEnvelope(%s) = %v, want %v", test.name, err, test.want)
		}
	}
}

func TestDecodeEnvelopeIgnoresWhatNewerVersionsAdd(t *testing.T) {
	body := with(t, map[int]any{1: 3, 3: 99, 100: "new", 101: map[int]any{1: []any{2}}})
	e, err := decodeEnvelope(body)
	if err != nil || e.From != "a" || e.Kind != 99 {
		t.Errorf("decodeEnvelope of version 3 that needs version 2 = %+v, %v, want it read", e, err)
	}
}

// Envelopes of version 1 are not understood, but recognized, so that nobody bootstraps a cluster beside their senders.
func TestDecodeEnvelopeRecognizesVersion1(t *testing.T) {
	for name, kind := range map[string]uint8{"batch": kindLog, "joinrequest": kindLog, "chunk": kindChunk} {
		file, err := os.ReadFile(filepath.Join("testdata", "v1", name+".hex"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := hex.DecodeString(strings.TrimSpace(string(file)))
		if err != nil {
			t.Fatal(err)
		}
		e, err := decodeEnvelope(body)
		if err != nil || e.Version != 1 || e.Kind != kind {
			t.Errorf("%s of version 1 decodes as %+v, %v, want version 1 and kind %d", name, e, err, kind)
		}
	}
}

func TestDecodeDoesNotAllocateWhatIsOnlyClaimed(t *testing.T) {
	// An array that claims 100,000 items and ends at once.
	body := []byte{0xa1, 7, 0x9a, 0, 1, 0x86, 0xa0, 0x84}
	if got := testing.AllocsPerRun(10, func() { decodeEnvelope(body) }); got > 20 {
		t.Errorf("decoding a lie takes %v allocations, want few", got)
	}
	if _, err := decodeEnvelope(body); !errors.Is(err, errMalformed) {
		t.Errorf("decodeEnvelope = %v, want errMalformed", err)
	}
}

// FuzzEnvelope checks that what decodes encodes to something that decodes equal.
func FuzzEnvelope(f *testing.F) {
	addFormats[*envelope](f)
	f.Fuzz(func(t *testing.T, body []byte) {
		plain, ok := decodePlain(body)
		if ok && plain.invalid() == "" {
			if byLibrary, err := decodeAny(body); err != nil || !reflect.DeepEqual(plain, byLibrary) {
				t.Fatalf("decodePlain(%x) = %+v, by the library %+v, %v", body, plain, byLibrary, err)
			}
		}
		if e, err := decodeEnvelope(body); err == nil {
			checkAgain(t, body, e, decodeEnvelope)
		}
	})
}

func FuzzControl(f *testing.F) {
	addFormats[*control](f)
	f.Fuzz(func(t *testing.T, body []byte) {
		if c, err := decodeControl(body); err == nil {
			checkAgain(t, body, c, decodeControl)
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	addFormats[*snapshot](f)
	f.Fuzz(func(t *testing.T, body []byte) {
		if s, err := decodeSnapshot(body); err == nil {
			checkAgain(t, body, s, decodeSnapshot)
		}
	})
}

func addFormats[T any](f *testing.F) {
	for _, format := range formats {
		if _, ok := format.value.(T); ok {
			body, err := encoder.Marshal(format.value)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(body)
		}
	}
}

func checkAgain[T any](t *testing.T, body []byte, value T, decode func([]byte) (T, error)) {
	again, err := encoder.Marshal(value)
	if err != nil {
		t.Fatalf("what decodes from %x does not encode: %v", body, err)
	}
	second, err := decode(again)
	if err != nil {
		t.Fatalf("what %x encodes to does not decode: %v", body, err)
	}
	third, err := encoder.Marshal(second)
	if err != nil || !bytes.Equal(again, third) {
		t.Errorf("%x decodes to %+v and then to %+v", body, value, second)
	}
}

func BenchmarkEnvelope(b *testing.B) {
	e := &envelope{Version: 2, Needs: 2, Kind: kindLog, From: "worker-1", Epoch: 1, First: 1}
	for i := range 100 {
		e.Items = append(e.Items, item{Seq: uint64(i), Time: 1795305600123, Body: make([]byte, 100)})
	}
	body, err := e.encode()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if _, err := e.encode(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if _, err := decodeEnvelope(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}
