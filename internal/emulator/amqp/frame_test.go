package amqp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The performatives with all their fields, and with none that may be absent.
var performatives = []Performative{
	&Open{ContainerID: "c", MaxFrameSize: 65536, ChannelMax: 255},
	&Open{
		ContainerID: "c", Hostname: "h", MaxFrameSize: 512, ChannelMax: 1, IdleTimeOut: 30000,
		OfferedCapabilities: []Symbol{"a"}, DesiredCapabilities: []Symbol{"b", Symbol(strings.Repeat("c", 300))},
		Properties: Map{{Key: Symbol("product"), Value: "p"}},
	},
	&Begin{NextOutgoingID: 1, IncomingWindow: 5000, OutgoingWindow: 5000, HandleMax: DefaultHandleMax},
	&Begin{RemoteChannel: Some(uint16(3)), HandleMax: 7, Properties: Map{}},
	&Attach{Name: "l", Handle: 1, Role: RoleReceiver, SenderSettleMode: SenderMixed},
	&Attach{
		Name: "", Role: RoleSender, SenderSettleMode: SenderSettled, ReceiverSettleMode: ReceiverSecond,
		Source: &Source{
			Address: Some("chat/Subscriptions/a"), Durable: 1, ExpiryPolicy: "never", Timeout: 5, Dynamic: true,
			DistributionMode: "move",
			Filter: Map{{
				Key:   Symbol("com.microsoft:session-filter"),
				Value: Described{Descriptor: uint64(0x137000000C), Value: "s"},
			}},
			DefaultOutcome: Described{Descriptor: uint64(0x26), Value: List{}},
			Outcomes:       []Symbol{"amqp:accepted:list"},
			Capabilities:   []Symbol{"queue"},
		},
		Target: &Target{Address: Some(""), Durable: 2, ExpiryPolicy: "session-end", Timeout: 1,
			Dynamic: true, Capabilities: []Symbol{"x"}},
		InitialDeliveryCount: Some(uint32(0)), MaxMessageSize: 1 << 40,
		Properties: Map{{Key: Symbol("com.microsoft:timeout"), Value: uint32(5)}},
	},
	&Attach{Name: "tx", SenderSettleMode: SenderMixed, Source: &Source{}, Target: &Target{Coordinator: true}},
	&Flow{IncomingWindow: 1, NextOutgoingID: 2, OutgoingWindow: 3},
	&Flow{
		NextIncomingID: Some(uint32(0)), Handle: Some(uint32(0)), DeliveryCount: Some(uint32(4294967295)),
		LinkCredit: Some(uint32(0)),
		Available:  Some(uint32(7)), Drain: true, Echo: true,
	},
	&Transfer{Handle: 0, Payload: []byte{}},
	&Transfer{
		Handle: 2, DeliveryID: Some(uint32(0)), DeliveryTag: []byte{}, MessageFormat: Some(uint32(BatchFormat)),
		Settled: Some(false),
		More:    true, State: Accepted, Resume: true, Aborted: true, Batchable: true, Payload: []byte("payload"),
	},
	&Disposition{Role: RoleReceiver, First: 1, Last: 9, Settled: true, State: Accepted},
	&Disposition{State: State{Kind: StateReceived, SectionNumber: 1, SectionOffset: 2}},
	&Disposition{State: Rejected(nil)},
	&Disposition{State: Rejected(&Error{Condition: "com.microsoft:dead-letter", Description: "d",
		Info: Map{{Key: Symbol("k"), Value: "v"}}})},
	&Disposition{State: Released},
	&Disposition{State: State{Kind: StateModified, DeliveryFailed: true, UndeliverableHere: true,
		MessageAnnotations: Map{}}},
	&Disposition{State: State{Kind: StateTransactional, TxnID: []byte{1}}},
	&Disposition{State: State{Kind: StateTransactional, TxnID: []byte{1}, Outcome: &Accepted}},
	&Disposition{State: State{Kind: StateTransactional, TxnID: []byte{1},
		Outcome: &State{Kind: StateModified, UndeliverableHere: true}}},
	&Disposition{State: State{Kind: StateDeclared, TxnID: []byte{7, 8}}},
	&Detach{Handle: 1, Closed: true, Error: &Error{Condition: CondDetachForced}},
	&Detach{},
	&End{},
	&End{Error: &Error{Condition: CondHandleInUse, Description: "w"}},
	&Close{Error: &Error{Condition: CondConnectionForced}},
	&SASLMechanisms{Mechanisms: []Symbol{"MSSBCBS", "ANONYMOUS"}},
	&SASLInit{Mechanism: "PLAIN", InitialResponse: []byte("\x00u\x00p"), Hostname: "h"},
	&SASLInit{Mechanism: "ANONYMOUS"},
	&SASLOutcome{Code: SASLAuth},
}

