package chat

import (
	"errors"
	"time"

	"chatapp/internal/socketio"
)

// granted is what a client is told who got his name.
type granted struct {
	OK    bool     `json:"ok"`
	Name  string   `json:"name"`
	Token string   `json:"token,omitempty"`
	Room  string   `json:"room"`
	Rooms []string `json:"rooms"`
}

// said is what a client is told whose message is in the log.
type said struct {
	OK        bool    `json:"ok"`
	ID        string  `json:"id"`
	Time      int64   `json:"time"`
	Room      string  `json:"room"`
	CID       string  `json:"cid"`
	Duplicate bool    `json:"duplicate,omitempty"`
	Latency   float64 `json:"latency"` // ms
}

// settle answers the client whose command has come back from the log.
func (c *Chat) settle(p *pending, o outcome) {
	cl := p.client
	switch {
	case p.command.Kind == claimName:
		c.settleClaim(p, o)
	case o.code != accepted:
		c.refuseLocked(cl, p.event, p.ack, o.code, 0)
	default:
		switch p.command.Kind {
		case renameUser:
			cl.name = o.user.name
			c.check(p.ack.Send(false, granted{OK: true, Name: o.user.name.name, Room: lobby, Rooms: o.user.rooms}))
		case leaveChat:
			cl.name = nickname{}
			c.check(p.ack.Send(answered{true}))
		case joinRoom:
			c.settleJoin(p)
		case leaveRoom:
			c.ignore(cl, p.command.Room)
			c.check(p.ack.Send(answered{true}))
		case say:
			c.settleMessage(p, o)
		}
	}
}

// settleClaim tells a client that it has a name, or has not.
func (c *Chat) settleClaim(p *pending, o outcome) {
	cl := p.client
	wish := cl.wish
	cl.wish = nil
	c.cameBack(cl)
	switch {
	case o.stale:
		c.settleStale(p, o.user)
	case o.code == accepted:
		c.counts.claims++
		if p.resumes {
			c.counts.returns++
		}
		c.grant(p, o.user, wish != nil)
	case !p.resumes:
		c.refuseLocked(cl, p.event, p.ack, o.code, 0)
	case wish != nil && c.append(c.newClaim(cl, *wish, newSecret(), true)) == nil:
		// It is not who it was, but will be who it says it is.
	default:
		c.counts.refusals[nameLost]++
		cl.name = nickname{}
		c.settleRooms(cl)
		c.emitSession(cl, cl.rooms, false, nameLost)
	}
}

// grant gives a client its user. asked: it has asked for a name while one was claimed for it.
func (c *Chat) grant(p *pending, u *user, asked bool) {
	cl := p.client
	cl.user, cl.token, cl.name = u, u.token, u.name
	secret := p.secret
	if u.token != p.command.Token {
		secret = "" // it had a name already, and the claim has changed that
	}
	dialect := p.command.Dialect
	if asked {
		dialect = modern // the only one in which a client may ask meanwhile
	}
	c.speak(cl, dialect)
	fresh := c.settleRooms(cl)
	if cl.dialect == modern {
		if !p.resumes || asked {
			c.login(cl, secret)
		}
		return
	}
	c.check(p.ack.Send(false, granted{OK: true, Name: u.name.name, Token: secret, Room: lobby, Rooms: u.rooms}))
	for _, room := range fresh {
		c.emitHistory(cl, room, true)
	}
	if !p.resumes {
		c.newcomers = append(c.newcomers, cl)
	}
	if cl.fixed == nil {
		secret = "" // the answer has told it
	}
	c.emitSessionToken(cl, u.rooms, cl.socket.Recovered(), accepted, secret)
}

// login tells a client of the 4.x vocabulary which name it got.
func (c *Chat) login(cl *client, secret string) {
	c.emit(cl, "login", struct {
		NumUsers int    `json:"numUsers"`
		Username string `json:"username"`
		Token    string `json:"token,omitempty"`
	}{c.numUsers(lobby), cl.user.name.name, secret}, c.told().String())
}

func (c *Chat) numUsers(room string) int {
	if r := c.state.rooms[room]; r != nil {
		return len(r.members)
	}
	return 0
}

func (c *Chat) settleJoin(p *pending) {
	room := p.command.Room
	if p.client.dialect == classic && p.client.user != nil {
		c.listen(p.client, room)
		c.emitHistory(p.client, room, false)
	}
	c.check(p.ack.Send(struct {
		OK    bool   `json:"ok"`
		Room  string `json:"room"`
		Users int    `json:"users"`
	}{true, room, c.numUsers(room)}))
	c.emitRoster(p.client, room)
}

func (c *Chat) settleMessage(p *pending, o outcome) {
	latency := time.Since(p.at)
	c.options.Observe(latency)
	if o.duplicate {
		c.counts.duplicates++
	} else {
		c.counts.messages++
	}
	if !p.ack.Wanted() {
		return
	}
	command := &p.command
	answer := said{OK: true, ID: o.at.String(), Time: p.at.UnixMilli(), Room: command.Room, CID: command.CID,
		Duplicate: o.duplicate, Latency: float64(latency.Microseconds()) / 1000}
	if l, ok := c.state.find(command.Room, o.at.Seq); ok {
		answer.Time = l.Time
	}
	c.check(p.ack.Send(answer))
}

// isGone reports the error of a socket that can't be sent to because it has ended.
func isGone(err error) bool { return errors.Is(err, socketio.ErrDisconnected) }
