package socketio

import (
	"bytes"
	"sync"
	"sync/atomic"

	"chatapp/internal/engineio"
)

// Socket is one client in one namespace, whichever door it came by. Every method may be called from any goroutine, and
// none waits for the network.
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
	acks    map[uint64]ackWaiter // nil while none is owed
}

// opening is what is known of a socket only while it joins, to keep an idle one small.
type opening struct {
	auth   []byte
	offset string
	rooms  []string // to be restored
}

// Door is the way a client came in.
type Door int

// The doors.
const (
	DoorSocketIO  Door = iota // Socket.IO 3 and 4
	DoorSocketIO2             // Socket.IO 2, over Engine.IO 3
	DoorBare                  // a plain WebSocket
)

// ID returns the socket's identifier; [Broadcast] reaches it by it like a room. Others may know it, but that of a client of
// Socket.IO 2, which is its session's: such clients know no other, and who has it can speak as them.
func (s *Socket) ID() string { return s.id }

// Namespace returns the namespace the socket is or was in.
func (s *Socket) Namespace() *Namespace { return s.nsp }

// Handshake returns what the client's first request told. It must not be changed.
func (s *Socket) Handshake() *engineio.Handshake { return s.client.session.Handshake() }

// Door returns the way the client came in.
func (s *Socket) Door() Door {
	switch s.client.session.Protocol() {
	case engineio.Raw:
		return DoorBare
	case engineio.V3:
		return DoorSocketIO2
	}
	return DoorSocketIO
}

// Auth returns the JSON object that the client gave when it joined, {} if none. It is kept until OnConnect's functions
// have returned and nil afterwards.
func (s *Socket) Auth() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opening == nil {
		return nil
	}
	return s.opening.auth
}

// Offset returns the offset of the last event that the client says it has, recovered or not; "" if it says none, and once
// OnConnect's functions have returned.
func (s *Socket) Offset() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opening == nil {
		return ""
	}
	return s.opening.offset
}

// PrivateID returns the secret by which the client can recover the socket after its connection is lost. Who knows it can
// be the client. It is "" where there is nothing to recover: without [Options.Recovery], for clients of Socket.IO 2, and
// for a plain WebSocket that was let in without asking.
func (s *Socket) PrivateID() string { return s.pid }

// Recovered tells whether the socket goes on where one before it was cut off.
func (s *Socket) Recovered() bool { return s.recovered }

// Data returns what SetData has set last, or what was recovered.
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

// Connected tells whether the socket is in its namespace.
func (s *Socket) Connected() bool { return s.present.Load() }

// Emit sends an event to the client. Arguments are encoded by their type: nil, strings, booleans and numbers as JSON;
// []byte as a binary attachment; [Raw] and json.RawMessage as the JSON they are, once checked; [Value] as it was received;
// anything else as encoding/json has it, binary data inside it as base64.
//
// It returns ErrDisconnected when the socket is gone, and an error where the arguments cannot be encoded. nil means that
// the event is queued.
func (s *Socket) Emit(event string, args ...any) error {
	if s.nsp.server.recorder != nil {
		p, err := s.nsp.Prepare(event, args...)
		if err != nil {
			return err
		}
		return s.EmitPrepared(p)
	}
	server := s.nsp.server
	b := server.borrowBody()
	defer server.returnBody(b)
	if err := b.encodeEvent(event, args); err != nil {
		return err
	}
	return s.send(b, packetEvent, 0, false)
}

// EmitPrepared is Emit of an event that is encoded already.
func (s *Socket) EmitPrepared(p *Prepared) error {
	if !s.present.Load() {
		return ErrDisconnected
	}
	if s.nsp.server.recorder != nil {
		s.nsp.To(s.id).EmitPrepared(p)
		return nil
	}
	s.nsp.mustOwn(p)
	s.nsp.server.counters.deliveries.Add(1)
	return s.sent(s.client.session.SendPrepared(p.form(s.client.bare())))
}

