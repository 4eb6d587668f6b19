package chat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"
)

// A command is the body of an entry: two bytes, version and kind, and the fields of that kind (fields) in order. Numbers
// are unsigned varints, strings and lists go with their length before them, hashes are 16 bytes. A
// version is raised when a kind changes; a new kind needs none, but is ignored by instances that don't know it, and so
// must not be appended before all do.
const commandVersion = 1

type kind uint8

const (
	claimName  kind = 1 + iota // bind a user to a session: a new one by a free name, or a known one by his token
	renameUser                 // give him another name
	leaveChat                  // he goes, and his name is free at once
	dropUser                   // his connection was lost
	expireUser                 // nobody came back for these
	joinRoom
	leaveRoom
	say
	typing   // told to the others and forgotten
	lastKind = typing
)

// Limits of a command's fields, in bytes and in elements of a list. What exceeds them does not decode.
const (
	maxText     = 48 << 10
	maxCID      = 64
	maxSID      = 64
	maxList     = 4096
	maxHold     = 24 * time.Hour
	maxKeyBytes = 2*maxNameBytes + 8 // a name or key, and the number that makes it free
)

// hash stands for a secret in the log: the first half of its SHA-256.
type hash [16]byte

// stamp names a user as of a change: what refers to an older change of him is void.
type stamp struct {
	_    struct{} `cbor:",toarray"`
	User uint64
	Gen  uint64
}

// command is an entry of the chat. Which fields a kind has, fields tells.
type command struct {
	Kind kind
	Ref  uint64 // by which the appending instance finds who waits for the outcome
	Conn uint64 // the session, a number of the appending instance's

	Name, Key string   // of a nickname; both empty in a claim: only by token
	Token     hash     // of the secret by which a user is known again
	Page      hash     // of the socket's private id; zero: it has none
	SID       string   // the socket's public id
	Born      uint64   // when it was connected, by its instance's clock, in Unix milliseconds
	Dialect   dialect  // in which the socket is spoken to
	Variant   bool     // take a free variant of the name rather than refuse
	Hold      uint64   // milliseconds
	Rooms     []string // to be in from the start
	Limit     uint64   // rooms he may be in
	Room      string
	Text      string
	CID       string // the message's id at the client
	On        bool
	Users     []stamp
}

// dialect is a vocabulary of events.
type dialect uint8

const (
	classic dialect = iota // that of 0.9, and all we add
	modern                 // that of the 4.x example
)

// coder visits the fields of a command, to write them or to read them.
type coder interface {
	number(*uint64)
	text(*string, int)
	hash(*hash)
	flag(*bool)
	texts(*[]string, int)
	stamps(*[]stamp)
}

// fields visits the fields that commands of this kind have.
func (c *command) fields(v coder) {
	v.number(&c.Ref)
	switch c.Kind {
	case claimName:
		v.number(&c.Conn)
		v.text(&c.Name, maxKeyBytes)
		v.text(&c.Key, maxKeyBytes)
		v.hash(&c.Token)
		v.hash(&c.Page)
		v.text(&c.SID, maxSID)
		v.number(&c.Born)
		isModern := c.Dialect == modern
		v.flag(&isModern)
		if isModern {
			c.Dialect = modern
		}
		v.flag(&c.Variant)
		v.number(&c.Hold)
		v.number(&c.Limit)
		v.texts(&c.Rooms, maxNameBytes)
	case renameUser:
		v.number(&c.Conn)
		v.text(&c.Name, maxKeyBytes)
		v.text(&c.Key, maxKeyBytes)
	case leaveChat:
		v.number(&c.Conn)
	case dropUser:
		v.number(&c.Conn)
		v.number(&c.Hold)
	case expireUser:
		v.stamps(&c.Users)
	case joinRoom:
		v.number(&c.Conn)
		v.text(&c.Room, maxNameBytes)
		v.number(&c.Limit)
	case leaveRoom:
		v.number(&c.Conn)
		v.text(&c.Room, maxNameBytes)
	case say:
		v.number(&c.Conn)
		v.text(&c.Room, maxNameBytes)
		v.text(&c.CID, maxCID)
		v.text(&c.Text, maxText)
	case typing:
		v.number(&c.Conn)
		v.text(&c.Room, maxNameBytes)
		v.flag(&c.On)
	}
}

