package emulator

import (
	"encoding/binary"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

const (
	// transactionTimeout is how long a transaction may be open ("Overview of Service Bus transaction processing").
	transactionTimeout = 2 * time.Minute

	maxTransactions       = 1000 // open ones of a connection
	maxCoordinatorMessage = 4 << 10
)

// transaction is an open transaction of a connection. The connection's loop owns it.
type transaction struct {
	*broker.Transaction
	coordinator *incomingLink // whose end rolls it back
	deadline    time.Time
	retired     []retiredDelivery
}

// retiredDelivery is a delivery with an outcome that takes effect when its transaction commits.
type retiredDelivery struct {
	session *amqpSession
	id      uint32
	unsettled
	outcome amqp.State
	settled bool // by the client already
}

// coordinate answers a message to the transaction coordinator (AMQP 1.0 part 4, 4.3).
func (l *incomingLink) coordinate(a delivery) {
	m, err := amqp.ParseMessage(a.payload)
	var discharge *amqp.Discharge
	if err == nil {
		discharge, err = amqp.ParseCoordination(m.Body)
	}
	switch {
	case err != nil:
		l.settle(a, amqp.Rejected(toWireError(err)))
	case discharge == nil:
		l.declare(a)
	default:
		l.discharge(a, discharge)
	}
}

func (l *incomingLink) declare(a delivery) {
	c := l.session.conn
	if len(c.transactions) >= maxTransactions {
		l.settle(a, amqp.Rejected(amqp.Errorf(amqp.CondResourceLimitExceeded, "%d transactions are open",
			len(c.transactions))))
		return
	}
	c.lastTransaction++
	id := binary.BigEndian.AppendUint64(nil, c.lastTransaction)
	if c.transactions == nil {
		c.transactions = make(map[string]*transaction)
	}
	c.transactions[string(id)] = &transaction{Transaction: c.broker.Begin(), coordinator: l,
		deadline: c.now.Add(transactionTimeout)}
	l.settle(a, amqp.State{Kind: amqp.StateDeclared, TxnID: id})
}

func (l *incomingLink) discharge(a delivery, d *amqp.Discharge) {
	c := l.session.conn
	tx, err := c.transaction(d.TxnID)
	if err != nil {
		l.settle(a, amqp.Rejected(toWireError(err)))
		return
	}
	if d.Fail {
		c.rollBack(d.TxnID, tx)
		l.settle(a, amqp.Accepted)
		return
	}
	delete(c.transactions, string(d.TxnID))
	if err := tx.Commit(); err != nil {
		tx.giveBack()
		l.settle(a, amqp.Rejected(amqp.Errorf(condTransactionRollback, "The transaction was rolled back: %v", err)))
		return
	}
	for _, r := range tx.retired {
		if _, open := r.session.unsettled[r.id]; open && !r.settled {
			delete(r.session.unsettled, r.id)
			// The Java SDK takes another kind of state than the one it has sent for a failure, and ends its connection
			// if that has no error.
			r.session.writeDisposition(amqp.RoleSender, r.id,
				amqp.State{Kind: amqp.StateTransactional, TxnID: d.TxnID, Outcome: &r.outcome})
		}
	}
	l.settle(a, amqp.Accepted)
}

// The conditions of AMQP 1.0 part 4, 4.5.8.
const (
	condTransactionUnknown  amqp.Symbol = "amqp:transaction:unknown-id"
	condTransactionRollback amqp.Symbol = "amqp:transaction:rollback"
)

// transaction returns an open transaction of the connection.
func (c *conn) transaction(id []byte) (*transaction, error) {
	tx := c.transactions[string(id)]
	if tx == nil {
		return nil, amqp.Errorf(condTransactionUnknown, "The transaction is not open. It may have timed out.")
	}
	return tx, nil
}

func (c *conn) rollBack(id []byte, tx *transaction) {
	delete(c.transactions, string(id))
	tx.Rollback()
	tx.giveBack()
}

// giveBack makes messages available again whose deliveries the client has settled: it can't settle them once more.
func (tx *transaction) giveBack() {
	for _, r := range tx.retired {
		if r.settled {
			// an error means that the lock had ended, which returned the message
			_ = r.link.source.Settle(broker.UUID(dotNetUUID(r.token)), broker.Settlement{Outcome: broker.Abandon})
		}
	}
}

// rollBackWhere rolls back the transactions that match.
func (c *conn) rollBackWhere(matches func(*transaction) bool) {
	for id, tx := range c.transactions {
		if matches(tx) {
			c.rollBack([]byte(id), tx)
		}
	}
}

// retire adds the outcome of a delivery to a transaction. The delivery stays unsettled until the transaction ends,
// unless the client has settled it.
func (s *amqpSession) retire(d *amqp.Disposition, id uint32, u unsettled) {
	tx, err := s.conn.transaction(d.State.TxnID)
	outcome := d.State.Outcome
	if err == nil && (outcome == nil || u.link.source == nil) {
		err = amqp.Errorf(amqp.CondInvalidField, "a transactional-state without an outcome for a message")
	}
	var how broker.Settlement
	if err == nil {
		how, err = settlementOf(*outcome)
	}
	if err == nil {
		err = tx.Settle(u.link.source, broker.UUID(dotNetUUID(u.token)), how)
	}
	u.link.lastUsed = s.conn.now
	answer := amqp.State{Kind: amqp.StateTransactional, TxnID: d.State.TxnID}
	if err != nil {
		refused := amqp.Rejected(toWireError(err))
		answer.Outcome = &refused
	} else {
		kept := *outcome
		kept.Error = nil // clients take an error in the answer as a failure to dead-letter
		answer.Outcome = &kept
		tx.retired = append(tx.retired, retiredDelivery{s, id, u, kept, d.Settled})
	}
	if d.Settled {
		delete(s.unsettled, id)
		return
	}
	s.flushDisposition()
	s.write(&amqp.Disposition{Role: amqp.RoleSender, First: id, Last: id, State: answer})
}
