package simulation

import (
	"slices"
	"strings"

	"chatapp/internal/chat/state"
)

// display is what a page shows.
type display struct {
	rooms       map[string]*shownRoom
	provisional map[string]string // room by key
}

// shownRoom is one room of a display.
type shownRoom struct {
	since  uint64   // number of the last line that is older than the display
	lines  []string // ids, in the order in which they came
	roster map[string]bool
}

func newDisplay() display {
	return display{rooms: make(map[string]*shownRoom), provisional: make(map[string]string)}
}

// room returns a room that is shown. One is shown from its history on; what comes for another is not looked at.
func (d *display) room(name string) *shownRoom {
	if r := d.rooms[name]; r != nil {
		return r
	}
	return &shownRoom{}
}

// close stops showing a room.
func (d *display) close(name string) {
	delete(d.rooms, name)
	d.forgetProvisional(name)
}

// forgetProvisional removes the provisional lines of a room.
func (d *display) forgetProvisional(name string) {
	for key, room := range d.provisional {
		if room == name {
			delete(d.provisional, key)
		}
	}
}

// receive shows an event as the page does.
func (d *display) receive(p *packet) {
	switch p.event {
	case "history":
		d.history(p)
	case "user message":
		r := d.room(p.line.room)
		r.lines = append(r.lines, p.line.id)
		delete(d.provisional, p.line.replaces)
		delete(d.provisional, p.line.cid)
	case "announcement":
		d.announcement(p)
	case "nicknames":
		r := d.room(p.field("room"))
		r.roster = make(map[string]bool, len(p.list))
		for _, name := range p.list {
			r.roster[name] = true
		}
	case "provisional":
		d.provisional[p.field("key")] = p.field("room")
	case "withdrawn":
		delete(d.provisional, p.field("key"))
	}
}

// history replaces what is shown of a room.
func (d *display) history(p *packet) {
	name := strings.SplitN(p.text, `"`, 5)[3] // ["history","lobby",...
	r := &shownRoom{since: sequence(p.offset), roster: d.room(name).roster, lines: slices.Clone(p.list)}
	if len(p.list) > 0 {
		r.since = sequence(p.list[0]) - 1
	}
	d.rooms[name] = r
	d.forgetProvisional(name)
}

func (d *display) announcement(p *packet) {
	id := p.field("id")
	if id == "" {
		return // a refusal
	}
	names, ids := p.strings("names"), p.strings("ids")
	if len(names) == 0 {
		names, ids = []string{p.field("name")}, []string{id}
	}
	r := d.room(p.field("room"))
	r.lines = append(r.lines, ids...)
	for _, name := range names {
		switch {
		case r.roster == nil:
		case p.field("kind") == "leave":
			delete(r.roster, name)
		default:
			delete(r.roster, p.field("was"))
			r.roster[name] = true
		}
	}
}

// sequence returns the number of a line.
func sequence(id string) uint64 {
	p, err := state.ParsePosition(id)
	if err != nil {
		return 0
	}
	return p.Seq
}
