package engineio

import (
	"bytes"
	"errors"
	"testing"
)

// Rows are from the protocol documents: Engine.IO v4, "Packet encoding".
var packetRows = []struct {
	name string
	p    packet
	wire string
}{
	{"open", packet{kind: packetOpen, data: []byte(`{"sid":"x"}`)}, `0{"sid":"x"}`},
	{"close", packet{kind: packetClose}, "1"},
	{"ping", packet{kind: packetPing}, "2"},
	{"ping with data, as a probe", packet{kind: packetPing, data: []byte("probe")}, "2probe"},
	{"pong", packet{kind: packetPong, data: []byte("probe")}, "3probe"},
	{"message", packet{kind: packetMessage, data: []byte("hello")}, "4hello"},
	{"empty message", packet{kind: packetMessage}, "4"},
	{"message of several bytes a character", packet{kind: packetMessage, data: []byte("€")}, "4€"},
	{"upgrade", packet{kind: packetUpgrade}, "5"},
	{"noop", packet{kind: packetNoop}, "6"},
	{"binary", packet{kind: packetMessage, binary: true, data: []byte{1, 2, 3, 4}}, "bAQIDBA=="},
	{"empty binary", packet{kind: packetMessage, binary: true}, "b"},
}

func TestPacketsEncodeAndDecode(t *testing.T) {
	for _, row := range packetRows {
		if got := string(appendPolled(nil, row.p)); got != row.wire {
			t.Errorf("%s: appendPolled = %q, want %q", row.name, got, row.wire)
		}
		got, err := parsePolled([]byte(row.wire))
		if err != nil || !samePacket(got, row.p) {
			t.Errorf("%s: parsePolled(%q) = %+v, %v, want %+v", row.name, row.wire, got, err, row.p)
		}
	}
}

func TestMalformedPacketsAreRefused(t *testing.T) {
	for wire, want := range map[string]error{
		"":       errEmptyPacket,
		"7":      errPacketType,
		"abc":    errPacketType,
		"/":      errPacketType,
		"bAQ=":   errPacketBase64,
		"b!!!!":  errPacketBase64,
		"\x004x": errPacketType,
	} {
		if _, err := parsePolled([]byte(wire)); !errors.Is(err, want) {
			t.Errorf("parsePolled(%q) = %v, want %v", wire, err, want)
		}
	}
}

func samePacket(a, b packet) bool {
	return a.kind == b.kind && a.binary == b.binary && bytes.Equal(a.data, b.data)
}

func collect(seq func(func(packet, error) bool)) (all []packet, err error) {
	for p, e := range seq {
		if e != nil {
			return all, e
		}
		all = append(all, p)
	}
	return all, nil
}

func TestPayloadsEncodeAndDecode(t *testing.T) {
	// Engine.IO v4, "Packet encoding", HTTP long-polling.
	const wire = "4hello\x1e2\x1e4world\x1ebAQIDBA=="
	want := []packet{packetRows[5].p, packetRows[2].p, {kind: packetMessage, data: []byte("world")}, packetRows[10].p}
	got, err := collect(packets([]byte(wire)))
	if err != nil || len(got) != len(want) {
		t.Fatalf("packets(%q) = %v, %v, want %v", wire, got, err, want)
	}
	e := payloadEncoder{protocol: V4}
	for i, p := range got {
		if !samePacket(p, want[i]) {
			t.Errorf("packet %d = %+v, want %+v", i, p, want[i])
		}
		e.add(p)
	}
	if payload, _ := e.finish(); string(payload) != wire {
		t.Errorf("payload = %q, want %q", payload, wire)
	}
}

func TestMalformedPayloadsAreRefused(t *testing.T) {
	for _, wire := range []string{"", "\x1e", "4a\x1e", "4a\x1e\x1e4b", "4a\x1exyz"} {
		if all, err := collect(packets([]byte(wire))); err == nil {
			t.Errorf("packets(%q) = %v, want an error", wire, all)
		}
	}
}

// Rows are from Engine.IO v3, "Payload"; lengths count UTF-16 code units.
var payload3Rows = []struct {
	name    string
	packets []packet
	text    string
	binary  string
}{
	{"one", []packet{{kind: packetMessage, data: []byte("hello")}}, "6:4hello", "\x00\x06\xff4hello"},
	{
		"two",
		[]packet{{kind: packetMessage, data: []byte("hello")}, {kind: packetPing}},
		"6:4hello1:2",
		"\x00\x06\xff4hello\x00\x01\xff2",
	},
	{"a character of three bytes", []packet{{kind: packetMessage, data: []byte("€")}}, "2:4€", "\x00\x04\xff4€"},
	{"two code units", []packet{{kind: packetMessage, data: []byte("😀")}}, "3:4😀", "\x00\x05\xff4😀"},
	{
		"binary",
		[]packet{{kind: packetMessage, binary: true, data: []byte{1, 2, 3, 4}}},
		"10:b4AQIDBA==",
		"\x01\x05\xff\x04\x01\x02\x03\x04",
	},
	{
		"eleven bytes",
		[]packet{{kind: packetMessage, data: []byte("0123456789")}},
		"11:40123456789",
		"\x00\x01\x01\xff40123456789",
	},
}

