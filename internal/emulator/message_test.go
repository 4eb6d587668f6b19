package emulator

import (
	"reflect"
	"testing"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

func encoded() []byte {
	return amqp.AppendMessage(nil, &amqp.Message{
		Properties:            &amqp.Properties{MessageID: "an id", Subject: amqp.Some("subject")},
		ApplicationProperties: amqp.Map{{Key: "to", Value: "someone"}},
		Body:                  amqp.AppendData(nil, make([]byte, 1024)),
	})
}

// TestDeliveryDoesNotAllocate checks that a delivery costs at most one allocation for any message
// size, because deliveries share the sections after the properties.
func TestDeliveryDoesNotAllocate(t *testing.T) {
	m, err := newMessage(encoded())
	if err != nil {
		t.Fatal(err)
	}
	d := &broker.Delivery{Message: m, SequenceNumber: 7, EnqueuedTime: time.Now(), LockToken: broker.UUID{1},
		LockedUntil: time.Now()}
	scratch := make([]byte, 0, 1024)
	var shared []byte
	if n := testing.AllocsPerRun(100, func() { scratch, shared = appendDelivery(scratch[:0], d) }); n > 1 {
		t.Errorf("a delivery allocates %v times, want 1 at most", n)
	}
	if &shared[0] != &m.Payload.(*encodedMessage).rest[0] {
		t.Error("the body is copied")
	}
}

func TestAnnotationsOfTheBrokerAreReplaced(t *testing.T) {
	in := amqp.AppendMessage(nil, &amqp.Message{
		DeliveryAnnotations: amqp.Map{{Key: amqp.Symbol(optLockToken), Value: nil}},
		MessageAnnotations: amqp.Map{
			{Key: amqp.Symbol(optSequenceNumber), Value: nil}, {Key: amqp.Symbol(optEnqueuedTime), Value: "x"},
			{Key: optMessageState, Value: int32(9)},
			{Key: amqp.Symbol(optPartitionKey), Value: nil}, {Key: amqp.Symbol("own"), Value: "kept"},
		},
		Body: amqp.AppendData(nil, nil),
	})
	m, err := newMessage(in)
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1700000000123)
	sections, shared := appendDelivery(nil, &broker.Delivery{Message: m, SequenceNumber: 7, EnqueuedTime: at,
		TTL: time.Minute, DeliveryCount: 2})
	out, err := amqp.ParseMessage(append(sections, shared...))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{optSequenceNumber: int64(7), optEnqueuedTime: at.UTC(),
		optPartitionKey: nil, "own": "kept"} {
		if got, ok := out.MessageAnnotations.Lookup(name); got != want || !ok {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if len(out.MessageAnnotations) != 4 {
		t.Errorf("annotations %v, want four", out.MessageAnnotations)
	}
	if out.Header.DeliveryCount != 2 || out.Header.TTL.Value != 60000 {
		t.Errorf("header %+v", out.Header)
	}
	if id, _ := out.Properties.MessageID.(string); len(id) != 32 ||
		out.Properties.AbsoluteExpiryTime.Value != at.Add(time.Minute).UTC() {
		t.Errorf("properties %+v: want a generated id and the expiry a minute after the arrival", out.Properties)
	}
}

// FuzzNewMessage decodes arbitrary messages and checks that every accepted message can be encoded
// again and parsed.
func FuzzNewMessage(f *testing.F) {
	f.Add(encoded(), true)
	f.Add(amqp.AppendData(nil, []byte("body")), false)
	f.Fuzz(func(t *testing.T, b []byte, modified bool) {
		m, err := newMessage(b)
		if err != nil {
			return
		}
		m.Modified = modified
		d := &broker.Delivery{Message: m, SequenceNumber: 1, EnqueuedTime: time.Unix(1, 0), LockToken: broker.UUID{1},
			TTL: time.Second}
		sections, shared := appendDelivery(nil, d)
		if _, err := amqp.ParseMessage(append(sections, shared...)); err != nil {
			t.Fatalf("%x comes out as %x: %v", b, append(sections, shared...), err)
		}
		m.Modified = false
		kept, err := dataCodec{}.Message(dataCodec{}.AppendPayload(nil, m))
		if err != nil || !reflect.DeepEqual(kept, m) {
			t.Fatalf("%x is kept as %+v, %v, want %+v", b, kept, err, m)
		}
	})
}

// BenchmarkDelivery encodes one delivery of a stored message.
func BenchmarkDelivery(b *testing.B) {
	m, err := newMessage(encoded())
	if err != nil {
		b.Fatal(err)
	}
	d := &broker.Delivery{Message: m, SequenceNumber: 7, EnqueuedTime: time.Now(), LockToken: broker.UUID{1},
		LockedUntil: time.Now()}
	scratch := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		scratch, _ = appendDelivery(scratch[:0], d)
	}
}

// BenchmarkNewMessage decodes one message.
func BenchmarkNewMessage(b *testing.B) {
	in := encoded()
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := newMessage(in); err != nil {
			b.Fatal(err)
		}
	}
}
