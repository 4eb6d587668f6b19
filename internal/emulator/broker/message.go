package broker

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"time"
)

// Message is a message as the sender passes it to the broker. All subscriptions that get it share
// it, and neither the broker nor the sender may change it after Send. Changes by a rule's action or
// on abandon make a copy with Modified set.
type Message struct {
	ID               string // message-id as text; at most 128 characters; duplicate detection compares it
	SessionID        string // group-id; valid if HasSession, because the empty string is a valid id
	HasSession       bool
	PartitionKey     string
	CorrelationID    string // correlation-id as text
	To               string
	ReplyTo          string
	ReplyToSessionID string // reply-to-group-id
	Subject          string // called Label in filters
	ContentType      string

	// TTL is the time to live in the header; 0 means that the entity's default applies.
	TTL time.Duration
	// ScheduledEnqueueTime is when the message becomes active; zero or past means at once.
	ScheduledEnqueueTime time.Time
	// Properties are the application properties. Filters understand values of type nil, bool, string, the integer and
	// float types, time.Time, time.Duration, UUID, and TypedValue with one of these. They test others for equality.
	Properties map[string]any

	// Size is the number of bytes counted against the limits of message and entity.
	Size int
	// Payload is what the protocol needs to encode the message again. The broker does not interpret it.
	Payload any
	// Modified means that Properties or another field above differs from Payload and has to be encoded again.
	Modified bool
}

// clone returns a copy with its own property map and with Modified set.
func (m *Message) clone() *Message {
	c := *m
	c.Modified = true
	c.Properties = make(map[string]any, len(m.Properties)+2)
	for k, v := range m.Properties {
		c.Properties[k] = v
	}
	return &c
}

// withProperties returns a copy of m with the given application properties set, or m itself if there are none.
func (m *Message) withProperties(changes map[string]any) *Message {
	if len(changes) == 0 {
		return m
	}
	c := m.clone()
	for k, v := range changes {
		c.Properties[k] = v
	}
	return c
}

// TypedValue is the value of an application property whose type on the wire has no Go type of its own. Filters compare
// Value; Wire is what the protocol needs to encode the value again, and the broker does not interpret it.
type TypedValue struct{ Value, Wire any }

// plain returns what filters compare for the value of an application property.
func plain(value any) any {
	if typed, ok := value.(TypedValue); ok {
		return typed.Value
	}
	return value
}

// State is the state of a message in its entity. Its numbers are those of the annotation x-opt-message-state.
type State int

// The states of a peeked message.
const (
	Active State = iota
	Deferred
	Scheduled
)

// Delivery is a message as one source holds it at the moment when it is received or peeked.
type Delivery struct {
	Message        *Message
	SequenceNumber int64 // of this queue or subscription, from 1
	// EnqueuedSequenceNumber is the number in the entity to which the message was sent: the topic for a message in a
	// subscription, the first entity for a forwarded message. It is 0 for a message sent to this queue.
	EnqueuedSequenceNumber int64
	EnqueuedTime           time.Time
	ScheduledTime          time.Time     // Message.ScheduledEnqueueTime: when it was or will be due
	TTL                    time.Duration // the effective time to live, the entity's default included; 0 means none
	DeliveryCount          uint32        // earlier failed deliveries: 0 on the first
	LockToken              UUID          // zero for peeked and ReceiveAndDelete messages
	LockedUntil            time.Time     // zero like LockToken
	State                  State
	// DeadLetterSource is the path of the entity that dead-lettered the message, if its dead-letter queue
	// forwarded the message.
	DeadLetterSource string
}

// UUID identifies a lock. Its bytes stand in the order of RFC 4122; a delivery tag has the order of .NET.
type UUID [16]byte

// String returns the 36-character form.
func (u UUID) String() string {
	var b [36]byte
	hex.Encode(b[0:], u[0:4])
	hex.Encode(b[9:], u[4:6])
	hex.Encode(b[14:], u[6:8])
	hex.Encode(b[19:], u[8:10])
	hex.Encode(b[24:], u[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// ParseUUID reads the 36-character form. The error's code is [CodeInvalidArgument].
func ParseUUID(text string) (UUID, error) {
	var u UUID
	hexed := strings.ReplaceAll(text, "-", "")
	n, err := hex.Decode(u[:], []byte(hexed[:min(len(hexed), 32)]))
	if err != nil || n != 16 || !strings.EqualFold(u.String(), text) {
		return UUID{}, errorf(CodeInvalidArgument, "'%.50s' is not a UUID.", text)
	}
	return u, nil
}

// newUUID returns a random UUID of version 4. It has to be unique, but not unpredictable.
func newUUID() UUID {
	var u UUID
	a, b := rand.Uint64(), rand.Uint64()
	for i := range 8 {
		u[i], u[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
	}
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}
