package socketio

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

var testLimits = limits{depth: 8, arguments: 6, attachments: 10, packetBytes: 1000, namespace: 16}

// goldenPackets are the examples of the protocol documents and of the official test suite.
var goldenPackets = []struct {
	name string
	want packet // without args
	args []string
	wire string
}{
	// Socket.IO v5, "Packet encoding", "Examples"
	{"connect", packet{kind: packetConnect}, nil, `0`},
	{"connect to a namespace", packet{kind: packetConnect, namespace: []byte("/admin"),
		payload: []byte(`{"sid":"oSO0OpakMV_3jnilAAAA"}`)}, nil,
		`0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}`},
	{"connect error", packet{kind: packetConnectError, payload: []byte(`{"message":"Not authorized"}`)}, nil,
		`4{"message":"Not authorized"}`},
	{"event", packet{kind: packetEvent, payload: []byte(`["foo"]`)}, []string{`"foo"`}, `2["foo"]`},
	{"event in a namespace", packet{kind: packetEvent, namespace: []byte("/admin"), payload: []byte(`["bar"]`)},
		[]string{`"bar"`}, `2/admin,["bar"]`},
	{"binary event", packet{kind: packetBinaryEvent, attachments: 1,
		payload: []byte(`["baz",{"_placeholder":true,"num":0}]`)},
		[]string{`"baz"`, `{"_placeholder":true,"num":0}`}, `51-["baz",{"_placeholder":true,"num":0}]`},
	{"binary event with two attachments", packet{kind: packetBinaryEvent, attachments: 2, namespace: []byte("/admin"),
		payload: []byte(`["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)},
		[]string{`"baz"`, `{"_placeholder":true,"num":0}`, `{"_placeholder":true,"num":1}`},
		`52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`},
	{"event that wants an ack", packet{kind: packetEvent, id: 12, hasID: true, payload: []byte(`["foo"]`)},
		[]string{`"foo"`}, `212["foo"]`},
	{"ack", packet{kind: packetAck, namespace: []byte("/admin"), id: 13, hasID: true, payload: []byte(`["bar"]`)},
		[]string{`"bar"`}, `3/admin,13["bar"]`},
	{"empty ack", packet{kind: packetAck, id: 0, hasID: true, payload: []byte(`[]`)}, nil, `30[]`},
	{"binary ack", packet{kind: packetBinaryAck, attachments: 1, id: 15, hasID: true,
		payload: []byte(`["bar",{"_placeholder":true,"num":0}]`)},
		[]string{`"bar"`, `{"_placeholder":true,"num":0}`}, `61-15["bar",{"_placeholder":true,"num":0}]`},
	{"disconnect", packet{kind: packetDisconnect}, nil, `1`},
	{"disconnect from a namespace", packet{kind: packetDisconnect, namespace: []byte("/admin")}, nil, `1/admin,`},
	// Socket.IO v5, "Sample session"
	{"event with a namespace and an id", packet{kind: packetEvent, namespace: []byte("/admin"), id: 1,
		hasID: true, payload: []byte(`["tellme"]`)}, []string{`"tellme"`}, `2/admin,1["tellme"]`},
	// The official test suite, "message"
	{"event with several arguments", packet{kind: packetEvent, payload: []byte(`["message",1,"2",{"3":[true]}]`)},
		[]string{`"message"`, `1`, `"2"`, `{"3":[true]}`}, `2["message",1,"2",{"3":[true]}]`},
	// Socket.IO protocol 4, spoken by 2.x clients
	{"error of protocol 4", packet{kind: packetConnectError, payload: []byte(`"Not authorized"`)}, nil,
		`4"Not authorized"`},
	{"connect with a query", packet{kind: packetConnect, namespace: []byte("/admin?a=b&c=d"), payload: nil}, nil,
		`0/admin?a=b&c=d,`},
	// The reference implementation
	{"event named by a number", packet{kind: packetEvent, payload: []byte(`[1,2]`)}, []string{`1`, `2`}, `2[1,2]`},
	{"greatest id", packet{kind: packetEvent, id: maxID, hasID: true, payload: []byte(`["a"]`)}, []string{`"a"`},
		`29007199254740991["a"]`},
}

func TestPacket(t *testing.T) {
	for _, row := range goldenPackets {
		t.Run(row.name, func(t *testing.T) {
			var got packet
			if err := got.parse([]byte(row.wire), &testLimits); err != nil {
				t.Fatalf("parse(%q): %v", row.wire, err)
			}
			if !equalPackets(&got, &row.want) {
				t.Errorf("parse(%q) = %+v, want %+v", row.wire, got, row.want)
			}
			if args := argTexts(&got); !slices.Equal(args, row.args) {
				t.Errorf("parse(%q) has elements %q, want %q", row.wire, args, row.args)
			}
			if wire := string(appendPacket(&row.want)); wire != row.wire {
				t.Errorf("append(%+v) = %q, want %q", row.want, wire, row.wire)
			}
		})
	}
}

func TestPacketParseLenient(t *testing.T) {
	for _, row := range []struct{ wire, same string }{
		{`0/custom`, `0/custom,`},
		{`1/custom`, `1/custom,`},
		{`0/,{}`, `0{}`},
		{`2/,["a"]`, `2["a"]`},
		{`2[ "a" , 1 ] `, `2[ "a" , 1 ] `},
	} {
		var got, want packet
		if err := got.parse([]byte(row.wire), &testLimits); err != nil {
			t.Errorf("parse(%q): %v", row.wire, err)
		}
		if err := want.parse([]byte(row.same), &testLimits); err != nil {
			t.Fatal(err)
		}
		if !equalPackets(&got, &want) {
			t.Errorf("parse(%q) = %+v, want %+v", row.wire, got, want)
		}
	}
}

// The limit of a namespace's name leaves out the query that clients of Socket.IO 2 put behind it.
func TestPacketNamespaceLength(t *testing.T) {
	lim := testLimits
	lim.namespace = 10
	for wire, want := range map[string]error{
		`0/123456789`:                   nil,
		`0/123456789,`:                  nil,
		`0/123456789?token=0123456789,`: nil,
		`0/1234567890`:                  errNamespaceLength,
		`0/1234567890?token=1,`:         errNamespaceLength,
	} {
		var p packet
		if err := p.parse([]byte(wire), &lim); !errors.Is(err, want) {
			t.Errorf("parse(%q) = %v, want %v", wire, err, want)
		}
	}
}

var malformedPackets = []struct {
	wire string
	want error
}{
	{``, errPacketEmpty},
	{`abc`, errPacketType},
	{`7["a"]`, errPacketType},
	{"\x002", errPacketType},
	{`2`, errPayload},
	{`2/admin`, errPayload},
	{`2/admin,`, errPayload},
	{`212`, errPayload},
	{`2{}`, errPayload},
	{`2"a"`, errPayload},
	{`2[]`, errPayload},
	{`2 ["a"]`, errPayload},
	{`2abc["a"]`, errPayload},
	{`2[null]`, errEventName},
	{`2[{}]`, errEventName},
	{`2[["a"]]`, errEventName},
	{`2[true]`, errEventName},
	{`2["connect"]`, errEventName},
	{`2["disconnect","x"]`, errEventName},
	{`2["disconnecting"]`, errEventName},
	{`2["connect_error"]`, errEventName},
	{`2["newListener"]`, errEventName},
	{`2["removeListener"]`, errEventName},
	{`2["\u0063onnect"]`, errEventName},
	{`2["a"`, errJSON},
	{`2["a",]`, errJSON},
	{`2["a" "b"]`, errJSON},
	{`2["a",{"b":1]`, errJSON},
	{`2["a",{"b" 1}]`, errJSON},
	{`2["a",{b:1}]`, errJSON},
	{`2["a",'b']`, errJSON},
	{`2["a",01]`, errJSON},
	{`2["a",-]`, errJSON},
	{`2["a",1.]`, errJSON},
	{`2["a",1e]`, errJSON},
	{`2["a",.5]`, errJSON},
	{`2["a",NaN]`, errJSON},
	{`2["a",undefined]`, errJSON},
	{`2["a",tru]`, errJSON},
	{`2["a","\x"]`, errJSON},
	{`2["a","\u12g4"]`, errJSON},
	{`2["a","\u12`, errJSON},
	{"2[\"a\nb\"]", errJSON},
	{`2["a"]]`, errJSONTrailing},
	{`2["a"]["b"]`, errJSONTrailing},
	{`2["a"]x`, errJSONTrailing},
	{`2["a",[[[[[[[[1]]]]]]]]]`, errJSONDepth},
	{`2["a",1,2,3,4,5,6]`, errManyArguments},
	{`207["a"]`, errAckID},
	{`29007199254740992["a"]`, errAckID},
	{`299999999999999999999999["a"]`, errAckID},
	{`3["a"]`, errAckID},
	{`31`, errPayload},
	{`31{}`, errPayload},
	{`31["a"`, errJSON},
	{`0[]`, errPayload},
	{`0null`, errPayload},
	{`0"token"`, errPayload},
	{`0{"a":1`, errJSON},
	{`0{"a":1}}`, errJSONTrailing},
	{`01{}`, errAckID},
	{`1{}`, errPayload},
	{`11`, errPayload},
	{`4`, errPayload},
	{`5["a"]`, errAttachmentCount},
	{`5-["a"]`, errAttachmentCount},
	{`5x-["a"]`, errAttachmentCount},
	{`5-1-["a"]`, errAttachmentCount},
	{`51["a"]`, errAttachmentCount},
	{`51`, errAttachmentCount},
	{`51.5-["a"]`, errAttachmentCount},
	{`511-["a"]`, errManyAttachments},
	{`59007199254740992-["a"]`, errAttachmentCount},
	{`2/` + strings.Repeat("n", 16) + `,["a"]`, errNamespaceLength},
	{`0/` + strings.Repeat("n", 16), errNamespaceLength},
}

func TestPacketMalformed(t *testing.T) {
	for _, row := range malformedPackets {
		var p packet
		if err := p.parse([]byte(row.wire), &testLimits); !errors.Is(err, row.want) {
			t.Errorf("parse(%.60q) = %v, want %v", row.wire, err, row.want)
		}
	}
}

// TestPacketNestedDeep keeps the scanner from recursing: the reference implementation's process dies of
// this packet.
func TestPacketNestedDeep(t *testing.T) {
	lim := testLimits
	lim.depth = deepest
	for _, brackets := range []string{"[", `{"a":`} {
		wire := `2["message",` + strings.Repeat(brackets, 100_000)
		var p packet
		if err := p.parse([]byte(wire), &lim); !errors.Is(err, errJSONDepth) {
			t.Errorf("parse of 100,000 times %q = %v, want %v", brackets, err, errJSONDepth)
		}
	}
	deep := `2["message",` + strings.Repeat("[", deepest-1) + strings.Repeat("]", deepest-1) + `]`
	var p packet
	if err := p.parse([]byte(deep), &lim); err != nil {
		t.Errorf("parse of arrays nested as deep as allowed: %v", err)
	}
}

func TestPacketParseAllocations(t *testing.T) {
	wire := []byte(`2/admin,17["user message","hello there",{"room":"general","at":[1,2,3]},null]`)
	p := packet{args: make([]span, 0, 8)}
	if n := testing.AllocsPerRun(100, func() {
		if err := p.parse(wire, &testLimits); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("parsing an event allocates %v times, want 0", n)
	}
}

func FuzzPacket(f *testing.F) {
	for _, row := range goldenPackets {
		f.Add([]byte(row.wire))
	}
	for _, row := range malformedPackets {
		f.Add([]byte(row.wire))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		var p packet
		if err := p.parse(wire, &testLimits); err != nil {
			return
		}
		again := appendPacket(&p)
		var q packet
		if err := q.parse(again, &testLimits); err != nil {
			t.Fatalf("parse(%q) is fine, but parse(%q) of its encoding: %v", wire, again, err)
		}
		if !equalPackets(&p, &q) || !slices.Equal(argTexts(&p), argTexts(&q)) {
			t.Fatalf("parse(%q) = %+v, but parse(%q) = %+v", wire, p, again, q)
		}
	})
}

func BenchmarkPacketParse(b *testing.B) {
	for _, row := range []struct{ name, wire string }{
		{"event", `2["user message","hello there, this is a chat message of sixty-four bytes"]`},
		{"namespace=and=ack", `2/admin,12["user message","hello",{"room":"general","at":[1,2,3]}]`},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(row.wire)))
			wire := []byte(row.wire)
			var p packet
			for b.Loop() {
				if err := p.parse(wire, &testLimits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func appendPacket(p *packet) []byte {
	return append(appendHeader(nil, p.kind, p.attachments, string(p.namespace), p.id, p.hasID), p.payload...)
}

func equalPackets(p, q *packet) bool {
	return p.kind == q.kind && p.attachments == q.attachments && string(p.namespace) == string(q.namespace) &&
		p.id == q.id && p.hasID == q.hasID && string(p.payload) == string(q.payload) &&
		(p.payload == nil) == (q.payload == nil)
}

func argTexts(p *packet) []string {
	var texts []string
	for _, at := range p.args {
		texts = append(texts, string(at.of(p.payload)))
	}
	return texts
}
