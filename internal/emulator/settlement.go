package emulator

import (
	"slices"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// disposition takes a disposition of the client. What it says as a sender needs no answer: the server settles first.
func (s *session) disposition(d *amqp.Disposition) {
	if d.Role == amqp.RoleSender {
		return
	}
	count := d.Last - d.First + 1
	if int(count) > len(s.unsettled) || count == 0 {
		s.settleKnown(d)
		return
	}
	for id := d.First; count > 0; id, count = id+1, count-1 {
		if u, ok := s.unsettled[id]; ok {
			s.settleOne(d, id, u)
		}
	}
	s.feed()
}

// settleKnown handles a range wider than what there is to settle.
func (s *session) settleKnown(d *amqp.Disposition) {
	var ids []uint32
	for id := range s.unsettled {
		if id-d.First <= d.Last-d.First {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b uint32) int { return int(int32(a - b)) })
	for _, id := range ids {
		s.settleOne(d, id, s.unsettled[id])
	}
	s.feed()
}

// settleOne applies an outcome to one delivery. A client in receiver-settle-mode second waits for the answer.
func (s *session) settleOne(d *amqp.Disposition, id uint32, u unsettled) {
	if d.State.Kind == amqp.StateReceived {
		return // it tells how far a transfer has come, and settles nothing
	}
	delete(s.unsettled, id)
	l := u.link
	l.used = s.conn.now
	if l.source == nil { // a reply
		if !d.Settled {
			s.settle(amqp.RoleSender, id, d.State)
		}
		return
	}
	state := d.State
	how, err := settlementOf(d.State)
	if err == nil {
		err = l.source.Settle(broker.UUID(netUUID(u.token)), how)
	}
	switch {
	case err != nil:
		state = amqp.Rejected(asWire(err))
	case state.Kind == amqp.StateRejected:
		state.Error = nil // an error in the answer would mean that dead-lettering failed
	}
	if !d.Settled {
		s.settle(amqp.RoleSender, id, state)
	}
}

// settlementOf translates a delivery state. "AMQP 1.0 in Azure Service Bus", "Settlement".
func settlementOf(state amqp.State) (broker.Settlement, error) {
	switch state.Kind {
	case amqp.StateAccepted:
		return broker.Settlement{Outcome: broker.Complete}, nil
	case amqp.StateReleased, amqp.StateNone: // settled without an outcome: the default outcome is released
		return broker.Settlement{Outcome: broker.Release}, nil
	case amqp.StateModified:
		how := broker.Settlement{Outcome: broker.Abandon, Properties: propertiesOf(state.MessageAnnotations)}
		if state.UndeliverableHere {
			how.Outcome = broker.Defer
		}
		return how, nil
	case amqp.StateRejected:
		return deadLettering(state.Error), nil
	}
	return broker.Settlement{}, amqp.Errorf(amqp.CondNotImplemented, "Transactions are not implemented by this emulator.")
}

const (
	deadLetterReason      = "DeadLetterReason"
	deadLetterDescription = "DeadLetterErrorDescription"
)

// deadLettering reads reason, description and properties from the error of a rejected state. A client that gives a
// condition of its own gets that as the reason.
func deadLettering(e *amqp.Error) broker.Settlement {
	how := broker.Settlement{Outcome: broker.DeadLetter}
	if e == nil {
		return how
	}
	if e.Condition != condDeadLetter {
		how.Reason, how.Description = string(e.Condition), e.Description
	}
	how.Properties = propertiesOf(e.Info)
	if reason, ok := how.Properties[deadLetterReason].(string); ok {
		how.Reason = reason
	}
	if description, ok := how.Properties[deadLetterDescription].(string); ok {
		how.Description = description
	}
	delete(how.Properties, deadLetterReason)
	delete(how.Properties, deadLetterDescription)
	return how
}

// propertiesOf makes application properties of a map whose keys are symbols or strings.
func propertiesOf(m amqp.Map) map[string]any {
	if len(m) == 0 {
		return nil
	}
	properties := make(map[string]any, len(m))
	for _, p := range m {
		if name := annotationName(p.Key); name != "" {
			properties[name] = brokerValue(p.Value)
		}
	}
	return properties
}
