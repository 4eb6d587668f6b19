package main

import (
	"fmt"
	"testing"
	"time"
)

// hearer returns a client that is not connected, and what a server sends it: messages of every sender in turn, in
// one piece.
func hearer(senders, messages, size int) (*client, []byte) {
	l := &load{door: socketIO{}, epoch: time.Now(), run: 7, letters: filling(size), senders: senders, lanes: newLanes(1)}
	c := newClient(l, senders, target{}, "")
	c.ledger = newLedger(senders)
	var wire []byte
	for i := range messages {
		text := appendText(nil, stamp{run: 7, sender: uint64(i % senders), seq: uint64(i / senders)}, l.letters)
		payload := fmt.Sprintf(`42["user message","load-0007-%d","%s"]`, i%senders, text)
		wire = append(wire, 0x81, 126, byte(len(payload)>>8), byte(len(payload)))
		wire = append(wire, payload...)
	}
	return c, wire
}

func TestConsumeInPiecesOfAnySize(t *testing.T) {
	for _, piece := range []int{1, 2, 3, 7, 64, 131, 1000, 100_000} {
		c, wire := hearer(3, 90, 64)
		for len(wire) > 0 {
			n := copy(c.room(), wire[:min(piece, len(wire))])
			if err := c.received(n); err != nil {
				t.Fatalf("pieces of %d: %v", piece, err)
			}
			wire = wire[n:]
		}
		if got := c.lane.tally; got.deliveries != 90 || got.late+got.doubled+got.damaged+got.foreign != 0 {
			t.Errorf("pieces of %d: %+v, want 90 deliveries and no fault", piece, got)
		}
	}
}

func TestConsumeDoesNotAllocate(t *testing.T) {
	c, wire := hearer(3, 90, 64)
	n := testing.AllocsPerRun(10, func() {
		clear(c.ledger.next)
		if err := c.received(copy(c.room(), wire)); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("90 deliveries allocate %v times, want 0", n)
	}
}

func TestConsumeRefusesBadFragments(t *testing.T) {
	for _, wire := range []string{"\x80\x01x", "\x01\x01x\x81\x01x"} {
		c, _ := hearer(1, 0, 64)
		if err := c.received(copy(c.room(), wire)); err == nil {
			t.Errorf("consume(%q): no error, want one", wire)
		}
	}
}

func BenchmarkConsume(b *testing.B) {
	c, wire := hearer(10, 500, 64)
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		clear(c.ledger.next)
		if err := c.received(copy(c.room(), wire)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(500*float64(b.N)/b.Elapsed().Seconds(), "frames/s")
}
