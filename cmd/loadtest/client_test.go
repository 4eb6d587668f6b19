package main

import (
	"fmt"
	"testing"
	"time"

	"chatapp/internal/chatclient"
)

// receiver returns a client that is not connected, and the payloads that a server sends it:
// messages of every sender in turn.
func receiver(senders, messages, size int) (*client, [][]byte) {
	l := &load{epoch: time.Now(), run: 7, letters: filling(size), senders: senders, shards: newShards(1)}
	c := newClient(l, senders, chatclient.Target{}, "")
	c.received = newSequences(senders)
	var payloads [][]byte
	for i := range messages {
		text := appendText(nil, stamp{run: 7, sender: uint64(i % senders), seq: uint64(i / senders)}, l.letters)
		payloads = append(payloads, fmt.Appendf(nil, `42["user message","load-0007-%d","%s"]`, i%senders, text))
	}
	return c, payloads
}

func receive(t testing.TB, c *client, payloads [][]byte) {
	c.BeforeRead()
	for _, payload := range payloads {
		if err := c.Handle(chatclient.Event, payload); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDeliveriesAreCounted(t *testing.T) {
	c, payloads := receiver(3, 90, 64)
	receive(t, c, payloads)
	if got := c.shard.tally; got.deliveries != 90 || got.late+got.duplicates+got.damaged+got.foreign != 0 {
		t.Errorf("%+v, want 90 deliveries and no fault", got)
	}
}

func TestDeliveryDoesNotAllocate(t *testing.T) {
	c, payloads := receiver(3, 90, 64)
	n := testing.AllocsPerRun(10, func() {
		clear(c.received.next)
		receive(t, c, payloads)
	})
	if n != 0 {
		t.Errorf("90 deliveries allocate %v times, want 0", n)
	}
}

func BenchmarkDelivery(b *testing.B) {
	c, payloads := receiver(10, 500, 64)
	b.ReportAllocs()
	for b.Loop() {
		clear(c.received.next)
		receive(b, c, payloads)
	}
	b.ReportMetric(500*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
