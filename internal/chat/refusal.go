package chat

import "time"

// Refusal is an answer to a user who asked for what is not possible. It is what clients are sent, as is.
type Refusal struct {
	OK      bool   `json:"ok"` // always false
	Code    string `json:"code"`
	Message string `json:"message"`        // a sentence for people
	Wait    int64  `json:"wait,omitempty"` // milliseconds after which it makes sense to try again
}

// code says why something was refused. The state's outcomes use it too, so the numbers are not part of any encoding.
type code uint8

const (
	accepted code = iota
	noName
	nameTaken
	nameInvalid
	nameTooLong
	nameLost
	nameFixed
	empty
	tooLong
	badArgument
	tooFast
	notInRoom
	roomInvalid
	tooManyRooms
	unknownRoom
	overloaded
	unavailable
	codes // how many there are
)

var refusals = [codes]Refusal{
	noName:       {Code: "no_name", Message: "Choose a nickname first."},
	nameTaken:    {Code: "name_taken", Message: "Nickname already in use"},
	nameInvalid:  {Code: "name_invalid", Message: "A nickname needs something to read, and no control characters."},
	nameTooLong:  {Code: "name_too_long", Message: "This nickname is too long."},
	nameLost:     {Code: "name_lost", Message: "Your nickname was given up while you were away."},
	nameFixed:    {Code: "name_fixed", Message: "You are signed in under your name, which cannot be changed here."},
	empty:        {Code: "empty", Message: "There is nothing in this message."},
	tooLong:      {Code: "too_long", Message: "This message is too long."},
	badArgument:  {Code: "bad_argument", Message: "The server did not understand this."},
	tooFast:      {Code: "too_fast", Message: "You are too fast. Wait a moment."},
	notInRoom:    {Code: "not_in_room", Message: "Join the room first."},
	roomInvalid:  {Code: "room_invalid", Message: "A room's name is short and has no control characters."},
	tooManyRooms: {Code: "too_many_rooms", Message: "You are in too many rooms."},
	unknownRoom:  {Code: "unknown_room", Message: "There is no such room."},
	overloaded:   {Code: "overloaded", Message: "The chat is very busy. Try again in a moment.", Wait: 2000},
	unavailable:  {Code: "unavailable", Message: "This server is shutting down.", Wait: 1000},
}

// refusal tells a client why. wait is rounded up to a millisecond.
func (c code) refusal(wait time.Duration) Refusal {
	r := refusals[c]
	if wait > 0 {
		r.Wait = int64((wait + time.Millisecond - 1) / time.Millisecond)
	}
	return r
}
