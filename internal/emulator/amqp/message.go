package amqp

import (
	"iter"
	"slices"
	"time"
)

// BatchFormat is the message format of Service Bus batches. Every data section of such a message holds one message.
const BatchFormat = 0x80013700

// SectionCode is the descriptor of a section of a message (AMQP 1.0 part 3, 3.2).
type SectionCode uint8

// The sections of a message, in their order on the wire.
const (
	SectionHeader                SectionCode = 0x70
	SectionDeliveryAnnotations   SectionCode = 0x71
	SectionMessageAnnotations    SectionCode = 0x72
	SectionProperties            SectionCode = 0x73
	SectionApplicationProperties SectionCode = 0x74
	SectionData                  SectionCode = 0x75
	SectionSequence              SectionCode = 0x76
	SectionValue                 SectionCode = 0x77
	SectionFooter                SectionCode = 0x78
)

// Header is the header section, which every hop may change.
type Header struct {
	Durable       Optional[bool]
	Priority      Optional[uint8]
	TTL           Optional[uint32] // milliseconds
	FirstAcquirer Optional[bool]
	DeliveryCount uint32
}

// Properties is the properties section, which holds the standard properties.
type Properties struct {
	MessageID          any // nil, uint64, UUID, []byte or string
	UserID             []byte
	To                 Optional[string]
	Subject            Optional[string]
	ReplyTo            Optional[string]
	CorrelationID      any // same types as MessageID
	ContentType        Optional[string]
	ContentEncoding    Optional[string]
	AbsoluteExpiryTime Optional[time.Time]
	CreationTime       Optional[time.Time]
	GroupID            Optional[string]
	GroupSequence      Optional[uint32]
	ReplyToGroupID     Optional[string]
}

// Message is a message, decoded as far as a broker needs it. An absent section is nil.
type Message struct {
	Header                *Header
	DeliveryAnnotations   Map
	MessageAnnotations    Map
	Properties            *Properties
	ApplicationProperties Map

	// Body holds the encoded body and footer sections, which alias the input.
	Body []byte

	// RawProperties holds the encoded properties section, and Rest all encoded sections after it. Both alias the
	// input. A broker passes them on unchanged. AppendMessage ignores them.
	RawProperties, Rest []byte
}

// ParseMessage parses a message. It checks order and form of all sections, including those that stay encoded. A
// message may lack any section and has at most one of the three kinds of body. Delivery annotations may also be the
// last section. A footer in front of the body, where the JavaScript SDK writes it, moves behind it.
func ParseMessage(b []byte) (*Message, error) { return parseMessage(b, false) }

// parseMessage parses a message. moved says that a footer has moved.
func parseMessage(b []byte, moved bool) (*Message, error) {
	d := decoder{b: b}
	m := &Message{}
	var last SectionCode
	for len(d.b) > 0 {
		before := d.b
		code := d.section()
		if code == SectionDeliveryAnnotations && last > code {
			// The Python SDK writes them behind all others, and the service takes that. They end here: a broker passes
			// on neither these nor others.
			m.DeliveryAnnotations = d.mapSection()
			if d.err == nil && len(d.b) > 0 {
				d.fail("section %#02x after section %#02x is not the last", uint8(code), uint8(last))
			}
			if d.err != nil {
				return nil, d.err
			}
			m.Rest, m.Body = m.Rest[:max(len(m.Rest)-len(before), 0)], m.Body[:max(len(m.Body)-len(before), 0)]
			return m, nil
		}
		if code == SectionFooter && last < SectionData && !moved {
			d.skipSection(code)
			if d.err != nil {
				return nil, d.err
			}
			start, end := len(b)-len(before), len(b)-len(d.b)
			return parseMessage(slices.Concat(b[:start], d.b, b[start:end]), true)
		}
		if d.err == nil && !mayFollow(last, code) {
			d.fail("section %#02x after section %#02x", uint8(code), uint8(last))
		}
		if code >= SectionApplicationProperties && m.Rest == nil {
			m.Rest = before
		}
		switch {
		case d.err != nil:
		case code >= SectionData:
			if m.Body == nil {
				m.Body = before
			}
			d.skipSection(code)
		default:
			m.parseSection(&d, code)
		}
		if d.err != nil {
			return nil, d.err
		}
		if code == SectionProperties {
			m.RawProperties = before[:len(before)-len(d.b)]
		}
		last = code
	}
	return m, nil
}

