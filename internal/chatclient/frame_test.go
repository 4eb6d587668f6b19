package chatclient

import (
	"bytes"
	"strings"
	"testing"
)

// wireFrames are frames as servers send them; the first is of RFC 6455, section 5.7.
var wireFrames = []struct {
	name string
	wire string
	want frame
}{
	{"hello", "\x81\x05Hello", frame{opText, true, []byte("Hello")}},
	{"first fragment", "\x01\x03Hel", frame{opText, false, []byte("Hel")}},
	{"last fragment", "\x80\x02lo", frame{opContinuation, true, []byte("lo")}},
	{"ping", "\x89\x05Hello", frame{opPing, true, []byte("Hello")}},
	{"pong, empty", "\x8a\x00", frame{opPong, true, nil}},
	{"close", "\x88\x02\x03\xe8", frame{opClose, true, []byte("\x03\xe8")}},
	{"256 bytes", "\x82\x7e\x01\x00" + strings.Repeat("x", 256), frame{opBinary, true, bytes.Repeat([]byte("x"), 256)}},
	{"64 KiB", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + strings.Repeat("x", 65536),
		frame{opBinary, true, bytes.Repeat([]byte("x"), 65536)}},
}

func TestScanFrame(t *testing.T) {
	for _, test := range wireFrames {
		t.Run(test.name, func(t *testing.T) {
			data := []byte(test.wire + "\x81\x01x")
			f, size, complete, err := scanFrame(data)
			if err != nil || !complete || size != len(test.wire) {
				t.Fatalf("scanFrame(%.20q) = size %d, complete %v, %v; want size %d", data, size, complete,
					err, len(test.wire))
			}
			if f.opcode != test.want.opcode || f.fin != test.want.fin || !bytes.Equal(f.payload, test.want.payload) {
				t.Errorf("scanFrame(%.20q) = %.30v, want %.30v", data, f, test.want)
			}
		})
	}
}

func TestScanFrameAsksForMore(t *testing.T) {
	for _, test := range wireFrames {
		for n := range min(len(test.wire), 20) {
			_, size, complete, err := scanFrame([]byte(test.wire[:n]))
			if complete || err != nil || size <= n || size > len(test.wire) {
				t.Errorf("%s: scanFrame of the first %d bytes = size %d, complete %v, %v; "+
					"want incomplete, size %d to %d",
					test.name, n, size, complete, err, n+1, len(test.wire))
			}
		}
	}
}

func TestScanFrameRefuses(t *testing.T) {
	tests := []struct{ name, wire, want string }{
		{"masked", "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "masked"},
		{"reserved bit", "\xc1\x05Hello", "reserved bit"},
		{"unknown opcode", "\x83\x00", "unknown opcode"},
		{"unknown control opcode", "\x8b\x00", "unknown opcode"},
		{"long ping", "\x89\x7e\x01\x00", "long or fragmented"},
		{"fragmented ping", "\x09\x00", "long or fragmented"},
		{"giant", "\x82\x7f\x00\x00\x00\x00\x01\x00\x00\x01", "frame of 16777217 bytes"},
		{"negative length", "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "frame of 18446744073709551615 bytes"},
	}
	for _, test := range tests {
		_, _, complete, err := scanFrame([]byte(test.wire))
		if complete || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: scanFrame(%q) = complete %v, %v; want an error with %q", test.name, test.wire,
				complete, err, test.want)
		}
	}
}

// unmask turns a client's frame into the same frame of a server.
func unmask(t testing.TB, wire []byte) []byte {
	t.Helper()
	header := 2
	switch wire[1] & 0x7f {
	case 126:
		header = 4
	case 127:
		header = 10
	}
	key := wire[header : header+4]
	out := append([]byte{wire[0], wire[1] &^ 0x80}, wire[2:header]...)
	for i, b := range wire[header+4:] {
		out = append(out, b^key[i%4])
	}
	return out
}

func TestAppendFrame(t *testing.T) {
	for _, size := range []int{0, 1, 7, 8, 9, 125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte("abcde"), size/5+1)[:size]
		wire := appendFrame([]byte("before"), opText, payload)
		if !bytes.HasPrefix(wire, []byte("before")) {
			t.Fatalf("appendFrame changed what was there: %.20q", wire)
		}
		wire = wire[len("before"):]
		if wire[1]&0x80 == 0 {
			t.Errorf("appendFrame of %d bytes: not masked", size)
		}
		f, n, complete, err := scanFrame(unmask(t, wire))
		if err != nil || !complete || n != len(wire)-4 || !f.fin || f.opcode != opText ||
			!bytes.Equal(f.payload, payload) {
			t.Errorf("appendFrame of %d bytes reads back as opcode %x, fin %v, %d bytes, %v", size, f.opcode,
				f.fin, len(f.payload), err)
		}
	}
}

func FuzzScanFrame(f *testing.F) {
	for _, test := range wireFrames {
		f.Add([]byte(test.wire))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fr, size, complete, err := scanFrame(data)
		if err != nil {
			return
		}
		if !complete {
			if size <= len(data) {
				t.Fatalf("scanFrame(%q) wants %d bytes, has %d", data, size, len(data))
			}
			return
		}
		if size > len(data) {
			t.Fatalf("scanFrame(%q) = size %d of %d", data, size, len(data))
		}
		again, _, complete, err := scanFrame(data[:size])
		if err != nil || !complete || !bytes.Equal(again.payload, fr.payload) {
			t.Fatalf("scanFrame(%q) = %q, %v; with more behind %q", data[:size], again.payload, err, fr.payload)
		}
		if !fr.fin {
			return
		}
		back, _, complete, err := scanFrame(unmask(t, appendFrame(nil, fr.opcode, fr.payload)))
		if err != nil || !complete || back.opcode != fr.opcode || !bytes.Equal(back.payload, fr.payload) {
			t.Fatalf("appendFrame(%x, %q) reads back as %x, %q, %v", fr.opcode, fr.payload, back.opcode,
				back.payload, err)
		}
	})
}