func frameOf(p Performative) []byte {
	frame := AppendFrame(nil, 258, p)
	if t, ok := p.(*Transfer); ok {
		frame = EndFrame(append(frame, t.Payload...), 0, 0)
	}
	return frame
}

func TestPerformativesEncodeAndDecode(t *testing.T) {
	for _, want := range performatives {
		wire := frameOf(want)
		frame, size, err := ParseFrame(append(bytes.Clone(wire), 1, 2, 3), 1<<20)
		if err != nil || size != len(wire) {
			t.Errorf("ParseFrame(%x) = size %d, %v, want %d", wire, size, err, len(wire))
			continue
		}
		got, err := ParsePerformative(frame.Type, frame.Body)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%T comes back as %+v, %v, want %+v", want, got, err, want)
		}
	}
}

func TestParseFrameReturnsFirstFrame(t *testing.T) {
	for _, tt := range []struct {
		name, wire string
		size       int
		bad        bool
	}{
		{"nothing yet", "", 0, false},
		{"half a header", "000000", 0, false},
		{"a frame not all there", "00000009 02000000", 0, false},
		{"empty frame", "00000008 02000000", 8, false},
		{"extended header", "0000000c 03000001 deadbeef", 12, false},
		{"too large by its first bytes", "00000201", 0, true},
		{"smaller than its header", "00000007 020000", 0, true},
		{"offset inside the header", "00000008 01000000", 0, true},
		{"offset behind the frame", "00000008 03000000", 0, true},
		{"unknown type", "00000008 02020000", 0, true},
	} {
		_, size, err := ParseFrame(unhex(t, tt.wire), 512)
		if size != tt.size || (err != nil) != tt.bad {
			t.Errorf("%s: ParseFrame(%s) = size %d, %v, want size %d, an error: %t", tt.name, tt.wire, size, err,
				tt.size, tt.bad)
		}
		if e := (*Error)(nil); tt.bad && (!errors.As(err, &e) || e.Condition != CondFramingError) {
			t.Errorf("%s: the error is %v, want %s", tt.name, err, CondFramingError)
		}
	}
}

func TestProtocolHeaderEncodesAndDecodes(t *testing.T) {
	for _, id := range []ProtocolID{ProtocolAMQP, ProtocolTLS, ProtocolSASL} {
		got, err := ParseProtocolHeader([8]byte(AppendProtocolHeader(nil, id)))
		if err != nil || got != id {
			t.Errorf("ParseProtocolHeader = %v, %v, want %v", got, err, id)
		}
	}
	for _, bad := range []string{"GET / HT", "AMQP\x00\x00\x09\x01", "AMQP\x00\x01\x00\x01"} {
		if id, err := ParseProtocolHeader([8]byte([]byte(bad))); err == nil {
			t.Errorf("ParseProtocolHeader(%q) = %v, want an error", bad, id)
		}
	}
}

func TestMalformedPerformativesAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		typ  FrameType
		wire string
		text string
	}{
		{"no descriptor", FrameAMQP, "45", "not with a descriptor"},
		{"unknown descriptor", FrameAMQP, "00 5399 45", "no performative"},
		{"open in a SASL frame", FrameSASL, "00 5310 c00401a10163", "no performative"},
		{"no list", FrameAMQP, "00 5310 41", "list of fields"},
		{"open without container-id", FrameAMQP, "00 5310 45", "container-id"},
		{"begin without windows", FrameAMQP, "00 5311 c003024043", "incoming-window"},
		{"attach without handle", FrameAMQP, "00 5312 c00401a10161", "handle"},
		{"attach with a settle mode 3", FrameAMQP, "00 5312 c00804a10161 43 41 5003", "settle mode"},
		{"flow with a string for a window", FrameAMQP, "00 5313 c0050240a10161", "uint"},
		{"transfer with a tag of 33 bytes", FrameAMQP, "00 5314 c0260343 40 a021" + strings.Repeat("00", 33),
			"delivery tag"},
		{"disposition with a strange state", FrameAMQP, "00 5315 c00905 41 43 40 41 00539945", "delivery state"},
		{"bytes behind a close", FrameAMQP, "00 5318 45 41", "behind a performative"},
		{"mechanisms without one", FrameSASL, "00 5340 45", "no SASL mechanism"},
	} {
		p, err := ParsePerformative(tt.typ, unhex(t, tt.wire))
		if err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: ParsePerformative(%s) = %+v, %v, want …%s…", tt.name, tt.wire, p, err, tt.text)
		}
	}
}

