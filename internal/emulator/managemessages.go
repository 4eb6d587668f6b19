package emulator

import (
	"bytes"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

const (
	// maxMessagesPerRequest is how many deferred messages one request may receive, or messages it may delete.
	maxMessagesPerRequest = 1000

	// maxPeekedBytes bounds the reply to a peek request. The client requests the rest with another.
	maxPeekedBytes = 4 << 20
)

func (r call) renewLock() (amqp.Map, error) {
	tokens, err := r.tokens()
	if err != nil {
		return nil, err
	}
	source, err := r.source()
	if err != nil {
		return nil, err
	}
	ends, err := source.Renew(tokens)
	if err != nil {
		return nil, err
	}
	return amqp.Map{{Key: "expirations", Value: amqp.ArrayOf(amqp.CodeTimestamp, ends...)}}, nil
}

func (r call) peek() (amqp.Map, error) {
	from, err := r.integer("from-sequence-number")
	if err != nil {
		return nil, err
	}
	count, err := r.integer("message-count")
	if err != nil {
		return nil, err
	}
	session, err := r.optionalSessionID()
	if err != nil {
		return nil, err
	}
	withoutBody, err := r.flag("omit-message-body")
	if err != nil {
		return nil, err
	}
	encode := encodeDelivery
	if withoutBody {
		encode = encodeWithoutBody
	}
	source, err := r.source()
	if err != nil {
		return nil, err
	}
	found, err := source.Peek(from, int(count), session)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errNoContent
	}
	var messages amqp.List
	for i, size := 0, 0; i < len(found) && size < maxPeekedBytes; i++ {
		encoded := encode(&found[i])
		size += len(encoded)
		messages = append(messages, amqp.Map{{Key: "message", Value: encoded}})
	}
	return amqp.Map{{Key: "messages", Value: messages}}, nil
}

func encodeDelivery(d *broker.Delivery) []byte {
	sections, shared := appendDelivery(nil, d)
	return append(sections, shared...)
}

// encodeWithoutBody encodes all sections of a delivery but body and footer.
func encodeWithoutBody(d *broker.Delivery) []byte {
	sections, shared := appendDelivery(nil, d)
	body := d.Message.Payload.(*encodedMessage).body
	return append(sections, shared[:len(shared)-len(body)]...)
}

func (r call) receiveDeferred() (amqp.Map, error) {
	numbers, err := r.numbers("sequence-numbers")
	if err != nil {
		return nil, err
	}
	if len(numbers) > maxMessagesPerRequest {
		return nil, amqp.Errorf(condArgumentOutOfRange, "%d messages are requested at once; the limit is %d.",
			len(numbers), maxMessagesPerRequest)
	}
	settle, err := r.integer("receiver-settle-mode")
	if err != nil {
		return nil, err
	}
	mode := broker.ReceiveAndDelete
	if settle == int64(amqp.ReceiverSecond) {
		mode = broker.PeekLock
	}
	session, err := r.optionalSessionID()
	if err != nil {
		return nil, err
	}
	source, err := r.source()
	if err != nil {
		return nil, err
	}
	taken, err := source.ReceiveDeferred(numbers, mode, session)
	if err != nil {
		return nil, err
	}
	if len(taken) == 0 {
		return nil, errNoContent
	}
	messages := make(amqp.List, len(taken))
	for i := range taken {
		messages[i] = amqp.Map{
			{Key: "message", Value: encodeDelivery(&taken[i])},
			{Key: "lock-token", Value: amqp.UUID(taken[i].LockToken)},
		}
	}
	return amqp.Map{{Key: "messages", Value: messages}}, nil
}

func (r call) schedule() (amqp.Map, error) {
	items, err := r.items("messages")
	if err != nil {
		return nil, err
	}
	msgs := make([]*broker.Message, len(items))
	for i, item := range items {
		entry, _ := item.(amqp.Map)
		encoded, _ := entry.Lookup("message")
		b, ok := encoded.([]byte)
		if !ok {
			return nil, errField("messages", item)
		}
		if msgs[i], err = newMessage(bytes.Clone(b)); err != nil {
			return nil, err
		}
		if msgs[i].ScheduledEnqueueTime.IsZero() {
			return nil, amqp.Errorf(condArgumentError, "A message to be scheduled has no %s.", optScheduledEnqueueTime)
		}
	}
	target, err := r.conn.broker.Target(r.entity)
	if err != nil {
		return nil, err
	}
	schedule := target.Schedule
	if r.tx != nil {
		schedule = func(msgs []*broker.Message) ([]int64, error) { return r.tx.Schedule(target, msgs) }
	}
	numbers, err := schedule(msgs)
	if err != nil {
		return nil, err
	}
	return amqp.Map{{Key: "sequence-numbers", Value: amqp.ArrayOf(amqp.CodeLong, numbers...)}}, nil
}

func (r call) cancelScheduled() (amqp.Map, error) {
	numbers, err := r.numbers("sequence-numbers")
	if err != nil {
		return nil, err
	}
	target, err := r.conn.broker.Target(r.entity)
	if err != nil {
		return nil, err
	}
	return nil, target.Cancel(numbers)
}

func (r call) updateDisposition() (amqp.Map, error) {
	how, err := r.settlement()
	if err != nil {
		return nil, err
	}
	tokens, err := r.tokens()
	if err != nil {
		return nil, err
	}
	source, err := r.source()
	if err != nil {
		return nil, err
	}
	settle := source.Settle
	if r.tx != nil {
		settle = func(token broker.UUID, how broker.Settlement) error { return r.tx.Settle(source, token, how) }
	}
	for _, token := range tokens {
		if err := settle(token, how); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (r call) settlement() (how broker.Settlement, err error) {
	status, err := r.text("disposition-status")
	if err != nil {
		return how, err
	}
	switch status {
	case "completed":
		how.Outcome = broker.Complete
	case "abandoned":
		how.Outcome = broker.Abandon
	case "defered": // the service's spelling
		how.Outcome = broker.Defer
	case "suspended":
		how.Outcome = broker.DeadLetter
	default:
		return how, amqp.Errorf(condArgumentError, "The disposition-status '%s' is not known.", status)
	}
	if how.Reason, err = r.text("deadletter-reason"); err != nil {
		return how, err
	}
	if how.Description, err = r.text("deadletter-description"); err != nil {
		return how, err
	}
	switch changes := r.field("properties-to-modify").(type) {
	case nil:
	case amqp.Map:
		how.Properties = propertiesOf(changes)
	default:
		return how, errField("properties-to-modify", changes)
	}
	return how, nil
}

func (r call) deleteMessages() (amqp.Map, error) {
	count, err := r.integer("message-count")
	if err != nil {
		return nil, err
	}
	if count < 1 || count > maxMessagesPerRequest {
		return nil, amqp.Errorf(condArgumentOutOfRange,
			"The number of messages to delete must be between 1 and %d, not %d.", maxMessagesPerRequest, count)
	}
	before := time.Now()
	if r.field("enqueued-time-utc") != nil {
		if before, err = r.time("enqueued-time-utc"); err != nil {
			return nil, err
		}
	}
	source, err := r.source()
	if err != nil {
		return nil, err
	}
	n, err := source.DeleteMessages(int(count), before)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, errNoContent
	}
	return amqp.Map{{Key: "message-count", Value: int32(n)}}, nil
}
