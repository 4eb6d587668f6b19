package emulator

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// The message annotations of Service Bus ("AMQP 1.0 in Azure Service Bus", "Message annotations").
const (
	optEnqueuedTime          = "x-opt-enqueued-time"
	optSequenceNumber        = "x-opt-sequence-number"
	optLockedUntil           = "x-opt-locked-until"
	optEnqueueSequenceNumber = "x-opt-enqueue-sequence-number"
	optScheduledEnqueueTime  = "x-opt-scheduled-enqueue-time"
	optPartitionKey          = "x-opt-partition-key"
	optViaPartitionKey       = "x-opt-via-partition-key"
	optDeadLetterSource      = "x-opt-deadletter-source"
	optMessageState          = "x-opt-message-state"
	optLockToken             = "x-opt-lock-token" // #nosec G101 -- the name of an annotation
)

// maxPropertyBytes is the service's limit for all properties of a message together ("Service Bus quotas").
const maxPropertyBytes = 64 << 10

// encodedMessage is the Payload of a broker.Message: the parts needed to encode it again. All deliveries of a message
// share it, in any number of subscriptions. It is immutable.
type encodedMessage struct {
	header              amqp.Header
	deliveryAnnotations amqp.Map
	annotations         amqp.Map // without the annotations that the broker writes
	properties          amqp.Properties
	encodedProperties   []byte // the section
	rest                []byte // application properties, body and footer sections
	body                []byte // body and footer sections: the end of rest

	encoded   []byte // all sections, as the sender wrote them
	missingID bool   // the sender wrote no message id
}

// newMessage decodes a message. The result keeps references to encoded, which the caller must not change. A message
// without an id gets a new one.
func newMessage(encoded []byte) (*broker.Message, error) { return parseMessage(encoded, newMessageID) }

func parseMessage(encoded []byte, newID func() string) (*broker.Message, error) {
	m, err := amqp.ParseMessage(encoded)
	if err != nil {
		return nil, err
	}
	s := &encodedMessage{deliveryAnnotations: m.DeliveryAnnotations, encodedProperties: m.RawProperties, rest: m.Rest,
		body: m.Body, encoded: encoded}
	if m.Header != nil {
		s.header = *m.Header
	}
	if m.Properties != nil {
		s.properties = *m.Properties
	}
	if s.properties.MessageID == nil {
		s.missingID = true
		s.properties.MessageID = newID()
		s.encodedProperties = amqp.AppendProperties(nil, &s.properties)
	}
	if n := len(s.encodedProperties) + len(s.rest) - len(s.body); n > maxPropertyBytes {
		return nil, &broker.Error{Code: broker.CodePropertiesTooLarge,
			Text: fmt.Sprintf("The properties of the message have %d bytes; the limit is %d.", n, maxPropertyBytes)}
	}
	b := &broker.Message{Size: len(encoded), Payload: s, TTL: timeToLive(s)}
	setBrokerFields(b, &s.properties)
	s.annotations = takeAnnotations(b, m.MessageAnnotations)
	if len(m.ApplicationProperties) > 0 {
		b.Properties = make(map[string]any, len(m.ApplicationProperties))
		for _, p := range m.ApplicationProperties {
			key, ok := p.Key.(string)
			if !ok {
				return nil, amqp.Errorf(amqp.CondInvalidField, "an application property's name is a %T, not a string",
					p.Key)
			}
			switch p.Value.(type) {
			case amqp.List, amqp.Map, amqp.Array: // AMQP 1.0 part 3, 3.2.5: simple types only
				return nil, amqp.Errorf(condArgumentError,
					"The application property '%.50s' is a list, map or array.", key)
			}
			b.Properties[key] = brokerValue(p.Value)
		}
	}
	return b, nil
}

// timeToLive returns the time to live that the sender wants; 0 means the entity's default. The header holds at most 49
// days. For a longer time the .NET SDK writes the largest number, and the truth into the expiry time.
func timeToLive(s *encodedMessage) time.Duration {
	created, expires := s.properties.CreationTime, s.properties.AbsoluteExpiryTime
	if s.header.TTL.Or(math.MaxUint32) == math.MaxUint32 && created.Set && expires.Set &&
		expires.Value.After(created.Value) {
		return expires.Value.Sub(created.Value)
	}
	return time.Duration(s.header.TTL.Value) * time.Millisecond
}

