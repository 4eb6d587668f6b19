package emulator

import (
	"bytes"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

const (
	// senderCredit is what a sending client gets at once, and again when half of it is used.
	senderCredit = 1000

	maxTokenMessage      = 64 << 10
	maxManagementMessage = 1 << 20
)

// incomingLink is a link on which the client sends.
type incomingLink struct {
	link

	// immutable
	accept   func(arrival)  // takes a delivery that is complete
	sender   *broker.Sender // nil at $cbs and $management
	maxSize  int            // of a message, in bytes
	maxBatch int            // of a batch

	// underWay is credit that was taken back: the client may have used it before it knew.
	underWay uint32

	partial []byte  // of a delivery whose transfers have not all come
	pending arrival // that delivery, when more is set
	more    bool

	waiting bool // conn.mu guards
}

// arrival is one delivery by the client. Its payload is good until accept returns.
type arrival struct {
	id      uint32
	format  uint32
	settled bool
	payload []byte
}

// grant gives the client credit.
func (l *incomingLink) grant() {
	c := l.session.conn
	if until := c.server.faults.stallEnd.Load(); l.sender != nil && c.now.UnixNano() < until {
		l.underWay += l.credit
		l.credit = 0
		c.faults.stalledUntil = time.Unix(0, until)
	} else {
		l.credit, l.underWay = senderCredit, 0
	}
	l.writeCredit(false)
}

func (l *incomingLink) writeCredit(drained bool) {
	l.session.writeFlow(amqp.Flow{
		Handle: amqp.Some(l.handle), DeliveryCount: amqp.Some(l.deliveries), LinkCredit: amqp.Some(l.credit), Drain: drained,
	})
}

// flow takes a flow of the sending client, which may only ask for ours.
func (l *incomingLink) flow(f *amqp.Flow) {
	if f.DeliveryCount.Set {
		l.deliveries = f.DeliveryCount.Value
	}
	if f.Echo {
		l.writeCredit(false)
	}
}

// transfer takes a transfer; the first of a delivery names it, those that follow continue it.
func (l *incomingLink) transfer(t *amqp.Transfer) {
	if !l.more {
		if !t.DeliveryID.Set {
			l.session.end(amqp.Errorf(amqp.CondInvalidField, "the first transfer of a delivery has no delivery-id"))
			return
		}
		switch {
		case l.credit > 0:
			l.credit--
		case l.underWay > 0:
			l.underWay--
		default:
			l.detach(amqp.Errorf(amqp.CondTransferLimitExceeded, "a transfer without credit"))
			return
		}
		l.deliveries++
		l.pending = arrival{id: t.DeliveryID.Value, format: t.MessageFormat.Value}
	}
	l.pending.settled = l.pending.settled || t.Settled.Value
	limit := max(l.maxSize, l.maxBatch)
	switch {
	case t.Aborted: // AMQP 1.0 part 2, 2.6.14: as if it had never been sent
		l.dropPartial()
	case len(l.partial)+len(t.Payload) > limit:
		l.refuse(l.pending, errTooLarge(l.pending.id, len(l.partial)+len(t.Payload), limit))
		return
	case t.More:
		l.more = true
		l.addPartial(t.Payload)
		return
	default:
		l.complete(t.Payload)
	}
	if !l.over && l.credit <= senderCredit/2 && l.underWay == 0 {
		l.grant()
	}
}

func errTooLarge(id uint32, size, limit int) *amqp.Error {
	return amqp.Errorf(amqp.CondMessageSizeExceeded, "The received message (delivery-id:%d, size:%d bytes) exceeds the limit (%d bytes) currently allowed on the link.", id, size, limit)
}

// refuse rejects a delivery and ends the link with the same error, as the service does with what is too large: some SDKs take
// the reason from the one, some from the other.
func (l *incomingLink) refuse(a arrival, err *amqp.Error) {
	l.settle(a, amqp.Rejected(err))
	l.detach(err)
}

func (l *incomingLink) addPartial(b []byte) {
	c := l.session.conn
	if c.partialBytes += len(b); c.partialBytes > maxPartialBytes {
		c.fail(amqp.Errorf(amqp.CondResourceLimitExceeded, "%d bytes of deliveries that are not complete", c.partialBytes))
		return
	}
	l.partial = append(l.partial, b...)
}

func (l *incomingLink) dropPartial() {
	l.session.conn.partialBytes -= len(l.partial)
	l.more = false
	if cap(l.partial) > 1<<20 {
		l.partial = nil
	}
	l.partial = l.partial[:0]
}

// complete hands over a delivery whose last transfer has come.
func (l *incomingLink) complete(last []byte) {
	l.pending.payload = last
	if l.more {
		l.addPartial(last)
		l.pending.payload = l.partial
	}
	l.accept(l.pending)
	l.dropPartial()
}

// settle answers a delivery with an outcome.
func (l *incomingLink) settle(a arrival, state amqp.State) {
	if !a.settled {
		l.session.settle(amqp.RoleReceiver, a.id, state)
	}
}

// send stores what came for an entity.
func (l *incomingLink) send(a arrival) {
	msgs, err := decodeMessages(a)
	if err == nil && len(a.payload) > l.limit(a.format) {
		err = errTooLarge(a.id, len(a.payload), l.limit(a.format))
	}
	if err == nil && l.session.conn.server.faults.busy(l.session.conn.now) {
		err = errBusy()
	}
	if err == nil {
		err = l.sender.Send(msgs)
	}
	if err == nil {
		l.settle(a, amqp.Accepted)
		return
	}
	wire := asWire(err)
	switch wire.Condition {
	case amqp.CondMessageSizeExceeded:
		l.refuse(a, wire)
	case amqp.CondDetachForced, amqp.CondDecodeError, condEntityDisabled, amqp.CondNotFound:
		l.detach(wire) // the link is of no more use, or the client learns the reason only from a detach
	default:
		l.settle(a, amqp.Rejected(wire))
	}
}

func (l *incomingLink) limit(format uint32) int {
	if format == amqp.BatchFormat {
		return l.maxBatch
	}
	return l.maxSize
}

// decodeMessages returns the message of a delivery, or the messages of a batch. They do not alias the payload.
func decodeMessages(a arrival) ([]*broker.Message, error) {
	if a.format != amqp.BatchFormat {
		m, err := newMessage(bytes.Clone(a.payload))
		if err != nil {
			return nil, err
		}
		return []*broker.Message{m}, nil
	}
	envelope, err := amqp.ParseMessage(a.payload)
	if err != nil {
		return nil, err
	}
	var msgs []*broker.Message
	for data := range amqp.DataSections(envelope.Body) {
		m, err := newMessage(bytes.Clone(data))
		if err != nil {
			return nil, err
		}
		msgs = append(msgs, m)
	}
	if len(msgs) == 0 {
		return nil, amqp.Errorf(amqp.CondDecodeError, "a batch without messages")
	}
	return msgs, nil
}

// attend looks why the broker has called: the entity was changed or deleted.
func (l *incomingLink) attend() {
	if l.over {
		return
	}
	if err := l.sender.Err(); err != nil {
		l.detach(wireError(err))
	}
}

func (l *incomingLink) quiet() { l.waiting = false }

func (l *incomingLink) release() {
	l.dropPartial()
	if l.sender != nil {
		l.sender.Close()
	}
}
