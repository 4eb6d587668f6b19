package amqp

import "math"

// Performative is the body of a frame.
type Performative interface {
	// Append appends the encoded performative. The payload of a Transfer is not part of it.
	Append(dst []byte) []byte
}

// The descriptors of the performatives (AMQP 1.0 part 2, 2.7, and part 5, 5.3.3).
const (
	descriptorOpen           = 0x10
	descriptorBegin          = 0x11
	descriptorAttach         = 0x12
	descriptorFlow           = 0x13
	descriptorTransfer       = 0x14
	descriptorDisposition    = 0x15
	descriptorDetach         = 0x16
	descriptorEnd            = 0x17
	descriptorClose          = 0x18
	descriptorSASLMechanisms = 0x40
	descriptorSASLInit       = 0x41
	descriptorSASLOutcome    = 0x44
)

// Role is the role of a link endpoint: false for the sender, true for the receiver.
type Role bool

// The roles of AMQP 1.0 part 2, 2.8.1.
const (
	RoleSender   Role = false
	RoleReceiver Role = true
)

// ParsePerformative parses the body of a frame. Payload and delivery tag of a transfer alias body; everything else is
// copied.
func ParsePerformative(typ FrameType, body []byte) (Performative, error) {
	d := decoder{b: body}
	if code := d.code(); d.err == nil && code != codeDescribed {
		d.fail("a frame body starts with constructor %#02x, not with a descriptor", byte(code))
	}
	descriptor := d.descriptor()
	f := d.list()
	var p Performative
	if typ == FrameSASL {
		p = parseSASL(descriptor, &f)
	} else {
		p = parseAMQP(descriptor, &f)
	}
	if p == nil {
		d.fail("descriptor %#02x is no performative", descriptor)
	}
	f.finish()
	d.adopt(&f.decoder)
	if d.err != nil {
		return nil, d.err
	}
	if t, ok := p.(*Transfer); ok {
		t.Payload = d.b
	} else if len(d.b) != 0 {
		return nil, Errorf(CondDecodeError, "%d bytes behind a performative that has no payload", len(d.b))
	}
	return p, nil
}

func parseAMQP(descriptor uint64, f *fields) Performative {
	switch descriptor {
	case descriptorOpen:
		return parseOpen(f)
	case descriptorBegin:
		return parseBegin(f)
	case descriptorAttach:
		return parseAttach(f)
	case descriptorFlow:
		return parseFlow(f)
	case descriptorTransfer:
		return parseTransfer(f)
	case descriptorDisposition:
		return parseDisposition(f)
	case descriptorDetach:
		return &Detach{Handle: f.requiredUint("handle"), Closed: f.bool(), Error: f.error()}
	case descriptorEnd:
		return &End{Error: f.error()}
	case descriptorClose:
		return &Close{Error: f.error()}
	}
	return nil
}

// Open is the performative that negotiates a connection.
type Open struct {
	ContainerID         string
	Hostname            string
	MaxFrameSize        uint32 // absent on the wire: 4294967295
	ChannelMax          uint16 // absent on the wire: 65535
	IdleTimeOut         uint32 // milliseconds, 0: none
	OfferedCapabilities []Symbol
	DesiredCapabilities []Symbol
	Properties          Map
}

func parseOpen(f *fields) *Open {
	o := &Open{}
	id := f.optString()
	if !id.Set && f.err == nil {
		f.fail("the field container-id is missing")
	}
	o.ContainerID = id.Value
	o.Hostname = f.string()
	o.MaxFrameSize = f.optUint().Or(math.MaxUint32)
	o.ChannelMax = f.optUshort().Or(math.MaxUint16)
	o.IdleTimeOut = f.optUint().Value
	f.symbols() // outgoing-locales
	f.symbols() // incoming-locales
	o.OfferedCapabilities, o.DesiredCapabilities = f.symbols(), f.symbols()
	o.Properties = f.mapValue()
	return o
}

// Append implements Performative.
func (o *Open) Append(dst []byte) []byte {
	w := beginComposite(dst, descriptorOpen)
	w.string(o.ContainerID)
	w.optString(o.Hostname)
	w.uint(o.MaxFrameSize)
	w.ushort(o.ChannelMax)
	w.optUint(Optional[uint32]{Value: o.IdleTimeOut, Set: o.IdleTimeOut != 0})
	w.null()
	w.null()
	w.symbols(o.OfferedCapabilities)
	w.symbols(o.DesiredCapabilities)
	w.fieldMap(o.Properties)
	return w.end()
}

// Begin is the performative that begins an AMQP session on a channel.
type Begin struct {
	RemoteChannel  Optional[uint16] // only set in the answer
	NextOutgoingID uint32
	IncomingWindow uint32
	OutgoingWindow uint32
	HandleMax      uint32 // absent on the wire: 4294967295
	Properties     Map
}

func parseBegin(f *fields) *Begin {
	b := &Begin{RemoteChannel: f.optUshort()}
	b.NextOutgoingID = f.requiredUint("next-outgoing-id")
	b.IncomingWindow = f.requiredUint("incoming-window")
	b.OutgoingWindow = f.requiredUint("outgoing-window")
	b.HandleMax = f.optUint().Or(math.MaxUint32)
	f.symbols() // offered-capabilities
	f.symbols() // desired-capabilities
	b.Properties = f.mapValue()
	return b
}

// Append implements Performative.
func (b *Begin) Append(dst []byte) []byte {
	w := beginComposite(dst, descriptorBegin)
	if b.RemoteChannel.Set {
		w.ushort(b.RemoteChannel.Value)
	} else {
		w.null()
	}
	w.uint(b.NextOutgoingID)
	w.uint(b.IncomingWindow)
	w.uint(b.OutgoingWindow)
	w.uint(b.HandleMax)
	w.null()
	w.null()
	w.fieldMap(b.Properties)
	return w.end()
}

// End ends an AMQP session.
type End struct{ Error *Error }

// Append implements Performative.
func (e *End) Append(dst []byte) []byte { return appendOnlyError(dst, descriptorEnd, e.Error) }

// Close closes a connection.
type Close struct{ Error *Error }

// Append implements Performative.
func (c *Close) Append(dst []byte) []byte { return appendOnlyError(dst, descriptorClose, c.Error) }

func appendOnlyError(dst []byte, descriptor uint8, e *Error) []byte {
	w := beginComposite(dst, descriptor)
	w.error(e)
	return w.end()
}

// error writes an optional error field.
func (w *composite) error(e *Error) {
	if e == nil {
		w.null()
		return
	}
	w.set(e.append(w.list.Bytes))
}
