package socketio

import (
	"bytes"

	"chatapp/internal/engineio"
)

// rawState is the part of a client that only raw WebSockets have.
type rawState struct {
	warned bool // the client has been sent an error object
	asked  bool // the client has sent {"connect":...}
}

const errForeignProtocol = packetError("another protocol: messages here end without U+001E")

// recordSeparator ends every message of SignalR's JSON protocol, and occurs in no JSON text. Its client waits for an
// answer to its first message that never comes.
const recordSeparator = 0x1e

// receiveRaw handles one message of a raw WebSocket. The server answers the client's first mistake with
// an error object and closes the connection at the second.
func (c *client) receiveRaw(m engineio.Message, in *incoming) {
	if m.Binary {
		c.warn("bad_message", errRawBinary)
		return
	}
	if bytes.HasSuffix(m.Data, []byte{recordSeparator}) {
		c.closeMalformed(errForeignProtocol)
		return
	}
	r := &in.raw
	if err := r.parse(m.Data, &c.server.limits); err != nil {
		c.warn("bad_message", err)
		return
	}
	socket := c.find(nil)
	if r.kind == rawConnect {
		if socket != nil {
			c.warn("already_connected", errJoined)
			return
		}
		c.rawState.asked = true
		c.connect(nil, r.payload)
		return
	}
	if socket == nil {
		c.warn("not_connected", errNotJoined)
		return
	}
	in.event.Args = Args{text: m.Data, spans: r.args}
	if err := in.event.decodeBase64(&c.server.limits); err != nil {
		c.warn("bad_message", err)
		return
	}
	switch r.kind {
	case rawEvent:
		in.event.name, in.event.id, in.event.wantsAck = r.event, r.id, r.hasID
		socket.handle(&in.event)
	case rawAck:
		// The server asks for no acknowledgements, and ignores unexpected ones as it does from
		// Socket.IO clients.
		c.session.Refused()
	case rawDisconnect:
		c.leave(socket)
		c.session.Close(nil)
	}
}

// warn sends the client an error object for its first mistake and closes its connection for the second.
func (c *client) warn(code string, err error) {
	if c.rawState.warned {
		c.closeMalformed(err)
		return
	}
	c.rawState.warned = true
	c.server.counters.protocolErrors.Add(1)
	b := appendString([]byte(`{"error":{"code":`), code)
	b = appendString(append(b, `,"message":`...), err.Error())
	c.send(text(append(b, '}', '}')))
}
