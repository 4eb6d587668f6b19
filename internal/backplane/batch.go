package backplane

import (
	"bytes"
	"math"

	"chatapp/internal/corecbor"
)

// Batches of entries are nearly all that a busy bus carries. So they are encoded and decoded without reflection. The
// bytes are those of package cbor, which encodes and decodes all other envelopes, and batches that have something rare:
// an entry without a body, as a heartbeat is, or trace contexts.

// The keys of the fields that a batch may have, and how many fields an item and a clusterID have.
const (
	keyVersion = 1
	keyNeeds   = 2
	keyKind    = 3
	keyFrom    = 4
	keyEpoch   = 5
	keyFirst   = 6
	keyItems   = 7
	keyCluster = 8
	keyIndex   = 9
	keyHash    = 10
	keyKept    = 15

	itemFields    = 4
	clusterFields = 2
)

// isPlain reports whether the envelope is a batch without anything rare.
func (e *envelope) isPlain() bool {
	if e.Kind != kindLog || len(e.Items) == 0 || e.Chunk != nil || e.To != "" || e.Refusal != nil || e.Parts != nil ||
		e.Traces != nil {
		return false
	}
	for i := range e.Items {
		if e.Items[i].Body == nil || e.Items[i].Time < 0 {
			return false
		}
	}
	return true
}

// encodePlain encodes an envelope that is plain.
func (e *envelope) encodePlain() []byte {
	size := 16*corecbor.MaxHead + len(e.From) + len(e.Cluster.Founder)
	for i := range e.Items {
		size += (1+itemFields)*corecbor.MaxHead + len(e.Items[i].Body)
	}
	optional := [...]struct{ key, value uint64 }{{keyIndex, e.Index}, {keyHash, e.Hash}, {keyKept, e.Kept}}
	pairs := 7 // those that are always there
	if e.First != 0 {
		pairs++
	}
	for _, o := range optional {
		if o.value != 0 {
			pairs++
		}
	}
	b := corecbor.AppendMap(make([]byte, 0, size), pairs)
	number := func(key, value uint64) { b = corecbor.AppendUint(corecbor.AppendUint(b, key), value) }
	number(keyVersion, uint64(e.Version))
	number(keyNeeds, uint64(e.Needs))
	number(keyKind, uint64(e.Kind))
	b = corecbor.AppendText(corecbor.AppendUint(b, keyFrom), e.From)
	number(keyEpoch, e.Epoch)
	if e.First != 0 {
		number(keyFirst, e.First)
	}
	b = corecbor.AppendArray(corecbor.AppendUint(b, keyItems), len(e.Items))
	for i := range e.Items {
		it := &e.Items[i]
		b = corecbor.AppendArray(b, itemFields)
		b = corecbor.AppendUint(b, uint64(it.Kind))
		b = corecbor.AppendUint(b, it.Seq)
		b = corecbor.AppendUint(b, uint64(it.Time))
		b = corecbor.AppendBytes(b, it.Body)
	}
	b = corecbor.AppendArray(corecbor.AppendUint(b, keyCluster), clusterFields)
	b = corecbor.AppendText(corecbor.AppendUint(b, e.Cluster.Stamp), e.Cluster.Founder)
	for _, o := range optional {
		if o.value != 0 {
			number(o.key, o.value)
		}
	}
	return b
}

// decodePlain decodes what encodePlain has encoded. It reports false for anything else, which may be an envelope all
// the same. The bodies of the items share one copy of their part of body.
func decodePlain(body []byte) (*envelope, bool) {
	r, e := corecbor.NewReader(body), new(envelope)
	var last, version, needs uint64 // last is a key
	for pairs := r.Map(); pairs > 0 && !r.Failed(); pairs-- {
		key := r.Uint()
		if key <= last {
			return nil, false
		}
		last = key
		switch key {
		case keyVersion:
			version = r.Uint()
		case keyNeeds:
			needs = r.Uint()
		case keyKind:
			if r.Uint() != kindLog {
				return nil, false
			}
			e.Kind = kindLog
		case keyFrom:
			e.From = string(r.Text())
		case keyEpoch:
			e.Epoch = r.Uint()
		case keyFirst:
			e.First = r.Uint()
		case keyItems:
			r = corecbor.NewReader(bytes.Clone(r.Rest()))
			if !decodeItems(&r, e) {
				return nil, false
			}
		case keyCluster:
			if r.Array() != clusterFields {
				return nil, false
			}
			e.Cluster = clusterID{Stamp: r.Uint(), Founder: string(r.Text())}
		case keyIndex:
			e.Index = r.Uint()
		case keyHash:
			e.Hash = r.Uint()
		case keyKept:
			e.Kept = r.Uint()
		default:
			return nil, false
		}
	}
	e.Version, e.Needs = uint(version), uint(needs)
	return e, r.End() && e.Kind == kindLog && version <= newestVersion && needs <= newestVersion
}

// decodeItems reads the items of a batch, and reports whether they are all plain.
func decodeItems(r *corecbor.Reader, e *envelope) bool {
	n := r.Array()
	if n > maxItems || n > uint64(r.Len()/itemFields) { // an item takes a byte for each field at least
		return false
	}
	e.Items = make([]item, n)
	for i := range e.Items {
		if r.Array() != itemFields {
			return false
		}
		kind, seq, time, body := r.Uint(), r.Uint(), r.Uint(), r.Bytes()
		if r.Failed() || kind > math.MaxUint8 || time > math.MaxInt64 {
			return false
		}
		e.Items[i] = item{Kind: uint8(kind), Seq: seq, Time: int64(time), Body: body}
	}
	return true
}
