package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"sync"

	"chatapp/internal/engineio"
)

// WebSocket close codes, RFC 6455 section 7.4.1.
const (
	closePolicyViolation = 1008
	closeInternalError   = 1011 // "internal error"
)

const errNotJoined = packetError("namespace not joined")
const errJoined = packetError("namespace joined already")

// client is one session and its sockets, at most one to a namespace.
type client struct {
	server  *Server
	session *engineio.Session

	// Owned by the session's calls, which never overlap.
	decoder decoder
	struck  bool // it has been told of a mistake at the plain door
	asked   bool // to be let in, at the plain door

	mu sync.Mutex
	// mu guards
	sockets []*Socket // also those that the server has ended, until the client joins their namespace anew
	timeout *deadline // to join the first namespace; nil once it has
	joined  bool      // some namespace, at some time
}

func (c *client) bare() bool { return c.session.Protocol() == engineio.Raw }
func (c *client) v3() bool   { return c.session.Protocol() == engineio.V3 }

// open joins the main namespace where the protocol lets clients in without asking, and sets the connect time-out else.
func (c *client) open() {
	switch {
	case c.v3():
		// Socket.IO v5, "Difference between v5 and v4": clients used to be in the main namespace without asking.
		c.connect(nil, nil)
	case c.bare() && !c.session.Handshake().Query().Has("connect"):
		c.connect(nil, nil)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.joined {
		// A busy server is late with its own answers, too: that is not the client's fault.
		grace := c.server.options.ConnectTimeout / 8
		c.timeout = c.server.deadlines.add(c.server.options.ConnectTimeout+grace, c.giveUp)
	}
}

// giveUp closes a client that has joined no namespace in time.
func (c *client) giveUp() {
	c.mu.Lock()
	joined := c.joined
	c.mu.Unlock()
	switch {
	case joined:
	case c.bare():
		c.session.Close(errors.Join(ErrConnectTimeout,
			&engineio.ProtocolError{Code: closePolicyViolation, Reason: ErrConnectTimeout.Error()}))
	default:
		c.session.Close(ErrConnectTimeout)
	}
}

// receive handles one message of a Socket.IO client. An error closes the session.
func (c *client) receive(m engineio.Message, in *incoming) error {
	complete, err := c.decoder.add(m, in, &c.server.limits)
	if err != nil || !complete {
		return err
	}
	p := &in.packet
	if c.v3() {
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
		return errPacketType // only a server says that
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
		in.event.id, in.event.wanted = p.id, p.hasID
		socket.dispatch(&in.event)
	case packetAck, packetBinaryAck:
		socket.acked(p.id, &in.event.Args)
	}
	return nil
}

// cutQuery takes the query string off the namespace, where clients of Socket.IO 2 put what is the CONNECT packet's payload
// today.
func (p *packet) cutQuery() {
	namespace, query, ok := bytes.Cut(p.namespace, []byte{'?'})
	p.namespace = namespace
	if !ok || p.kind != packetConnect {
		return
	}
	values, _ := url.ParseQuery(string(query)) // what is malformed in it is left out
	auth := make(map[string]string, len(values))
	for name := range values {
		auth[name] = values.Get(name)
	}
	p.payload, _ = json.Marshal(auth) // strings always can be
}

// find returns the client's socket in a namespace, which may have been ended by the server: what was under way then is
// dropped, where the reference implementation closes the whole connection.
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

// leave is the client leaving a namespace.
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
		c.server.deadlines.remove(timeout)
	}
	for _, socket := range sockets {
		socket.end(reason)
	}
}

// violate closes a client whose packet was refused.
func (c *client) violate(err error) {
	c.server.counters.protocolErrors.Add(1)
	c.server.log.Debug("packet refused", "remote", c.session.Handshake().RemoteAddr, "err", err)
	c.session.Close(&engineio.ProtocolError{Code: closePolicyViolation, Reason: err.Error()})
}
