package emulator

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// The handles of a dialogue about transactions.
const (
	coordinatorHandle = iota
	senderHandle
	receiverHandle
	requestHandle
	replyHandle
)

// dialogue is a client with a coordinator link and links to the queue and its management node.
type dialogue struct {
	*bubble
	delivery uint32
}

func inDialogue(t *testing.T, f func(d *dialogue)) {
	inBubble(t, 0, true, func(u *bubble) {
		d := &dialogue{bubble: u}
		attach := func(handle uint32, role amqp.Role, source *amqp.Source, target *amqp.Target) {
			u.send(&amqp.Attach{Name: string(rune('a' + handle)), Handle: handle, Role: role,
				SenderSettleMode: amqp.SenderUnsettled, InitialDeliveryCount: amqp.Some(uint32(0)), Source: source,
				Target: target})
			u.want(&amqp.Attach{})
			if role == amqp.RoleSender {
				u.want(&amqp.Flow{})
			}
		}
		at := func(path string) amqp.Optional[string] { return amqp.Some(path) }
		attach(coordinatorHandle, amqp.RoleSender, &amqp.Source{}, &amqp.Target{Coordinator: true})
		attach(senderHandle, amqp.RoleSender, &amqp.Source{}, &amqp.Target{Address: at("queue")})
		attach(receiverHandle, amqp.RoleReceiver, &amqp.Source{Address: at("queue")}, &amqp.Target{})
		attach(requestHandle, amqp.RoleSender, &amqp.Source{}, &amqp.Target{Address: at("queue/$management")})
		attach(replyHandle, amqp.RoleReceiver, &amqp.Source{Address: at("queue/$management")},
			&amqp.Target{Address: at("d")})
		u.send(&amqp.Flow{IncomingWindow: 100, OutgoingWindow: 100, Handle: amqp.Some(uint32(replyHandle)),
			DeliveryCount: amqp.Some(uint32(0)), LinkCredit: amqp.Some(uint32(100))})
		f(d)
	})
}

// transfer sends a message and returns the state that it is settled with.
func (d *dialogue) transfer(handle uint32, payload []byte, txnID []byte) amqp.State {
	d.t.Helper()
	t := &amqp.Transfer{Handle: handle, DeliveryID: amqp.Some(d.delivery), DeliveryTag: []byte{1}}
	if txnID != nil {
		t.State = amqp.State{Kind: amqp.StateTransactional, TxnID: txnID}
	}
	d.delivery++
	d.write(amqp.EndFrame(append(amqp.AppendFrame(nil, 0, t), payload...), 0, 0))
	return d.want(&amqp.Disposition{}).Performative.(*amqp.Disposition).State
}

func coordination(code uint64, fields ...any) []byte {
	body := amqp.Described{Descriptor: code, Value: amqp.List(fields)}
	return amqp.AppendValue(amqp.AppendSection(nil, amqp.SectionValue), body)
}

func (d *dialogue) begin() []byte {
	d.t.Helper()
	declared := d.transfer(coordinatorHandle, coordination(0x31), nil)
	if declared.Kind != amqp.StateDeclared || len(declared.TxnID) == 0 {
		d.t.Fatalf("declare is answered %+v", declared)
	}
	return declared.TxnID
}

func (d *dialogue) discharge(txnID []byte, fail bool) amqp.State {
	d.t.Helper()
	return d.transfer(coordinatorHandle, coordination(0x32, txnID, fail), nil)
}

// wantSent sends a message in a transaction.
func (d *dialogue) wantSent(txnID []byte, body string) {
	d.t.Helper()
	s := d.transfer(senderHandle, amqp.AppendData(nil, []byte(body)), txnID)
	if s.Kind != amqp.StateTransactional || string(s.TxnID) != string(txnID) || s.Outcome == nil ||
		s.Outcome.Kind != amqp.StateAccepted {
		d.t.Fatalf("a transfer in a transaction is answered %+v", s)
	}
}

// receive gives one more credit and returns the delivery.
func (d *dialogue) receive(count uint32) *amqp.Transfer {
	d.t.Helper()
	d.send(&amqp.Flow{IncomingWindow: 100, OutgoingWindow: 100, Handle: amqp.Some(uint32(receiverHandle)),
		DeliveryCount: amqp.Some(count), LinkCredit: amqp.Some(uint32(1))})
	return d.want(&amqp.Transfer{}).Performative.(*amqp.Transfer)
}

