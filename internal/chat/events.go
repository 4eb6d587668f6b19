package chat

import (
	"bytes"
	"slices"
	"time"

	"chatapp/internal/socketio"
)

// handleEvents registers what clients may ask for: the vocabulary of the chat example of Socket.IO 0.9 with what we add,
// and that of 4.x.
func (c *Chat) handleEvents() {
	c.nsp.OnConnect(c.connect)
	c.nsp.OnDisconnect(c.disconnect)
	c.on("nickname", c.onNickname)
	c.on("rename", c.onRename)
	c.on("user message", c.onMessage)
	c.on("join", c.onJoin)
	c.on("leave", c.onLeave)
	c.on("rooms", c.onRooms)
	c.on("who", c.onWho)
	c.on("history", c.onHistory)
	c.on("status", c.onStatus)
	c.on("typing", func(r *request) { c.onTyping(r, true) })
	c.on("stop typing", func(r *request) { c.onTyping(r, false) })
	c.on("add user", c.onAddUser)
	c.on("new message", c.onMessage)
}

// request is an event that a client sent.
type request struct {
	*socketio.Event
	client *client
	event  string
}

// on registers the handler of an event. Handlers parse what they are given and then take the chat's lock.
func (c *Chat) on(event string, handler func(*request)) {
	c.nsp.On(event, func(s *socketio.Socket, e *socketio.Event) {
		if cl, ok := s.Data().(*client); ok {
			handler(&request{e, cl, event})
		}
	})
}

// options decodes the optional object that an argument is. Anything else leaves v as it is.
func (r *request) options(i int, v any) {
	if raw := bytes.TrimSpace(r.Raw(i)); len(raw) > 0 && raw[0] == '{' {
		_ = r.Decode(i, v) // what isn't as it should be is as if not given
	}
}

// answered is what a client is told that has no more to be told than that it worked.
type answered struct {
	OK bool `json:"ok"`
}

// refuse answers a request with the reason why not, or sends it where no answer is wanted.
func (c *Chat) refuse(r *request, why code, wait time.Duration) {
	c.mu.Lock()
	defer c.unlock()
	c.refuseLocked(r.client, r.event, r.Deferred(), why, wait)
}

func (c *Chat) refuseLocked(cl *client, event string, ack socketio.Ack, why code, wait time.Duration) {
	c.counts.refusals[why]++
	refusal := why.refusal(wait)
	switch {
	case ack.Wanted() && (event == "nickname" || event == "rename"):
		c.check(ack.Send(true, refusal))
	case ack.Wanted():
		c.check(ack.Send(refusal))
	default:
		c.emit(cl, "refused", struct {
			Refusal
			Event string `json:"event"`
		}{refusal, event})
		if event == "user message" {
			// A page of 0.9 knows no other way to be told.
			c.emit(cl, "announcement", refusal.Message, announced{Kind: "refused", Code: refusal.Code})
		}
	}
}

// allowed takes a request from the client's allowance, and refuses it when there is none left or no service.
func (c *Chat) allowed(r *request) bool { return c.take(r, &r.client.others, c.requests) }

// mayTalk is allowed for a message.
func (c *Chat) mayTalk(r *request) bool { return c.take(r, &r.client.messages, c.talk) }

func (c *Chat) take(r *request, b *bucket, l limit) bool {
	if c.closed {
		c.refuseLocked(r.client, r.event, r.Deferred(), unavailable, 0)
		return false
	}
	wait, ok := b.take(l, time.Since(c.made))
	if !ok {
		c.refuseLocked(r.client, r.event, r.Deferred(), tooFast, wait)
	}
	return ok
}

// ask appends a command for a client who waits for the outcome.
func (c *Chat) ask(r *request, p *pending) {
	p.client, p.event, p.ack = r.client, r.event, r.Deferred()
	p.command.Conn = r.client.conn
	if err := c.append(p); err != nil {
		c.refuseLocked(r.client, r.event, p.ack, overloaded, 0)
	}
}

func (c *Chat) onNickname(r *request) {
	typed, ok := r.String(0)
	if !ok {
		c.refuse(r, badArgument, 0)
		return
	}
	name, why := parseNickname(typed, c.options.MaxNicknameLength)
	if why != accepted {
		c.refuse(r, why, 0)
		return
	}
	var options struct {
		Token string `json:"token"`
	}
	r.options(1, &options)
	c.mu.Lock()
	defer c.unlock()
	switch {
	case !c.allowed(r):
	case !r.client.mayBeCalled(name):
		c.refuseLocked(r.client, r.event, r.Deferred(), nameFixed, 0)
	default:
		c.claim(r, name, options.Token, false)
	}
}

// claim asks the log for a name: another one, if the client has one. Of stock4, a page of 4.x, it takes a variant as well.
func (c *Chat) claim(r *request, name nickname, secret string, stock4 bool) {
	if r.client.user != nil {
		c.ask(r, &pending{command: command{Kind: renameUser, Name: name.name, Key: name.key}})
		return
	}
	if !isSecret(secret) {
		secret = newSecret()
	}
	p := c.newClaim(r.client, name, secret, stock4)
	c.suspect(c.state.byToken[p.command.Token])
	c.ask(r, p)
}

