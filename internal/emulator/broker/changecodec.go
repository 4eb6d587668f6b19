package broker

import (
	"encoding/binary"
	"encoding/json"
	"time"
)

// Codec encodes what only the protocol understands, for a journal.
type Codec interface {
	// AppendPayload appends what Message needs to make a message like m again, but for the fields that
	// [Message.Modified] speaks of.
	AppendPayload(b []byte, m *Message) []byte
	// Message returns the message as it was sent. It must not keep payload.
	Message(payload []byte) (*Message, error)
	// AppendValues appends values of the kinds of [Message.Properties].
	AppendValues(b []byte, values map[string]any) []byte
	Values(b []byte) (map[string]any, error)
}

// The kinds of changes. Each is followed by the number of an entity or, for records, of a source; see sourceID.
const (
	changeQueue        = 'q' // created or updated: description
	changeTopic        = 't'
	changeSubscription = 's' // number of the topic as well
	changeDeleted      = 'x'
	changeRule         = 'r'
	changeRuleDeleted  = 'R'
	changeMessage      = 'm' // a number, by which later changes of the operation mean the message
	changePut          = '+'
	changeRemoved      = '-'
	changeMoved        = '>'
	changeAltered      = '='
	changeNumbered     = 'n'
	changeSession      = 'S'
	changeSeen         = 'i'
	changeForgot       = 'f'
)

// sourceID returns the number of a source in the journal. The subqueues of an entity follow its main source.
func sourceID(entity uint64, subqueue uint64) uint64 { return entity<<2 | subqueue }

// Subqueues in sourceID.
const (
	subqueueNone = iota
	subqueueDeadLetters
	subqueueTransferDeadLetters
	subqueueScheduled // the scheduled messages of a topic
)

func (t *Target) scheduledID() uint64 { return sourceID(t.id, subqueueScheduled) }

// changeEncoder encodes changes. Numbers of messages and of shared sizes are valid in one operation, or in a snapshot.
type changeEncoder struct {
	buf      []byte
	codec    Codec
	messages map[*Message]uint64
	shares   map[*refCount]uint64

	// later lists new messages in place of encoding them, unless it is nil.
	later *[]*Message
}

func (e *changeEncoder) reset() {
	if cap(e.buf) > 1<<20 {
		e.buf = nil
	}
	e.buf = append(e.buf[:0], numbersBegin)
	clear(e.messages)
	clear(e.shares)
}

func (e *changeEncoder) change(kind byte, id uint64) {
	e.buf = binary.AppendUvarint(append(e.buf, kind), id)
}
func (e *changeEncoder) number(n uint64) { e.buf = binary.AppendUvarint(e.buf, n) }
func (e *changeEncoder) signed(n int64)  { e.buf = binary.AppendVarint(e.buf, n) }

func (e *changeEncoder) text(s string) {
	e.number(uint64(len(s)))
	e.buf = append(e.buf, s...)
}

func (e *changeEncoder) bytes(b []byte) {
	e.number(uint64(len(b)))
	e.buf = append(e.buf, b...)
}

func (e *changeEncoder) flag(set bool) {
	if set {
		e.buf = append(e.buf, 1)
	} else {
		e.buf = append(e.buf, 0)
	}
}

// values appends application properties with their length in front, which has a fixed size.
func (e *changeEncoder) values(values map[string]any) {
	e.sized(func() { e.buf = e.codec.AppendValues(e.buf, values) })
}

// sized appends what write appends, with its length in front.
func (e *changeEncoder) sized(write func()) {
	start := len(e.buf)
	e.buf = append(e.buf, 0, 0, 0, 0)
	write()
	binary.BigEndian.PutUint32(e.buf[start:], uint32(len(e.buf)-start-4))
}

// message returns the number of a message, which it encodes the first time.
func (e *changeEncoder) message(m *Message) uint64 {
	if n := e.messages[m]; n != 0 {
		return n
	}
	if e.messages == nil {
		e.messages = make(map[*Message]uint64)
	}
	n := uint64(len(e.messages) + 1)
	e.messages[m] = n
	if e.later != nil {
		*e.later = append(*e.later, m)
	} else {
		e.encodeMessage(n, m)
	}
	return n
}

func (e *changeEncoder) encodeMessage(n uint64, m *Message) {
	e.change(changeMessage, n)
	e.sized(func() { e.buf = e.codec.AppendPayload(e.buf, m) })
	e.flag(m.Modified)
	if !m.Modified {
		return
	}
	for _, text := range m.modifiable() {
		e.text(*text)
	}
	e.flag(m.HasSession)
	e.signed(int64(m.TTL))
	e.values(m.Properties)
}

// modifiable returns the texts that a rule's action may change.
func (m *Message) modifiable() []*string {
	return []*string{&m.ID, &m.SessionID, &m.PartitionKey, &m.CorrelationID, &m.To, &m.ReplyTo, &m.ReplyToSessionID,
		&m.Subject, &m.ContentType}
}

