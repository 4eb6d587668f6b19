package amqp

import (
	"testing"
)

// BenchmarkParseTransfer parses a frame with a message of 1 KB to the extent that a broker needs.
func BenchmarkParseTransfer(b *testing.B) {
	m := &Message{Properties: &Properties{MessageID: "an id"},
		ApplicationProperties: Map{{Key: "to", Value: "someone"}}, Body: AppendData(nil, make([]byte, 1024))}
	frame := frameOf(&Transfer{DeliveryID: Some(uint32(1)), DeliveryTag: []byte{1}, MessageFormat: Some(uint32(0)),
		Payload: AppendMessage(nil, m)})
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		f, _, err := ParseFrame(frame, 1<<16)
		if err != nil {
			b.Fatal(err)
		}
		p, err := ParsePerformative(f.Type, f.Body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := ParseMessage(p.(*Transfer).Payload); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppendTransfer appends the transfer performative of a delivery, without the payload.
func BenchmarkAppendTransfer(b *testing.B) {
	t := &Transfer{Handle: 3, DeliveryID: Some(uint32(70000)), DeliveryTag: make([]byte, 16),
		MessageFormat: Some(uint32(0)), Settled: Some(true), Batchable: true}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendFrame(buf[:0], 1, t)
	}
}

// TestAppendDoesNotAllocate checks that the sections and the performative before each delivery
// cause no allocation.
func TestAppendDoesNotAllocate(t *testing.T) {
	transfer := &Transfer{Handle: 3, DeliveryID: Some(uint32(7)), DeliveryTag: make([]byte, 16), Settled: Some(true)}
	disposition := &Disposition{Role: RoleReceiver, First: 1, Last: 9, Settled: true, State: Accepted}
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		buf = AppendFrame(buf[:0], 1, transfer)
		buf = AppendFrame(buf, 1, disposition)
	}); n != 0 {
		t.Errorf("a transfer and a disposition allocate %v times, want 0", n)
	}
}
