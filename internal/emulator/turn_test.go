package emulator

import (
	"log/slog"
	"net"
	"testing"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// TestReaderAnswersAlone accepts a session, receives and completes its message and detaches, without any loop. Each
// request is answered by one write, and none wakes the loop, not even the attach for which the broker finds a session.
func TestReaderAnswersAlone(t *testing.T) {
	b := broker.New(broker.Options{})
	defer b.Close()
	queue := broker.DefaultQueue("queue")
	queue.RequiresSession = true
	must(t, b.CreateQueue(queue))
	sendTo(t, b, "queue", &broker.Message{SessionID: "a", HasSession: true, Payload: &encodedMessage{}})
	client, server := net.Pipe()
	defer client.Close()
	recorder := &writeRecorder{Conn: server}
	c := newConn(&Server{log: slog.New(slog.DiscardHandler)}, b, recorder)
	c.timer = time.NewTimer(time.Hour)
	c.grants[""], c.authorized = tokenGrant{claims: broker.Manage}, true
	for _, p := range []amqp.Performative{
		&amqp.Open{MaxFrameSize: 65536}, &amqp.Begin{IncomingWindow: 1000, OutgoingWindow: 100},
		&amqp.Attach{Name: "r", Role: amqp.RoleReceiver, Target: &amqp.Target{}, Source: &amqp.Source{
			Address: amqp.Some("queue"), Filter: amqp.Map{{Key: amqp.Symbol(sessionFilter), Value: nil}}}},
		&amqp.Flow{IncomingWindow: 1000, Handle: amqp.Some(uint32(0)), DeliveryCount: amqp.Some(uint32(0)),
			LinkCredit: amqp.Some(uint32(10))},
		&amqp.Disposition{Role: amqp.RoleReceiver, State: amqp.Accepted}, &amqp.Detach{Closed: true},
	} {
		recorder.writes = nil
		if !c.readTurn(func() { c.frames(amqp.AppendFrame(nil, 0, p)) }) {
			t.Fatalf("%T ends the connection", p)
		}
		if len(recorder.writes) != 1 || len(c.wake) != 0 {
			t.Errorf("%T is answered by %d writes and wakes the loop %d times, want 1 and 0", p, len(recorder.writes),
				len(c.wake))
		}
	}
	if len(c.sessions[0].links) != 0 || len(c.sessions[0].unsettled) != 0 {
		t.Errorf("links %v and deliveries %v are left", c.sessions[0].links, c.sessions[0].unsettled)
	}
}

// TestWakeUpsOfATurnAreNotLost wakes a connection while the reader has its turn: what comes before the turn's end is
// handled by the turn, and what comes at its end wakes the loop.
func TestWakeUpsOfATurnAreNotLost(t *testing.T) {
	b := broker.New(broker.Options{})
	defer b.Close()
	client, server := net.Pipe()
	defer client.Close()
	c := newConn(&Server{log: slog.New(slog.DiscardHandler)}, b, &writeRecorder{Conn: server})
	c.timer = time.NewTimer(time.Hour)
	ran := 0
	c.readTurn(func() { c.do(func() { ran++ }) })
	if ran != 1 || len(c.wake) != 0 {
		t.Errorf("%d functions ran and the loop is woken %d times, want 1 and 0", ran, len(c.wake))
	}
	c.readTurn(func() {
		c.do(func() { ran++; c.do(func() { ran++ }) })
	})
	if ran != 2 || len(c.wake) != 1 {
		t.Errorf("%d functions ran and the loop is woken %d times, want 2 and 1", ran, len(c.wake))
	}
	c.beginTurn()
	c.endTurn()
	if ran != 3 {
		t.Errorf("%d functions ran, want 3", ran)
	}
}
