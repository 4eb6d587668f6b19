package socketio

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"sync"

	"chatapp/internal/engineio"
)

// WebSocket close codes, RFC 6455 section 7.4.1.
const (
	closePolicyViolation = 1008
	closeInternalError   = 1011
)

const errNotJoined = packetError("namespace not joined")
const errJoined = packetError("namespace joined already")

// client is one session and its sockets, at most one in each namespace.
type client struct {
	server  *Server
	session *engineio.Session

	// Owned by the session's calls, which never overlap.
	decoder  decoder
	rawState rawState

	mu sync.Mutex
	// mu guards
	sockets []*Socket       // including those the server has disconnected, until the client joins their namespace again
	timeout *connectTimeout // to join the first namespace; nil once it has
	joined  bool            // some namespace, at some time
	data    any             // the application's, see Socket.ConnectionData
}

func (c *client) isRaw() bool { return c.session.Protocol() == engineio.Raw }
func (c *client) isV3() bool  { return c.session.Protocol() == engineio.V3 }

// open joins the main namespace for clients whose protocol does not ask, and sets the connect time-out
// for all others.
func (c *client) open() {
	switch {
	case c.isV3():
		// Socket.IO v5, "Difference between v5 and v4": clients used to be in the main namespace
		// without asking.
		c.connect(nil, nil)
	case c.isRaw() && !c.session.Handshake().Query().Has("connect"):
		c.connect(nil, nil)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.joined {
		// The extra time makes up for a busy server's own delay, which is not the client's fault.
		grace := c.server.options.ConnectTimeout / 8
		c.timeout = c.server.timeouts.add(c, c.server.options.ConnectTimeout+grace)
	}
}

// receive handles one message of a Socket.IO client. An error closes the session.
func (c *client) receive(m engineio.Message, in *incoming) error {
	complete, err := c.decoder.add(m, in, &c.server.limits)
	if err != nil || !complete {
		return err
	}
	p := &in.packet
	if c.isV3() {
		p.cutQuery()
	}
	socket := c.find(p.namespace)
	switch p.kind {
	case packetConnect:
		if socket != nil && socket.Connected() {
			return errJoined
		}
		c.connect(p.namespace, p.payload)
		return nil
	case packetConnectError:
		return errPacketType // only a server sends it
	}
	if socket == nil {
		return errNotJoined
	}
	switch p.kind {
	case packetDisconnect:
		c.leave(socket)
	case packetEvent, packetBinaryEvent:
		in.event.name = p.args[0].of(p.payload)
		in.event.spans = p.args[1:]
		in.event.id, in.event.wantsAck = p.id, p.hasID
		socket.handle(&in.event)
	case packetAck, packetBinaryAck:
		// The server asks for no acknowledgements. The reference implementation ignores unexpected ones, too.
		c.session.Refused()
	}
	return nil
}

// cutQuery takes the query string off the namespace. Clients of Socket.IO 2 put there what later
// clients put into the payload of the CONNECT packet.
func (p *packet) cutQuery() {
	namespace, query, ok := bytes.Cut(p.namespace, []byte{'?'})
	p.namespace = namespace
	if !ok || p.kind != packetConnect {
		return
	}
	values, _ := url.ParseQuery(string(query)) // malformed parts are left out
	auth := make(map[string]string, len(values))
	for name := range values {
		auth[name] = values.Get(name)
	}
	p.payload, _ = json.Marshal(auth) // can't fail for strings
}

// find returns the client's socket in a namespace. The server may have disconnected it: packets that
// were under way then are dropped, where the reference implementation closes the whole connection.
func (c *client) find(namespace []byte) *Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, socket := range c.sockets {
		if socket.nsp.name == string(namespace) || (len(namespace) == 0 && socket.nsp.name == rootNamespace) {
			return socket
		}
	}
	return nil
}

// leave ends a socket on its client's request.
func (c *client) leave(socket *Socket) {
	c.mu.Lock()
	c.sockets = slices.DeleteFunc(c.sockets, func(s *Socket) bool { return s == socket })
	c.mu.Unlock()
	socket.end(ErrClientDisconnect)
}

// close ends all sockets of a session that is over.
func (c *client) close(reason error) {
	c.mu.Lock()
	sockets := c.sockets
	c.sockets = nil
	timeout := c.timeout
	c.mu.Unlock()
	if timeout != nil {
		c.server.timeouts.remove(timeout)
	}
	for _, socket := range sockets {
		socket.end(reason)
	}
}

// closeMalformed closes the connection of a client whose packet was refused.
func (c *client) closeMalformed(err error) {
	c.server.counters.protocolErrors.Add(1)
	c.server.log.Debug("packet refused", "remote", c.session.Handshake().RemoteAddr, "err", err)
	c.session.Close(&engineio.ProtocolError{Code: closePolicyViolation, Reason: err.Error()})
}

// send queues a message. An error means that the session is over, and Closed follows.
func (c *client) send(m engineio.Message) { _ = c.session.Send(m) }

func text(b []byte) engineio.Message { return engineio.Message{Data: b} }
