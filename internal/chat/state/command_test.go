package state

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// zeros is the rest of a Hash whose first byte is given.
const zeros = "000000000000000000000000000000"

// commands are all kinds with their encoding, which is what instances of other releases read.
var commands = []struct {
	name    string
	command Command
	body    string // hexadecimal, with a space between items
}{
	{"claim", Command{Ref: 1, Conn: 2, Action: &Claim{Name: "Ann", Key: "ann", Token: Hash{1}, Client: Hash{2},
		SID: "s", Born: 5, Protocol: V4, Variant: true, HoldMillis: 300, RoomLimit: 16, Rooms: []string{"go", "c"},
		Origin: Hash{3}}},
		"03 01 83 01 02 8c 63416e6e 63616e6e 5001" + zeros + " 5002" + zeros +
			" 6173 05 01 f5 19012c 10 82 62676f 6163 5003" + zeros},
	{"rename", Command{Ref: 1, Conn: 2, Action: &Rename{Name: "Bé", Key: "bé"}}, "03 02 83 01 02 82 6342c3a9 6362c3a9"},
	{"leave the chat", Command{Ref: 1, Conn: 200, Action: &LeaveChat{}}, "03 03 83 01 18c8 80"},
	{"disconnect", Command{Ref: 1, Conn: 2, Action: &Disconnect{HoldMillis: 5}}, "03 04 83 01 02 81 05"},
	{"expire", Command{Action: &Expire{Users: []Stamp{{User: 7, Generation: 9}, {User: 8, Generation: 10}}}},
		"03 05 83 00 00 81 82 82 07 09 82 08 0a"},
	{"join", Command{Ref: 1, Conn: 2, Action: &Join{Room: "go", RoomLimit: 16}}, "03 06 83 01 02 82 62676f 10"},
	{"leave", Command{Ref: 1, Conn: 2, Action: &Leave{Room: "go"}}, "03 07 83 01 02 81 62676f"},
	{"say", Command{Ref: 1, Conn: 2, Action: &Say{Room: "lobby", CID: "c1", Text: "hi", Token: Hash{1}, From: "Ann"}},
		"03 08 83 01 02 85 656c6f626279 626331 626869 5001" + zeros + " 63416e6e"},
	{"typing", Command{Ref: 1, Conn: 2, Action: &Typing{Room: "lobby", On: true}}, "03 09 83 01 02 82 656c6f626279 f5"},
	{"enter", Command{Ref: 1, Conn: 2, Action: &Enter{Room: "g0", Key: "go", RoomLimit: 16}},
		"03 0a 83 01 02 83 626730 62676f 10"},
	{"forget", Command{Ref: 1, Conn: 2, Action: &Forget{Stored: true}}, "03 0b 83 01 02 81 f5"},
	{"confirm erased", Command{Action: &ConfirmErased{Through: 300}}, "03 0c 83 00 00 81 19012c"},
	{"retain", Command{Action: &Retain{Before: 5}}, "03 0d 83 00 00 81 05"},
	{"adjust", Command{Action: NewAdjust(Settings{Bounds: Bounds{RoomLines: 7}, RetentionMillis: 5})},
		"03 0e 83 00 00 82 8a " + defaultBounds + " 05"},
	{"move", Command{Ref: 1, Conn: 2, Action: &Move{Claim: Claim{Name: "Ann", Key: "ann", Token: Hash{1},
		Rooms: []string{}}, Former: Hash{4}, OfOrigin: true}},
		"03 0f 83 01 02 83 8c 63416e6e 63616e6e 5001" + zeros + " 5000" + zeros + " 60 00 00 f4 00 00 80 5000" + zeros +
			" 5004" + zeros + " f5"},
}

// defaultBounds are the bounds of rooms of 7 lines.
const defaultBounds = "07 1a01000000 192710 1a000186a0 191000 1a0001d4c0 1a0036ee80 1a0003a980 1a03000000 5000" + zeros

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCommandsAreEncodedAsDocumented(t *testing.T) {
	for _, test := range commands {
		t.Run(test.name, func(t *testing.T) {
			want := unhex(t, test.body)
			if body := test.command.Encode(); !bytes.Equal(body, want) {
				t.Errorf("Encode(%+v) = %x, want %x", test.command, body, want)
			}
			c, err := DecodeCommand(want)
			if err != nil || !reflect.DeepEqual(c, test.command) {
				t.Errorf("DecodeCommand(%x) = %+v, %v, want %+v", want, c, err, test.command)
			}
		})
	}
}

