package chat

import "chatapp/internal/chat/state"

// cheapText is the size of a text, in bytes, up to which it costs less to check than to look first whether the client
// may say anything at all.
const cheapText = 1 << 10

func (q *commands) onMessage(r *request) {
	typed, code := q.textArgument(r)
	if code != state.Accepted {
		q.refuse(r, code)
		return
	}
	large := len(typed) > cheapText
	if large && !q.allowText(r, typed) {
		return
	}
	say, code := q.parseMessage(r, typed)
	if code != state.Accepted {
		q.refuse(r, code)
		return
	}
	q.mu.Lock()
	defer q.unlock()
	switch {
	case !r.client.isNamed():
		q.refuseRequestLocked(r, state.NoName, 0)
	case large || q.local.allowLocked(r, q.local.takeMessage(say.Text)):
		say.Room = q.state.Meant(say.Room)
		say.Token, say.From = q.speaker(r.client)
		q.requestLocked(r, say)
	}
}

// textArgument returns the text of a message, as it came, unless it has more bytes than any may have.
func (c *core) textArgument(r *request) (string, state.Code) {
	// Every byte of the text takes six in JSON at most. A longer argument is refused before it costs anything.
	if len(r.Raw(0)) > 6*c.options.MaxMessageBytes+2 {
		return "", state.TooLong
	}
	switch typed, ok := r.String(0); {
	case !ok:
		return "", state.BadArgument
	case len(typed) > c.options.MaxMessageBytes:
		return "", state.TooLong
	default:
		return typed, state.Accepted
	}
}

// allowText reports whether a client may say a text that is large. To count its grapheme clusters takes more time than
// anything else that the server does with a message that it refuses, so it counts, be it accepted in the end or not.
func (q *commands) allowText(r *request, text string) bool {
	q.mu.Lock()
	defer q.unlock()
	if !r.client.isNamed() {
		q.refuseRequestLocked(r, state.NoName, 0)
		return false
	}
	return q.local.allowLocked(r, q.local.takeMessage(text))
}

func (c *core) parseMessage(r *request, typed string) (*state.Say, state.Code) {
	text, code := state.ParseText(typed, c.options.MaxMessageLength, c.options.MaxMessageBytes)
	var options struct {
		Room *string `json:"room"`
		CID  string  `json:"cid"`
	}
	if r.name == "user message" && !r.options(1, &options) || len(options.CID) > state.MaxCID {
		return nil, state.BadArgument
	}
	room := state.Lobby
	if code == state.Accepted {
		room, code = c.parseRoom(options.Room, state.Lobby)
	}
	return &state.Say{Room: room, Text: text, CID: options.CID}, code
}

func (q *commands) onJoin(r *request) {
	room, ok := q.roomArgument(r, "")
	if !ok {
		return
	}
	key := state.RoomKey(room)
	q.mu.Lock()
	defer q.unlock()
	if !q.local.allowNamedLocked(r) {
		return
	}
	meant, limit := q.state.Meant(room), uint64(q.options.MaxRooms)
	switch {
	case !q.local.allowRoomLocked(r, meant):
	case q.state.Rules() < state.EnterSince:
		q.requestLocked(r, &state.Join{Room: room, RoomLimit: limit})
	case key == "":
		q.refuseRequestLocked(r, state.RoomInvalid, 0)
	default:
		q.requestLocked(r, &state.Enter{Room: meant, Key: key, RoomLimit: limit})
	}
}

// onLeave leaves a room, or the chat.
func (q *commands) onLeave(r *request) {
	room, ok := q.roomArgument(r, state.Lobby)
	if !ok {
		return
	}
	q.mu.Lock()
	defer q.unlock()
	switch room = q.state.Meant(room); {
	case !q.local.allowNamedLocked(r):
	case room == state.Lobby:
		r.client.endUser()
		q.requestLocked(r, &state.LeaveChat{})
	default:
		q.requestLocked(r, &state.Leave{Room: room})
	}
}
