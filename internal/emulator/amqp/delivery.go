package amqp

import "bytes"

// Transfer carries a delivery or a part of one.
type Transfer struct {
	Handle        uint32
	DeliveryID    Optional[uint32]
	DeliveryTag   []byte // nil when absent
	MessageFormat Optional[uint32]
	Settled       Optional[bool]
	More          bool
	State         State
	Resume        bool
	Aborted       bool
	Batchable     bool

	// Payload is the part of the frame after the performative. Append does not write it.
	Payload []byte
}

func parseTransfer(f *fields) *Transfer {
	t := &Transfer{Handle: f.requiredUint("handle")}
	t.DeliveryID = f.optUint()
	t.DeliveryTag = f.binary()
	if len(t.DeliveryTag) > maxDeliveryTag {
		f.fail("a delivery tag of %d bytes", len(t.DeliveryTag))
	}
	t.MessageFormat = f.optUint()
	t.Settled = f.optBool()
	t.More = f.bool()
	f.optUbyte() // rcv-settle-mode: the mode of the link applies
	t.State = parseState(f)
	t.Resume, t.Aborted, t.Batchable = f.bool(), f.bool(), f.bool()
	return t
}

// maxDeliveryTag bounds the length of a delivery tag (AMQP 1.0 part 2, 2.8.7).
const maxDeliveryTag = 32

// Append implements Performative.
func (t *Transfer) Append(dst []byte) []byte {
	w := beginComposite(dst, descriptorTransfer)
	w.uint(t.Handle)
	w.optUint(t.DeliveryID)
	if t.DeliveryTag == nil {
		w.null()
	} else {
		w.binary(t.DeliveryTag)
	}
	w.optUint(t.MessageFormat)
	if t.Settled.Set {
		w.bool(t.Settled.Value)
	} else {
		w.null()
	}
	w.flag(t.More)
	w.null()
	w.state(t.State)
	w.flag(t.Resume)
	w.flag(t.Aborted)
	w.flag(t.Batchable)
	return w.end()
}

// Disposition carries the state of the deliveries First to Last.
type Disposition struct {
	Role    Role
	First   uint32
	Last    uint32 // equals First if absent on the wire
	Settled bool
	State   State
}

func parseDisposition(f *fields) *Disposition {
	d := &Disposition{}
	role := f.optBool()
	if !role.Set && f.err == nil {
		f.fail("the field role is missing")
	}
	d.Role = Role(role.Value)
	d.First = f.requiredUint("first")
	d.Last = f.optUint().Or(d.First)
	d.Settled = f.bool()
	d.State = parseState(f)
	return d
}

// Append implements Performative.
func (d *Disposition) Append(dst []byte) []byte {
	w := beginComposite(dst, descriptorDisposition)
	w.bool(bool(d.Role))
	w.uint(d.First)
	w.uint(d.Last)
	w.flag(d.Settled)
	w.state(d.State)
	return w.end()
}

// StateKind distinguishes the delivery states.
type StateKind uint8

// The delivery states of AMQP 1.0 part 3, 3.4, and part 4, 4.5: that of a delivery in a transaction, and the answer to
// a declare.
const (
	StateNone StateKind = iota
	StateReceived
	StateAccepted
	StateRejected
	StateReleased
	StateModified
	StateTransactional
	StateDeclared
)

const (
	descriptorReceived      = 0x23
	descriptorAccepted      = 0x24
	descriptorRejected      = 0x25
	descriptorReleased      = 0x26
	descriptorModified      = 0x27
	descriptorDeclared      = 0x33
	descriptorTransactional = 0x34
)

// State is a delivery state. Kind determines which fields are valid.
type State struct {
	Kind StateKind

	// for received
	SectionNumber uint32
	SectionOffset uint64

	// for rejected; may be nil
	Error *Error

	// for modified
	DeliveryFailed     bool
	UndeliverableHere  bool
	MessageAnnotations Map

	// for transactional and declared
	TxnID []byte

	// for transactional; nil if absent, and never transactional itself
	Outcome *State
}

// The states that have no fields.
var (
	Accepted = State{Kind: StateAccepted}
	Released = State{Kind: StateReleased}
)

// Rejected returns the state rejected with an error, which may be nil.
func Rejected(reason *Error) State { return State{Kind: StateRejected, Error: reason} }

func parseState(f *fields) State {
	descriptor, inner, ok := f.anyComposite()
	if !ok {
		return State{}
	}
	var s State
	switch descriptor {
	case descriptorReceived:
		s = State{Kind: StateReceived, SectionNumber: inner.optUint().Value, SectionOffset: inner.ulong()}
	case descriptorAccepted:
		s = Accepted
	case descriptorRejected:
		s = Rejected(inner.error())
	case descriptorReleased:
		s = Released
	case descriptorModified:
		s = State{Kind: StateModified, DeliveryFailed: inner.bool(), UndeliverableHere: inner.bool(),
			MessageAnnotations: inner.mapValue()}
	case descriptorTransactional:
		s = parseTransactional(&inner)
	case descriptorDeclared:
		s = State{Kind: StateDeclared, TxnID: bytes.Clone(inner.binary())}
	default:
		f.fail("descriptor %#02x where a delivery state belongs", descriptor)
		return State{}
	}
	f.adopt(&inner)
	return s
}

func parseTransactional(f *fields) State {
	s := State{Kind: StateTransactional, TxnID: bytes.Clone(f.binary())}
	if outcome := parseState(f); outcome.Kind == StateTransactional || outcome.Kind == StateDeclared {
		f.fail("a transactional-state in a transactional-state")
	} else if outcome.Kind != StateNone {
		s.Outcome = &outcome
	}
	return s
}

func (w *composite) state(s State) {
	var c composite
	switch s.Kind {
	case StateNone:
		w.null()
		return
	case StateReceived:
		c = beginComposite(w.list.Bytes, descriptorReceived)
		c.uint(s.SectionNumber)
		c.ulong(s.SectionOffset)
	case StateAccepted:
		c = beginComposite(w.list.Bytes, descriptorAccepted)
	case StateRejected:
		c = beginComposite(w.list.Bytes, descriptorRejected)
		c.error(s.Error)
	case StateReleased:
		c = beginComposite(w.list.Bytes, descriptorReleased)
	case StateModified:
		c = beginComposite(w.list.Bytes, descriptorModified)
		c.flag(s.DeliveryFailed)
		c.flag(s.UndeliverableHere)
		c.fieldMap(s.MessageAnnotations)
	case StateTransactional:
		c = beginComposite(w.list.Bytes, descriptorTransactional)
		c.binary(s.TxnID)
		if s.Outcome == nil {
			c.null()
		} else {
			c.state(*s.Outcome)
		}
	case StateDeclared:
		c = beginComposite(w.list.Bytes, descriptorDeclared)
		c.binary(s.TxnID)
	}
	w.set(c.end())
}
