package emulator

import (
	"io"
	"log/slog"
	"net"
	"testing"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// FuzzConnection plays a client with every right that sends arbitrary frame bodies after the
// handshake. The input is a sequence of bodies, each after two octets with its length. The frames
// around them are valid, so that the input reaches the session layer. The connection must end when
// the client closes it, and the namespace must keep working.
func FuzzConnection(f *testing.F) {
	source := &amqp.Source{Address: amqp.Some("queue")}
	for _, dialogue := range [][]amqp.Performative{
		{&amqp.Attach{Name: "r", Role: amqp.RoleReceiver, Source: source, Target: &amqp.Target{}},
			&amqp.Flow{IncomingWindow: 9, OutgoingWindow: 9, Handle: amqp.Some(uint32(0)),
				LinkCredit: amqp.Some(uint32(9)), Drain: true},
			&amqp.Disposition{Role: amqp.RoleReceiver, Last: 9, State: amqp.Accepted}, &amqp.Detach{Closed: true},
			&amqp.End{}},
		{&amqp.Attach{Name: "s", Role: amqp.RoleSender, Source: &amqp.Source{},
			Target: &amqp.Target{Address: amqp.Some("queue")}, InitialDeliveryCount: amqp.Some(uint32(0))},
			&amqp.Transfer{DeliveryID: amqp.Some(uint32(0)), DeliveryTag: []byte{1},
				Payload: amqp.AppendData(nil, []byte("x"))}},
		{&amqp.Attach{Name: "c", Role: amqp.RoleSender, Source: &amqp.Source{},
			Target: &amqp.Target{Address: amqp.Some("$cbs")}},
			&amqp.Attach{Name: "d", Handle: 1, Role: amqp.RoleReceiver,
				Source: &amqp.Source{Address: amqp.Some("$cbs")}, Target: &amqp.Target{}},
			requestOf(map[string]any{"operation": "put-token", "type": "jwt", "name": "sb://localhost/queue"},
				"a.b.c")},
		{&amqp.Attach{Name: "m", Role: amqp.RoleSender, Source: &amqp.Source{},
			Target: &amqp.Target{Address: amqp.Some("sessions/$management")}},
			requestOf(map[string]any{"operation": "com.microsoft:get-message-sessions"},
				amqp.Map{{Key: "skip", Value: int32(0)}, {Key: "top", Value: int32(1)}})},
		{&amqp.Attach{Name: "n", Role: amqp.RoleReceiver, Target: &amqp.Target{},
			Source: &amqp.Source{Address: amqp.Some("sessions"),
				Filter: amqp.Map{{Key: amqp.Symbol(sessionFilter), Value: nil}}}}},
		{&amqp.Close{}},
	} {
		var input []byte
		for _, p := range dialogue {
			body := p.Append(nil)
			if t, ok := p.(*amqp.Transfer); ok {
				body = append(body, t.Payload...)
			}
			input = append(append(input, byte(len(body)>>8), byte(len(body))), body...)
		}
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		b := broker.New(broker.Options{})
		defer b.Close()
		sessions := broker.DefaultQueue("sessions")
		sessions.RequiresSession = true
		if err := b.CreateQueue(sessions); err != nil {
			t.Fatal(err)
		}
		if err := b.CreateQueue(broker.DefaultQueue("queue")); err != nil {
			t.Fatal(err)
		}
		s := &Server{log: slog.New(slog.DiscardHandler), containerID: "server", broker: b,
			conns: make(map[*conn]struct{})}
		client, server := net.Pipe()
		s.serving.Go(func() { s.serveAMQP(server) })
		s.serving.Go(func() { _, _ = io.Copy(io.Discard, client) })
		_, _ = client.Write(conversation(input)) // the server may hang up before the end
		client.Close()
		s.serving.Wait()
		if len(s.conns) != 0 {
			t.Errorf("%d connections are left", len(s.conns))
		}
	})
}

func requestOf(properties map[string]any, body any) *amqp.Transfer {
	m := amqp.Message{Properties: &amqp.Properties{MessageID: "id", ReplyTo: amqp.Some("d")},
		Body: amqp.AppendValue(amqp.AppendSection(nil, amqp.SectionValue), body)}
	for name, v := range properties {
		m.ApplicationProperties = append(m.ApplicationProperties, amqp.Pair{Key: name, Value: v})
	}
	return &amqp.Transfer{DeliveryID: amqp.Some(uint32(0)), DeliveryTag: []byte{1},
		Payload: amqp.AppendMessage(nil, &m)}
}

// conversation returns the handshake followed by the frames with the bodies of the input.
func conversation(input []byte) []byte {
	b := amqp.AppendProtocolHeader(nil, amqp.ProtocolSASL)
	b = amqp.AppendFrame(b, 0, &amqp.SASLInit{Mechanism: "PLAIN",
		InitialResponse: []byte("\x00RootManageSharedAccessKey\x00SAS_KEY_VALUE")})
	b = amqp.AppendProtocolHeader(b, amqp.ProtocolAMQP)
	b = amqp.AppendFrame(b, 0, &amqp.Open{ContainerID: "client", MaxFrameSize: 512})
	b = amqp.AppendFrame(b, 0, &amqp.Begin{IncomingWindow: 100, OutgoingWindow: 100})
	for len(input) > 2 {
		n := min(int(input[0])<<8+int(input[1]), len(input)-2)
		start := len(b)
		b = amqp.EndFrame(append(amqp.BeginFrame(b, amqp.FrameAMQP, 0), input[2:2+n]...), start, 0)
		input = input[2+n:]
	}
	return b
}