// expiry returns the absolute expiry time of a delivery that has a time to live. It counts from the creation time if
// the sender has written one: the SDKs take the difference of the two for the time to live.
func expiry(s *encodedMessage, d *broker.Delivery) amqp.Optional[time.Time] {
	return amqp.Some(s.properties.CreationTime.Or(d.EnqueuedTime).Add(d.TTL))
}

// setBrokerFields sets the fields of b that filters and checks read.
func setBrokerFields(b *broker.Message, p *amqp.Properties) {
	b.ID = idText(p.MessageID)
	b.SessionID, b.HasSession = p.GroupID.Value, p.GroupID.Set
	b.CorrelationID = idText(p.CorrelationID)
	b.To, b.ReplyTo, b.Subject = p.To.Value, p.ReplyTo.Value, p.Subject.Value
	b.ReplyToSessionID, b.ContentType = p.ReplyToGroupID.Value, p.ContentType.Value
}

// takeAnnotations reads the sender's annotations and returns those to pass on. It drops the annotations that the broker
// writes itself.
func takeAnnotations(b *broker.Message, all amqp.Map) amqp.Map {
	kept := make(amqp.Map, 0, len(all))
	for _, p := range all {
		switch annotationName(p.Key) {
		case optScheduledEnqueueTime:
			if at, ok := p.Value.(time.Time); ok {
				b.ScheduledEnqueueTime = at
				continue
			}
		case optEnqueuedTime, optSequenceNumber, optLockedUntil, optEnqueueSequenceNumber, optDeadLetterSource,
			optMessageState:
			continue
		case optPartitionKey:
			b.PartitionKey, _ = p.Value.(string)
		}
		kept = append(kept, p)
	}
	return kept
}

func annotationName(key any) string {
	switch k := key.(type) {
	case amqp.Symbol:
		return string(k)
	case string:
		return k
	}
	return ""
}

// idText returns a message or correlation id in the form that filters and duplicate detection compare.
func idText(id any) string {
	switch id := id.(type) {
	case string:
		return id
	case uint64:
		return strconv.FormatUint(id, 10)
	case amqp.UUID:
		return id.String()
	case []byte:
		return string(id)
	}
	return ""
}

func newMessageID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// dotNetUUID converts between the byte order of RFC 4122 and that of .NET, in which a delivery tag
// holds the lock token.
func dotNetUUID(u [16]byte) [16]byte {
	slices.Reverse(u[0:4])
	slices.Reverse(u[4:6])
	slices.Reverse(u[6:8])
	return u
}

// appendDelivery appends the sections that differ between the deliveries of a message. It returns the sections after
// them separately, because all deliveries share those.
func appendDelivery(dst []byte, d *broker.Delivery) (sections, shared []byte) {
	s := d.Message.Payload.(*encodedMessage)
	h := s.header
	h.DeliveryCount = d.DeliveryCount
	h.TTL = amqp.Optional[uint32]{}
	if d.TTL > 0 {
		h.TTL = amqp.Some(uint32(min(d.TTL/time.Millisecond, math.MaxUint32)))
	}
	dst = amqp.AppendHeader(dst, &h)
	dst = appendDeliveryAnnotations(dst, s, d)
	dst = appendAnnotations(dst, s, d)
	if d.Message.Modified {
		return appendModified(dst, s, d), s.body
	}
	if d.TTL > 0 && !d.EnqueuedTime.IsZero() && s.properties.AbsoluteExpiryTime != expiry(s, d) {
		p := s.properties
		p.AbsoluteExpiryTime = expiry(s, d)
		dst = amqp.AppendProperties(dst, &p)
	} else {
		dst = append(dst, s.encodedProperties...)
	}
	return dst, s.rest
}

