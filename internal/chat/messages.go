package chat

import "chatapp/internal/chat/state"

func (q *commands) onMessage(r *request) {
	say, code := q.parseMessage(r)
	if code != state.Accepted {
		q.refuse(r, code)
		return
	}
	q.mu.Lock()
	defer q.unlock()
	if !r.client.isNamed() {
		q.refuseRequestLocked(r, state.NoName, 0)
		return
	}
	if q.local.allowLocked(r, q.local.takeMessage(say.Text)) {
		say.Room = q.state.Meant(say.Room)
		say.Token, say.From = q.speaker(r.client)
		q.requestLocked(r, say)
	}
}

func (c *core) parseMessage(r *request) (*state.Say, state.Code) {
	// Every byte of the text takes six in JSON at most. A longer argument is refused before it costs anything.
	if len(r.Raw(0)) > 6*c.options.MaxMessageBytes+2 {
		return nil, state.TooLong
	}
	typed, ok := r.String(0)
	if !ok {
		return nil, state.BadArgument
	}
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
		q.requestLocked(r, &state.LeaveChat{})
	default:
		q.requestLocked(r, &state.Leave{Room: room})
	}
}
