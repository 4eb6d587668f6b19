package socketio

import (
	"chatapp/internal/engineio"
)

// receiveBare handles one message of a plain WebSocket. Its first mistake is answered with an error object, the second
// closes it.
func (c *client) receiveBare(m engineio.Message, in *incoming) {
	if m.Binary {
		c.complain("bad_message", errBareBinary)
		return
	}
	b := &in.bare
	if err := b.parse(m.Data, &c.server.limits); err != nil {
		c.complain("bad_message", err)
		return
	}
	socket := c.find(nil)
	if b.kind == bareConnect {
		if socket != nil {
			c.complain("already_connected", errJoined)
			return
		}
		c.asked = true
		c.connect(nil, b.payload)
		return
	}
	if socket == nil {
		c.complain("not_connected", errNotJoined)
		return
	}
	in.event.Args = Args{text: m.Data, spans: b.args}
	if err := in.event.appendBinary(&c.server.limits); err != nil {
		c.complain("bad_message", err)
		return
	}
	switch b.kind {
	case bareEvent:
		in.event.name, in.event.id, in.event.wanted = b.event, b.id, b.hasID
		socket.dispatch(&in.event)
	case bareAck:
		socket.acked(b.id, &in.event.Args)
	case bareDisconnect:
		c.leave(socket)
		c.session.Close(nil)
	}
}

// complain tells a plain WebSocket's client of its mistake; the second time it closes the connection.
func (c *client) complain(code string, err error) {
	if c.struck {
		c.violate(err)
		return
	}
	c.struck = true
	c.server.counters.protocolErrors.Add(1)
	b := appendString([]byte(`{"error":{"code":`), code)
	b = appendString(append(b, `,"message":`...), err.Error())
	c.send(text(append(b, '}', '}')))
}