func TestProtocol3PayloadsEncodeAndDecode(t *testing.T) {
	for _, row := range payload3Rows {
		var text, binary []byte
		for _, p := range row.packets {
			text, binary = appendTextV3(text, p), appendBinaryV3(binary, p)
		}
		if string(text) != row.text || string(binary) != row.binary {
			t.Errorf("%s: encoded %q and %q, want %q and %q", row.name, text, binary, row.text, row.binary)
		}
		checkPackets(t, row.name+" text", packetsV3([]byte(row.text), false), row.packets)
		checkPackets(t, row.name+" binary", packetsV3([]byte(row.binary), true), row.packets)
	}
}

func checkPackets(t *testing.T, name string, seq func(func(packet, error) bool), want []packet) {
	t.Helper()
	got, err := collect(seq)
	if err != nil || len(got) != len(want) {
		t.Errorf("%s: decoded %v, %v, want %v", name, got, err, want)
		return
	}
	for i := range got {
		if !samePacket(got[i], want[i]) {
			t.Errorf("%s: packet %d = %+v, want %+v", name, i, got[i], want[i])
		}
	}
}

func TestMalformedProtocol3PayloadsAreRefused(t *testing.T) {
	for _, wire := range []string{"", ":", "x:4a", "5:4a", "99999999999:4", "-1:4", "2:4😀", "0:", "3:b4!", "1:9"} {
		if all, err := collect(packetsV3([]byte(wire), false)); err == nil {
			t.Errorf("packetsV3(%q) as text = %v, want an error", wire, all)
		}
	}
	for _, wire := range []string{"", "\x00", "\x00\xff", "\x02\x01\xff4", "\x00\x09\xff4", "\x00\x0b\xff4",
		"\x01\x01\xff\x09", "\x01\x00\xff",
		"\x00\x02\xff4\xff", "\x01\x04\x02\x09\x04\x09\x06\x07\x02\x09\x05\xff4",
		"\x00\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\xff4"} {
		if all, err := collect(packetsV3([]byte(wire), true)); err == nil {
			t.Errorf("packetsV3(%q) as bytes = %v, want an error", wire, all)
		}
	}
}

// FuzzPayload checks the decoders of all payloads: no panic, and decoded packets encode to a
// payload that decodes to the same.
func FuzzPayload(f *testing.F) {
	for _, row := range packetRows {
		f.Add([]byte(row.wire), uint8(0))
	}
	f.Add([]byte("4hello\x1e2\x1e4world\x1ebAQIDBA=="), uint8(0))
	for _, row := range payload3Rows {
		f.Add([]byte(row.text), uint8(1))
		f.Add([]byte(row.binary), uint8(2))
	}
	f.Fuzz(func(t *testing.T, wire []byte, kind uint8) {
		decode := []func([]byte) func(func(packet, error) bool){
			func(b []byte) func(func(packet, error) bool) { return packets(b) },
			func(b []byte) func(func(packet, error) bool) { return packetsV3(b, false) },
			func(b []byte) func(func(packet, error) bool) { return packetsV3(b, true) },
		}[kind%3]
		decoded, err := collect(decode(wire))
		if err != nil {
			return
		}
		var again []byte
		for i, p := range decoded {
			switch kind % 3 {
			case 0:
				if i > 0 {
					again = append(again, recordSeparator)
				}
				again = appendPolled(again, p)
			case 1:
				again = appendTextV3(again, p)
			case 2:
				again = appendBinaryV3(again, p)
			}
		}
		checkPackets(t, "encoded again", decode(again), decoded)
	})
}

func TestFrameHeadersFitTheirLength(t *testing.T) {
	for _, row := range []struct {
		size int
		want []byte
	}{
		{0, []byte{0x81, 1}},
		{124, []byte{0x81, 125}},
		{125, []byte{0x81, 126, 0, 126}},
		{65534, []byte{0x81, 126, 0xff, 0xff}},
		{65535, []byte{0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
	} {
		frame := appendFrame(nil, frameText, "4", make([]byte, row.size))
		if !bytes.HasPrefix(frame, row.want) || len(frame) != len(row.want)+1+row.size {
			t.Errorf("frame of %d bytes starts % x and has %d, want % x", row.size, frame[:10], len(frame), row.want)
		}
	}
}

func TestCloseFrameReasonIsCutBetweenCharacters(t *testing.T) {
	reason := string(bytes.Repeat([]byte("가"), 100))
	frame := appendCloseFrame(nil, 1000, reason)
	if len(frame) > 127 || frame[1] > 125 || !bytes.HasSuffix(frame, []byte("가")) {
		t.Errorf("close frame has %d bytes, payload length %d, ends % x", len(frame), frame[1], frame[len(frame)-3:])
	}
}
