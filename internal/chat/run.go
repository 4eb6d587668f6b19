package chat

import (
	"slices"
	"strconv"

	"chatapp/internal/socketio"
)

// run is lines of one room and kind that follow each other there, told by one announcement.
type run struct {
	lines  []gathered
	offset string // up to where its receivers have then been told everything; "": not known yet
}

// maxRun is how many lines one announcement tells of: their names stand in it.
const maxRun = 1000

// runsOf divides lines into runs. The order of each room's lines is kept. That of lines of several rooms is not, lest
// there be as many runs as lines when everybody who comes enters several: those of the lobby come last, for
// everybody listens to it, so that its last run is when everything has been told.
func runsOf(lines []gathered) []run {
	byRoom, rooms := make(map[string][]gathered), []string(nil)
	for _, l := range lines {
		if byRoom[l.room] == nil && l.room != lobby {
			rooms = append(rooms, l.room)
		}
		byRoom[l.room] = append(byRoom[l.room], l)
	}
	if byRoom[lobby] != nil {
		rooms = append(rooms, lobby)
	}
	if len(rooms) > 1 && byRoom[lobby] == nil {
		return splitRuns(nil, lines) // nobody need listen to the last of them
	}
	var runs []run
	for _, room := range rooms {
		runs = splitRuns(runs, byRoom[room])
	}
	if len(rooms) > 1 {
		for i := range runs {
			runs[i].offset = ""
		}
		runs[len(runs)-1].offset = lines[len(lines)-1].line.position().String()
	}
	return runs
}

// splitRuns appends to runs those that lines consist of.
func splitRuns(runs []run, lines []gathered) []run {
	for begin := 0; begin < len(lines); {
		end := begin + 1
		for end < len(lines) && end-begin < maxRun && lines[end].room == lines[begin].room && lines[end].line.Kind == lines[begin].line.Kind {
			end++
		}
		runs = append(runs, run{lines: lines[begin:end], offset: lines[end-1].line.position().String()})
		begin = end
	}
	return runs
}

// apart is the socketio room of those who are told of a run otherwise than the others, while that is done.
var apart = []string{"apart"}

// tell tells a room of a run: those who are in it of the others in it, and the client who comes back as one of them not of
// himself either.
func (c *Chat) tell(h *hall, r *run) {
	places := make(map[*client]int) // in the run
	for i := range r.lines {
		l := &r.lines[i]
		for _, cl := range [2]*client{l.client, c.comingBack[l.user.token]} {
			if cl != nil && slices.Contains(cl.rooms, h.room) {
				places[cl] = i
				cl.socket.Join(apart...)
			}
		}
	}
	for d, audience := range [2][]string{classic: h.classic[:], modern: h.modern[:]} {
		if h.here[d] == 0 {
			continue
		}
		if p := c.prepare(c.runEvent(dialect(d), r, nobody)); p != nil {
			c.nsp.To(audience...).Except(apart...).EmitPrepared(p)
		}
	}
	c.tellThose(r, places)
	for cl := range places {
		cl.socket.Leave(apart...)
	}
}

// tellThose tells of a run those in it.
func (c *Chat) tellThose(r *run, places map[*client]int) {
	if len(r.lines) == 1 {
		return
	}
	var forms [2][2]*socketio.Prepared // by dialect; for the first in the run, and for all behind him
	for cl, place := range places {
		form := &forms[cl.dialect][min(place, 1)]
		if *form == nil || len(r.lines) <= named+1 { // few are told of by their names
			*form = c.prepare(c.runEvent(cl.dialect, r, place))
		}
		if *form != nil {
			c.check(cl.socket.EmitPrepared(*form))
		}
	}
}

const (
	named  = 2  // so many who come or go together are told of by their names
	nobody = -1 // place in a run
)

// runEvent is a run in a vocabulary, for who is at a place in it.
func (c *Chat) runEvent(d dialect, r *run, place int) event {
	first := &r.lines[0]
	if place == 0 {
		first = &r.lines[1]
	}
	n := len(r.lines)
	if place != nobody {
		n--
	}
	var e event
	switch {
	case n == 1 && d == modern:
		e = c.modernEvents(first.room, &first.line)[0]
	case n == 1:
		e = c.classicEvent(first.room, &first.line, "")
	default:
		e = c.severalEvent(d, r, first, r.names(place))
	}
	e.args = e.args[:len(e.args)-1] // the id of a line; it is the offset that counts
	if r.offset != "" {
		e.args = append(e.args, r.offset)
	}
	return e
}

// severalEvent is a run of several, whose first and whose names in words are given.
func (c *Chat) severalEvent(d dialect, r *run, first *gathered, words string) event {
	last, users := &r.lines[len(r.lines)-1].line, c.numUsers(first.room)
	id := last.position().String()
	names, ids := make([]string, len(r.lines)), make([]string, len(r.lines))
	for i := range r.lines {
		names[i], ids[i] = r.lines[i].line.From, r.lines[i].line.position().String()
	}
	if d == modern {
		name := "user joined"
		if last.Kind == leaveLine {
			name = "user left"
		}
		return event{name, []any{comingAndGoing{words, users, names}, id}}
	}
	several := line{Kind: last.Kind, From: words}
	return event{"announcement", []any{several.words(first.room), announced{Kind: last.kindName(), Name: first.line.From,
		Room: first.room, Users: users, Time: last.Time, ID: id, Names: names, IDs: ids}, id}}
}

// names are those in a run but one, in words.
func (r *run) names(but int) string {
	var first [named]string
	n := 0
	for i := range r.lines {
		if i != but && n < named {
			first[n] = r.lines[i].line.From
			n++
		}
	}
	count := len(r.lines)
	if but != nobody {
		count--
	}
	if count == named {
		return first[0] + " and " + first[1]
	}
	return first[0] + " and " + strconv.Itoa(count-1) + " others"
}