// mayFollow reports whether section code may follow section last. AMQP 1.0 part 3, 3.2 fixes the
// order; data and sequence sections may repeat, and only one kind of body is allowed.
func mayFollow(last, code SectionCode) bool {
	switch last {
	case SectionData, SectionSequence:
		return code == last || code == SectionFooter
	case SectionValue:
		return code == SectionFooter
	}
	return code > last
}

// section reads descriptor and code of a section.
func (d *decoder) section() SectionCode {
	if code := d.code(); d.err == nil && code != codeDescribed {
		d.fail("a section starts with constructor %#02x, not with a descriptor", byte(code))
	}
	descriptor := d.descriptor()
	if d.err == nil && (descriptor < uint64(SectionHeader) || descriptor > uint64(SectionFooter)) {
		d.fail("descriptor %#02x is not that of a message section", descriptor)
		return 0
	}
	return SectionCode(descriptor)
}

func (d *decoder) skipSection(code SectionCode) {
	if len(d.b) == 0 {
		d.fail("section %#02x is empty", uint8(code))
		return
	}
	form := Code(d.b[0])
	ok := true
	switch code {
	case SectionData:
		ok = form == codeBinary8 || form == CodeBinary
	case SectionSequence:
		ok = form == codeList0 || form == codeList8 || form == CodeList
	case SectionFooter:
		ok = form == codeMap8 || form == CodeMap
	}
	if !ok {
		d.fail("section %#02x holds constructor %#02x", uint8(code), byte(form))
		return
	}
	d.skip(MaxDepth)
}

func (m *Message) parseSection(d *decoder, code SectionCode) {
	switch code {
	case SectionHeader:
		f := d.list()
		m.Header = &Header{Durable: f.optBool(), Priority: f.optUbyte(), TTL: f.optUint(), FirstAcquirer: f.optBool()}
		m.Header.DeliveryCount = f.optUint().Value
		f.finish()
		d.adopt(&f.decoder)
	case SectionDeliveryAnnotations:
		m.DeliveryAnnotations = d.mapSection()
	case SectionMessageAnnotations:
		m.MessageAnnotations = d.mapSection()
	case SectionProperties:
		m.Properties = d.properties()
	case SectionApplicationProperties:
		m.ApplicationProperties = d.mapSection()
	}
}

func (d *decoder) mapSection() Map {
	code := d.code()
	if d.err == nil && code != codeMap8 && code != CodeMap {
		d.fail("constructor %#02x where a map belongs", byte(code))
		return nil
	}
	m, _ := d.compound(code, MaxDepth).(Map)
	return m
}

func (d *decoder) properties() *Properties {
	f := d.list()
	p := &Properties{MessageID: f.messageID()}
	if id := f.binary(); id != nil {
		p.UserID = append([]byte{}, id...)
	}
	p.To, p.Subject, p.ReplyTo = f.optString(), f.optString(), f.optString()
	p.CorrelationID = f.messageID()
	p.ContentType, p.ContentEncoding = f.optSymbol(), f.optSymbol()
	p.AbsoluteExpiryTime, p.CreationTime = f.optTime(), f.optTime()
	p.GroupID, p.GroupSequence, p.ReplyToGroupID = f.optString(), f.optUint(), f.optString()
	f.finish()
	d.adopt(&f.decoder)
	return p
}

// messageID reads a field of one of the four types an id may have (AMQP 1.0 part 3, 3.2.11 to 3.2.14).
func (f *fields) messageID() any {
	v := f.any()
	switch v.(type) {
	case nil, uint64, UUID, []byte, string:
		return v
	}
	f.fail("a message id of type %T", v)
	return nil
}

