package emulator

import (
	"bytes"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

const (
	// senderCredit is the credit of a sending client. The server renews it when half is used.
	senderCredit = 1000

	maxTokenMessage      = 64 << 10
	maxManagementMessage = 1 << 20
)

// incomingLink is a link on which the client sends.
type incomingLink struct {
	link

	// immutable
	accept   func(delivery) // handles a complete delivery
	sender   *broker.Sender // nil at $cbs and $management
	maxSize  int            // of a message, in bytes
	maxBatch int            // of a batch

	// revokedCredit is credit that the server took back. The client may have used it before it received the flow.
	revokedCredit uint32

	partial     []byte   // bytes of a delivery whose transfers have not all arrived
	pending     delivery // that delivery, while partialOpen is set
	partialOpen bool

	waiting bool // conn.mu guards
}

// delivery is one delivery by the client. Its payload is valid until accept returns.
type delivery struct {
	id      uint32
	format  uint32
	settled bool
	txnID   []byte // of the transaction that the delivery belongs to; nil for none
	payload []byte
}

// grantCredit renews the client's credit, or takes it back while the fault StallCredit is active.
func (l *incomingLink) grantCredit() {
	c := l.session.conn
	if until := c.server.faults.stallEnd.Load(); l.sender != nil && c.now.UnixNano() < until {
		l.revokedCredit += l.credit
		l.credit = 0
		c.faults.stalledUntil = time.Unix(0, until)
	} else {
		l.credit, l.revokedCredit = senderCredit, 0
	}
	l.writeCredit(false)
}

func (l *incomingLink) writeCredit(drained bool) {
	l.session.writeFlow(amqp.Flow{
		Handle: amqp.Some(l.handle), DeliveryCount: amqp.Some(l.deliveries), LinkCredit: amqp.Some(l.credit),
		Drain: drained,
	})
}

// flow handles a flow of the sending client, which may request a flow in return.
func (l *incomingLink) flow(f *amqp.Flow) {
	if f.DeliveryCount.Set {
		l.deliveries = f.DeliveryCount.Value
	}
	if f.Echo {
		l.writeCredit(false)
	}
}

// transfer handles a transfer. The first one of a delivery carries its id; the following ones continue it.
func (l *incomingLink) transfer(t *amqp.Transfer) {
	if !l.partialOpen {
		if !t.DeliveryID.Set {
			l.session.end(amqp.Errorf(amqp.CondInvalidField, "the first transfer of a delivery has no delivery-id"))
			return
		}
		switch {
		case l.credit > 0:
			l.credit--
		case l.revokedCredit > 0:
			l.revokedCredit--
		default:
			l.detach(amqp.Errorf(amqp.CondTransferLimitExceeded, "a transfer without credit"))
			return
		}
		l.deliveries++
		l.pending = delivery{id: t.DeliveryID.Value, format: t.MessageFormat.Value}
	}
	l.pending.settled = l.pending.settled || t.Settled.Value
	if t.State.Kind == amqp.StateTransactional {
		l.pending.txnID = t.State.TxnID
	}
	limit := max(l.maxSize, l.maxBatch)
	switch {
	case t.Aborted: // AMQP 1.0 part 2, 2.6.14: the delivery is discarded
		l.dropPartial()
	case len(l.partial)+len(t.Payload) > limit:
		l.refuse(l.pending, errTooLarge(l.pending.id, len(l.partial)+len(t.Payload), limit))
		return
	case t.More:
		l.partialOpen = true
		l.addPartial(t.Payload)
		return
	default:
		l.complete(t.Payload)
	}
	if !l.closed && l.credit <= senderCredit/2 && l.revokedCredit == 0 {
		l.grantCredit()
	}
}

func errTooLarge(id uint32, size, limit int) *amqp.Error {
	return amqp.Errorf(amqp.CondMessageSizeExceeded,
		"The received message (delivery-id:%d, size:%d bytes) exceeds the limit (%d bytes) currently allowed on "+
			"the link.", id, size, limit)
}

// refuse rejects a delivery and detaches the link with the same error. The service does so with messages that are too
// large: some SDKs read the reason from the disposition, some from the detach.
func (l *incomingLink) refuse(a delivery, err *amqp.Error) {
	l.settle(a, amqp.Rejected(err))
	l.detach(err)
}

func (l *incomingLink) addPartial(b []byte) {
	c := l.session.conn
	if c.partialBytes += len(b); c.partialBytes > maxPartialBytes {
		c.fail(amqp.Errorf(amqp.CondResourceLimitExceeded, "%d bytes of incomplete deliveries", c.partialBytes))
		return
	}
	l.partial = append(l.partial, b...)
}

func (l *incomingLink) dropPartial() {
	l.session.conn.partialBytes -= len(l.partial)
	l.partialOpen = false
	if cap(l.partial) > 1<<20 {
		l.partial = nil
	}
	l.partial = l.partial[:0]
}

// complete passes on a delivery whose last transfer has arrived.
func (l *incomingLink) complete(last []byte) {
	l.pending.payload = last
	if l.partialOpen {
		l.addPartial(last)
		l.pending.payload = l.partial
	}
	l.accept(l.pending)
	l.dropPartial()
}

// settle settles a delivery with an outcome, unless the client sent it settled.
func (l *incomingLink) settle(a delivery, state amqp.State) {
	if a.txnID != nil {
		outcome := state
		state = amqp.State{Kind: amqp.StateTransactional, TxnID: a.txnID, Outcome: &outcome}
	}
	if !a.settled {
		l.session.writeDisposition(amqp.RoleReceiver, a.id, state)
	}
}

// send passes the messages of a delivery to the entity and settles the delivery.
func (l *incomingLink) send(a delivery) {
	msgs, err := decodeMessages(a)
	if err == nil && len(a.payload) > l.limit(a.format) {
		err = errTooLarge(a.id, len(a.payload), l.limit(a.format))
	}
	if err == nil && l.session.conn.server.faults.busy(l.session.conn.now) {
		err = errBusy()
	}
	if err == nil {
		err = l.store(a, msgs)
	}
	if err == nil {
		l.settle(a, amqp.Accepted)
		return
	}
	wire := toWireError(err)
	switch wire.Condition {
	case amqp.CondMessageSizeExceeded:
		if broker.CodeOf(err) == broker.CodePropertiesTooLarge {
			l.settle(a, amqp.Rejected(wire)) // the .NET SDK retries for long if the link is detached as well
			return
		}
		l.refuse(a, wire)
	case amqp.CondDetachForced, amqp.CondDecodeError, condEntityDisabled, amqp.CondNotFound:
		l.detach(wire) // the link is useless now, or the SDKs read the reason from the detach only
	default:
		l.settle(a, amqp.Rejected(wire))
	}
}

// store passes messages to the entity, or adds them to the transaction of their delivery.
func (l *incomingLink) store(a delivery, msgs []*broker.Message) error {
	if a.txnID == nil {
		return l.sender.Send(msgs)
	}
	tx, err := l.session.conn.transaction(a.txnID)
	if err != nil {
		return err
	}
	return l.sender.SendIn(tx.Transaction, msgs)
}

func (l *incomingLink) limit(format uint32) int {
	if format == amqp.BatchFormat {
		return l.maxBatch
	}
	return l.maxSize
}

// decodeMessages returns the message of a delivery, or all messages of a batch. They do not alias the payload.
func decodeMessages(a delivery) ([]*broker.Message, error) {
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

// woken detaches the link if the entity was changed or deleted.
func (l *incomingLink) woken() {
	if l.closed {
		return
	}
	if err := l.sender.Err(); err != nil {
		l.detach(wireError(err))
	}
}

func (l *incomingLink) clearWaitingLocked() { l.waiting = false }

func (l *incomingLink) release() {
	l.dropPartial()
	if l.sender != nil {
		l.sender.Close()
	}
	l.session.conn.rollBackWhere(func(tx *transaction) bool { return tx.coordinator == l })
}