// EmitVolatile is Emit of an event that is worthless later: it is dropped, and false returned, where the client is gone or
// not keeping up, or the arguments cannot be encoded.
func (s *Socket) EmitVolatile(event string, args ...any) bool {
	p, err := s.nsp.Prepare(event, args...)
	if err != nil || !s.present.Load() {
		return false
	}
	return s.client.session.SendVolatile(p.form(s.client.bare()))
}

// send queues an event or acknowledgement.
func (s *Socket) send(b *body, kind packetType, id uint64, hasID bool) error {
	if !s.present.Load() {
		return ErrDisconnected
	}
	if kind == packetEvent {
		s.nsp.server.counters.deliveries.Add(1)
	}
	if len(b.attachments) == 0 && !s.client.bare() {
		dst := make([]byte, 0, len(b.text)+len(s.nsp.name)+24)
		return s.sent(s.client.session.Send(text(b.appendPacket(dst, kind, s.nsp.name, id, hasID))))
	}
	return s.sent(s.client.session.Send(b.messages(s.client.bare(), kind, s.nsp.name, id, hasID)...))
}

// sent is what an application is told of a session's error: it is over, and Closed says why.
func (s *Socket) sent(err error) error {
	if err != nil {
		return ErrDisconnected
	}
	return nil
}

// dispatch calls the handler of an event.
func (s *Socket) dispatch(e *Event) {
	if !s.present.Load() {
		return
	}
	s.nsp.server.counters.events.Add(1)
	h := s.nsp.handlers.Load()
	handler := h.events[string(bytes.Trim(e.name, `"`))] // allocates no string
	if handler == nil && bytes.IndexByte(e.name, '\\') >= 0 {
		handler = h.events[e.Name()]
	}
	if handler == nil {
		handler = h.any
	}
	if handler == nil {
		return
	}
	e.socket = s
	defer s.client.recovered()
	handler(s, e)
}

// Disconnect takes the socket out of its namespace and tells the client, which does not come back by itself. The
// connection stays open for others, but at the plain WebSocket's door, where it is closed.
func (s *Socket) Disconnect() {
	rooms, ok := s.nsp.remove(s)
	if !ok {
		return
	}
	if s.client.bare() {
		s.client.send(text([]byte(`{"disconnect":{}}`)))
		s.client.session.Close(ErrServerDisconnect)
	} else {
		s.client.send(text(appendHeader(nil, packetDisconnect, 0, s.nsp.name, 0, false)))
	}
	s.finish(ErrServerDisconnect, rooms)
}

// CloseConnection disconnects all sockets of the client, in whatever namespace, and closes its connection.
func (s *Socket) CloseConnection() {
	s.client.mu.Lock()
	sockets := append([]*Socket(nil), s.client.sockets...)
	s.client.mu.Unlock()
	for _, socket := range sockets {
		socket.Disconnect()
	}
	s.client.session.Close(ErrServerDisconnect)
}

// end takes the socket out of its namespace, unless it has left before.
func (s *Socket) end(reason error) {
	if rooms, ok := s.nsp.remove(s); ok {
		s.finish(reason, rooms)
	}
}

// finish follows remove, once: it keeps what may be recovered, and tells who has to know that the socket is gone.
func (s *Socket) finish(reason error, rooms []string) {
	if recovery := s.nsp.server.options.Recovery; s.pid != "" && Lost(reason) {
		recovery.Keep(Session{Namespace: s.nsp.name, SID: s.id, PID: s.pid, Rooms: rooms, Data: s.Data()})
	}
	s.ended(reason)
}

func (s *Socket) ended(reason error) {
	s.nsp.server.log.Debug("socket disconnected", "nsp", s.nsp.name, "sid", s.id, "err", reason)
	s.failAcks()
	for _, f := range s.nsp.handlers.Load().disconnect {
		s.callDisconnect(f, reason)
	}
}

func (s *Socket) callDisconnect(f func(*Socket, error), reason error) {
	defer s.client.recovered()
	f(s, reason)
}