func TestMalformedCommandsAreRefused(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       error
	}{
		{"empty", "", errMalformed},
		{"version only", "03", errMalformed},
		{"earlier version", "02 03 83 01 02 80", errUnknown},
		{"later version", "04 03 83 01 02 80", errUnknown},
		{"kind 0", "03 00 83 01 02 80", errUnknown},
		{"kind of a later release", "03 10 83 01 02 80", errUnknown},
		{"cut off", "03 03 83 01 18", errMalformed},
		{"action missing", "03 03 82 01 02", errMalformed},
		{"action null", "03 03 83 01 02 f6", errMalformed},
		{"command null", "03 03 f6", errMalformed},
		{"field missing", "03 06 83 01 02 81 62676f", errMalformed},
		{"field too many", "03 03 83 01 02 81 00", errMalformed},
		{"bytes behind", "03 03 83 01 02 80 00", errMalformed},
		{"negative number", "03 03 83 01 20 80", errMalformed},
		{"text not UTF-8", "03 07 83 01 02 81 6267ff", errMalformed},
		{"text above its limit", "03 07 83 01 02 81 7881" + strings.Repeat("67", 129), errMalformed},
		{"list longer than the body", "03 05 83 00 00 81 9a00ffffff 82 07 09", errMalformed},
		{"claim of a room without a name", "03 01 83 01 02 8c 63416e6e 63616e6e 5001" + zeros + " 5002" + zeros +
			" 60 05 00 f4 00 00 82 623030 60 5003" + zeros, errMalformed},
		{"hold time beyond a day", "03 04 83 01 02 81 1a05265c01", errMalformed},
		{"room without a name", "03 06 83 01 02 82 60 10", errMalformed},
		{"room without a key", "03 0a 83 01 02 83 626730 60 10", errMalformed},
		{"name without a key", "03 02 83 01 02 82 6142 60", errMalformed},
		{"adjust without bounds", "03 0e 83 00 00 82 8a 00" + defaultBounds[2:] + " 05", errMalformed},
		{"adjust with a key", "03 0e 83 00 00 82 8a " + strings.Replace(defaultBounds, "5000", "5001", 1) + " 05",
			errMalformed},
		{"adjust with a retention below 0", "03 0e 83 00 00 82 8a " + defaultBounds + " 20", errMalformed},
		{"retain without a time", "03 0d 83 00 00 81 00", errMalformed},
		{"empty message", "03 08 83 01 02 85 656c6f626279 60 60 5001" + zeros + " 60", errMalformed},
		{"unknown protocol", "03 01 83 01 02 8c 63416e6e 63616e6e 5001" + zeros + " 5002" + zeros +
			" 60 05 02 f4 00 00 80 5003" + zeros, errMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			if c, err := DecodeCommand(unhex(t, test.body)); !errors.Is(err, test.want) {
				t.Errorf("DecodeCommand(%s) = %+v, %v, want %v", test.body, c, err, test.want)
			}
		})
	}
}

func FuzzCommand(f *testing.F) {
	for _, test := range commands {
		f.Add(unhex(f, test.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		kept := bytes.Clone(body)
		c, err := DecodeCommand(body)
		if len(body) > 2 && kind(body[1]) == sayKind && body[0] == commandVersion {
			byLibrary, libraryErr := decodeAny(sayKind, body)
			if !reflect.DeepEqual(c, byLibrary) || (err == nil) != (libraryErr == nil) {
				t.Fatalf("DecodeCommand(%x) = %+v, %v, by the library %+v, %v", body, c, err, byLibrary, libraryErr)
			}
		}
		if !bytes.Equal(body, kept) {
			t.Fatalf("DecodeCommand(%x) changed its argument to %x", kept, body)
		}
		if err != nil {
			return
		}
		encoded := c.Encode()
		again, err := DecodeCommand(encoded)
		if err != nil || !bytes.Equal(again.Encode(), encoded) || !bytes.Equal(c.encode(), encoded) {
			t.Errorf("DecodeCommand(%x) = %+v, encoded and decoded again %+v, %v", body, c, again, err)
		}
		// Every command that decodes can be applied, to an empty State and to one that knows its names and rooms.
		New(smallBounds()).Apply(Entry{Instance: "a", Number: 1, Body: body}, &c)
		s := newScript(t)
		s.populate()
		s.do("a", c)
		s.check()
	})
}
