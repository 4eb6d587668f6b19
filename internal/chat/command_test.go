package chat

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// commands are all kinds with their encoding, which is what instances of another version read.
var commands = []struct {
	name    string
	command command
	body    string
}{
	{"claim", command{Kind: claimName, Ref: 1, Conn: 2, Name: "Ann", Key: "ann", Token: hash{1}, Page: hash{2}, SID: "s", Born: 5,
		Dialect: modern, Variant: true, Hold: 300, Limit: 16, Rooms: []string{"go", "c"}},
		"\x01\x01\x01\x02\x03Ann\x03ann\x01" + strings.Repeat("\x00", 15) + "\x02" + strings.Repeat("\x00", 15) +
			"\x01s\x05\x01\x01\xac\x02\x10\x02\x02go\x01c"},
	{"rename", command{Kind: renameUser, Ref: 1, Conn: 2, Name: "Bé", Key: "bé"}, "\x01\x02\x01\x02\x03B\xc3\xa9\x03b\xc3\xa9"},
	{"leave the chat", command{Kind: leaveChat, Ref: 1, Conn: 200}, "\x01\x03\x01\xc8\x01"},
	{"drop", command{Kind: dropUser, Ref: 1, Conn: 2, Hold: 5}, "\x01\x04\x01\x02\x05"},
	{"expire", command{Kind: expireUser, Users: []stamp{{User: 7, Gen: 9}, {User: 8, Gen: 10}}}, "\x01\x05\x00\x02\x07\x09\x08\x0a"},
	{"join", command{Kind: joinRoom, Ref: 1, Conn: 2, Room: "go", Limit: 16}, "\x01\x06\x01\x02\x02go\x10"},
	{"leave a room", command{Kind: leaveRoom, Ref: 1, Conn: 2, Room: "go"}, "\x01\x07\x01\x02\x02go"},
	{"say", command{Kind: say, Ref: 1, Conn: 2, Room: "lobby", CID: "c1", Text: "hi"}, "\x01\x08\x01\x02\x05lobby\x02c1\x02hi"},
	{"typing", command{Kind: typing, Ref: 1, Conn: 2, Room: "lobby", On: true}, "\x01\x09\x01\x02\x05lobby\x01"},
}

func TestCommands(t *testing.T) {
	for _, test := range commands {
		t.Run(test.name, func(t *testing.T) {
			if body := test.command.encode(); string(body) != test.body {
				t.Errorf("encode(%+v) = %q, want %q", test.command, body, test.body)
			}
			c, err := decodeCommand([]byte(test.body))
			if err != nil || !reflect.DeepEqual(c, test.command) {
				t.Errorf("decodeCommand(%q) = %+v, %v, want %+v", test.body, c, err, test.command)
			}
		})
	}
}

func TestMalformedCommands(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       error
	}{
		{"nothing", "", errMalformed},
		{"version only", "\x01", errMalformed},
		{"other version", "\x02\x03\x01\x02", errUnknown},
		{"kind nought", "\x01\x00\x01", errUnknown},
		{"kind of the future", "\x01\x0a\x01", errUnknown},
		{"cut in a number", "\x01\x03\x01\xc8", errMalformed},
		{"number too long", "\x01\x03\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", errMalformed},
		{"more than the fields", "\x01\x03\x01\x02\x00", errMalformed},
		{"text longer than the body", "\x01\x07\x01\x02\x03go", errMalformed},
		{"text not UTF-8", "\x01\x07\x01\x02\x02g\xff", errMalformed},
		{"text above its limit", "\x01\x07\x01\x02\x81\x01" + strings.Repeat("g", 129), errMalformed},
		{"list longer than the body", "\x01\x05\x00\xff\x1f\x07\x09", errMalformed},
		{"flag of two", "\x01\x09\x01\x02\x05lobby\x02", errMalformed},
		{"hold beyond a day", "\x01\x04\x01\x02\x80\x80\x80\x80\x01", errMalformed},
		{"room without a name", "\x01\x06\x01\x02\x00\x10", errMalformed},
		{"name without a key", "\x01\x02\x01\x02\x01B\x00", errMalformed},
		{"nothing said", "\x01\x08\x01\x02\x05lobby\x00\x00", errMalformed},
		{"no room for a hash", "\x01\x01\x01\x02\x03Ann\x03ann\x01", errMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			if c, err := decodeCommand([]byte(test.body)); !errors.Is(err, test.want) {
				t.Errorf("decodeCommand(%q) = %+v, %v, want %v", test.body, c, err, test.want)
			}
		})
	}
}

func FuzzCommand(f *testing.F) {
	for _, test := range commands {
		f.Add([]byte(test.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		kept := bytes.Clone(body)
		c, err := decodeCommand(body)
		if !bytes.Equal(body, kept) {
			t.Fatalf("decodeCommand(%q) changed its argument to %q", kept, body)
		}
		if err != nil {
			return
		}
		again, err := decodeCommand(c.encode())
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("decodeCommand(%q) = %+v, encoded and decoded again %+v, %v", body, c, again, err)
		}
		// Whatever decodes may be applied, to an empty state and to one where names, rooms and sessions are known.
		newState(smallBounds()).apply(Entry{Instance: "a", Number: 1, Body: body}, &c)
		s := newScript(t)
		s.populate()
		s.do("a", c)
		s.check()
	})
}
