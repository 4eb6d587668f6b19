package emulator

import (
	"sync"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

const (
	// maxBrokerCredit is how much of a client's credit the broker knows at once: what it hands over is locked.
	maxBrokerCredit = 5000
)

// outgoingLink is a link on which the client receives: messages of an entity, or replies.
type outgoingLink struct {
	link

	// immutable once attached
	receiver *broker.Receiver // nil for replies
	source   *broker.Source
	settled  bool // deliveries are settled when sent

	// The attach to answer when a session is free, while it is not.
	pendingAttach *amqp.Attach
	acceptBy      time.Time

	queue   []outbound // taken or made, and not yet written
	partial []byte     // the rest of a delivery of which some transfers are written
	drain   bool
	starved bool // among the session's starved

	waiting bool // conn.mu guards
}

// outbound is a delivery to be written: sections of its own, and sections that it shares with others.
type outbound struct {
	token    [16]byte // of the lock, zero without
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
	options := broker.ReceiverOptions{Mode: broker.PeekLock, Wake: func() { c.attention(l, &l.waiting) }}
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
	if options.Session == nil {
		return nil
	}
	if l.acceptSession(answer) {
		return nil
	}
	l.pendingAttach = answer
	l.acceptBy = c.now.Add(acceptTimeout(a))
	c.accepting[l] = struct{}{}
	c.attention(l, &l.waiting) // a session that came free since asking has called already
	return errPending
}

// attend looks why the broker has called: messages, a session, or the end.
func (l *outgoingLink) attend() {
	if l.over {
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
		delete(l.session.conn.accepting, l)
		l.session.write(a)
	}
	l.pump()
}

func (l *outgoingLink) quiet() { l.waiting = false }

// flow takes the client's credit.
func (l *outgoingLink) flow(f *amqp.Flow) {
	if !f.LinkCredit.Set {
		if f.Echo {
			l.writeCredit()
		}
		return
	}
	// AMQP 1.0 part 2, 2.6.7: the credit counts from the delivery-count that the receiver knew.
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
	if l.drain && !l.over && !l.starved {
		l.drained()
	} else if f.Echo && !l.over {
		l.writeCredit()
	}
}

func (l *outgoingLink) brokerCredit() int {
	return min(max(int(l.credit)-len(l.queue), 0), maxBrokerCredit)
}

func (l *outgoingLink) writeCredit() {
	l.session.writeFlow(amqp.Flow{
		Handle: amqp.Some(l.handle), DeliveryCount: amqp.Some(l.deliveries), LinkCredit: amqp.Some(l.credit), Drain: l.drain,
	})
}

// drained uses up the credit that is left, as a drain wants: what there was is delivered.
func (l *outgoingLink) drained() {
	if l.receiver != nil {
		_ = l.receiver.SetCredit(0) // an end of the receiver is told by its Wake
	}
	l.deliveries += l.credit
	l.credit = 0
	l.writeCredit()
	l.drain = false
}

// pump writes what there is while credit and windows last.
func (l *outgoingLink) pump() {
	s, c := l.session, l.session.conn
	for !l.over && !c.finished {
		if !l.writeQueued() {
			return
		}
		if l.receiver == nil || l.pendingAttach != nil || l.credit == 0 {
			return
		}
		if s.shut() { // what is taken should not have to wait here
			l.starve()
			return
		}
		if l.takeSome() == 0 {
			if l.credit > 0 && l.receiver.Credit() == 0 && l.receiver.Err() == nil {
				_ = l.receiver.SetCredit(l.brokerCredit()) // the client gave more than the broker was told
				if l.receiver.Credit() > 0 {
					continue
				}
			}
			return
		}
	}
}

// handfuls are what takeSome takes messages in: too large for every connection to have its own.
var handfuls = sync.Pool{New: func() any { return new([64]broker.Delivery) }}

// takeSome takes messages from the broker and delivers them. It returns how many there were.
func (l *outgoingLink) takeSome() int {
	handful := handfuls.Get().(*[64]broker.Delivery)
	n := l.receiver.Take(handful[:min(len(handful), int(l.credit), int(l.session.peerWindow))])
	for i := range handful[:n] {
		l.deliver(&handful[i])
		handful[i] = broker.Delivery{}
	}
	handfuls.Put(handful)
	return n
}

// deliver writes what the broker handed over, or queues it if windows or connection are not ready for it.
func (l *outgoingLink) deliver(d *broker.Delivery) {
	c := l.session.conn
	o := outbound{token: netUUID(d.LockToken)}
	if l.mayWrite() && len(c.out.buf) <= 2*highWater {
		c.scratch, o.shared = appendDelivery(c.scratch[:0], d)
		o.sections = c.scratch
		l.writeDelivery(&o)
		return
	}
	o.sections, o.shared = appendDelivery(make([]byte, 0, 256), d)
	l.queue = append(l.queue, o)
}

// mayWrite says whether a delivery can be written at once.
func (l *outgoingLink) mayWrite() bool {
	return len(l.queue) == 0 && len(l.partial) == 0 && l.credit > 0 && !l.session.shut() && !l.session.conn.finished
}

// writeQueued writes the queue and says whether all of it could be written.
func (l *outgoingLink) writeQueued() bool {
	s, c := l.session, l.session.conn
	for len(l.queue) > 0 || len(l.partial) > 0 {
		if s.shut() {
			l.starve()
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
		l.queue[0] = outbound{}
		l.queue = l.queue[1:]
		l.writeDelivery(&o)
		if c.finished {
			return false
		}
	}
	l.queue = nil
	return true
}

func (l *outgoingLink) starve() {
	if !l.starved {
		l.starved = true
		l.session.starved = append(l.session.starved, l)
	}
}

// writeDelivery writes a delivery, or its first transfer if it needs several.
func (l *outgoingLink) writeDelivery(o *outbound) {
	s := l.session
	id := s.nextDelivery
	s.nextDelivery++
	l.credit--
	l.deliveries++
	l.used = s.conn.now
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

// transferRoom is how many bytes of a frame may go to its header and transfer performative.
const transferRoom = 96

// writeTransfer writes one transfer with as much as the client's frames hold, and keeps the rest.
func (l *outgoingLink) writeTransfer(t *amqp.Transfer, first, second []byte) {
	s, c := l.session, l.session.conn
	room := c.peerMaxFrame - transferRoom
	t.More = len(first)+len(second) > room
	start := len(c.out.begin())
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
		c.faults.messageWritten(c, start)
	}
}

// continuePartial writes the next transfer of a delivery.
func (l *outgoingLink) continuePartial() {
	l.writeTransfer(&amqp.Transfer{Handle: l.handle}, nil, l.partial)
}

// release gives back what was taken and not delivered, and detaches from the broker.
func (l *outgoingLink) release() {
	delete(l.session.conn.accepting, l)
	for _, o := range l.queue {
		if l.source != nil && !l.settled {
			_ = l.source.Settle(broker.UUID(netUUID(o.token)), broker.Settlement{Outcome: broker.Release}) // a lost lock has given it back
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