// share returns the number of a shared size, 0 for nil.
func (e *changeEncoder) share(r *refCount) uint64 {
	if r == nil {
		return 0
	}
	n := e.shares[r]
	if n == 0 {
		if e.shares == nil {
			e.shares = make(map[*refCount]uint64)
		}
		n = uint64(len(e.shares) + 1)
		e.shares[r] = n
	}
	return n
}

// put encodes a record that is new in a source.
func (e *changeEncoder) put(source uint64, rec *record) {
	message := e.message(rec.msg)
	e.change(changePut, source)
	e.number(message)
	e.number(e.share(rec.shared))
	e.record(rec)
}

// The states of a record that survive. A lock does not: a locked record becomes ready, or deferred if it was.
const (
	keptReady = iota
	keptDeferred
	keptScheduled
)

// record encodes a record without its message.
func (e *changeEncoder) record(rec *record) {
	state := byte(keptReady)
	switch {
	case rec.state == scheduled:
		state = keptScheduled
	case rec.state == deferred, rec.state == locked && rec.wasDeferred:
		state = keptDeferred
	}
	e.buf = append(e.buf, state, rec.hops)
	e.number(uint64(rec.seq))
	e.number(uint64(rec.enqueuedSeq))
	e.number(uint64(rec.count))
	for _, at := range []int64{rec.enqueued, rec.expires, rec.due, int64(rec.ttl)} {
		e.signed(at)
	}
	e.text(rec.deadLetterSource)
}

func (e *changeEncoder) sessionState(source uint64, sess *session) {
	e.change(changeSession, source)
	e.text(sess.id)
	e.flag(sess.hasState)
	e.bytes(sess.state)
	e.signed(sess.stateSet)
}

func (e *changeEncoder) seen(target uint64, id seenID) {
	e.change(changeSeen, target)
	e.text(id.id)
	e.signed(id.at)
}

// entity encodes an entity. parent is the topic of a subscription.
func (e *changeEncoder) entity(kind byte, id, parent uint64, description any, a *activity) {
	text, err := json.Marshal(description)
	if err != nil {
		panic(err) // a description has only types that JSON knows
	}
	times := a.times()
	e.change(kind, id)
	e.number(parent)
	e.signed(times.CreatedAt.UnixNano())
	e.signed(times.UpdatedAt.UnixNano())
	e.bytes(text)
}

// The kinds of filters.
const (
	filterTrue = iota
	filterFalse
	filterSQL
	filterCorrelation
)

func (e *changeEncoder) rule(subscription uint64, d *RuleDescription) {
	e.change(changeRule, subscription)
	e.text(d.Name)
	e.signed(d.CreatedAt.UnixNano())
	e.text(d.Action)
	e.values(d.ActionParameters)
	switch f := d.Filter.(type) {
	case FalseFilter:
		e.number(filterFalse)
	case SQLFilter:
		e.number(filterSQL)
		e.text(f.Expression)
		e.values(f.Parameters)
	case CorrelationFilter:
		e.number(filterCorrelation)
		for _, text := range f.texts() {
			e.text(*text)
		}
		e.values(f.Properties)
	default:
		e.number(filterTrue)
	}
}

func (f *CorrelationFilter) texts() []*string {
	return []*string{&f.CorrelationID, &f.MessageID, &f.To, &f.ReplyTo, &f.Subject, &f.SessionID, &f.ReplyToSessionID,
		&f.ContentType}
}

// changeDecoder reads fields of changes. The first that is not there whole sets bad, and all are zero from then on.
type changeDecoder struct {
	rest []byte
	bad  bool
}

func (d *changeDecoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *changeDecoder) flag() bool { return d.byte() != 0 }

func (d *changeDecoder) number() uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.bad || n <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *changeDecoder) signed() int64 {
	v, n := binary.Varint(d.rest)
	if d.bad || n <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *changeDecoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.rest)) {
		d.bad = true
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *changeDecoder) bytes() []byte { return d.take(d.number()) }
func (d *changeDecoder) text() string  { return string(d.bytes()) }

func (d *changeDecoder) sized() []byte {
	size := d.take(4)
	if size == nil {
		return nil
	}
	return d.take(uint64(binary.BigEndian.Uint32(size)))
}

func (d *changeDecoder) time() time.Time { return time.Unix(0, d.signed()) }

// record reads a record without its message.
func (d *changeDecoder) record() (rec *record, state byte) {
	rec = &record{heapIndex: -1}
	state = d.byte()
	rec.hops = d.byte()
	rec.seq, rec.enqueuedSeq, rec.count = int64(d.number()), int64(d.number()), uint32(d.number())
	rec.enqueued, rec.expires, rec.due = d.signed(), d.signed(), d.signed()
	rec.ttl = time.Duration(d.signed())
	rec.deadLetterSource = d.text()
	return rec, state
}