// TestRecordedFramesDecode parses frames that real programs have sent. A file contains hexadecimal
// digits, and comment lines beginning with # that name the origin of the frame and, after "parses
// as", the expected type.
func TestRecordedFramesDecode(t *testing.T) {
	files, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d golden frames, %v", len(files), err)
	}
	for _, name := range files {
		frame, wantType := readGolden(t, name)
		parsed, size, err := ParseFrame(frame, 1<<20)
		if err != nil || size != len(frame) {
			t.Errorf("%s: ParseFrame gives size %d of %d, %v", name, size, len(frame), err)
			continue
		}
		p, err := ParsePerformative(parsed.Type, parsed.Body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.TrimPrefix(reflect.TypeOf(p).String(), "*amqp."); got != wantType {
			t.Errorf("%s parses as %s, want %s", name, got, wantType)
		}
		again, err := ParsePerformative(parsed.Type, append(p.Append(nil), payloadOf(p)...))
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Errorf("%s: encoded and parsed again it is %+v, %v, want %+v", name, again, err, p)
		}
		if transfer, ok := p.(*Transfer); ok {
			if _, err := ParseMessage(transfer.Payload); err != nil {
				t.Errorf("%s: the message does not parse: %v", name, err)
			}
		}
	}
}

func payloadOf(p Performative) []byte {
	if t, ok := p.(*Transfer); ok {
		return t.Payload
	}
	return nil
}

// TestErrorHasAllThreeFields checks that an error always has three fields, because clients read
// the third without checking their number.
func TestErrorHasAllThreeFields(t *testing.T) {
	for _, tt := range []struct {
		err  Error
		wire string
	}{
		{Error{Condition: "c"}, "00531dc00603a301634040"},
		{Error{Condition: "c", Description: "d"}, "00531dc00803a30163a1016440"},
	} {
		if got := hex.EncodeToString(tt.err.append(nil)); got != tt.wire {
			t.Errorf("%+v is written as %s, want %s", tt.err, got, tt.wire)
		}
	}
}

func readGolden(t testing.TB, name string) (frame []byte, parsesAs string) {
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		if comment, ok := strings.CutPrefix(line, "#"); ok {
			if _, after, ok := strings.Cut(comment, "parses as "); ok {
				parsesAs = strings.TrimSpace(after)
			}
			continue
		}
		digits.WriteString(strings.TrimSpace(line))
	}
	frame, err = hex.DecodeString(strings.ReplaceAll(digits.String(), " ", ""))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return frame, parsesAs
}

func FuzzFrame(f *testing.F) {
	for _, p := range performatives {
		f.Add(frameOf(p))
	}
	files, _ := filepath.Glob("testdata/*.hex")
	for _, name := range files {
		frame, _ := readGolden(f, name)
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, size, err := ParseFrame(b, 1<<16)
		if err != nil || size == 0 || len(frame.Body) == 0 {
			return
		}
		p, err := ParsePerformative(frame.Type, frame.Body)
		if err != nil {
			return
		}
		encoded := append(p.Append(nil), payloadOf(p)...)
		again, err := ParsePerformative(frame.Type, encoded)
		if err != nil {
			t.Fatalf("%x parses as %+v, encodes to %x, and that parses as %v", frame.Body, p, encoded, err)
		}
		if twice := append(again.Append(nil), payloadOf(again)...); !bytes.Equal(encoded, twice) {
			t.Fatalf("%x encodes to %x, then to %x", frame.Body, encoded, twice)
		}
	})
}

func FuzzProtocolHeader(f *testing.F) {
	f.Add([]byte("AMQP\x00\x01\x00\x00"))
	f.Add([]byte("GET / HTTP/1.1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 8 {
			return
		}
		id, err := ParseProtocolHeader([8]byte(b))
		if err == nil && !bytes.Equal(AppendProtocolHeader(nil, id), b[:8]) {
			t.Fatalf("%x is taken for protocol %d", b[:8], id)
		}
	})
}

// someMessage has every section and every property.
var someMessage = &Message{
	Header: &Header{Durable: Some(true), Priority: Some(uint8(4)), TTL: Some(uint32(60000)),
		FirstAcquirer: Some(false), DeliveryCount: 3},
	DeliveryAnnotations: Map{{Key: Symbol("x-opt-lock-token"), Value: UUID{1}}},
	MessageAnnotations:  Map{{Key: Symbol("x-opt-partition-key"), Value: nil}},
	Properties: &Properties{
		MessageID: "id", UserID: []byte{}, To: Some("t"), Subject: Some("s"), ReplyTo: Some("r"),
		CorrelationID: uint64(9),
		ContentType:   Some("text/plain"), ContentEncoding: Some("gzip"),
		AbsoluteExpiryTime: Some(time.UnixMilli(5).UTC()),
		CreationTime:       Some(time.UnixMilli(4).UTC()), GroupID: Some(""), GroupSequence: Some(uint32(7)),
		ReplyToGroupID: Some("g"),
	},
	ApplicationProperties: Map{{Key: "n", Value: int64(-5)}, {Key: "s", Value: "x"}},
	Body: AppendMapSection(AppendData(AppendData(nil, []byte("a")), []byte("bc")), SectionFooter,
		Map{}),
}

