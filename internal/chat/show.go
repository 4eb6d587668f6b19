package chat

import (
	"math/rand/v2"
	"time"

	"chatapp/internal/socketio"
)

// meta is what a message carries besides author and text.
type meta struct {
	ID       string `json:"id"`
	Time     int64  `json:"time"` // Unix ms
	Room     string `json:"room"`
	Instance string `json:"instance,omitempty"` // where it was said
	CID      string `json:"cid,omitempty"`
	Replaces string `json:"replaces,omitempty"` // key of the provisional event
}

// announced says in fields what an announcement says in words.
type announced struct {
	Kind  string `json:"kind"`
	Name  string `json:"name,omitempty"`
	Was   string `json:"was,omitempty"`
	Room  string `json:"room,omitempty"`
	Users int    `json:"users,omitempty"`
	Time  int64  `json:"time,omitempty"`
	ID    string `json:"id,omitempty"`
	Code  string `json:"code,omitempty"` // of kind refused

	// Of several people, who came or went together; Name is the first of them, ID that of the last.
	Names []string `json:"names,omitempty"`
	IDs   []string `json:"ids,omitempty"`
}

// newMessage is a message in the 4.x vocabulary.
type newMessage struct {
	Username string `json:"username"`
	Message  string `json:"message"`
	Time     int64  `json:"time"`
	ID       string `json:"id"`
}

// comingAndGoing is the argument of user joined and user left in the 4.x vocabulary.
type comingAndGoing struct {
	Username string   `json:"username"`
	NumUsers int      `json:"numUsers"`
	Names    []string `json:"names,omitempty"` // of several people, whom Username tells in words
}

// show tells the clients here what has changed. p is the command that changed it, if this instance appended it.
func (c *Chat) show(ch *change, p *pending) {
	cl := c.clientAt(ch.at) // of the user concerned
	switch ch.kind {
	case spoke:
		c.stopTyping(ch.user, cl, ch.room)
		replaces := ""
		if p != nil && p.provisional {
			replaces = ch.line.CID
		}
		c.showLine(ch.user, cl, ch.room, &ch.line, replaces)
	case joined, left:
		if ch.kind == left {
			c.stopTyping(ch.user, cl, ch.room)
		}
		if !ch.gathered {
			c.showLine(ch.user, cl, ch.room, &ch.line, "")
		}
		c.changeRoster(ch.room)
	case renamed:
		c.showLine(ch.user, cl, ch.room, &ch.line, "")
		c.changeRoster(ch.room)
	case away, back:
		c.watchHeld(ch.user)
		c.changePresence(ch.user)
		if ch.kind == away {
			c.claimLate(ch.user)
		}
	case orphaned:
		c.watchHeld(ch.user)
	case typed:
		if ch.at.Instance != c.backplane.Instance { // or else it was shown at once
			c.showTyping(ch.user, nil, ch.room, ch.on)
		}
	case freed:
		delete(c.shownAway, ch.user.id)
		c.claimLate(ch.user)
		if cl != nil && cl.user == ch.user {
			cl.user = nil
			c.settleRooms(cl)
		}
	}
}

// showLine sends a line to all who listen to its room, except to those who have no use for it: cl, the client of u, whom the line is about
// or from, and one who is coming back as u, whose line was said on an earlier connection. cl and u may be nil. Each event is encoded once
// for each vocabulary that has listeners.
func (c *Chat) showLine(u *user, cl *client, room string, l *line, replaces string) {
	h := c.halls[room]
	if h == nil {
		return
	}
	var back *client
	if l.ownedBy(u) {
		back = c.comingBack[u.token]
	} else {
		cl = nil
	}
	if h.here[classic] > 0 {
		c.broadcast(h.classic[:], c.prepare(c.classicEvent(room, l, replaces)), cl, back)
	}
	if h.here[modern] > 0 {
		for _, e := range c.modernEvents(room, l) {
			c.broadcast(h.modern[:], c.prepare(e), cl, back)
		}
	}
}

