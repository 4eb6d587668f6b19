package chat

import (
	"bytes"
	"time"

	"chatapp/internal/chat/state"
	"chatapp/internal/socketio"
)

// handleEvents registers what clients may send: the events of the chat example of Socket.IO 0.9 with the ones that this
// server adds, and those of 4.x.
func (c *Chat) handleEvents() {
	c.out.nsp.OnConnect(c.connect)
	c.out.nsp.OnDisconnect(c.disconnect)
	c.on("nickname", c.nicknames.onNickname)
	c.on("rename", c.nicknames.onRename)
	c.on("user message", c.commands.onMessage)
	c.on("join", c.commands.onJoin)
	c.on("leave", c.commands.onLeave)
	c.on("rooms", c.rosters.onRooms)
	c.on("who", c.rosters.onWho)
	c.on("history", c.history.onHistory)
	c.on("search", c.history.onSearch)
	c.on("forget me", c.onForget)
	c.on("status", c.status.onStatus)
	c.on("typing", func(r *request) { c.typing.onTyping(r, true) })
	c.on("stop typing", func(r *request) { c.typing.onTyping(r, false) })
	c.on("add user", c.nicknames.onAddUser)
	c.on("new message", c.commands.onMessage)
	c.out.nsp.OnUnknown(c.onUnknown)
}

// request is an event that a client has sent. Handlers parse its arguments first and then lock Chat.mu.
type request struct {
	*socketio.Event
	client *client
	name   string
	ack    socketio.Ack

	span Span       // nil: not traced, or its command ends it
	code state.Code // of the refusal
}

func (c *Chat) on(name string, handler func(*request)) {
	c.out.nsp.On(name, func(s *socketio.Socket, e *socketio.Event) {
		cl, ok := s.Data().(*client)
		if !ok { // connect has not let it in
			_ = e.Ack(newRefusal(state.Unavailable, 0))
			return
		}
		r := &request{Event: e, client: cl, name: name, ack: e.Deferred()}
		if c.options.Trace == nil {
			handler(r)
			return
		}
		r.span = c.options.Trace(s, name)
		handler(r)
		if r.span != nil {
			r.span.End(r.code.String())
		}
	})
}

// given reports whether argument i is there. null counts as not given: JavaScript sends undefined as null.
func (r *request) given(i int) bool {
	raw := bytes.TrimSpace(r.Raw(i))
	return len(raw) > 0 && string(raw) != "null"
}

// options decodes the optional object that argument i may be into v, whose fields keep their values where the client
// gives none. It reports false if the argument is no object or a field is of a wrong type: to take that for an option
// that was not given could say in public what was meant for a room.
func (r *request) options(i int, v any) bool {
	if !r.given(i) {
		return true
	}
	return bytes.TrimSpace(r.Raw(i))[0] == '{' && r.Decode(i, v) == nil
}

// optionsArgument is options. It refuses the request if the argument is wrong.
func (c *core) optionsArgument(r *request, i int, v any) bool {
	ok := r.options(i, v)
	if !ok {
		c.refuse(r, state.BadArgument)
	}
	return ok
}

// refuse refuses a request before Chat.mu is locked.
func (c *core) refuse(r *request, code state.Code) {
	c.mu.Lock()
	defer c.unlock()
	c.refuseRequestLocked(r, code, 0)
}

func (c *core) refuseRequestLocked(r *request, code state.Code, wait time.Duration) {
	r.code = code
	c.refuseLocked(r.client, r.name, r.ack, code, wait)
}

// roomArgument returns the room that the first argument names, as a string or in an object, and otherwise if it names
// none. It refuses the request if the argument is of a wrong type, or no legal name.
func (c *core) roomArgument(r *request, otherwise string) (string, bool) {
	var options struct {
		Room *string `json:"room"`
	}
	if typed, ok := r.String(0); ok {
		options.Room = &typed
	} else if !c.optionsArgument(r, 0, &options) {
		return "", false
	}
	room, code := c.parseRoom(options.Room, otherwise)
	if code != state.Accepted {
		c.refuse(r, code)
	}
	return room, code == state.Accepted
}

// parseRoom returns the room that a client has named; otherwise where typed is nil.
func (c *core) parseRoom(typed *string, otherwise string) (string, state.Code) {
	if typed != nil {
		return state.ParseRoom(*typed, c.options.MaxNicknameLength)
	}
	if otherwise == "" {
		return "", state.RoomInvalid
	}
	return otherwise, state.Accepted
}

// onUnknown refuses an event that the chat does not know, if its client waits for an answer. Others are ignored, as
// by any Socket.IO server.
func (c *Chat) onUnknown(_ *socketio.Socket, e *socketio.Event) {
	if !e.WantsAck() {
		return
	}
	c.mu.Lock()
	c.counts.refusals[state.UnknownEvent]++
	c.mu.Unlock()
	_ = e.Ack(newRefusal(state.UnknownEvent, 0)) // an error means that the client is gone
}
