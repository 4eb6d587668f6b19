package engineio

import (
	"bytes"
	"iter"
)

// recordSeparator separates the packets of a payload. Engine.IO v4, "Packet encoding", HTTP
// long-polling.
const recordSeparator = 0x1e

// packets yields the packets of a protocol 4 payload in order, and stops at the first that is
// malformed, with its error. Text data is part of payload.
func packets(payload []byte) iter.Seq2[packet, error] {
	return func(yield func(packet, error) bool) {
		for more := true; more; {
			var record []byte
			record, payload, more = bytes.Cut(payload, []byte{recordSeparator})
			p, err := parsePolled(record)
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}
