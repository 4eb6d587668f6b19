package emulator

import (
	"log/slog"
	"net"
	"testing"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// writeRecorder is a network connection that keeps what is written to it.
type writeRecorder struct {
	net.Conn
	writes [][]byte
}

func (w *writeRecorder) Write(b []byte) (int, error) {
	w.writes = append(w.writes, append([]byte(nil), b...))
	return len(b), nil
}

// TestCompletionsThatWaitAreAnsweredTogether has many completions come before the loop gets a turn, each with a frame
// and a chunk of its own, as a client writes them that handles messages in parallel. One write answers as many as may
// wait, and the last at once, because no other can follow it.
func TestCompletionsThatWaitAreAnsweredTogether(t *testing.T) {
	for completions, writes := range map[int]int{1: 1, 2: 1, maxGathered: 1, 3 * maxGathered: 3} {
		b := broker.New(broker.Options{})
		defer b.Close()
		must(t, b.CreateQueue(broker.DefaultQueue("queue")))
		for range completions {
			sendTo(t, b, "queue", &broker.Message{Payload: &encodedMessage{}})
		}
		client, server := net.Pipe()
		defer client.Close()
		recorder := &writeRecorder{Conn: server}
		c := newConn(&Server{log: slog.New(slog.DiscardHandler)}, b, recorder)
		c.grants[""], c.authorized = tokenGrant{claims: broker.Manage}, true
		frames := amqp.AppendFrame(nil, 0, &amqp.Open{MaxFrameSize: 65536})
		frames = amqp.AppendFrame(frames, 0, &amqp.Begin{IncomingWindow: 1000, OutgoingWindow: 100})
		frames = amqp.AppendFrame(frames, 0, &amqp.Attach{Name: "r", Role: amqp.RoleReceiver,
			Source: &amqp.Source{Address: amqp.Some("queue")}, Target: &amqp.Target{}})
		frames = amqp.AppendFrame(frames, 0, &amqp.Flow{IncomingWindow: 1000, Handle: amqp.Some(uint32(0)),
			DeliveryCount: amqp.Some(uint32(0)), LinkCredit: amqp.Some(uint32(1000))})
		c.frames(frames)
		if n := len(c.sessions[0].unsettled); n != completions || !c.flush() {
			t.Fatalf("%d deliveries, want %d", n, completions)
		}
		recorder.writes = nil
		c.timer = time.NewTimer(time.Hour)
		for id := range uint32(completions) {
			one := amqp.AppendFrame(nil, 0, &amqp.Disposition{Role: amqp.RoleReceiver, First: id, Last: id,
				State: amqp.Accepted})
			if !c.readTurn(func() { c.frames(one) }) {
				t.Fatal("the connection has ended")
			}
		}
		c.endSessions()
		if len(recorder.writes) != writes {
			t.Errorf("%d completions are answered by %d writes, want %d", completions, len(recorder.writes), writes)
		}
		wantSettled(t, recorder.writes, uint32(completions))
	}
}

// wantSettled checks that each write is one disposition, and that together they settle the deliveries from 0 to n.
func wantSettled(t *testing.T, writes [][]byte, n uint32) {
	t.Helper()
	next := uint32(0)
	for _, b := range writes {
		f, size, err := amqp.ParseFrame(b, maxFrameSize)
		must(t, err)
		p, err := amqp.ParsePerformative(f.Type, f.Body)
		must(t, err)
		d, ok := p.(*amqp.Disposition)
		if !ok || size != len(b) || d.First != next || !d.Settled || d.State.Kind != amqp.StateAccepted {
			t.Fatalf("a write of %d bytes begins with %T %+v, want one disposition from %d", len(b), p, p, next)
		}
		next = d.Last + 1
	}
	if next != n {
		t.Errorf("%d deliveries are settled, want %d", next, n)
	}
}
