package emulator

import (
	"chatapp/internal/emulator/amqp"
)

// maxReplies is how many replies may wait for credit on one link.
const maxReplies = 1000

// request is a message to $cbs or a $management node.
type request struct{ *amqp.Message }

// property returns an application property; nil if absent.
func (r request) property(name string) any {
	v, _ := r.ApplicationProperties.Lookup(name)
	return v
}

func (r request) text(name string) string {
	s, _ := r.property(name).(string)
	return s
}

// reply is the answer to a request.
type reply struct {
	status      int32
	description string
	condition   amqp.Symbol
	body        any // of the amqp-value section
}

// parseRequest reads a request. It refuses one without a message-id, which the reply would have to repeat.
func parseRequest(a delivery) (request, error) {
	m, err := amqp.ParseMessage(a.payload)
	if err != nil {
		return request{}, err
	}
	if m.Properties == nil || m.Properties.MessageID == nil {
		return request{}, amqp.Errorf(amqp.CondInvalidField, "a request without message-id")
	}
	return request{m}, nil
}

// replyLink finds the link for a reply, nil if there is none. The SDKs differ in what they write into reply-to: most
// write the address of their receiving link's target, the JavaScript SDK at $cbs writes the link's name. A link that is
// the only one for replies in its AMQP session is found without either.
func (s *amqpSession) replyLink(to string) *outgoingLink {
	named := func(l *outgoingLink) bool { return to != "" && (l.address == to || l.name == to) }
	if l := s.replyLinkWhere(named); l != nil {
		return l
	}
	for _, other := range s.conn.sessions {
		if l := other.replyLinkWhere(named); l != nil {
			return l
		}
	}
	return s.replyLinkWhere(func(*outgoingLink) bool { return true })
}

// replyLinkWhere returns the link for replies that fits; nil if none or several do.
func (s *amqpSession) replyLinkWhere(fits func(*outgoingLink) bool) *outgoingLink {
	var found *outgoingLink
	for _, e := range s.links {
		l, ok := e.(*outgoingLink)
		if !ok || l.receiver != nil || l.closed || !fits(l) {
			continue
		}
		if found != nil {
			return nil
		}
		found = l
	}
	return found
}

// respond sends the reply to a request. statusKey and descriptionKey differ between $cbs and $management.
func (l *incomingLink) respond(r request, statusKey, descriptionKey string, answer reply) {
	to := r.Properties.ReplyTo.Value
	out := l.session.replyLink(to)
	if out == nil {
		l.session.conn.log.Debug("dropping a reply for which there is no link", "to", to)
		return
	}
	properties := amqp.Map{
		{Key: statusKey, Value: answer.status},
		{Key: descriptionKey, Value: answer.description},
	}
	if answer.condition != "" {
		properties = append(properties, amqp.Pair{Key: "errorCondition", Value: answer.condition})
	}
	if id, ok := r.property("com.microsoft:tracking-id").(string); ok {
		properties = append(properties, amqp.Pair{Key: "com.microsoft:tracking-id", Value: id})
	}
	m := amqp.Message{
		Properties:            &amqp.Properties{CorrelationID: r.Properties.MessageID, To: r.Properties.ReplyTo},
		ApplicationProperties: properties,
		Body:                  amqp.AppendValue(amqp.AppendSection(nil, amqp.SectionValue), answer.body),
	}
	out.send(amqp.AppendMessage(nil, &m))
}

// send queues a reply, and detaches the link if too many wait for credit.
func (l *outgoingLink) send(encoded []byte) {
	if len(l.queue) >= maxReplies {
		l.detach(amqp.Errorf(amqp.CondResourceLimitExceeded, "%d replies are waiting for credit", len(l.queue)))
		return
	}
	s := l.session
	var tag [16]byte
	tag[0], tag[1], tag[2], tag[3] = byte(s.nextDelivery>>24), byte(s.nextDelivery>>16), byte(s.nextDelivery>>8),
		byte(s.nextDelivery)
	l.queue = append(l.queue, queuedDelivery{token: tag, sections: encoded})
	l.pump()
}
