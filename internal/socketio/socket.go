package socketio

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"

	"chatapp/internal/allowance"
	"chatapp/internal/engineio"
)

// Socket is one client in one namespace, whichever protocol it speaks. Every method may be called from
// any goroutine, and none waits for the network.
type Socket struct {
	// Immutable.
	nsp       *Namespace
	client    *client
	id        string
	pid       string // "" without Recovery
	recovered bool

	present atomic.Bool // in its namespace; written under nsp.mu

	// Guarded by nsp.mu.
	slot  int // in nsp.all
	rooms []membership

	mu sync.Mutex
	// mu guards
	opening *opening // nil once OnConnect has returned
	data    any
}

// opening holds what a socket needs only while it joins, so that an idle socket stays small.
type opening struct {
	auth   []byte
	offset string
	ended  error // the reason, if the socket has ended meanwhile
}

// ID returns the socket's identifier, which [Namespace.To] accepts like a room. Other users may know
// it, with one exception: the id of a Socket.IO 2 client is its Engine.IO session's, and anybody who
// has that can speak as the client.
func (s *Socket) ID() string { return s.id }

// Handshake returns the data of the client's first request. It must not be changed.
func (s *Socket) Handshake() *engineio.Handshake { return s.client.session.Handshake() }

// Auth returns the JSON object that the client sent to join, {} if none. It is nil once OnConnect's
// functions have returned.
func (s *Socket) Auth() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opening == nil {
		return nil
	}
	return s.opening.auth
}

// Offset returns the offset of the last event that the client says it has received, recovered or not.
// It is "" if the client sent none, and once OnConnect's functions have returned.
func (s *Socket) Offset() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opening == nil {
		return ""
	}
	return s.opening.offset
}

// logID returns what stands for the socket in the log: not the id of a Socket.IO 2 client, which is a secret.
func (s *Socket) logID() string {
	if s.client.isV3() {
		return "(secret)"
	}
	return s.id
}

// PrivateID returns the secret with which the client can recover the socket after its connection is
// lost. It must not reach anybody else, who could take the socket over. It is "" without
// [Options.Recovery], for clients of Socket.IO 2, and for a raw WebSocket that joined without asking:
// these can't recover.
func (s *Socket) PrivateID() string { return s.pid }

// PrivateRoot returns the part of the private id that stays the same when the client returns to any server and can't be
// recovered. It is as secret as the private id. A client may present an id that no server has given out: then it is
// what the client has chosen. It is "" where PrivateID is, or is none that a server has made.
func (s *Socket) PrivateRoot() string { return rootOf(s.pid) }

// Recovered reports whether the socket continues an earlier one whose connection was lost.
func (s *Socket) Recovered() bool { return s.recovered }

// Data returns the value that SetData stored last, or the one that was recovered.
func (s *Socket) Data() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}

// SetData keeps a value of the application's with the socket.
func (s *Socket) SetData(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = v
}

// Refused counts an event of the client that was refused, see [engineio.Session.Refused].
func (s *Socket) Refused() { s.client.session.Refused() }

// TakeAllowance takes n of a kind from the account of the client's address, or nothing and returns how long to wait.
func (s *Socket) TakeAllowance(k allowance.Kind, n float64) (wait time.Duration, ok bool) {
	return s.client.session.TakeAllowance(k, n)
}

// ConnectionData returns the value that SetConnectionData stored last. It is kept as long as the connection, where Data
// is kept as long as the socket: a client can leave a namespace and join it again.
func (s *Socket) ConnectionData() any {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.client.data
}

// SetConnectionData keeps a value of the application's with the client's connection.
func (s *Socket) SetConnectionData(v any) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.client.data = v
}

// Refuse closes the client's connection because it asks for more than it may, with WebSocket close code 1008.
func (s *Socket) Refuse(reason string) {
	s.client.session.Close(&engineio.ProtocolError{Code: closePolicyViolation, Reason: reason})
}

// Drained reports whether nothing waits to be sent to the client.
func (s *Socket) Drained() bool { return s.client.session.Drained() }

// Connected reports whether the socket is in its namespace.
func (s *Socket) Connected() bool { return s.present.Load() }