func appendDeliveryAnnotations(dst []byte, s *encodedMessage, d *broker.Delivery) []byte {
	if d.LockToken == (broker.UUID{}) && len(s.deliveryAnnotations) == 0 {
		return dst
	}
	w := amqp.BeginMap(amqp.AppendSection(dst, amqp.SectionDeliveryAnnotations))
	for _, p := range s.deliveryAnnotations {
		if annotationName(p.Key) != optLockToken {
			addPair(&w, p)
		}
	}
	if d.LockToken != (broker.UUID{}) {
		w.Bytes = amqp.AppendUUID(amqp.AppendSymbol(w.Bytes, optLockToken), amqp.UUID(d.LockToken))
		w.Count += 2
	}
	return w.End()
}

func addPair(w *amqp.Compound, p amqp.Pair) {
	w.Bytes = amqp.AppendValue(amqp.AppendValue(w.Bytes, p.Key), p.Value)
	w.Count += 2
}

func appendAnnotations(dst []byte, s *encodedMessage, d *broker.Delivery) []byte {
	w := amqp.BeginMap(amqp.AppendSection(dst, amqp.SectionMessageAnnotations))
	was, _ := s.annotations.Lookup(optPartitionKey)
	key, _ := was.(string)
	changed := d.Message.Modified && d.Message.PartitionKey != key // by a rule's action
	for _, p := range s.annotations {
		if !changed || annotationName(p.Key) != optPartitionKey {
			addPair(&w, p)
		}
	}
	if changed {
		addPair(&w, amqp.Pair{Key: amqp.Symbol(optPartitionKey), Value: d.Message.PartitionKey})
	}
	addTime := func(name amqp.Symbol, t time.Time) {
		if !t.IsZero() {
			w.Bytes = amqp.AppendTimestamp(amqp.AppendSymbol(w.Bytes, name), t)
			w.Count += 2
		}
	}
	addTime(optEnqueuedTime, d.EnqueuedTime)
	w.Bytes = amqp.AppendLong(amqp.AppendSymbol(w.Bytes, optSequenceNumber), d.SequenceNumber)
	w.Count += 2
	addTime(optLockedUntil, d.LockedUntil)
	addTime(optScheduledEnqueueTime, d.ScheduledTime)
	if d.EnqueuedSequenceNumber != 0 {
		w.Bytes = amqp.AppendLong(amqp.AppendSymbol(w.Bytes, optEnqueueSequenceNumber), d.EnqueuedSequenceNumber)
		w.Count += 2
	}
	if d.DeadLetterSource != "" {
		w.Bytes = amqp.AppendString(amqp.AppendSymbol(w.Bytes, optDeadLetterSource), d.DeadLetterSource)
		w.Count += 2
	}
	if d.State != broker.Active {
		w.Bytes = amqp.AppendInt(amqp.AppendSymbol(w.Bytes, optMessageState), int32(d.State))
		w.Count += 2
	}
	return w.End()
}

// appendModified appends the properties of a message that a rule's action or a settlement has changed.
func appendModified(dst []byte, s *encodedMessage, d *broker.Delivery) []byte {
	p, m := s.properties, d.Message
	var was broker.Message
	setBrokerFields(&was, &p)
	replaceID(&p.MessageID, was.ID, m.ID)
	replaceID(&p.CorrelationID, was.CorrelationID, m.CorrelationID)
	replaceText(&p.To, m.To)
	replaceText(&p.ReplyTo, m.ReplyTo)
	replaceText(&p.Subject, m.Subject)
	replaceText(&p.ContentType, m.ContentType)
	replaceText(&p.ReplyToGroupID, m.ReplyToSessionID)
	p.GroupID = amqp.Optional[string]{Value: m.SessionID, Set: m.HasSession}
	if d.TTL > 0 && !d.EnqueuedTime.IsZero() {
		p.AbsoluteExpiryTime = expiry(s, d)
	}
	dst = amqp.AppendProperties(dst, &p)
	names := make([]string, 0, len(m.Properties))
	for name := range m.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	w := amqp.BeginMap(amqp.AppendSection(dst, amqp.SectionApplicationProperties))
	for _, name := range names {
		addPair(&w, amqp.Pair{Key: name, Value: wireValue(m.Properties[name])})
	}
	return w.End()
}

// replaceID sets a changed id. An unchanged id keeps its AMQP type.
func replaceID(id *any, was, is string) {
	if was != is {
		*id = is
	}
}

func replaceText(field *amqp.Optional[string], is string) {
	if field.Value != is {
		*field = amqp.Some(is)
	}
}
