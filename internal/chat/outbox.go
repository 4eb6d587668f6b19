package chat

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"chatapp/internal/socketio"
)

// outbox holds what critical sections of Chat.mu have decided to do to sockets, in order: effects are values, which
// refer to nothing that Chat.mu guards. They are performed, which includes encoding their arguments, after Chat.mu is
// released, by one goroutine at a time and in the order of the queue. So every client receives events in the order in
// which they were decided, and receives a broadcast exactly if its Join is queued before it.
//
// A critical section that has queued effects ends by performing the queue. The holder of the lock named delivery takes
// all that is queued; so when unlock returns, the effects of the section have been performed, if not by its own
// goroutine. This limits the queue to one section for each goroutine.
type outbox struct {
	// Immutable once Chat.Attach has returned.
	nsp    *socketio.Namespace
	logger *slog.Logger

	queue []effect // guarded by Chat.mu
	taken uint64   // guarded by Chat.mu: how many effects are no longer in queue

	delivery  sync.Mutex    // held while effects are performed; taken before Chat.mu, never while that is held
	spare     []effect      // guarded by delivery: the array that is the next queue
	performed atomic.Uint64 // how many effects have been
}

// maxSpare is how many effects an array may have room for to be used again.
const maxSpare = 1024

// effect is one thing to do to sockets.
type effect struct {
	kind   effectKind
	socket *socketio.Socket
	event  event        // of emit, broadcast and acknowledge, which has no name; the name of refuse is its reason
	shared *sharedEvent // of emit and broadcast, in place of event
	rooms  []string     // of broadcast, join and leave; never modified. Nil: everybody
	except [2]string    // of broadcast: rooms or ids of sockets; "": nothing
	ack    socketio.Ack // of acknowledge
}

type effectKind uint8

const (
	emit effectKind = iota
	broadcast
	volatileBroadcast // may be dropped for clients that don't keep up
	acknowledge
	join
	leave
	count // a refusal
	disconnect
	refuse
)

// event is an event's name and arguments.
type event struct {
	name string
	args []any
}

// sharedEvent is an event that several effects send. The first that is performed encodes it.
type sharedEvent struct {
	event
	encoded *socketio.Prepared // guarded by outbox.delivery
}

func share(e event) *sharedEvent { return &sharedEvent{event: e} }

// end returns the number of effects up to the last that is queued. Chat.mu is held.
func (o *outbox) end() uint64 { return o.taken + uint64(len(o.queue)) }

// performedUpTo reports whether so many effects have been performed.
func (o *outbox) performedUpTo(end uint64) bool { return o.performed.Load() >= end }

func (o *outbox) emit(cl *client, name string, args ...any) {
	o.queue = append(o.queue, effect{kind: emit, socket: cl.socket, event: event{name, args}})
}

func (o *outbox) emitEvent(cl *client, e event) {
	o.queue = append(o.queue, effect{kind: emit, socket: cl.socket, event: e})
}

func (o *outbox) emitShared(cl *client, e *sharedEvent) {
	o.queue = append(o.queue, effect{kind: emit, socket: cl.socket, shared: e})
}

// broadcast sends an event to the sockets in rooms, except those of two clients, which may be nil.
func (o *outbox) broadcast(rooms []string, e event, except, andExcept *client) {
	o.queue = append(o.queue, effect{kind: broadcast, rooms: rooms, event: e,
		except: [2]string{except.socketID(), andExcept.socketID()}})
}

// broadcastShared sends an event to the sockets in rooms, except those in another room, unless that is "".
func (o *outbox) broadcastShared(rooms []string, e *sharedEvent, except string) {
	o.queue = append(o.queue, effect{kind: broadcast, rooms: rooms, shared: e, except: [2]string{except}})
}

// broadcastVolatile is broadcast of an event that is worthless later.
func (o *outbox) broadcastVolatile(rooms []string, e event, except *client) {
	o.queue = append(o.queue, effect{kind: volatileBroadcast, rooms: rooms, event: e,
		except: [2]string{except.socketID()}})
}

// broadcastToAll sends an event to every socket of the namespace.
func (o *outbox) broadcastToAll(name string, args ...any) {
	o.queue = append(o.queue, effect{kind: broadcast, event: event{name, args}})
}

