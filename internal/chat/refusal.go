package chat

import (
	"time"

	"chatapp/internal/chat/state"
	"chatapp/internal/socketio"
)

// Refusal is the reply to a request that can't be granted, as clients receive it.
type Refusal struct {
	OK      bool   `json:"ok"` // always false
	Code    string `json:"code"`
	Message string `json:"message"`        // a sentence for people
	Wait    int64  `json:"wait,omitempty"` // milliseconds after which the client may try again
}

var sentences = [state.NumCodes]string{
	state.NoName:       "Choose a nickname first.",
	state.NameTaken:    "Nickname already in use",
	state.NameInvalid:  "A nickname needs something to read, and must not look like the chat's own words.",
	state.NameTooLong:  "This nickname is too long.",
	state.NameLost:     "Your nickname was given up while you were away.",
	state.NameFixed:    "You are signed in under your name, which cannot be changed here.",
	state.Empty:        "There is nothing in this message.",
	state.TooLong:      "This message is too long.",
	state.BadArgument:  "The server did not understand this.",
	state.UnknownEvent: "The server does not know this event.",
	state.TooFast:      "You are too fast. Wait a moment.",
	state.NotInRoom:    "Join the room first.",
	state.RoomInvalid:  "A room's name is short and has no control characters.",
	state.TooManyRooms: "You are in too many rooms.",
	state.UnknownRoom:  "There is no such room.",
	state.Overloaded:   "The chat is very busy. Try again in a moment.",
	state.RoomClosed:   "A room that you were in was closed to make space for others.",
	state.Unavailable:  "This server is shutting down.",

	state.PastUnavailable: "Older messages can't be read at the moment. Try again later.",
}

// waits are the times after which a client may try again, in milliseconds, where the request itself does not say.
var waits = [state.NumCodes]int64{state.Overloaded: 2000, state.Unavailable: 1000,
	state.PastUnavailable: 5000}

// newRefusal rounds wait up to a millisecond; 0 stands for the time in waits.
func newRefusal(code state.Code, wait time.Duration) Refusal {
	r := Refusal{Code: code.String(), Message: sentences[code], Wait: waits[code]}
	if wait > 0 {
		r.Wait = int64((wait + time.Millisecond - 1) / time.Millisecond)
	}
	return r
}

// refuseLocked replies to a client's event with the reason why not, or emits it if the client wants no reply. wait is
// the time after which the client may try again, 0 if unknown.
func (c *core) refuseLocked(cl *client, name string, ack socketio.Ack, code state.Code, wait time.Duration) {
	c.counts.refusals[code]++
	switch code {
	case state.Overloaded, state.Unavailable, state.PastUnavailable: // which are no fault of the client
	default:
		c.out.countRefusal(cl)
	}
	refusal := newRefusal(code, wait)
	switch {
	case ack.Wanted() && (name == "nickname" || name == "rename"):
		c.out.reply(ack, true, refusal)
	case ack.Wanted():
		c.out.reply(ack, refusal)
	default:
		c.out.emit(cl, "refused", struct {
			Refusal
			Event string `json:"event"`
		}{refusal, name})
		if name == "user message" {
			// A page of 0.9 displays nothing else.
			c.out.emit(cl, "announcement", refusal.Message, announced{Kind: "refused", Code: refusal.Code})
		}
	}
}
