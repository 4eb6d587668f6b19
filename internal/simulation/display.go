package simulation

import (
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

// receive shows an event as the page does.
func (d *display) receive(p *packet) {
	switch p.event {
	case "history":
		d.history(p)
	case "user message":
		var meta struct{ ID, Room, CID, Replaces string }
		p.decode(2, &meta)
		r := d.room(meta.Room)
		r.lines = append(r.lines, meta.ID)
		delete(d.provisional, meta.CID)
		delete(d.provisional, meta.Replaces)
	case "announcement":
		d.announcement(p)
	case "nicknames":
		var names map[string]string
		var meta struct{ Room string }
		p.decode(0, &names)
		p.decode(1, &meta)
		r := d.room(meta.Room)
		r.roster = make(map[string]bool, len(names))
		for name := range names {
			r.roster[name] = true
		}
	case "provisional":
		var meta struct{ Key, Room string }
		p.decode(2, &meta)
		d.provisional[meta.Key] = meta.Room
	}
}

// history replaces what is shown of a room.
func (d *display) history(p *packet) {
	var h struct{ Messages []struct{ ID string } }
	p.decode(1, &h)
	name, at := p.text(0), sequence(p.text(2))
	r := &shownRoom{since: at, roster: d.room(name).roster}
	for i := range h.Messages {
		if i == 0 {
			r.since = sequence(h.Messages[0].ID) - 1
		}
		r.lines = append(r.lines, h.Messages[i].ID)
	}
	d.rooms[name] = r
	for key, room := range d.provisional {
		if room == name {
			delete(d.provisional, key)
		}
	}
}

func (d *display) announcement(p *packet) {
	var meta struct {
		Kind, Name, Was, Room, ID string
		Names, IDs                []string
	}
	p.decode(1, &meta)
	if meta.ID == "" {
		return // a refusal
	}
	if len(meta.Names) == 0 {
		meta.Names, meta.IDs = []string{meta.Name}, []string{meta.ID}
	}
	r := d.room(meta.Room)
	r.lines = append(r.lines, meta.IDs...)
	for _, name := range meta.Names {
		switch {
		case r.roster == nil:
		case meta.Kind == "leave":
			delete(r.roster, name)
		default:
			delete(r.roster, meta.Was)
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