// reply acknowledges a client's event. It does nothing if the client has not asked for an acknowledgement.
func (o *outbox) reply(ack socketio.Ack, args ...any) {
	if ack.Wanted() {
		o.queue = append(o.queue, effect{kind: acknowledge, ack: ack, event: event{args: args}})
	}
}

func (o *outbox) join(cl *client, rooms []string) {
	o.queue = append(o.queue, effect{kind: join, socket: cl.socket, rooms: rooms})
}

func (o *outbox) leave(cl *client, rooms []string) {
	o.queue = append(o.queue, effect{kind: leave, socket: cl.socket, rooms: rooms})
}

func (o *outbox) disconnect(cl *client) {
	o.queue = append(o.queue, effect{kind: disconnect, socket: cl.socket})
}

// countRefusal counts a refusal of a client's event.
func (o *outbox) countRefusal(cl *client) {
	o.queue = append(o.queue, effect{kind: count, socket: cl.socket})
}

// refuse closes a client's connection because of what it asks for.
func (o *outbox) refuse(cl *client, reason string) {
	o.queue = append(o.queue, effect{kind: refuse, socket: cl.socket, event: event{name: reason}})
}

// deliver performs what is queued. chatMu is Chat.mu, which the caller does not hold. Sockets are disconnected last and
// without a lock: that calls Chat.disconnect.
func (o *outbox) deliver(chatMu *sync.Mutex) {
	for _, socket := range o.deliverQueue(chatMu) {
		socket.Disconnect()
	}
}

func (o *outbox) deliverQueue(chatMu *sync.Mutex) (ending []*socketio.Socket) {
	o.delivery.Lock()
	defer o.delivery.Unlock()
	chatMu.Lock()
	effects := o.queue
	o.queue = o.spare
	o.taken += uint64(len(effects))
	chatMu.Unlock()
	for i := range effects {
		if effects[i].kind == disconnect {
			ending = append(ending, effects[i].socket)
			continue
		}
		o.perform(&effects[i])
	}
	o.performed.Add(uint64(len(effects)))
	clear(effects)
	o.spare = nil
	if cap(effects) <= maxSpare {
		o.spare = effects[:0]
	}
	return ending
}

func (o *outbox) perform(e *effect) {
	switch e.kind {
	case emit:
		if e.shared == nil {
			o.check(e.socket.Emit(e.event.name, e.event.args...))
		} else if p := o.encode(e.shared); p != nil {
			o.check(e.socket.EmitPrepared(p))
		}
	case broadcast:
		o.send(e, o.receivers(e))
	case volatileBroadcast:
		o.send(e, o.receivers(e).Volatile())
	case acknowledge:
		o.check(e.ack.Send(e.event.args...))
	case join:
		e.socket.Join(e.rooms...)
	case leave:
		e.socket.Leave(e.rooms...)
	case count:
		e.socket.Refused()
	case refuse:
		e.socket.Refuse(e.event.name)
	}
}

func (o *outbox) receivers(e *effect) socketio.Broadcast {
	to := o.nsp.All()
	if e.rooms != nil {
		to = o.nsp.To(e.rooms...)
	}
	switch {
	case e.except[0] != "" && e.except[1] != "":
		return to.Except(e.except[:]...)
	case e.except[0] != "":
		return to.Except(e.except[:1]...)
	case e.except[1] != "":
		return to.Except(e.except[1:]...)
	}
	return to
}

func (o *outbox) send(e *effect, to socketio.Broadcast) {
	if e.shared == nil {
		o.check(to.Emit(e.event.name, e.event.args...))
	} else if p := o.encode(e.shared); p != nil {
		to.EmitPrepared(p)
	}
}

// encode returns the encoding of a shared event, nil if it can't be encoded.
func (o *outbox) encode(e *sharedEvent) *socketio.Prepared {
	if e.encoded == nil {
		p, err := o.nsp.Prepare(e.name, e.args...)
		if o.check(err); err != nil {
			return nil
		}
		e.encoded, e.args = p, nil
	}
	return e.encoded
}

// check logs the error of an event that can't be encoded, which is a defect of this package. A socket that is gone is
// none: Chat.disconnect deals with it.
func (o *outbox) check(err error) {
	if err != nil && !errors.Is(err, socketio.ErrDisconnected) {
		o.logger.Error("event can't be encoded", "err", err)
	}
}
