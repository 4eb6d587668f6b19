package state

// Code is the reason why something was refused, by State.Apply, by the Parse functions, or by an instance on its own.
// The numbers are not part of any encoding.
type Code uint8

const (
	Accepted Code = iota
	NoName
	NameTaken
	NameInvalid
	NameTooLong
	NameLost
	NameFixed
	Empty
	TooLong
	BadArgument
	UnknownEvent
	TooFast
	NotInRoom
	RoomInvalid
	TooManyRooms
	UnknownRoom
	Overloaded
	RoomClosed
	Unavailable
	PastUnavailable
	NumCodes
)

var codeNames = [NumCodes]string{
	NoName:       "no_name",
	NameTaken:    "name_taken",
	NameInvalid:  "name_invalid",
	NameTooLong:  "name_too_long",
	NameLost:     "name_lost",
	NameFixed:    "name_fixed",
	Empty:        "empty",
	TooLong:      "too_long",
	BadArgument:  "bad_argument",
	UnknownEvent: "unknown_event",
	TooFast:      "too_fast",
	NotInRoom:    "not_in_room",
	RoomInvalid:  "room_invalid",
	TooManyRooms: "too_many_rooms",
	UnknownRoom:  "unknown_room",
	Overloaded:   "overloaded",
	RoomClosed:   "room_closed",
	Unavailable:  "unavailable",

	PastUnavailable: "history_unavailable",
}

// String returns the code as clients receive it; "" for Accepted.
func (c Code) String() string { return codeNames[c] }