// retire settles a delivery in a transaction.
func (d *dialogue) retire(id uint32, txnID []byte, settled bool, outcome amqp.State) {
	d.t.Helper()
	d.send(&amqp.Disposition{Role: amqp.RoleReceiver, First: id, Last: id, Settled: settled,
		State: amqp.State{Kind: amqp.StateTransactional, TxnID: txnID, Outcome: &outcome}})
	if settled {
		return
	}
	p := d.want(&amqp.Disposition{}).Performative.(*amqp.Disposition)
	if p.Settled || p.State.Outcome == nil || p.State.Outcome.Kind != outcome.Kind {
		d.t.Fatalf("an outcome in a transaction is answered %+v", p)
	}
}

func (d *dialogue) wantCounts(what string, active, dead int64) {
	d.t.Helper()
	synctest.Wait()
	info, err := d.server.broker.Queue("queue")
	if err != nil || info.Active != active || info.DeadLetter != dead {
		d.t.Errorf("%s: %d active, %d dead letters, %v, want %d and %d", what, info.Active, info.DeadLetter, err,
			active,
			dead)
	}
}

func TestTransactionsCommitAndRollBack(t *testing.T) {
	inDialogue(t, func(d *dialogue) {
		tx := d.begin()
		d.wantSent(tx, "kept")
		d.wantCounts("before the commit", 0, 0)
		if s := d.discharge(tx, false); s.Kind != amqp.StateAccepted {
			t.Errorf("commit is answered %+v", s)
		}
		d.wantCounts("after the commit", 1, 0)
		tx = d.begin()
		d.wantSent(tx, "dropped")
		if s := d.discharge(tx, true); s.Kind != amqp.StateAccepted {
			t.Errorf("rollback is answered %+v", s)
		}
		d.wantCounts("after a rollback", 1, 0)
		if s := d.discharge(tx, false); s.Kind != amqp.StateRejected || s.Error.Condition != condTransactionUnknown {
			t.Errorf("a second discharge is answered %+v", s)
		}
		s := d.transfer(senderHandle, amqp.AppendData(nil, nil), tx)
		if s.Outcome == nil || s.Outcome.Kind != amqp.StateRejected ||
			s.Outcome.Error.Condition != condTransactionUnknown {
			t.Errorf("a transfer in a transaction that has ended is answered %+v", s)
		}

		// the message moves to the dead letters, and another takes its place
		got := d.receive(0)
		tx = d.begin()
		d.retire(got.DeliveryID.Value, tx, false, amqp.Rejected(nil))
		d.wantSent(tx, "reply")
		d.wantCounts("before the second commit", 1, 0)
		// the answer about the delivery comes before that about the discharge, in the kind of state that the client has
		// sent
		if s := d.discharge(tx, false); s.Kind != amqp.StateTransactional || string(s.TxnID) != string(tx) ||
			s.Outcome == nil || s.Outcome.Kind != amqp.StateRejected || s.Outcome.Error != nil {
			t.Errorf("the retired delivery is settled with %+v", s)
		}
		if p := d.want(&amqp.Disposition{}).Performative.(*amqp.Disposition); p.State.Kind != amqp.StateAccepted {
			t.Errorf("the commit is answered %+v", p)
		}
		d.wantCounts("after the second commit", 1, 1)
	})
}

func TestRolledBackDeliveryCanBeSettledAgain(t *testing.T) {
	inDialogue(t, func(d *dialogue) {
		d.transfer(senderHandle, amqp.AppendData(nil, []byte("a")), nil)
		got := d.receive(0)
		for range 2 {
			tx := d.begin()
			d.retire(got.DeliveryID.Value, tx, false, amqp.Accepted)
			d.discharge(tx, true)
		}
		d.send(&amqp.Disposition{Role: amqp.RoleReceiver, First: got.DeliveryID.Value, Last: got.DeliveryID.Value,
			State: amqp.Accepted})
		if p := d.want(&amqp.Disposition{}).Performative.(*amqp.Disposition); p.State.Kind != amqp.StateAccepted {
			t.Errorf("after the rollback, accepted is answered %+v", p)
		}
		d.wantCounts("completed at last", 0, 0)

		// a client that has settled gets the message once more, as JMS expects
		d.transfer(senderHandle, amqp.AppendData(nil, []byte("b")), nil)
		got = d.receive(1)
		tx := d.begin()
		d.retire(got.DeliveryID.Value, tx, true, amqp.Accepted)
		d.discharge(tx, true)
		again := d.receive(2)
		m, err := amqp.ParseMessage(again.Payload)
		if err != nil || m.Header.DeliveryCount != 1 {
			t.Errorf("redelivered with %+v, %v, want delivery-count 1", m.Header, err)
		}
	})
}

