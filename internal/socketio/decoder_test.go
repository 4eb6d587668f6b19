package socketio

import (
	"errors"
	"strings"
	"testing"

	"chatapp/internal/engineio"
)

func TestDecoder(t *testing.T) {
	lim := testLimits
	lim.packetBytes = 100
	word := func(s string) engineio.Message { return engineio.Message{Data: []byte(s)} }
	data := func(n int) engineio.Message { return engineio.Message{Data: make([]byte, n), Binary: true} }
	const two = `52-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`
	for _, row := range []struct {
		name     string
		messages []engineio.Message
		want     error // of the last message; nil: it completes a packet
	}{
		{"text alone", []engineio.Message{word(`2["e"]`)}, nil},
		{"both attachments", []engineio.Message{word(two), data(1), data(2)}, nil},
		{"twice", []engineio.Message{word(two), data(1), data(2), word(two), data(1), data(2)}, nil},
		{"no attachment announced", []engineio.Message{word(`50-["e"]`)}, nil},
		{"then text again", []engineio.Message{word(`50-["e"]`), word(`2["e"]`)}, nil},
		{"attachment out of nowhere", []engineio.Message{data(1)}, errUnannouncedBinary},
		{"one too many", []engineio.Message{word(two), data(1), data(2), data(3)}, errUnannouncedBinary},
		{"text too early", []engineio.Message{word(two), data(1), word(`2["e"]`)}, errTextInBinary},
		{"placeholder without attachment", []engineio.Message{word(`51-["e",{"_placeholder":true,"num":1}]`)},
			errPlaceholder},
		{"too large together", []engineio.Message{word(two), data(30), data(30)}, errPacketSize},
		{"text too large", []engineio.Message{word(`51-["` + strings.Repeat("x", 100) + `"]`)}, errPacketSize},
	} {
		t.Run(row.name, func(t *testing.T) {
			var d decoder
			var in incoming
			for i, m := range row.messages {
				complete, err := d.add(m, &in, &lim)
				if i < len(row.messages)-1 {
					if err != nil {
						t.Fatalf("message %d: %v", i, err)
					}
					continue
				}
				if !errors.Is(err, row.want) || complete != (row.want == nil) {
					t.Errorf("add(%q) = %v, %v, want %v", m.Data, complete, err, row.want)
				}
			}
		})
	}
}

// FuzzDecoder passes on whatever event it is given: what comes out must be an event again, with the
// same number of arguments and no more attachments.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte(`2["e",1]`), []byte(nil), []byte(nil))
	f.Add([]byte(`51-["e",{"_placeholder":true,"num":0}]`), []byte{1}, []byte(nil))
	f.Add([]byte(`52-["e",[{"num":1,"_placeholder":true}],{"_placeholder":true,"num":0}]`), []byte{1}, []byte{2})
	f.Add([]byte(`52-["e",{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":1}}]`), []byte{1}, []byte{2})
	f.Fuzz(func(t *testing.T, text, a, b []byte) {
		var d decoder
		var in incoming
		complete, err := d.add(engineio.Message{Data: text}, &in, &testLimits)
		for _, data := range [][]byte{a, b} {
			if err != nil || complete {
				break
			}
			complete, err = d.add(engineio.Message{Data: data, Binary: true}, &in, &testLimits)
		}
		if err != nil || !complete || in.packet.kind != packetEvent && in.packet.kind != packetBinaryEvent {
			return
		}
		args := in.event.Args
		args.spans = args.spans[1:]
		var out body
		if err := out.encodeEvent("back", args.Values()); err != nil {
			t.Fatalf("%q cannot be passed on: %v", text, err)
		}
		if len(out.attachments) > len(args.attachments) {
			t.Fatalf("%q has %d attachments, passed on %d", text, len(args.attachments), len(out.attachments))
		}
		var again incoming
		complete, err = d.add(engineio.Message{Data: out.appendPacket(nil, packetEvent, "/", 0)}, &again, &testLimits)
		for _, data := range out.attachments {
			if err != nil {
				break
			}
			complete, err = d.add(engineio.Message{Data: data, Binary: true}, &again, &testLimits)
		}
		if errors.Is(err, errPacketSize) {
			return
		}
		if err != nil || !complete || len(again.packet.args) != len(in.packet.args) {
			t.Fatalf("%q is passed on as %q: %v", text, out.text, err)
		}
	})
}
