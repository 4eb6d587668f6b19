package amqp

import "math"

// SenderSettleMode is how the sender of a link settles deliveries.
type SenderSettleMode uint8

// The sender settle modes of AMQP 1.0 part 2, 2.8.2.
const (
	SenderUnsettled SenderSettleMode = 0
	SenderSettled   SenderSettleMode = 1
	SenderMixed     SenderSettleMode = 2
)

// ReceiverSettleMode is how the receiver of a link settles deliveries.
type ReceiverSettleMode uint8

// The receiver settle modes of AMQP 1.0 part 2, 2.8.3.
const (
	ReceiverFirst  ReceiverSettleMode = 0
	ReceiverSecond ReceiverSettleMode = 1
)

const (
	descriptorSource      = 0x28
	descriptorTarget      = 0x29
	descriptorCoordinator = 0x30
)

// Attach attaches a link to an AMQP session. In an answer, a nil Source or Target refuses the link.
type Attach struct {
	Name                 string
	Handle               uint32
	Role                 Role
	SenderSettleMode     SenderSettleMode   // absent on the wire: mixed
	ReceiverSettleMode   ReceiverSettleMode // absent on the wire: first
	Source               *Source
	Target               *Target
	InitialDeliveryCount Optional[uint32] // mandatory from a sender
	MaxMessageSize       uint64           // 0: no limit
	Properties           Map
}

func parseAttach(f *fields) *Attach {
	a := &Attach{}
	name := f.optString()
	if !name.Set && f.err == nil {
		f.fail("the field name is missing")
	}
	a.Name = name.Value
	a.Handle = f.requiredUint("handle")
	role := f.optBool()
	if !role.Set && f.err == nil {
		f.fail("the field role is missing")
	}
	a.Role = Role(role.Value)
	a.SenderSettleMode = SenderSettleMode(f.optUbyte().Or(uint8(SenderMixed)))
	a.ReceiverSettleMode = ReceiverSettleMode(f.optUbyte().Value)
	if f.err == nil && (a.SenderSettleMode > SenderMixed || a.ReceiverSettleMode > ReceiverSecond) {
		f.fail("a settle mode that is not defined")
	}
	a.Source = parseSource(f)
	a.Target = parseTarget(f)
	f.mapValue() // unsettled: links are not resumed
	f.bool()     // incomplete-unsettled
	a.InitialDeliveryCount = f.optUint()
	a.MaxMessageSize = f.ulong()
	f.symbols() // offered-capabilities
	f.symbols() // desired-capabilities
	a.Properties = f.mapValue()
	return a
}

// Append implements Performative.
func (a *Attach) Append(dst []byte) []byte {
	w := beginComposite(dst, descriptorAttach)
	w.string(a.Name)
	w.uint(a.Handle)
	w.bool(bool(a.Role))
	w.ubyte(uint8(a.SenderSettleMode))
	w.ubyte(uint8(a.ReceiverSettleMode))
	w.source(a.Source)
	w.target(a.Target)
	w.null()
	w.null()
	w.optUint(a.InitialDeliveryCount)
	if a.MaxMessageSize == 0 {
		w.null()
	} else {
		w.ulong(a.MaxMessageSize)
	}
	w.null()
	w.null()
	w.fieldMap(a.Properties)
	return w.end()
}

// Source is the source terminus of a link.
type Source struct {
	Address          Optional[string]
	Durable          uint32
	ExpiryPolicy     Symbol
	Timeout          uint32 // seconds
	Dynamic          bool
	DistributionMode Symbol
	Filter           Map // filter name to described filter
	DefaultOutcome   any
	Outcomes         []Symbol
	Capabilities     []Symbol
}

func parseSource(f *fields) *Source {
	inner, ok := f.composite(descriptorSource)
	if !ok {
		return nil
	}
	s := &Source{Address: inner.optString()}
	s.Durable = inner.optUint().Value
	s.ExpiryPolicy = inner.symbol()
	s.Timeout = inner.optUint().Value
	s.Dynamic = inner.bool()
	inner.mapValue() // dynamic-node-properties
	s.DistributionMode = inner.symbol()
	s.Filter = inner.mapValue()
	s.DefaultOutcome = inner.any()
	s.Outcomes, s.Capabilities = inner.symbols(), inner.symbols()
	f.adopt(&inner)
	return s
}

