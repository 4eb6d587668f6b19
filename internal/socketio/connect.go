package socketio

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"chatapp/internal/engineio"
)

// ConnectError is a middleware's refusal as the client gets it: in JavaScript the connect_error event's message and data.
type ConnectError struct {
	Message string
	Data    any // marshalled as JSON; nil is left out
}

func (e *ConnectError) Error() string { return e.Message }

// connect lets the client into a namespace, or tells it why not. payload is the CONNECT packet's, a JSON object or nil.
func (c *client) connect(name, payload []byte) {
	n := c.server.lookup(name)
	switch {
	case n == nil:
		c.refuse(string(name), &ConnectError{Message: "Invalid namespace"})
		return
	case c.full(n):
		c.refuse(n.name, &ConnectError{Message: "Too many namespaces"})
		return
	}
	if payload == nil {
		payload = []byte("{}")
	}
	socket := &Socket{nsp: n, client: c, opening: &opening{auth: bytes.Clone(bytes.TrimRight(payload, " \t\r\n"))}}
	missed := c.identify(socket)
	if err := c.runMiddleware(socket); errors.Is(err, ErrPanic) {
		return
	} else if err != nil {
		if socket.recovered { // it may come back once more, with a better token
			recovery := c.server.options.Recovery
			recovery.Keep(Session{Namespace: n.name, SID: socket.id, PID: socket.pid, Rooms: socket.opening.rooms, Data: socket.Data()})
		}
		c.refuse(n.name, c.connectError(n, err))
		return
	}
	c.admit(socket, missed)
}

// full tells whether the client is in as many namespaces as it may be, n not counted, nor those that the server has taken it out of.
func (c *client) full(n *Namespace) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sockets = slices.DeleteFunc(c.sockets, func(s *Socket) bool { return s.nsp == n })
	joined := 0
	for _, s := range c.sockets {
		if s.Connected() {
			joined++
		}
	}
	return joined >= c.server.options.MaxNamespaces
}

// identify gives a socket the id it had, if it can be recovered, or a new one. It returns what the socket has missed.
func (c *client) identify(s *Socket) (missed func() []*Prepared) {
	recovery := c.server.options.Recovery
	if recovery != nil && !c.v3() && s.greets() { // others would not be told how to come back
		var auth struct{ PID, Offset string }
		_ = json.Unmarshal(s.opening.auth, &auth) // other types are as good as nothing
		s.opening.offset = auth.Offset
		if auth.PID != "" && auth.Offset != "" {
			if restored, ok := recovery.Restore(s.nsp.name, auth.PID, auth.Offset); ok {
				s.id, s.pid, s.data, s.recovered = restored.SID, restored.PID, restored.Data, true
				s.opening.rooms = restored.Rooms
				return restored.Missed
			}
		}
		s.pid = newID()
	}
	switch {
	case !c.v3():
		s.id = newID() // not the session's, which is a secret
	case s.nsp.name == rootNamespace:
		s.id = c.session.ID()
	default:
		s.id = s.nsp.name + "#" + c.session.ID()
	}
	return nil
}

// newID makes an identifier that cannot be guessed.
func newID() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (c *client) runMiddleware(s *Socket) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			c.panicked(cause)
			err = ErrPanic
		}
	}()
	for _, use := range s.nsp.handlers.Load().use {
		if err := use(s); err != nil {
			return err
		}
	}
	return nil
}

// connectError is what the client is told of err: all of a ConnectError, nothing of another.
func (c *client) connectError(n *Namespace, err error) *ConnectError {
	var refusal *ConnectError
	if errors.As(err, &refusal) {
		return refusal
	}
	c.server.log.Warn("middleware refused a client", "nsp", n.name, "remote", c.session.Handshake().RemoteAddr, "err", err)
	return &ConnectError{Message: "internal error"}
}

// admit makes the socket one of its namespace: from the same moment the client knows it, rooms reach it, and nothing of
// what it missed falls between that and what comes.
func (c *client) admit(s *Socket, missed func() []*Prepared) {
	rooms := s.opening.rooms
	c.mu.Lock()
	c.sockets = append(c.sockets, s)
	c.joined = true
	timeout := c.timeout
	c.timeout = nil
	c.mu.Unlock()
	if timeout != nil {
		c.server.deadlines.remove(timeout)
	}
	if old := s.nsp.add(s, rooms, missed); old != nil {
		old.client.session.Close(ErrSuperseded)
		old.ended(ErrSuperseded)
	}
	c.server.log.Debug("socket connected", "nsp", s.nsp.name, "sid", s.id, "recovered", s.recovered)
	s.runOnConnect()
	s.mu.Lock()
	s.opening = nil
	s.mu.Unlock()
}

func (s *Socket) runOnConnect() {
	defer s.client.recovered()
	for _, f := range s.nsp.handlers.Load().connect {
		f(s)
	}
}

// greets tells whether the client waits to hear that it is let in: all do but plain WebSockets that did not ask.
func (s *Socket) greets() bool { return !s.client.bare() || s.client.asked }

// greeting is the answer to a client that is let in.
func (s *Socket) greeting() engineio.Message {
	var b []byte
	switch {
	case s.client.v3():
		return text(appendHeader(nil, packetConnect, 0, s.nsp.name, 0, false))
	case s.client.bare():
		b = append(b, `{"connect":`...)
	default:
		b = appendHeader(b, packetConnect, 0, s.nsp.name, 0, false)
	}
	b = append(b, `{"sid":`...)
	b = appendString(b, s.id)
	if s.pid != "" {
		b = append(b, `,"pid":`...)
		b = appendString(b, s.pid)
		if s.client.bare() { // others compare the pid
			b = append(b, `,"recovered":`...)
			b = strconv.AppendBool(b, s.recovered)
		}
	}
	b = append(b, '}')
	if s.client.bare() {
		b = append(b, '}')
	}
	return text(b)
}

// refuse sends a CONNECT_ERROR packet, or what stands for it.
func (c *client) refuse(namespace string, e *ConnectError) {
	c.server.counters.connectErrors.Add(1)
	var b []byte
	if c.bare() {
		b = append(b, `{"connect_error":`...)
	} else {
		b = appendHeader(b, packetConnectError, 0, namespace, 0, false)
	}
	object := body{text: b}
	err := object.appendConnectError(e, c.v3())
	if err != nil {
		c.server.log.Warn("data of a refusal cannot be encoded", "nsp", namespace, "err", err)
		object.text = b
		_ = object.appendConnectError(&ConnectError{Message: e.Message}, c.v3())
	}
	if c.bare() {
		object.text = append(object.text, '}')
	}
	c.send(text(object.text))
}

// appendConnectError appends the JSON of a refusal. Clients of Socket.IO 2 get the data alone, or else the message.
func (b *body) appendConnectError(e *ConnectError, v3 bool) error {
	if v3 {
		if e.Data != nil {
			return b.marshal(e.Data)
		}
		b.text = appendString(b.text, e.Message)
		return nil
	}
	b.text = append(b.text, `{"message":`...)
	b.text = appendString(b.text, e.Message)
	if e.Data != nil {
		b.text = append(b.text, `,"data":`...)
		if err := b.marshal(e.Data); err != nil {
			return err
		}
	}
	b.text = append(b.text, '}')
	return nil
}

func text(b []byte) engineio.Message { return engineio.Message{Data: b} }

// send queues a message. An error means that the session is over, and Closed comes.
func (c *client) send(m engineio.Message) { _ = c.session.Send(m) }
