package state

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// commandVersion is the version of the encoding of commands. A change of what commands do, or a kind more, needs no new
// one, but new Rules.
const commandVersion = 3

// arrayOfThree is the first byte of a Command after version and kind.
const arrayOfThree = 0x83

// Limits of the fields of commands: bytes, elements of a list, milliseconds. A command that exceeds one does not
// decode.
const (
	MaxText       = 48 << 10
	MaxCID        = 64
	MaxSID        = 64
	MaxHoldMillis = 24 * 60 * 60 * 1000
	maxList       = 4096
	maxKeyBytes   = 3*maxSignedInBytes + 8 // a nickname or its key, and the number that makes it free
	maxElements   = 1 << 20                // of any list, in commands and snapshots

	maxRoomKeyBytes = 2 * maxNameBytes
)

// Command is the body of an entry. Encoded it is a sequence of CBOR items: version, kind, and the array
// [Ref, Conn, Action], with the action as the array of its fields.
type Command struct {
	_      struct{} `cbor:",toarray"`
	Ref    uint64   // by which the appending instance recognizes the command
	Conn   uint64   // the socket at the appending instance; see ConnID
	Action Action
}

// Action is what a Command does: a pointer to one of the types below.
type Action interface {
	kind() kind
	valid() bool
	apply(*State, origin) Outcome
}

type kind uint8

const (
	claimKind kind = 1 + iota
	renameKind
	leaveChatKind
	disconnectKind
	expireKind
	joinKind
	leaveKind
	sayKind
	typingKind
	enterKind
	forgetKind
	confirmErasedKind
	retainKind
	adjustKind
	moveKind
	kinds
)

// Claim binds a socket to a user: to the one that Token names, or to a new one with a free nickname. For a user that is
// known it changes the nickname as well, unless Name and Key are empty.
type Claim struct {
	_          struct{} `cbor:",toarray"`
	Name, Key  string   // of a Nickname
	Token      Hash     // of the resume token
	Client     Hash     // the client instance: of the private id of the socket; zero: it has none
	SID        string   // the public id of the socket
	Born       uint64   // when the socket was connected, by its instance's clock, in Unix milliseconds
	Protocol   Protocol
	Variant    bool     // take a free variant of the nickname where it is taken
	HoldMillis uint64   // how long the user keeps its nickname when its instance leaves the cluster
	RoomLimit  uint64   // how many rooms it may be in
	Rooms      []string // that a new user is to enter
	Origin     Hash     // by which users share rooms and history, see State.OriginOf; zero: unknown
}

// Rename changes the nickname of the user on the socket.
type Rename struct {
	_         struct{} `cbor:",toarray"`
	Name, Key string   // of a Nickname
}

// LeaveChat frees the nickname of the user on the socket at once.
type LeaveChat struct {
	_ struct{} `cbor:",toarray"`
}

// Disconnect says that the socket was lost. Its user keeps the nickname for HoldMillis.
type Disconnect struct {
	_          struct{} `cbor:",toarray"`
	HoldMillis uint64
}

// Expire frees the nicknames of users that are still disconnected.
type Expire struct {
	_     struct{} `cbor:",toarray"`
	Users []Stamp
}

// Stamp names one disconnection of a user. It is void once the user has returned.
type Stamp struct {
	_          struct{} `cbor:",toarray"`
	User       uint64
	Generation uint64
}

// Join makes the user on the socket a member of a room.
type Join struct {
	_         struct{} `cbor:",toarray"`
	Room      string
	RoomLimit uint64 // how many rooms it may be in
}

// Leave ends Join.
type Leave struct {
	_    struct{} `cbor:",toarray"`
	Room string
}

// Say records a message of the user on the socket, once for every CID. Token and From are the user's: they count when
// the message comes again (Entry.Again), and its user is not known any more.
type Say struct {
	_     struct{} `cbor:",toarray"`
	Room  string
	CID   string // the id that the client gave it; "": none
	Text  string
	Token Hash
	From  string // the user's nickname; "": the message is not recorded if it comes again
}

// Typing reports that the user on the socket types, or has stopped. It leaves nothing in the State.
type Typing struct {
	_    struct{} `cbor:",toarray"`
	Room string
	On   bool
}

// Enter makes the user on the socket a member of a room: of the one with that name, or else of the one whose name looks
// like it. It comes with version 2 of the rules, and takes the place of Join.
type Enter struct {
	_         struct{} `cbor:",toarray"`
	Room      string
	Key       string // RoomKey of the room's name, by the instance that appends the command
	RoomLimit uint64 // how many rooms it may be in
}

// Move is the Claim of a client that has presented the private id of an earlier socket, which its instance did not know
// as anybody's. The log may know it: then the claim is one of the user that was on that socket. It comes with version 7
// of the rules.
type Move struct {
	_        struct{} `cbor:",toarray"`
	Claim    Claim
	Former   Hash // the client instance that the client was: of the private id that it has presented
	OfOrigin bool // only a user of the claim's Origin is meant: of the person that is signed in
}

// newAction creates the action of a kind to decode into.
var newAction = [kinds]func() Action{
	claimKind:      func() Action { return new(Claim) },
	renameKind:     func() Action { return new(Rename) },
	leaveChatKind:  func() Action { return new(LeaveChat) },
	disconnectKind: func() Action { return new(Disconnect) },
	expireKind:     func() Action { return new(Expire) },
	joinKind:       func() Action { return new(Join) },
	leaveKind:      func() Action { return new(Leave) },
	sayKind:        func() Action { return new(Say) },
	typingKind:     func() Action { return new(Typing) },
	enterKind:      func() Action { return new(Enter) },

	forgetKind:        func() Action { return new(Forget) },
	confirmErasedKind: func() Action { return new(ConfirmErased) },
	retainKind:        func() Action { return new(Retain) },
	adjustKind:        func() Action { return new(Adjust) },

	moveKind: func() Action { return new(Move) },
}

