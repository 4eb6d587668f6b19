package emulator

import (
	"slices"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// handleDisposition applies a disposition of the client. One for the client's own deliveries needs no answer, because
// the server has settled those already.
func (s *amqpSession) handleDisposition(d *amqp.Disposition) {
	if d.Role == amqp.RoleSender {
		return
	}
	count := d.Last - d.First + 1
	if int(count) > len(s.unsettled) || count == 0 {
		s.settleRange(d)
		return
	}
	for id := d.First; count > 0; id, count = id+1, count-1 {
		if u, ok := s.unsettled[id]; ok {
			s.settleOne(d, id, u)
		}
	}
	s.resumeBlocked()
}

// settleRange settles the deliveries of a range that is wider than the number of unsettled deliveries.
func (s *amqpSession) settleRange(d *amqp.Disposition) {
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
	s.resumeBlocked()
}

// settleOne applies an outcome to one delivery. A client in receiver-settle-mode second expects a
// disposition in answer.
func (s *amqpSession) settleOne(d *amqp.Disposition, id uint32, u unsettled) {
	if d.State.Kind == amqp.StateReceived {
		return // received reports how much of a delivery has arrived, and settles nothing
	}
	if d.State.Kind == amqp.StateTransactional {
		s.retire(d, id, u)
		return
	}
	delete(s.unsettled, id)
	l := u.link
	l.lastUsed = s.conn.now
	if l.source == nil { // a reply
		if !d.Settled {
			s.writeDisposition(amqp.RoleSender, id, d.State)
		}
		return
	}
	state := d.State
	how, err := settlementOf(d.State)
	if err == nil {
		err = l.source.Settle(broker.UUID(dotNetUUID(u.token)), how)
	}
	switch {
	case err != nil:
		state = amqp.Rejected(toWireError(err))
	case state.Kind == amqp.StateRejected:
		state.Error = nil // clients take an error in the answer as a failure to dead-letter
	}
	if !d.Settled {
		s.writeDisposition(amqp.RoleSender, id, state)
	}
}

// settlementOf translates a delivery state ("AMQP 1.0 in Azure Service Bus", "Settlement").
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
	return broker.Settlement{}, amqp.Errorf(amqp.CondInvalidField, "a delivery state that is no outcome")
}

const (
	deadLetterReason      = "DeadLetterReason"
	deadLetterDescription = "DeadLetterErrorDescription"
)

// deadLettering reads reason, description and properties from the error of a rejected state. A condition other than
// com.microsoft:dead-letter becomes the reason.
func deadLettering(e *amqp.Error) broker.Settlement {
	how := broker.Settlement{Outcome: broker.DeadLetter}
	if e == nil {
		return how
	}
	if e.Condition != condDeadLetter {
		how.Reason, how.Description = string(e.Condition), e.Description
	}
	how.Properties = propertiesOf(e.Info)
	// a reason that is no string stays a property, as the receiver set it
	if reason, ok := how.Properties[deadLetterReason].(string); ok {
		how.Reason = reason
		delete(how.Properties, deadLetterReason)
	}
	if description, ok := how.Properties[deadLetterDescription].(string); ok {
		how.Description = description
		delete(how.Properties, deadLetterDescription)
	}
	return how
}

// propertiesOf converts a map whose keys are symbols or strings to application properties. It drops other keys.
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