func (w *composite) source(s *Source) {
	if s == nil {
		w.null()
		return
	}
	c := beginComposite(w.list.Bytes, descriptorSource)
	c.terminus(s.Address, s.Durable, s.ExpiryPolicy, s.Timeout, s.Dynamic)
	if s.DistributionMode == "" {
		c.null()
	} else {
		c.symbol(s.DistributionMode)
	}
	c.fieldMap(s.Filter)
	c.value(s.DefaultOutcome)
	c.symbols(s.Outcomes)
	c.symbols(s.Capabilities)
	w.set(c.end())
}

// terminus writes the six fields that sources and targets begin with.
func (w *composite) terminus(address Optional[string], durable uint32, expiry Symbol, timeout uint32, dynamic bool) {
	if address.Set {
		w.string(address.Value)
	} else {
		w.null()
	}
	w.optUint(Optional[uint32]{Value: durable, Set: durable != 0})
	if expiry == "" {
		w.null()
	} else {
		w.symbol(expiry)
	}
	w.optUint(Optional[uint32]{Value: timeout, Set: timeout != 0})
	w.flag(dynamic)
	w.null()
}

// Target is the target terminus of a link.
type Target struct {
	Address      Optional[string]
	Durable      uint32
	ExpiryPolicy Symbol
	Timeout      uint32 // seconds
	Dynamic      bool
	Capabilities []Symbol

	// Coordinator marks a transaction coordinator, which has no other field than Capabilities.
	Coordinator bool
}

func parseTarget(f *fields) *Target {
	descriptor, inner, ok := f.anyComposite()
	if !ok {
		return nil
	}
	t := &Target{}
	switch descriptor {
	case descriptorCoordinator:
		t.Coordinator = true
	case descriptorTarget:
		t.Address = inner.optString()
		t.Durable = inner.optUint().Value
		t.ExpiryPolicy = inner.symbol()
		t.Timeout = inner.optUint().Value
		t.Dynamic = inner.bool()
		inner.mapValue() // dynamic-node-properties
	default:
		f.fail("descriptor %#02x where a target belongs", descriptor)
		return nil
	}
	t.Capabilities = inner.symbols()
	f.adopt(&inner)
	return t
}

func (w *composite) target(t *Target) {
	if t == nil {
		w.null()
		return
	}
	if t.Coordinator {
		c := beginComposite(w.list.Bytes, descriptorCoordinator)
		c.symbols(t.Capabilities)
		w.set(c.end())
		return
	}
	c := beginComposite(w.list.Bytes, descriptorTarget)
	c.terminus(t.Address, t.Durable, t.ExpiryPolicy, t.Timeout, t.Dynamic)
	c.symbols(t.Capabilities)
	w.set(c.end())
}

// Detach detaches a link. Closed ends it for good.
type Detach struct {
	Handle uint32
	Closed bool
	Error  *Error
}

// Append implements Performative.
func (d *Detach) Append(dst []byte) []byte {
	w := beginComposite(dst, descriptorDetach)
	w.uint(d.Handle)
	w.flag(d.Closed)
	w.error(d.Error)
	return w.end()
}

// Flow updates the windows of an AMQP session and, when Handle is set, the credit of a link.
type Flow struct {
	NextIncomingID Optional[uint32]
	IncomingWindow uint32
	NextOutgoingID uint32
	OutgoingWindow uint32
	Handle         Optional[uint32]
	DeliveryCount  Optional[uint32]
	LinkCredit     Optional[uint32]
	Available      Optional[uint32]
	Drain          bool
	Echo           bool
}

func parseFlow(f *fields) *Flow {
	p := &Flow{NextIncomingID: f.optUint()}
	p.IncomingWindow = f.requiredUint("incoming-window")
	p.NextOutgoingID = f.requiredUint("next-outgoing-id")
	p.OutgoingWindow = f.requiredUint("outgoing-window")
	p.Handle, p.DeliveryCount = f.optUint(), f.optUint()
	p.LinkCredit, p.Available = f.optUint(), f.optUint()
	p.Drain, p.Echo = f.bool(), f.bool()
	return p
}

// Append implements Performative.
func (p *Flow) Append(dst []byte) []byte {
	w := beginComposite(dst, descriptorFlow)
	w.optUint(p.NextIncomingID)
	w.uint(p.IncomingWindow)
	w.uint(p.NextOutgoingID)
	w.uint(p.OutgoingWindow)
	w.optUint(p.Handle)
	w.optUint(p.DeliveryCount)
	w.optUint(p.LinkCredit)
	w.optUint(p.Available)
	w.flag(p.Drain)
	w.flag(p.Echo)
	return w.end()
}

// DefaultHandleMax is the handle-max of a Begin without one.
const DefaultHandleMax = math.MaxUint32