func (*Claim) kind() kind      { return claimKind }
func (*Rename) kind() kind     { return renameKind }
func (*LeaveChat) kind() kind  { return leaveChatKind }
func (*Disconnect) kind() kind { return disconnectKind }
func (*Expire) kind() kind     { return expireKind }
func (*Join) kind() kind       { return joinKind }
func (*Leave) kind() kind      { return leaveKind }
func (*Say) kind() kind        { return sayKind }
func (*Typing) kind() kind     { return typingKind }
func (*Enter) kind() kind      { return enterKind }

func (*Forget) kind() kind        { return forgetKind }
func (*ConfirmErased) kind() kind { return confirmErasedKind }
func (*Retain) kind() kind        { return retainKind }

func (*Move) kind() kind { return moveKind }

func (*Enter) since() uint64 { return EnterSince }
func (*Move) since() uint64  { return MoveSince }

func (c *Claim) valid() bool {
	return (c.Name == "") == (c.Key == "") && len(c.Name) <= maxKeyBytes && len(c.Key) <= maxKeyBytes &&
		len(c.SID) <= MaxSID && c.HoldMillis <= MaxHoldMillis && c.Protocol <= V4 && len(c.Rooms) <= maxList &&
		!slices.ContainsFunc(c.Rooms, func(room string) bool { return !validRoom(room) })
}

func (c *Move) valid() bool { return c.Claim.valid() && c.Former != Hash{} }

func (c *Rename) valid() bool {
	return c.Name != "" && c.Key != "" && len(c.Name) <= maxKeyBytes && len(c.Key) <= maxKeyBytes
}

func (c *Say) valid() bool {
	return validRoom(c.Room) && len(c.CID) <= MaxCID && c.Text != "" && len(c.Text) <= MaxText &&
		len(c.From) <= maxKeyBytes
}

func (*LeaveChat) valid() bool    { return true }
func (c *Disconnect) valid() bool { return c.HoldMillis <= MaxHoldMillis }
func (c *Expire) valid() bool     { return len(c.Users) <= maxList }
func (c *Join) valid() bool       { return validRoom(c.Room) }
func (c *Leave) valid() bool      { return validRoom(c.Room) }
func (c *Typing) valid() bool     { return validRoom(c.Room) }
func (c *Enter) valid() bool      { return validRoom(c.Room) && validRoomKey(c.Key) }

func validRoom(name string) bool   { return name != "" && len(name) <= maxNameBytes }
func validRoomKey(key string) bool { return key != "" && len(key) <= maxRoomKeyBytes }

// Encode returns the body of an entry. It belongs to the caller.
func (c *Command) Encode() []byte {
	if say, ok := c.Action.(*Say); ok {
		return say.encode(c.Ref, c.Conn)
	}
	return c.encode()
}

// encode is Encode by package cbor, for all kinds.
func (c *Command) encode() []byte {
	buffer := bytes.NewBuffer(make([]byte, 0, 96+c.payload()))
	buffer.WriteByte(commandVersion) // integers below 24 are CBOR items of one byte
	buffer.WriteByte(byte(c.Action.kind()))
	if err := encoding.MarshalToBuffer(c, buffer); err != nil {
		panic(err) // no field of a command can fail to encode
	}
	return buffer.Bytes()
}

// payload is about how many bytes the action's list takes.
func (c *Command) payload() int {
	if a, ok := c.Action.(*Expire); ok {
		return 16 * len(a.Users)
	}
	return 0
}

var (
	errUnknown   = errors.New("command of an unknown version or kind")
	errMalformed = errors.New("malformed command")
)

// DecodeCommand decodes the body of an entry. The result shares no memory with it.
func DecodeCommand(body []byte) (c Command, err error) {
	defer func() {
		if r := recover(); r != nil {
			c, err = Command{}, fmt.Errorf("%w: panic: %v", errMalformed, r)
		}
	}()
	return decodeCommand(body)
}

func decodeCommand(body []byte) (Command, error) {
	if len(body) < 2 {
		return Command{}, errMalformed
	}
	k := kind(body[1])
	if body[0] != commandVersion || k == 0 || k >= kinds {
		return Command{}, fmt.Errorf("%w: %d, %d", errUnknown, body[0], body[1])
	}
	if k == sayKind {
		if c, ok := decodeSay(body[2:]); ok {
			return c, nil
		}
	}
	return decodeAny(k, body)
}

// decodeAny decodes a command of any known kind by package cbor.
func decodeAny(k kind, body []byte) (Command, error) {
	if len(body) == 2 || body[2] != arrayOfThree { // the decoder accepts null, too
		return Command{}, fmt.Errorf("%w of kind %d", errMalformed, k)
	}
	c := Command{Action: newAction[k]()}
	action := c.Action
	if err := decoding.Unmarshal(body[2:], &c); err != nil {
		return Command{}, fmt.Errorf("%w of kind %d: %w", errMalformed, k, err)
	}
	if c.Action != action || !action.valid() {
		return Command{}, fmt.Errorf("%w of kind %d", errMalformed, k)
	}
	return c, nil
}

// encoding and decoding are the codec of commands and snapshots.
var (
	encoding = must(cbor.CoreDetEncOptions().UserBufferEncMode())
	decoding = must(cbor.DecOptions{
		MaxNestedLevels:  8,
		MaxArrayElements: maxElements,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		UTF8:             cbor.UTF8RejectInvalid,
	}.DecMode())
)

func must[T any](mode T, err error) T {
	if err != nil {
		panic(err) // the options above contradict each other
	}
	return mode
}