func TestMessageEncodesAndDecodes(t *testing.T) {
	for _, want := range []*Message{
		someMessage,
		{},
		{Header: &Header{}, Properties: &Properties{}},
		{Body: AppendValue(AppendSection(nil, SectionValue), nil)},
		{Body: AppendValue(AppendSection(nil, SectionSequence), List{int32(1)})},
	} {
		wire := AppendMessage(nil, want)
		got, err := ParseMessage(wire)
		if err != nil {
			t.Errorf("ParseMessage(%x): %v", wire, err)
			continue
		}
		if joined := append(bytes.Clone(got.RawProperties), got.Rest...); !bytes.HasSuffix(wire, joined) ||
			len(joined) < len(got.Body) {
			t.Errorf("the raw sections %x are not the end of %x", joined, wire)
		}
		got.RawProperties, got.Rest = nil, nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("ParseMessage(%x) = %+v, want %+v", wire, got, want)
		}
	}
	var data []string
	for d := range DataSections(someMessage.Body) {
		data = append(data, string(d))
	}
	if want := []string{"a", "bc"}; !reflect.DeepEqual(data, want) {
		t.Errorf("DataSections = %q, want %q", data, want)
	}
}

// The Python SDK writes delivery annotations behind the body.
func TestDeliveryAnnotationsMayBeLast(t *testing.T) {
	wire := unhex(t, "00 5374 c10100 00 5375 a00161 00 5371 c10100")
	m, err := ParseMessage(wire)
	if err != nil {
		t.Fatal(err)
	}
	if want := unhex(t, "00 5375 a00161"); !bytes.Equal(m.Body, want) || !bytes.HasSuffix(m.Rest, want) {
		t.Errorf("body is %x, what is passed on %x, want both to end with %x", m.Body, m.Rest, want)
	}
}

// The JavaScript SDK writes a footer in front of the body.
func TestFooterMovesBehindTheBody(t *testing.T) {
	wire := unhex(t, "00 5370 45 00 5373 45 00 5378 c10702 a10166 a10166 00 5375 a00161")
	m, err := ParseMessage(wire)
	if err != nil {
		t.Fatal(err)
	}
	if want := unhex(t, "00 5375 a00161 00 5378 c10702 a10166 a10166"); !bytes.Equal(m.Body, want) ||
		!bytes.Equal(m.Rest, want) || m.Properties == nil {
		t.Errorf("body is %x, what is passed on %x, want %x", m.Body, m.Rest, want)
	}
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	for _, tt := range []struct{ name, wire, text string }{
		{"not that of a message section", "a10161", "not with a descriptor"},
		{"a performative", "00 5310 45", "not that of a message section"},
		{"header behind properties", "00 5373 45 00 5370 45", "after section"},
		{"delivery annotations amid the body", "00 5375 a000 00 5371 c10100 00 5375 a000", "is not the last"},
		{"two headers", "00 5370 45 00 5370 45", "after section"},
		{"two footers", "00 5378 c10100 00 5378 c10100", "after section"},
		{"a footer amid the body", "00 5375 a000 00 5378 c10100 00 5375 a000", "after section"},
		{"two values", "00 5377 40 00 5377 40", "after section"},
		{"data behind a sequence", "00 5376 45 00 5375 a000", "after section"},
		{"data of a string", "00 5375 a10161", "holds constructor"},
		{"sequence of a map", "00 5376 c10100", "holds constructor"},
		{"value cut off", "00 5377", "is empty"},
		{"annotations that are a list", "00 5372 45", "where a map belongs"},
		{"message id of type int", "00 5373 c00301 5401", "message id"},
		{"body cut off", "00 5375 a00561", "5 bytes wanted"},
	} {
		m, err := ParseMessage(unhex(t, tt.wire))
		if err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: ParseMessage(%s) = %+v, %v, want …%s…", tt.name, tt.wire, m, err, tt.text)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(AppendMessage(nil, someMessage))
	f.Add(AppendValue(AppendSection(nil, SectionValue), Map{{Key: "lock-tokens", Value: ArrayOf(CodeUUID, UUID{2})}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		if err != nil {
			return
		}
		for range DataSections(m.Body) {
			continue
		}
		if v, err := ParseValueBody(m.Body); err == nil {
			AppendValue(nil, v)
		}
		encoded := AppendMessage(nil, m)
		again, err := ParseMessage(encoded)
		if err != nil {
			t.Fatalf("%x encodes to %x, and that parses as %v", b, encoded, err)
		}
		if twice := AppendMessage(nil, again); !bytes.Equal(encoded, twice) {
			t.Fatalf("%x encodes to %x, then to %x", b, encoded, twice)
		}
	})
}
