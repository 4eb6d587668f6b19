package emulator

import (
	"sync"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

const (
	// maxBrokerCredit bounds how much of a client's credit is passed to the broker at once, because the broker
	// locks every message that it delivers.
	maxBrokerCredit = 5000
)

// outgoingLink is a link on which the client receives messages of an entity, or replies.
type outgoingLink struct {
	link

	// immutable once attached
	receiver *broker.Receiver // nil for replies
	source   *broker.Source
	settled  bool // deliveries are settled when sent

	// pendingAttach is the answer to an attach that waits for a session until acceptDeadline; nil otherwise.
	pendingAttach  *amqp.Attach
	acceptDeadline time.Time

	queue   []queuedDelivery // deliveries not yet written
	partial []byte           // the rest of a delivery whose first transfers are written
	drain   bool
	blocked bool // listed in the AMQP session's blocked

	waiting bool // conn.mu guards
}

// queuedDelivery is a delivery that is not written yet. All deliveries of a message share the sections in shared.
type queuedDelivery struct {
	token    [16]byte // delivery tag: the lock token in .NET byte order, zero without a lock
	sections []byte
	shared   []byte
}

// attachSource makes l a receiver of an entity.
func (l *outgoingLink) attachSource(a *amqp.Attach, answer *amqp.Attach) error {
	c := l.session.conn
	if c.server.faults.busy(c.now) {
		return errBusy()
	}
	source, err := c.broker.Source(l.path)
	if err != nil {
		return err
	}
	options := broker.ReceiverOptions{Mode: broker.PeekLock, Wake: func() { c.wakeLink(l, &l.waiting) }}
	if l.settled {
		options.Mode = broker.ReceiveAndDelete
	}
	if options.Session, err = sessionRequest(a.Source); err != nil {
		return err
	}
	l.source = source
	if l.receiver, err = source.NewReceiver(options); err != nil {
		return err
	}
	c.usesEntities = true
	if options.Session == nil {
		return nil
	}
	if l.acceptSession(answer) {
		return nil
	}
	l.pendingAttach = answer
	l.acceptDeadline = c.now.Add(acceptTimeout(a))
	c.awaitingSession[l] = struct{}{}
	c.wakeLink(l, &l.waiting) // the broker may have found a session since acceptSession, while Wake had no effect
	return errAttachPending
}

// woken handles what the broker has for the receiver: messages, a session, or its end.
func (l *outgoingLink) woken() {
	if l.closed {
		return
	}
	if err := l.receiver.Err(); err != nil {
		l.detach(wireError(err))
		return
	}
	if a := l.pendingAttach; a != nil {
		if !l.acceptSession(a) {
			return
		}
		l.pendingAttach = nil
		delete(l.session.conn.awaitingSession, l)
		l.session.write(a)
	}
	l.pump()
}

func (l *outgoingLink) clearWaitingLocked() { l.waiting = false }

// flow applies the credit that the client gives.
func (l *outgoingLink) flow(f *amqp.Flow) {
	if !f.LinkCredit.Set {
		if f.Echo {
			l.writeCredit()
		}
		return
	}
	// AMQP 1.0 part 2, 2.6.7: the credit counts from the delivery-count in the client's flow.
	credit := f.DeliveryCount.Value + f.LinkCredit.Value - l.deliveries
	if int32(credit) < 0 && f.LinkCredit.Value < 1<<31 {
		credit = 0
	}
	l.credit = credit
	l.drain = f.Drain
	if l.receiver != nil && l.pendingAttach == nil {
		if err := l.receiver.SetCredit(l.brokerCredit()); err != nil {
			l.detach(wireError(err))
			return
		}
	}
	l.pump()
	if l.drain && !l.closed && !l.blocked {
		l.finishDrain()
	} else if f.Echo && !l.closed {
		l.writeCredit()
	}
}

func (l *outgoingLink) brokerCredit() int {
	return min(max(int(l.credit)-len(l.queue), 0), maxBrokerCredit)
}

func (l *outgoingLink) writeCredit() {
	l.session.writeFlow(amqp.Flow{
		Handle: amqp.Some(l.handle), DeliveryCount: amqp.Some(l.deliveries), LinkCredit: amqp.Some(l.credit),
		Drain: l.drain,
	})
}

// finishDrain uses up the credit that is left once all available messages are delivered.
func (l *outgoingLink) finishDrain() {
	if l.receiver != nil {
		_ = l.receiver.SetCredit(0) // if the receiver has ended, its Wake detaches the link
	}
	l.deliveries += l.credit
	l.credit = 0
	l.writeCredit()
	l.drain = false
}

// pump writes deliveries as long as there are messages, credit and room in the window.
func (l *outgoingLink) pump() {
	s, c := l.session, l.session.conn
	for !l.closed && !c.finished {
		if !l.writeQueued() {
			return
		}
		if l.receiver == nil || l.pendingAttach != nil || l.credit == 0 {
			return
		}
		if s.sendingBlocked() { // take no message that could not be written now
			l.markBlocked()
			return
		}
		if l.takeBatch() == 0 {
			if l.credit > 0 && l.receiver.Credit() == 0 && l.receiver.Err() == nil {
				_ = l.receiver.SetCredit(l.brokerCredit()) // the client gave more than maxBrokerCredit
				if l.receiver.Credit() > 0 {
					continue
				}
			}
			return
		}
	}
}

// deliveryBatches pools the buffers of takeBatch, which are too large to have one per connection.
var deliveryBatches = sync.Pool{New: func() any { return new([64]broker.Delivery) }}

// takeBatch takes up to 64 messages from the broker and delivers them. It returns their number.
func (l *outgoingLink) takeBatch() int {
	handful := deliveryBatches.Get().(*[64]broker.Delivery)
	n := l.receiver.Take(handful[:min(len(handful), int(l.credit), int(l.session.peerWindow))])
	for i := range handful[:n] {
		l.deliver(&handful[i])
		handful[i] = broker.Delivery{}
	}
	deliveryBatches.Put(handful)
	return n
}

// deliver writes a delivery, or queues it if the window is closed or much output is waiting.
func (l *outgoingLink) deliver(d *broker.Delivery) {
	c := l.session.conn
	o := queuedDelivery{token: dotNetUUID(d.LockToken)}
	if l.canWriteNow() && len(c.out.buf) <= 2*highWater {
		c.scratch, o.shared = appendDelivery(c.scratch[:0], d)
		o.sections = c.scratch
		l.writeDelivery(&o)
		return
	}
	o.sections, o.shared = appendDelivery(make([]byte, 0, 256), d)
	l.queue = append(l.queue, o)
}

// canWriteNow reports whether a delivery can be written without waiting in the queue.
func (l *outgoingLink) canWriteNow() bool {
	return len(l.queue) == 0 && len(l.partial) == 0 && l.credit > 0 && !l.session.sendingBlocked() &&
		!l.session.conn.finished
}

// writeQueued writes the queue and reports whether it is empty now.
func (l *outgoingLink) writeQueued() bool {
	s, c := l.session, l.session.conn
	for len(l.queue) > 0 || len(l.partial) > 0 {
		if s.sendingBlocked() {
			l.markBlocked()
			return false
		}
		if len(c.out.buf) > highWater && !c.flush() {
			c.finished = true
			return false
		}
		if len(l.partial) > 0 {
			l.continuePartial()
			continue
		}
		if l.credit == 0 {
			return false
		}
		o := l.queue[0]
		l.queue[0] = queuedDelivery{}
		l.queue = l.queue[1:]
		l.writeDelivery(&o)
		if c.finished {
			return false
		}
	}
	l.queue = nil
	return true
}

func (l *outgoingLink) markBlocked() {
	if !l.blocked {
		l.blocked = true
		l.session.blocked = append(l.session.blocked, l)
	}
}

// writeDelivery writes a delivery, or its first transfer if it needs several.
func (l *outgoingLink) writeDelivery(o *queuedDelivery) {
	s := l.session
	id := s.nextDelivery
	s.nextDelivery++
	l.credit--
	l.deliveries++
	l.lastUsed = s.conn.now
	if !l.settled {
		if s.unsettled == nil {
			s.unsettled = make(map[uint32]unsettled)
		}
		s.unsettled[id] = unsettled{link: l, token: o.token}
	}
	t := amqp.Transfer{
		Handle: l.handle, DeliveryID: amqp.Some(id), DeliveryTag: o.token[:], MessageFormat: amqp.Some(uint32(0)),
		Settled: amqp.Some(l.settled), Batchable: true,
	}
	l.writeTransfer(&t, o.sections, o.shared)
}

// transferOverhead bounds the bytes of a frame's header and transfer performative.
const transferOverhead = 96

// writeTransfer writes one transfer with as many bytes as a frame of the client holds, and keeps the rest in partial.
func (l *outgoingLink) writeTransfer(t *amqp.Transfer, first, second []byte) {
	s, c := l.session, l.session.conn
	room := c.peerMaxFrame - transferOverhead
	t.More = len(first)+len(second) > room
	start := len(c.out.buffer())
	buf := t.Append(amqp.BeginFrame(c.out.buf, amqp.FrameAMQP, s.channel))
	if !t.More {
		buf = append(append(buf, first...), second...)
		l.partial = nil
	} else {
		n := min(len(first), room)
		buf = append(buf, first[:n]...)
		m := room - n
		buf = append(buf, second[:m]...)
		l.partial = second[m:]
		if n < len(first) {
			l.partial = append(append([]byte(nil), first[n:]...), second...)
		}
	}
	c.out.buf = amqp.EndFrame(buf, start, 0)
	s.nextOutgoingID++
	s.peerWindow--
	if l.receiver != nil {
		c.faults.dropMidTransfer(c, start)
	}
}

// continuePartial writes the next transfer of a delivery.
func (l *outgoingLink) continuePartial() {
	l.writeTransfer(&amqp.Transfer{Handle: l.handle}, nil, l.partial)
}

// release returns the messages that were taken but not written, and closes the receiver.
func (l *outgoingLink) release() {
	delete(l.session.conn.awaitingSession, l)
	for _, o := range l.queue {
		if l.source != nil && !l.settled {
			// an error means that the lock had expired, which returned the message
			_ = l.source.Settle(broker.UUID(dotNetUUID(o.token)), broker.Settlement{Outcome: broker.Release})
		}
	}
	l.queue, l.partial, l.drain = nil, nil, false
	if l.receiver != nil {
		l.receiver.Close()
	}
	for id, u := range l.session.unsettled {
		if u.link == l {
			delete(l.session.unsettled, id)
		}
	}
}
