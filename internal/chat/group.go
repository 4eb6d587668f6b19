package chat

import (
	"slices"
	"strconv"

	"chatapp/internal/chat/state"
)

// lineGroup is lines of one room and kind that follow each other there, sent as one announcement.
type lineGroup struct {
	lines  []waitingLine
	offset string // the position up to which its receivers have then received everything; "": not known yet
}

// maxGroup is how many lines one announcement covers. It lists their names.
const maxGroup = 1000

// groupLines divides lines into groups. It keeps the order of each room's lines, but not that of lines of several
// rooms: otherwise there would be as many groups as lines when each user joins several rooms. The lines of the lobby
// come last. Everybody listens to the lobby, so its last group completes what everybody has received.
func groupLines(lines []waitingLine) []lineGroup {
	byRoom, rooms := make(map[string][]waitingLine), []string(nil)
	for _, l := range lines {
		if byRoom[l.room] == nil && l.room != state.Lobby {
			rooms = append(rooms, l.room)
		}
		byRoom[l.room] = append(byRoom[l.room], l)
	}
	if byRoom[state.Lobby] != nil {
		rooms = append(rooms, state.Lobby)
	}
	if len(rooms) > 1 && byRoom[state.Lobby] == nil {
		return appendGroups(nil, lines) // nobody listens to all of the rooms for sure
	}
	var groups []lineGroup
	for _, room := range rooms {
		groups = appendGroups(groups, byRoom[room])
	}
	if len(rooms) > 1 {
		for i := range groups {
			groups[i].offset = ""
		}
		groups[len(groups)-1].offset = lines[len(lines)-1].line.Position().String()
	}
	return groups
}

// appendGroups appends the groups that lines consist of, in their order.
func appendGroups(groups []lineGroup, lines []waitingLine) []lineGroup {
	for begin := 0; begin < len(lines); {
		first, end := &lines[begin], begin+1
		for end < len(lines) && end-begin < maxGroup && lines[end].room == first.room &&
			lines[end].line.Kind == first.line.Kind {
			end++
		}
		groups = append(groups, lineGroup{lines: lines[begin:end], offset: lines[end-1].line.Position().String()})
		begin = end
	}
	return groups
}

// groupMembers is the socketio room of the clients that a group is about, while it is sent to the others.
var groupMembers = []string{"group members"}

// broadcastGroupLocked sends a group to a room. Clients that it is about receive one without themselves, and so does a
// client that is returning as one of its users.
func (ls *lines) broadcastGroupLocked(r *localRoom, g *lineGroup) {
	members := make(map[*client]int) // indexes of the lines
	for i := range g.lines {
		l := &g.lines[i]
		for _, cl := range [2]*client{l.client, ls.local.returning[l.user.Token()]} {
			if cl != nil && slices.Contains(cl.rooms, r.name) {
				members[cl] = i
				ls.out.join(cl, groupMembers)
			}
		}
	}
	for p := range r.listeners {
		if r.listeners[p] > 0 {
			e := share(ls.groupEventLocked(state.Protocol(p), g, nobody))
			ls.out.broadcastShared(r.sockets[p], e, groupMembers[0])
		}
	}
	ls.emitGroupLocked(g, members)
	for cl := range members {
		ls.out.leave(cl, groupMembers)
	}
}

// emitGroupLocked sends a group to the clients it is about.
func (ls *lines) emitGroupLocked(g *lineGroup, members map[*client]int) {
	if len(g.lines) == 1 {
		return
	}
	var forms [2][2]*sharedEvent // by protocol; for the first in the group, and for all behind it
	for cl, i := range members {
		form := &forms[cl.protocol][min(i, 1)]
		if *form == nil || len(g.lines) <= maxNamed+1 { // the texts of small groups name everybody
			*form = share(ls.groupEventLocked(cl.protocol, g, i))
		}
		ls.out.emitShared(cl, *form)
	}
}

const (
	maxNamed = 2  // users that the text of an announcement names, at most
	nobody   = -1 // in place of the index of a line
)

// groupEventLocked returns a group's event, for the client that the line with the index is about.
func (ls *lines) groupEventLocked(p state.Protocol, g *lineGroup, index int) event {
	first := &g.lines[0]
	if index == 0 {
		first = &g.lines[1]
	}
	n := len(g.lines)
	if index != nobody {
		n--
	}
	var e event
	switch {
	case n == 1 && p == state.V4:
		e = ls.eventsV4Locked(first.room, &first.line)[0]
	case n == 1:
		e = ls.eventLocked(first.room, &first.line, "")
	default:
		e = ls.severalEventLocked(p, g, first, g.names(index))
	}
	e.args = e.args[:len(e.args)-1] // the id of one line; the offset counts
	if g.offset != "" {
		e.args = append(e.args, g.offset)
	}
	return e
}

// severalEventLocked returns the event of a group of several users. inWords lists them, first is the first one
// that it names.
func (ls *lines) severalEventLocked(p state.Protocol, g *lineGroup, first *waitingLine, inWords string) event {
	last, users := &g.lines[len(g.lines)-1].line, ls.numUsersLocked(first.room)
	id := last.Position().String()
	names, ids := make([]string, len(g.lines)), make([]string, len(g.lines))
	for i := range g.lines {
		names[i], ids[i] = g.lines[i].line.From, g.lines[i].line.Position().String()
	}
	if p == state.V4 {
		name := "user joined"
		if last.Kind == state.LeaveLine {
			name = "user left"
		}
		return event{name, []any{userCount{inWords, users, names}, id}}
	}
	several := state.Line{Kind: last.Kind, From: inWords}
	return event{"announcement", []any{lineText(&several, first.room), announced{Kind: lineKind(last),
		Name: first.line.From, Room: first.room, Users: users, Time: last.Time, ID: id, Names: names, IDs: ids}, id}}
}

// names lists the users of a group in words, except the one with an index.
func (g *lineGroup) names(except int) string {
	var first [maxNamed]string
	n := 0
	for i := range g.lines {
		if i != except && n < maxNamed {
			first[n] = g.lines[i].line.From
			n++
		}
	}
	count := len(g.lines)
	if except != nobody {
		count--
	}
	if count == maxNamed {
		return first[0] + " and " + first[1]
	}
	return first[0] + " and " + strconv.Itoa(count-1) + " others"
}
