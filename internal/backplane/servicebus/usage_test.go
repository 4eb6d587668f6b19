package servicebus

import (
	"strings"
	"testing"

	"chatapp/internal/backplane"
	"chatapp/internal/emulator/broker"
	"chatapp/internal/emulator/emulatortest"
)

// A full topic refuses what is sent. Once the archive's oldest messages are dropped, it takes more again. A topic that
// was made smaller than the archive needs is as large as one that an instance creates.
func TestDroppingFromTheArchiveMakesRoom(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	e.Topic("chat")
	o := options(t, e, "a")
	o.Archive = true
	a := open(t, o)
	publish(t, a, "said")
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	archived := fill(t, e)
	b := open(t, o)
	used, limit, err := b.Usage(t.Context())
	if err != nil || limit != topicMegabytes<<20 || used < limit*99/100 {
		t.Fatalf("Usage() = %d, %d, %v, want a full topic of %d MB", used, limit, err, topicMegabytes)
	}
	if err := b.Publish(t.Context(), backplane.Message{Body: []byte("more")}); err == nil {
		t.Error("Publish() to a full topic succeeds: this test fills nothing")
	}
	dropped, err := b.Drop(t.Context(), .02)
	if want := archived / 50; err != nil || dropped < want || dropped > want+1 {
		t.Errorf("Drop(.02) = %d, %v, want %d messages", dropped, err, want)
	}
	deliveries, err := archiveOf(t, e).Peek(0, 1, nil)
	if err != nil || len(deliveries) == 0 || deliveries[0].SequenceNumber != int64(dropped)+1 {
		t.Errorf("the archive begins with %+v, %v, want it without its oldest %d", deliveries, err, dropped)
	}
	if used, _, err = b.Usage(t.Context()); err != nil || used > limit*985/1000 {
		t.Errorf("Usage() = %d, %v, want less than before", used, err)
	}
	publish(t, b, "more")
}

func archiveOf(t *testing.T, e *emulatortest.Server) *broker.Source {
	t.Helper()
	s, err := e.Broker().Source("chat/Subscriptions/" + archive)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fill sends the archive's message again until the topic is full, by the size that the broker is told, and returns how
// many messages the archive has.
func fill(t *testing.T, e *emulatortest.Server) (messages int) {
	t.Helper()
	deliveries, err := archiveOf(t, e).Peek(0, 1, nil)
	if err != nil || len(deliveries) == 0 {
		t.Fatalf("the archive has %v, %v, want a message", deliveries, err)
	}
	topic, err := e.Broker().Target("chat")
	if err != nil {
		t.Fatal(err)
	}
	messages = 1
	for size := 256 << 10; size > 0; {
		large := *deliveries[0].Message
		large.Size = size
		err := topic.Send([]*broker.Message{&large})
		switch {
		case err == nil:
			messages++
		case strings.Contains(err.Error(), "maximum entity size"):
			size /= 16
		default:
			t.Fatal(err)
		}
	}
	return messages
}