func (f *fields) optSymbol() (v Optional[string]) {
	if code, ok := f.next(); ok {
		v = Some(f.text(code, codeSymbol8))
	}
	return v
}

// AppendHeader appends the header section.
func AppendHeader(dst []byte, h *Header) []byte {
	w := beginComposite(dst, uint8(SectionHeader))
	w.optBool(h.Durable)
	if h.Priority.Set {
		w.ubyte(h.Priority.Value)
	} else {
		w.null()
	}
	w.optUint(h.TTL)
	w.optBool(h.FirstAcquirer)
	w.uint(h.DeliveryCount)
	return w.end()
}

// AppendProperties appends the properties section.
func AppendProperties(dst []byte, p *Properties) []byte {
	w := beginComposite(dst, uint8(SectionProperties))
	w.value(p.MessageID)
	if p.UserID == nil {
		w.null()
	} else {
		w.binary(p.UserID)
	}
	for _, v := range [...]Optional[string]{p.To, p.Subject, p.ReplyTo} {
		w.setString(v)
	}
	w.value(p.CorrelationID)
	w.setSymbol(p.ContentType)
	w.setSymbol(p.ContentEncoding)
	w.setTime(p.AbsoluteExpiryTime)
	w.setTime(p.CreationTime)
	w.setString(p.GroupID)
	w.optUint(p.GroupSequence)
	w.setString(p.ReplyToGroupID)
	return w.end()
}

func (w *composite) setString(v Optional[string]) {
	if !v.Set {
		w.null()
		return
	}
	w.string(v.Value)
}

func (w *composite) setSymbol(v Optional[string]) {
	if !v.Set {
		w.null()
		return
	}
	w.symbol(Symbol(v.Value))
}

func (w *composite) setTime(v Optional[time.Time]) {
	if !v.Set {
		w.null()
		return
	}
	w.time(v.Value)
}

// AppendSection appends the descriptor of a section. The caller appends the value.
func AppendSection(dst []byte, code SectionCode) []byte {
	return append(dst, byte(codeDescribed), byte(codeSmallUlong), byte(code))
}

// AppendMapSection appends annotations, application properties or a footer.
func AppendMapSection(dst []byte, code SectionCode, m Map) []byte {
	return AppendMap(AppendSection(dst, code), m)
}

// AppendData appends a data section.
func AppendData(dst, data []byte) []byte {
	return AppendBinary(AppendSection(dst, SectionData), data)
}

// AppendMessage appends all sections of m except RawProperties and Rest.
func AppendMessage(dst []byte, m *Message) []byte {
	if m.Header != nil {
		dst = AppendHeader(dst, m.Header)
	}
	if m.DeliveryAnnotations != nil {
		dst = AppendMapSection(dst, SectionDeliveryAnnotations, m.DeliveryAnnotations)
	}
	if m.MessageAnnotations != nil {
		dst = AppendMapSection(dst, SectionMessageAnnotations, m.MessageAnnotations)
	}
	if m.Properties != nil {
		dst = AppendProperties(dst, m.Properties)
	}
	if m.ApplicationProperties != nil {
		dst = AppendMapSection(dst, SectionApplicationProperties, m.ApplicationProperties)
	}
	return append(dst, m.Body...)
}

// DataSections yields the contents of the data sections of an encoded body, which ParseMessage has
// checked. They alias the body. The iteration stops at the first section of another kind.
func DataSections(body []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		d := decoder{b: body}
		for len(d.b) > 0 {
			if d.section() != SectionData || d.err != nil {
				return
			}
			data := d.variable(d.code(), codeBinary8)
			if d.err != nil || !yield(data) {
				return
			}
		}
	}
}

// ParseValueBody parses the value of a body that is an amqp-value section, as in requests to $cbs and $management.
func ParseValueBody(body []byte) (any, error) {
	d := decoder{b: body}
	if code := d.section(); d.err == nil && code != SectionValue {
		return nil, Errorf(CondDecodeError, "the body is section %#02x, not an amqp-value", uint8(code))
	}
	v := d.value(MaxDepth)
	if d.err != nil {
		return nil, d.err
	}
	return v, nil
}