// Emit sends an event to the client. The type of an argument decides how it is encoded: nil, strings,
// booleans and numbers as JSON; []byte as a binary attachment; json.RawMessage as it is, after a check;
// [Value] as it was received; anything else as encoding/json does it, binary data inside it as base64.
//
// It returns ErrDisconnected when the socket is gone, and an error if the arguments can't be encoded.
// nil means that the event is queued.
func (s *Socket) Emit(event string, args ...any) error {
	server := s.nsp.server
	b := server.borrowBody()
	defer server.returnBody(b)
	if err := b.encodeEvent(event, args); err != nil {
		return err
	}
	return s.send(b, packetEvent, 0)
}

// EmitPrepared is Emit of an event that is encoded already. It panics if another namespace prepared the event.
func (s *Socket) EmitPrepared(p *Prepared) error {
	if !s.present.Load() {
		return ErrDisconnected
	}
	s.nsp.mustOwn(p)
	s.nsp.server.counters.deliveries.Add(1)
	return s.sent(s.client.session.SendPrepared(p.form(s.client.isRaw())))
}

// send queues an event, or the acknowledgement of the client's event id.
func (s *Socket) send(b *body, kind packetType, id uint64) error {
	if !s.present.Load() {
		return ErrDisconnected
	}
	if kind == packetEvent {
		s.nsp.server.counters.deliveries.Add(1)
	}
	if len(b.attachments) == 0 && !s.client.isRaw() {
		dst := make([]byte, 0, len(b.text)+len(s.nsp.name)+24)
		return s.sent(s.client.session.Send(text(b.appendPacket(dst, kind, s.nsp.name, id))))
	}
	return s.sent(s.client.session.Send(b.messages(s.client.isRaw(), kind, s.nsp.name, id)...))
}

// sent replaces a session's error, which means that the session is over. OnDisconnect gets the reason.
func (s *Socket) sent(err error) error {
	if err != nil {
		return ErrDisconnected
	}
	return nil
}

// handle calls the handler of an event.
func (s *Socket) handle(e *Event) {
	if !s.present.Load() {
		return
	}
	s.nsp.server.counters.events.Add(1)
	h := s.nsp.handlers.Load()
	handler := h.events[string(bytes.Trim(e.name, `"`))] // allocates no string; a number names an event, too
	if handler == nil && bytes.IndexByte(e.name, '\\') >= 0 {
		if name, ok := unquote(e.name); ok {
			handler = h.events[name]
		}
	}
	if handler == nil {
		s.client.session.Refused()
		if handler = h.unknown; handler == nil {
			return
		}
	}
	e.socket = s
	defer s.client.recoverPanic()
	handler(s, e)
}

// Disconnect takes the socket out of its namespace and notifies the client, which does not come back by
// itself. The connection stays open for other namespaces; that of a raw WebSocket is closed.
func (s *Socket) Disconnect() {
	if !s.nsp.remove(s) {
		return
	}
	if s.client.isRaw() {
		s.client.send(text([]byte(`{"disconnect":{}}`)))
		s.client.session.Close(ErrServerDisconnect)
	} else {
		s.client.send(text(appendHeader(nil, packetDisconnect, 0, s.nsp.name, 0, false)))
	}
	s.ended(ErrServerDisconnect)
}

// end takes the socket out of its namespace, unless it has left before.
func (s *Socket) end(reason error) {
	if s.nsp.remove(s) {
		s.ended(reason)
	}
}

// ended calls OnDisconnect's functions, or has admit call them once OnConnect's have returned. Exactly
// one caller has removed the socket from its namespace before.
func (s *Socket) ended(reason error) {
	s.mu.Lock()
	opening := s.opening != nil
	if opening {
		s.opening.ended = reason
	}
	s.mu.Unlock()
	if !opening {
		s.callDisconnects(reason)
	}
}

func (s *Socket) callDisconnects(reason error) {
	s.nsp.server.log.Debug("socket disconnected", "nsp", s.nsp.name, "sid", s.logID(), "err", reason)
	for _, f := range s.nsp.handlers.Load().disconnect {
		s.callDisconnect(f, reason)
	}
}

func (s *Socket) callDisconnect(f func(*Socket, error), reason error) {
	defer s.client.recoverPanic()
	f(s, reason)
}