// TestOpenTransactionsAreRolledBack ends a transaction by everything but a discharge.
func TestOpenTransactionsAreRolledBack(t *testing.T) {
	for name, end := range map[string]func(d *dialogue){
		"timeout": func(*dialogue) { time.Sleep(transactionTimeout) },
		"coordinator detached": func(d *dialogue) {
			d.send(&amqp.Detach{Handle: coordinatorHandle, Closed: true})
			d.want(&amqp.Detach{})
		},
		"AMQP session ended": func(d *dialogue) { d.send(&amqp.End{}) },
		"connection lost":    func(d *dialogue) { d.nc.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			inDialogue(t, func(d *dialogue) {
				source, err := d.server.broker.Source("queue")
				must(t, err)
				must(t, d.server.broker.UpdateQueue(broker.QueueDescription{Name: "queue",
					LockDuration: 5 * time.Minute}))
				d.want(&amqp.Detach{}) // the sender and the receiver
				d.want(&amqp.Detach{})
				sendTo(t, d.server.broker, "queue", &broker.Message{ID: "a"})
				r, err := source.NewReceiver(broker.ReceiverOptions{Wake: func() {}})
				must(t, err)
				must(t, r.SetCredit(1))
				var got [1]broker.Delivery
				r.Take(got[:])
				tx := d.begin()
				s := d.request(tx, "com.microsoft:update-disposition", amqp.Map{
					{Key: "disposition-status", Value: "completed"},
					{Key: "lock-tokens", Value: amqp.ArrayOf(amqp.CodeUUID, amqp.UUID(got[0].LockToken))}})
				if s != 200 {
					t.Fatalf("settling by management has status %d", s)
				}
				if err := source.Settle(got[0].LockToken, broker.Settlement{}); err == nil {
					t.Error("the lock was settled beside the transaction")
				}
				end(d)
				synctest.Wait()
				if err := source.Settle(got[0].LockToken, broker.Settlement{}); err != nil {
					t.Errorf("the lock is not as before: %v", err)
				}
				r.Close()
			})
		})
	}
}

// request sends a request to the management node and returns the status of the reply.
func (d *dialogue) request(txnID []byte, operation string, body amqp.Map) int32 {
	d.t.Helper()
	t := requestOf(map[string]any{"operation": operation}, body)
	d.transfer(requestHandle, t.Payload, txnID)
	reply := d.want(&amqp.Transfer{}).Performative.(*amqp.Transfer)
	m, err := amqp.ParseMessage(reply.Payload)
	if err != nil {
		d.t.Fatal(err)
	}
	status, _ := m.ApplicationProperties.Lookup("statusCode")
	return status.(int32)
}

func TestManagementInTransactions(t *testing.T) {
	inDialogue(t, func(d *dialogue) {
		tx := d.begin()
		message := amqp.AppendMessage(nil, &amqp.Message{MessageAnnotations: amqp.Map{
			{Key: amqp.Symbol(optScheduledEnqueueTime), Value: time.Now().Add(time.Minute)}}})
		schedule := amqp.Map{{Key: "messages", Value: amqp.List{amqp.Map{{Key: "message", Value: message}}}}}
		if s := d.request(tx, "com.microsoft:schedule-message", schedule); s != 200 {
			t.Errorf("scheduling has status %d", s)
		}
		scheduled := func() int64 {
			info, err := d.server.broker.Queue("queue")
			must(t, err)
			return info.Scheduled
		}
		if n := scheduled(); n != 0 {
			t.Errorf("%d messages are scheduled before the commit", n)
		}
		if s := d.request(tx, "com.microsoft:batch-delete-messages", amqp.Map{}); s != 400 {
			t.Errorf("deleting in a transaction has status %d, want it refused", s)
		}
		d.discharge(tx, false)
		if n := scheduled(); n != 1 {
			t.Errorf("%d messages are scheduled after the commit", n)
		}
		if s := d.request(tx, "com.microsoft:schedule-message", schedule); s != 400 {
			t.Errorf("scheduling after the commit has status %d", s)
		}
	})
}

func TestCoordinatorRefusesOtherMessages(t *testing.T) {
	inDialogue(t, func(d *dialogue) {
		for _, payload := range [][]byte{amqp.AppendData(nil, nil), coordination(0x33), coordination(0x32),
			coordination(0x32, "text"), slices.Concat(coordination(0x32), coordination(0x32))} {
			if s := d.transfer(coordinatorHandle, payload, nil); s.Kind != amqp.StateRejected {
				t.Errorf("%x is answered %+v, want rejected", payload, s)
			}
		}
	})
}