// newClaim is the claim of a name by a client that asks for it.
func (c *Chat) newClaim(cl *client, name nickname, secret string, stock4 bool) *pending {
	p := &pending{command: c.claimFor(cl, hashOf(secret)), client: cl, secret: secret}
	p.command.Name, p.command.Key = name.name, name.key
	if p.command.Dialect = classic; stock4 {
		p.command.Dialect, p.command.Variant = modern, true
	}
	return p
}

// suspect asks after the instance that a user is said to be connected to, now that he is here.
func (c *Chat) suspect(u *user) {
	if u != nil && u.status == connected && u.at().Instance != c.backplane.Instance {
		c.backplane.Suspect(u.at().Instance)
	}
}

func (c *Chat) onRename(r *request) {
	c.mu.Lock()
	named := r.client.named()
	c.mu.Unlock()
	if !named {
		c.refuse(r, noName, 0)
		return
	}
	c.onNickname(r)
}

// onAddUser is onNickname for those who speak as 4.x does. They can't be refused a name, so they get a variant of it.
func (c *Chat) onAddUser(r *request) {
	typed, ok := r.String(0)
	if !ok {
		c.refuse(r, badArgument, 0)
		return
	}
	name, why := parseNickname(typed, c.options.MaxNicknameLength)
	if why != accepted {
		c.refuse(r, why, 0)
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if !c.allowed(r) {
		return
	}
	if r.client.fixed != nil {
		name = *r.client.fixed
	}
	switch {
	// The page asks anew after every reconnection, also when its user has been recovered.
	case r.client.user != nil:
		c.speak(r.client, modern)
		c.login(r.client, "")
	case r.client.claims > 0:
		r.client.wish = &name
	default:
		c.claim(r, name, "", true)
	}
}

func (c *Chat) onMessage(r *request) {
	typed, ok := r.String(0)
	if !ok {
		c.refuse(r, badArgument, 0)
		return
	}
	text, why := parseText(typed, c.options.MaxMessageLength)
	var options struct {
		Room string `json:"room"`
		CID  string `json:"cid"`
	}
	if r.event == "user message" {
		r.options(1, &options)
	}
	room := lobby
	if why == accepted && options.Room != "" && options.Room != lobby {
		room, why = parseRoom(options.Room, c.options.MaxNicknameLength)
	}
	if why == accepted && len(options.CID) > maxCID {
		why = badArgument
	}
	if why != accepted {
		c.refuse(r, why, 0)
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if !r.client.named() {
		c.refuseLocked(r.client, r.event, r.Deferred(), noName, 0)
		return
	}
	if c.mayTalk(r) {
		c.ask(r, &pending{command: command{Kind: say, Room: room, Text: text, CID: options.CID}})
	}
}

func (c *Chat) onJoin(r *request) {
	room, ok := c.roomArgument(r, "")
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if !c.allowed(r) {
		return
	}
	if !r.client.named() {
		c.refuseLocked(r.client, r.event, r.Deferred(), noName, 0)
		return
	}
	c.ask(r, &pending{command: command{Kind: joinRoom, Room: room, Limit: uint64(c.options.MaxRooms)}})
}

// onLeave leaves a room, or the chat.
func (c *Chat) onLeave(r *request) {
	room, ok := c.roomArgument(r, lobby)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if !c.allowed(r) {
		return
	}
	if !r.client.named() {
		c.refuseLocked(r.client, r.event, r.Deferred(), noName, 0)
		return
	}
	if room == lobby {
		c.ask(r, &pending{command: command{Kind: leaveChat}})
	} else {
		c.ask(r, &pending{command: command{Kind: leaveRoom, Room: room}})
	}
}

// roomArgument returns the room that the first argument names, as a string or in an object; otherwise, if none is named.
// It refuses what is no room's name.
func (c *Chat) roomArgument(r *request, otherwise string) (string, bool) {
	typed, ok := r.String(0)
	if !ok {
		var options struct {
			Room string `json:"room"`
		}
		r.options(0, &options)
		typed = options.Room
	}
	if typed == "" && otherwise != "" {
		return otherwise, true
	}
	room, why := parseRoom(typed, c.options.MaxNicknameLength)
	if why != accepted {
		c.refuse(r, why, 0)
		return "", false
	}
	return room, true
}

// emit sends an event to one client. It fails only when the client is gone, which disconnect deals with.
func (c *Chat) emit(cl *client, event string, args ...any) { c.check(cl.socket.Emit(event, args...)) }

// check reports what can't be encoded, which is a mistake of this package.
func (c *Chat) check(err error) {
	if err != nil && !isGone(err) {
		c.logger().Error("event can't be sent", "err", err)
	}
}

// mayListen reports that a client may know what is said in a room: it is public, or the client is in it.
func (cl *client) mayListen(room string) bool {
	return room == lobby || cl.user != nil && slices.Contains(cl.user.rooms, room)
}
