package chat

import (
	"chatapp/internal/chat/state"
)

// meta is the third argument of a "user message".
type meta struct {
	ID       string `json:"id"`
	Time     int64  `json:"time"` // Unix ms
	Room     string `json:"room"`
	Instance string `json:"instance,omitempty"` // where it was said
	CID      string `json:"cid,omitempty"`
	Replaces string `json:"replaces,omitempty"` // key of the provisional event
}

// userMessage has the arguments of a "user message" in one piece of memory. There is one for every message.
type userMessage struct {
	from, text, id jsonText
	meta           meta
	args           [4]any
}

func newUserMessage(l *state.Line, m meta) event {
	u := &userMessage{from: jsonText(l.From), text: jsonText(l.Text), id: jsonText(m.ID), meta: m}
	u.args = [...]any{&u.from, &u.text, &u.meta, &u.id}
	return event{"user message", u.args[:]}
}

// announced is the second argument of an "announcement": what its text says, in fields.
type announced struct {
	Kind  string `json:"kind"`
	Name  string `json:"name,omitempty"`
	Was   string `json:"was,omitempty"`
	Room  string `json:"room,omitempty"`
	Users int    `json:"users,omitempty"`
	Time  int64  `json:"time,omitempty"`
	ID    string `json:"id,omitempty"`
	Code  string `json:"code,omitempty"` // of kind refused

	// Names and IDs list several users that joined or left together: Name is the first of them, ID belongs to the last.
	Names []string `json:"names,omitempty"`
	IDs   []string `json:"ids,omitempty"`
}

// newMessage is the argument of "new message" in the 4.x protocol.
type newMessage struct {
	Username string `json:"username"`
	Message  string `json:"message"`
	Time     int64  `json:"time"`
	ID       string `json:"id"`
}

// userCount is the argument of "user joined" and "user left" in the 4.x protocol.
type userCount struct {
	Username string   `json:"username"`
	NumUsers int      `json:"numUsers"`
	Names    []string `json:"names,omitempty"` // of several users, whom Username lists in words
}

// eventLocked is a line in the protocol of 0.9.
func (ls *lines) eventLocked(room string, l *state.Line, replaces string) event {
	id := l.Position().String()
	if l.Kind == state.MessageLine {
		return newUserMessage(l, meta{ID: id, Time: l.Time, Room: room, Instance: l.Instance, CID: l.CID,
			Replaces: replaces})
	}
	return event{"announcement", []any{lineText(l, room),
		announced{Kind: lineKind(l), Name: l.From, Was: l.Was, Room: room, Users: ls.numUsersLocked(room), Time: l.Time,
			ID: id}, id}}
}

// eventsV4Locked are a line of the lobby in the protocol of 4.x, which has no event for a rename.
func (ls *lines) eventsV4Locked(room string, l *state.Line) []event {
	id, users := l.Position().String(), ls.numUsersLocked(room)
	switch l.Kind {
	case state.MessageLine:
		return []event{{"new message", []any{newMessage{l.From, l.Text, l.Time, id}, id}}}
	case state.JoinLine:
		return []event{{"user joined", []any{userCount{Username: l.From, NumUsers: users}, id}}}
	case state.LeaveLine:
		return []event{{"user left", []any{userCount{Username: l.From, NumUsers: users}, id}}}
	case state.RenameLine:
		return []event{
			{"user left", []any{userCount{Username: l.Was, NumUsers: users - 1}}},
			{"user joined", []any{userCount{Username: l.From, NumUsers: users}, id}},
		}
	}
	return nil
}

// lineText returns the text of an announcement.
func lineText(l *state.Line, room string) string {
	switch {
	case l.Kind == state.RenameLine:
		return l.Was + " is now called " + l.From
	case l.Kind == state.JoinLine && room == state.Lobby:
		return l.From + " connected"
	case l.Kind == state.LeaveLine && room == state.Lobby:
		return l.From + " disconnected"
	case l.Kind == state.JoinLine:
		return l.From + " joined " + room
	default:
		return l.From + " left " + room
	}
}

// lineKind returns the kind of a line as clients receive it.
func lineKind(l *state.Line) string {
	return [state.LineKinds]string{state.MessageLine: "message", state.JoinLine: "join", state.LeaveLine: "leave",
		state.RenameLine: "rename"}[l.Kind]
}

// broadcastLocked sends a line to the clients that listen to its room. It leaves out those that have no use for it:
// cl, the client of u, which the line is about or from, and the client that is returning as u. cl and u may be nil.
// Each event is encoded once for each protocol that has listeners.
func (ls *lines) broadcastLocked(u *state.User, cl *client, room string, l *state.Line, replaced *provisionalLine) {
	r := ls.local.rooms[room]
	if r == nil {
		return
	}
	var returning *client
	replaces := ""
	switch {
	case replaced != nil: // the user's later connections may display it, too
		cl, replaces = replaced.sayer, replaced.id.cid
	case l.IsOwn(u):
		returning = ls.local.returning[u.Token()]
	default:
		cl = nil
	}
	if r.listeners[state.V09] > 0 {
		ls.out.broadcast(r.sockets[state.V09], ls.eventLocked(room, l, replaces), cl, returning)
	}
	if r.listeners[state.V4] > 0 {
		for _, e := range ls.eventsV4Locked(room, l) {
			ls.out.broadcast(r.sockets[state.V4], e, cl, returning)
		}
	}
}

// emitLocked sends a line to one client, unless the client knows it already.
func (ls *lines) emitLocked(cl *client, u *state.User, room string, l *state.Line) {
	switch {
	case l.IsOwn(u):
	case cl.protocol == state.V09:
		ls.out.emitEvent(cl, ls.eventLocked(room, l, ""))
	case room == state.Lobby:
		for _, e := range ls.eventsV4Locked(room, l) {
			ls.out.emitEvent(cl, e)
		}
	}
}