// event is an event's name and arguments.
type event struct {
	name string
	args []any
}

func (c *Chat) prepare(e event) *socketio.Prepared {
	p, err := c.nsp.Prepare(e.name, e.args...)
	c.check(err)
	return p
}

// broadcast sends an event to the clients in a socketio room, except some. Those may be nil.
func (c *Chat) broadcast(to []string, p *socketio.Prepared, except ...*client) {
	if p == nil {
		return
	}
	b := c.nsp.To(to...)
	for _, cl := range except {
		if cl != nil {
			b = b.Except(cl.socket.ID())
		}
	}
	b.EmitPrepared(p)
}

// classicEvent is a line in the vocabulary of 0.9, with what we append.
func (c *Chat) classicEvent(room string, l *line, replaces string) event {
	id := l.position().String()
	if l.Kind == messageLine {
		return event{"user message", []any{l.From, l.Text,
			meta{ID: id, Time: l.Time, Room: room, Instance: l.Instance, CID: l.CID, Replaces: replaces}, id}}
	}
	return event{"announcement", []any{l.words(room),
		announced{Kind: l.kindName(), Name: l.From, Was: l.Was, Room: room, Users: c.numUsers(room), Time: l.Time, ID: id}, id}}
}

// modernEvents are a line of the lobby in the vocabulary of 4.x, which has no word for a rename.
func (c *Chat) modernEvents(room string, l *line) []event {
	id, users := l.position().String(), c.numUsers(room)
	switch l.Kind {
	case messageLine:
		return []event{{"new message", []any{newMessage{l.From, l.Text, l.Time, id}, id}}}
	case joinLine:
		return []event{{"user joined", []any{comingAndGoing{Username: l.From, NumUsers: users}, id}}}
	case leaveLine:
		return []event{{"user left", []any{comingAndGoing{Username: l.From, NumUsers: users}, id}}}
	case renameLine:
		return []event{
			{"user left", []any{comingAndGoing{Username: l.Was, NumUsers: users - 1}}},
			{"user joined", []any{comingAndGoing{Username: l.From, NumUsers: users}, id}},
		}
	}
	return nil
}

// words are the text of an announcement, in English as ever.
func (l *line) words(room string) string {
	switch {
	case l.Kind == renameLine:
		return l.Was + " is now called " + l.From
	case l.Kind == joinLine && room == lobby:
		return l.From + " connected"
	case l.Kind == leaveLine && room == lobby:
		return l.From + " disconnected"
	case l.Kind == joinLine:
		return l.From + " joined " + room
	default:
		return l.From + " left " + room
	}
}

func (l *line) kindName() string {
	return [lineKinds]string{messageLine: "message", joinLine: "join", leaveLine: "leave", renameLine: "rename"}[l.Kind]
}

// watchHeld sees to it that a held user expires, if that is for this instance to do: it lost him, or the one that did is
// gone. Then every instance does, each a little later by chance, so that mostly one entry suffices.
func (c *Chat) watchHeld(u *user) {
	if u.status != held {
		return
	}
	after := time.Duration(u.hold) * time.Millisecond
	switch {
	case u.orphan:
		after += rand.N(after/8 + 100*time.Millisecond)
	case u.at().Instance != c.backplane.Instance:
		return
	}
	c.schedule(task{at: time.Now().Add(after), kind: expireHeld, user: u.id, gen: u.gen})
}

// showProvisional shows a message that the log keeps waiting.
func (c *Chat) showProvisional(p *pending) {
	h := c.halls[p.command.Room]
	if h == nil || h.here[classic] == 0 || !p.client.mayListen(p.command.Room) {
		return
	}
	c.broadcast(h.classic[:], c.prepare(event{"provisional", []any{p.client.user.name.name, p.command.Text, struct {
		Key  string `json:"key"`
		Room string `json:"room"`
		Time int64  `json:"time"`
	}{p.command.CID, p.command.Room, p.at.UnixMilli()}}}), p.client)
}
