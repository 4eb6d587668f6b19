package backplane

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// randomBatch returns a batch whose numbers and bodies are of any size, and some of whose fields are zero.
func randomBatch(r *rand.Rand) *envelope {
	number := func() uint64 { return r.Uint64() >> (2 + r.IntN(62)) }
	optional := func() uint64 { return number() * r.Uint64N(2) }
	e := &envelope{Version: newestVersion, Needs: uint(1 + r.IntN(newestVersion)), Kind: kindLog,
		From: strings.Repeat("é", 1+r.IntN(20)), Epoch: number() + 1, First: number() + 1, Index: optional(),
		Hash: optional(), Kept: optional()}
	if e.Index != 0 {
		e.Cluster = clusterID{Stamp: number(), Founder: strings.Repeat("a", r.IntN(40))}
	}
	for range 1 + r.IntN(30) {
		it := item{Kind: uint8(r.Uint32()), Seq: number(), Time: int64(number()),
			Body: bytes.Repeat([]byte{0xa5}, r.IntN(300))}
		e.Items = append(e.Items, it)
	}
	return e
}

func TestBatchesAreEncodedAsByTheLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		e := randomBatch(r)
		want, err := e.encodeAny()
		if err != nil {
			t.Fatal(err)
		}
		if !e.isPlain() || !bytes.Equal(e.encodePlain(), want) {
			t.Fatalf("%+v is plain: %t, encoded as %x, by the library as %x", e, e.isPlain(), e.encodePlain(), want)
		}
		kept := bytes.Clone(want)
		got, plain := decodePlain(want)
		if !plain || !reflect.DeepEqual(got, e) {
			t.Fatalf("decodePlain(%x) = %+v, %t, want %+v", want, got, plain, e)
		}
		for i := range got.Items {
			clear(got.Items[i].Body)
		}
		if !bytes.Equal(want, kept) {
			t.Fatalf("the items of decodePlain(%x) share its memory", kept)
		}
	}
}

func TestRareEnvelopesAreLeftToTheLibrary(t *testing.T) {
	for name, change := range map[string]func(*envelope){
		"heartbeat":     func(e *envelope) { e.Items[0].Body = nil },
		"negative time": func(e *envelope) { e.Items[0].Time = -1 },
		"traced":        func(e *envelope) { e.Traces = map[uint]string{0: "t"} },
		"no entry":      func(e *envelope) { e.Items = nil },
		"chunk":         func(e *envelope) { e.Kind, e.Chunk = kindChunk, &chunk{Count: 1, Data: []byte{1}} },
		"unicast":       func(e *envelope) { e.Kind, e.To = kindMissing, "b" },
		"refusal":       func(e *envelope) { e.Kind, e.Refusal = kindRefusal, &refusal{} },
		"combined":      func(e *envelope) { e.Kind, e.Parts = kindCombined, [][]byte{{1}} },
	} {
		e := randomBatch(rand.New(rand.NewPCG(1, 2)))
		change(e)
		body, err := e.encode()
		want, errAny := e.encodeAny()
		if err != nil || errAny != nil || e.isPlain() || !bytes.Equal(body, want) {
			t.Errorf("%s: encode = %x, %v, plain %t, by the library %x, %v", name, body, err, e.isPlain(), want, errAny)
		}
		if got, plain := decodePlain(body); plain && got.invalid() == "" {
			t.Errorf("%s: decodePlain(%x) = %+v", name, body, got)
		}
	}
	later := randomBatch(rand.New(rand.NewPCG(1, 2)))
	later.Version, later.Needs = newestVersion+1, newestVersion+1
	if got, plain := decodePlain(later.encodePlain()); plain {
		t.Errorf("decodePlain of a batch that needs a later version = %+v", got)
	}
}

// BenchmarkBatch encodes and decodes what a busy instance publishes at once.
func BenchmarkBatch(b *testing.B) {
	e := randomBatch(rand.New(rand.NewPCG(1, 2)))
	e.Items = e.Items[:min(len(e.Items), 20)]
	b.ReportAllocs()
	for b.Loop() {
		body, err := e.encode()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := decodeEnvelope(body); err != nil {
			b.Fatal(err)
		}
	}
}
