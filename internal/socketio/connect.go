package socketio

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"

	"chatapp/internal/engineio"
)

// connect joins the client to a namespace, or sends it a refusal. payload is the CONNECT packet's, a
// JSON object or nil.
func (c *client) connect(name, payload []byte) {
	n := c.server.lookup(name)
	switch {
	case n == nil:
		c.refuse(string(name), "Invalid namespace")
		return
	case c.isFull(n):
		c.refuse(n.name, "Too many namespaces")
		return
	}
	if payload == nil {
		payload = []byte("{}")
	}
	socket := &Socket{nsp: n, client: c, opening: &opening{auth: bytes.Clone(bytes.TrimRight(payload, " \t\r\n"))}}
	c.identify(socket)
	c.admit(socket)
}

// isFull reports whether the client is in as many namespaces as it may be. It does not count n, nor
// namespaces that the server has disconnected the client from. It forgets an earlier socket in n.
func (c *client) isFull(n *Namespace) bool {
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

// identify gives a socket the id it had, if it can be recovered, or a new one.
func (c *client) identify(s *Socket) {
	// A client that gets no answer never learns its pid, so it can't recover.
	if recovery := c.server.options.Recovery; recovery != nil && !c.isV3() && s.wantsConnectAnswer() {
		var auth struct{ PID, Offset string }
		_ = json.Unmarshal(s.opening.auth, &auth) // values of other types count as missing
		s.opening.offset = auth.Offset
		if auth.PID != "" && auth.Offset != "" {
			if restored, ok := recovery(s.nsp.name, auth.PID, auth.Offset); ok {
				s.id, s.pid, s.data, s.recovered = restored.SID, auth.PID, restored.Data, true
				return
			}
		}
		s.pid = newPrivateID(auth.PID)
	}
	switch {
	case !c.isV3():
		s.id = newID() // not the session's, which is a secret
	case s.nsp.name == rootNamespace:
		s.id = c.session.ID()
	default:
		s.id = s.nsp.name + "#" + c.session.ID()
	}
}

// newID returns 120 random bits as text.
func newID() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// A private id is 120 random bits, its root, and 48 more. A client that can't be recovered keeps the root of the id
// that it presents. The rest changes: from an id that stays the same, clients conclude that they were recovered.
const (
	rootLength      = 20 // as text
	privateIDLength = 28
)

// newPrivateID returns a private id for a client that has presented one; "" or anything else: it has presented none.
func newPrivateID(presented string) string {
	root := rootOf(presented)
	if root == "" {
		root = newID()
	}
	return root + newID()[:privateIDLength-rootLength]
}

// rootOf returns the root of a private id, or "" for anything else. Earlier versions gave out roots alone.
func rootOf(pid string) string {
	if len(pid) != privateIDLength && len(pid) != rootLength {
		return ""
	}
	if _, err := base64.RawURLEncoding.DecodeString(pid); err != nil {
		return ""
	}
	return pid[:rootLength]
}

// admit puts the socket into its namespace and calls OnConnect's functions. From the first on other
// goroutines find the socket and may end it; OnDisconnect's functions then wait for OnConnect's.
func (c *client) admit(s *Socket) {
	c.mu.Lock()
	c.sockets = append(c.sockets, s)
	c.joined = true
	timeout := c.timeout
	c.timeout = nil
	c.mu.Unlock()
	if timeout != nil {
		c.server.timeouts.remove(timeout)
	}
	if old := s.nsp.add(s); old != nil {
		old.client.session.Close(ErrSuperseded)
		old.ended(ErrSuperseded)
	}
	c.server.log.Debug("socket connected", "nsp", s.nsp.name, "sid", s.logID(), "recovered", s.recovered)
	s.callConnect()
	s.mu.Lock()
	ended := s.opening.ended
	s.opening = nil
	s.mu.Unlock()
	if ended != nil {
		s.callDisconnects(ended)
	}
}

func (s *Socket) callConnect() {
	defer s.client.recoverPanic()
	for _, f := range s.nsp.handlers.Load().connect {
		f(s)
	}
}

// wantsConnectAnswer reports whether the client waits for an answer to its join. Only a raw WebSocket
// that joins without asking does not.
func (s *Socket) wantsConnectAnswer() bool { return !s.client.isRaw() || s.client.rawState.asked }

// connectAnswer returns the CONNECT packet, or the raw WebSocket's equivalent, for a client that has joined.
func (s *Socket) connectAnswer() engineio.Message {
	var b []byte
	switch {
	case s.client.isV3():
		return text(appendHeader(nil, packetConnect, 0, s.nsp.name, 0, false))
	case s.client.isRaw():
		b = append(b, `{"connect":`...)
	default:
		b = appendHeader(b, packetConnect, 0, s.nsp.name, 0, false)
	}
	b = append(b, `{"sid":`...)
	b = appendString(b, s.id)
	if s.pid != "" {
		b = append(b, `,"pid":`...)
		b = appendString(b, s.pid)
		if s.client.isRaw() { // Socket.IO clients compare the pid instead
			b = append(b, `,"recovered":`...)
			b = strconv.AppendBool(b, s.recovered)
		}
	}
	b = append(b, '}')
	if s.client.isRaw() {
		b = append(b, '}')
	}
	return text(b)
}

// refuse sends a CONNECT_ERROR packet. Its payload is the message alone for clients of Socket.IO 2. A
// raw WebSocket joins the main namespace, which exists, as its first, so it is never refused.
func (c *client) refuse(namespace, message string) {
	c.server.counters.connectErrors.Add(1)
	c.session.Refused()
	b := appendHeader(nil, packetConnectError, 0, namespace, 0, false)
	if c.isV3() {
		b = appendString(b, message)
	} else {
		b = appendString(append(b, `{"message":`...), message)
		b = append(b, '}')
	}
	c.send(text(b))
}
