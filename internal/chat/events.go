package chat

import (
	"bytes"
	"time"

	"chatapp/internal/allowance"
	"chatapp/internal/chat/state"
	"chatapp/internal/socketio"
)

// handleEvents registers what clients may send: the events of the chat example of Socket.IO 0.9 with the ones that this
// server adds, and those of 4.x.
func (c *Chat) handleEvents() {
	c.out.nsp.OnConnect(c.connect)
	c.out.nsp.OnDisconnect(c.disconnect)
	c.on("nickname", c.onNickname)
	c.on("rename", c.onRename)
	c.on("user message", c.onMessage)
	c.on("join", c.onJoin)
	c.on("leave", c.onLeave)
	c.on("rooms", c.onRooms)
	c.on("who", c.onWho)
	c.on("history", c.onHistory)
	c.on("search", c.onSearch)
	c.on("forget me", c.onForget)
	c.on("status", c.onStatus)
	c.on("typing", func(r *request) { c.onTyping(r, true) })
	c.on("stop typing", func(r *request) { c.onTyping(r, false) })
	c.on("add user", c.onAddUser)
	c.on("new message", c.onMessage)
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
func (c *Chat) optionsArgument(r *request, i int, v any) bool {
	ok := r.options(i, v)
	if !ok {
		c.refuse(r, state.BadArgument)
	}
	return ok
}

// refuse refuses a request before Chat.mu is locked.
func (c *Chat) refuse(r *request, code state.Code) {
	c.mu.Lock()
	defer c.unlock()
	c.refuseRequestLocked(r, code, 0)
}

func (c *core) refuseRequestLocked(r *request, code state.Code, wait time.Duration) {
	r.code = code
	c.refuseLocked(r.client, r.name, r.ack, code, wait)
}

// allowLocked reports whether a request is within the client's budget and the chat is not closed. If not, it refuses
// the request.
func (c *Chat) allowLocked(r *request, take func(*client) (time.Duration, bool)) bool {
	if c.closed {
		c.refuseRequestLocked(r, state.Unavailable, 0)
		return false
	}
	wait, ok := take(r.client)
	if !ok {
		c.refuseRequestLocked(r, state.TooFast, wait)
	}
	return ok
}

// allowNamedLocked is allowLocked for a request that takes a nickname.
func (c *Chat) allowNamedLocked(r *request) bool {
	if !c.allowLocked(r, c.local.takeRequest) {
		return false
	}
	if !r.client.isNamed() {
		c.refuseRequestLocked(r, state.NoName, 0)
		return false
	}
	return true
}

// allowRoomLocked reports whether a client may join a room: one that does not exist, only if it may make another.
func (c *Chat) allowRoomLocked(r *request, room string) bool {
	if c.state.Room(room) != nil {
		return true
	}
	wait, ok := c.local.take(r.client, allowance.Rooms)
	if !ok {
		c.refuseRequestLocked(r, state.TooFast, wait)
	}
	return ok
}

// requestLocked appends the command of a client that waits for the outcome.
func (c *Chat) requestLocked(r *request, action state.Action) {
	c.appendRequestLocked(r, &pendingCommand{command: state.Command{Action: action}})
}

func (c *Chat) appendRequestLocked(r *request, p *pendingCommand) {
	p.client, p.event, p.ack = r.client, r.name, r.ack
	p.span, r.span = r.span, nil
	if err := c.commands.appendLocked(p); err != nil {
		r.span = p.span
		c.refuseRequestLocked(r, state.Overloaded, 0)
	}
}

// nicknameArgument returns the nickname that the first argument is, or refuses the request.
func (c *Chat) nicknameArgument(r *request) (state.Nickname, bool) {
	typed, ok := r.String(0)
	if !ok {
		c.refuse(r, state.BadArgument)
		return state.Nickname{}, false
	}
	name, code := state.ParseNickname(typed, c.options.MaxNicknameLength)
	if code != state.Accepted {
		c.refuse(r, code)
	}
	return name, code == state.Accepted
}

// roomArgument returns the room that the first argument names, as a string or in an object, and otherwise if it names
// none. It refuses the request if the argument is of a wrong type, or no legal name.
func (c *Chat) roomArgument(r *request, otherwise string) (string, bool) {
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
func (c *Chat) parseRoom(typed *string, otherwise string) (string, state.Code) {
	if typed != nil {
		return state.ParseRoom(*typed, c.options.MaxNicknameLength)
	}
	if otherwise == "" {
		return "", state.RoomInvalid
	}
	return otherwise, state.Accepted
}

func (c *Chat) onNickname(r *request) {
	name, ok := c.nicknameArgument(r)
	if !ok {
		return
	}
	var options struct {
		Token string `json:"token"`
	}
	if !c.optionsArgument(r, 1, &options) {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if !c.allowLocked(r, c.local.takeRequest) {
		return
	}
	if name, ok = r.client.takeLocked(name); !ok {
		c.refuseRequestLocked(r, state.NameFixed, 0)
		return
	}
	c.claimLocked(r, name, options.Token, state.V09)
}

// claimLocked claims a nickname for a client: another one, if the client has one. secret is the resume token that the
// client sends, or "".
func (c *Chat) claimLocked(r *request, name state.Nickname, secret string, p state.Protocol) {
	if r.client.user != nil {
		c.requestLocked(r, &state.Rename{Name: name.Name, Key: name.Key})
		return
	}
	if !isSecret(secret) || c.state.IsForgotten(state.HashOf(secret)) {
		secret = newSecret()
	}
	if u := c.state.UserByToken(state.HashOf(secret)); u != nil && !c.nicknames.mayBeLocked(r.client, u.Origin()) {
		secret = newSecret() // the token is that of another person
	} else {
		c.nicknames.suspectLocked(u)
	}
	c.appendRequestLocked(r, c.nicknames.newNameClaim(r.client, name, secret, p))
}

func (c *Chat) onRename(r *request) {
	c.mu.Lock()
	named := r.client.isNamed()
	c.mu.Unlock()
	if !named {
		c.refuse(r, state.NoName)
		return
	}
	c.onNickname(r)
}

// onAddUser claims a nickname in the 4.x protocol. Its clients can't be refused one, so they receive a variant. The
// page sends it again after every reconnection, also when its user was recovered.
func (c *Chat) onAddUser(r *request) {
	name, ok := c.nicknameArgument(r)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if !c.allowLocked(r, c.local.takeRequest) {
		return
	}
	if r.client.assigned != nil {
		name = r.client.assigned.Nickname
	}
	switch {
	case r.client.user != nil:
		c.local.setProtocolLocked(r.client, state.V4)
		c.nicknames.emitLoginLocked(r.client, "")
		c.out.reply(r.ack, succeeded{true})
	case r.client.claims.pending > 0:
		r.client.claims.request(name, r.ack)
	default:
		c.claimLocked(r, name, "", state.V4)
	}
}

func (c *Chat) onMessage(r *request) {
	say, code := c.parseMessage(r)
	if code != state.Accepted {
		c.refuse(r, code)
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if !r.client.isNamed() {
		c.refuseRequestLocked(r, state.NoName, 0)
		return
	}
	if c.allowLocked(r, c.local.takeMessage) {
		say.Room = c.state.Meant(say.Room)
		say.Token, say.From = c.commands.speaker(r.client)
		c.requestLocked(r, say)
	}
}

func (c *Chat) parseMessage(r *request) (*state.Say, state.Code) {
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

func (c *Chat) onJoin(r *request) {
	room, ok := c.roomArgument(r, "")
	if !ok {
		return
	}
	key := state.RoomKey(room)
	c.mu.Lock()
	defer c.unlock()
	if !c.allowNamedLocked(r) {
		return
	}
	meant, limit := c.state.Meant(room), uint64(c.options.MaxRooms)
	switch {
	case !c.allowRoomLocked(r, meant):
	case c.state.Rules() < state.EnterSince:
		c.requestLocked(r, &state.Join{Room: room, RoomLimit: limit})
	case key == "":
		c.refuseRequestLocked(r, state.RoomInvalid, 0)
	default:
		c.requestLocked(r, &state.Enter{Room: meant, Key: key, RoomLimit: limit})
	}
}

// onLeave leaves a room, or the chat.
func (c *Chat) onLeave(r *request) {
	room, ok := c.roomArgument(r, state.Lobby)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	switch room = c.state.Meant(room); {
	case !c.allowNamedLocked(r):
	case room == state.Lobby:
		c.requestLocked(r, &state.LeaveChat{})
	default:
		c.requestLocked(r, &state.Leave{Room: room})
	}
}

func (c *Chat) onTyping(r *request, on bool) {
	room, ok := c.roomArgument(r, state.Lobby)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	code, wait := c.typing.typeLocked(r.client, c.state.Meant(room), on)
	switch {
	case !r.ack.Wanted(): // a refusal would cost more than it says
	case code != state.Accepted:
		c.refuseRequestLocked(r, code, wait)
	default:
		c.out.reply(r.ack, succeeded{true})
	}
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