// encode returns the body of an entry.
func (c *command) encode() []byte {
	w := writer{body: make([]byte, 2, 64+len(c.Text)+len(c.Name)+len(c.Key)+16*len(c.Users))}
	w.body[0], w.body[1] = commandVersion, byte(c.Kind)
	c.fields(&w)
	return w.body
}

var (
	errUnknown   = errors.New("command of an unknown version or kind")
	errMalformed = errors.New("malformed command")
)

// decodeCommand reads a body. What it returns shares no memory with it.
func decodeCommand(body []byte) (command, error) {
	if len(body) < 2 {
		return command{}, errMalformed
	}
	c := command{Kind: kind(body[1])}
	if body[0] != commandVersion || c.Kind == 0 || c.Kind > lastKind {
		return command{}, fmt.Errorf("%w: %d, %d", errUnknown, body[0], body[1])
	}
	r := reader{rest: body[2:]}
	c.fields(&r)
	if r.bad || len(r.rest) > 0 || !c.valid() {
		return command{}, fmt.Errorf("%w of kind %d", errMalformed, body[1])
	}
	return c, nil
}

// valid reports that the fields are such as this program appends.
func (c *command) valid() bool {
	switch c.Kind {
	case claimName:
		return (c.Name == "") == (c.Key == "") && !slices.Contains(c.Rooms, "") && c.Hold <= uint64(maxHold/time.Millisecond)
	case renameUser:
		return c.Name != "" && c.Key != ""
	case dropUser:
		return c.Hold <= uint64(maxHold/time.Millisecond)
	case say:
		return c.Room != "" && c.Text != ""
	case joinRoom, leaveRoom, typing:
		return c.Room != ""
	}
	return true
}

type writer struct{ body []byte }

func (w *writer) number(n *uint64) { w.body = binary.AppendUvarint(w.body, *n) }
func (w *writer) hash(h *hash)     { w.body = append(w.body, h[:]...) }

func (w *writer) text(s *string, _ int) {
	w.body = binary.AppendUvarint(w.body, uint64(len(*s)))
	w.body = append(w.body, *s...)
}

func (w *writer) flag(b *bool) {
	if *b {
		w.body = append(w.body, 1)
	} else {
		w.body = append(w.body, 0)
	}
}

func (w *writer) texts(list *[]string, limit int) {
	w.body = binary.AppendUvarint(w.body, uint64(len(*list)))
	for i := range *list {
		w.text(&(*list)[i], limit)
	}
}

func (w *writer) stamps(list *[]stamp) {
	w.body = binary.AppendUvarint(w.body, uint64(len(*list)))
	for i := range *list {
		w.number(&(*list)[i].User)
		w.number(&(*list)[i].Gen)
	}
}

type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) number(n *uint64) {
	value, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return
	}
	*n, r.rest = value, r.rest[size:]
}

// count reads a length, of what takes at least size bytes each.
func (r *reader) count(limit, size int) int {
	var n uint64
	r.number(&n)
	if n > math.MaxInt32 || int(n) > limit || int(n)*size > len(r.rest) {
		r.bad, r.rest = true, nil
		return 0
	}
	return int(n)
}

func (r *reader) text(s *string, limit int) {
	n := r.count(limit, 1)
	if !utf8.Valid(r.rest[:n]) {
		r.bad = true
	}
	*s, r.rest = string(r.rest[:n]), r.rest[n:]
}

func (r *reader) hash(h *hash) {
	if len(r.rest) < len(h) {
		r.bad, r.rest = true, nil
		return
	}
	r.rest = r.rest[copy(h[:], r.rest):]
}

func (r *reader) flag(b *bool) {
	if len(r.rest) == 0 || r.rest[0] > 1 {
		r.bad, r.rest = true, nil
		return
	}
	*b, r.rest = r.rest[0] == 1, r.rest[1:]
}

func (r *reader) texts(list *[]string, limit int) {
	if n := r.count(maxList, 1); n > 0 {
		*list = make([]string, n)
		for i := range *list {
			r.text(&(*list)[i], limit)
		}
	}
}

func (r *reader) stamps(list *[]stamp) {
	if n := r.count(maxList, 2); n > 0 {
		*list = make([]stamp, n)
		for i := range *list {
			r.number(&(*list)[i].User)
			r.number(&(*list)[i].Gen)
		}
	}
}
