package chat

import (
	"chatapp/internal/chat/state"
)

// lineView is a line of a history as clients receive it.
type lineView struct {
	Kind     string `json:"kind"`
	ID       string `json:"id"`
	Time     int64  `json:"time"`
	Room     string `json:"room"`
	From     string `json:"from"`
	Was      string `json:"was,omitempty"`
	Text     string `json:"text"`
	CID      string `json:"cid,omitempty"`
	Instance string `json:"instance,omitempty"`
}

// historyView is part of a room's history.
type historyView struct {
	Messages []lineView `json:"messages"`
	More     bool       `json:"more"`
	Dropped  bool       `json:"dropped,omitempty"` // there were older lines, which nothing has any more
	Reset    bool       `json:"reset,omitempty"`
}

// viewOf copies lines, which the state may change with the next entry.
func viewOf(room string, lines []state.Line, more bool) historyView {
	views := make([]lineView, len(lines))
	for i := range lines {
		l := &lines[i]
		views[i] = lineView{Kind: lineKind(l), ID: l.Position().String(), Time: l.Time, Room: room, From: l.From,
			Was: l.Was, Text: l.Text, CID: l.CID, Instance: l.Instance}
		switch {
		case l.Forgotten():
			views[i].Kind = "forgotten"
		case l.Kind != state.MessageLine:
			views[i].Text = lineText(l, room)
		}
	}
	return historyView{Messages: views, More: more}
}

// cachedHistory is a room's history event as of a position: many clients may connect between two lines.
type cachedHistory struct {
	at    state.Position
	reset bool
	event *sharedEvent
}

// eventLocked returns the event that a client receives when it enters a room. Its offset is the last position that
// clients here have been sent: up to there, nothing else is left to send.
func (h *history) eventLocked(room string, reset bool) *sharedEvent {
	local, r, at := h.local.rooms[room], h.state.Room(room), h.lines.sentLocked()
	if r == nil {
		empty := historyView{Messages: []lineView{}, Reset: reset}
		return share(event{"history", []any{room, historyEvent(empty), at.String()}})
	}
	if local != nil && local.history.event != nil && local.history.at == at && local.history.reset == reset {
		return local.history.event
	}
	lines, more := r.Last(h.options.HistoryOnJoin, at.Seq+1)
	lines, all := newestThatFit(room, lines)
	more = more || !all
	oldest := at.Seq + 1
	if len(lines) > 0 {
		oldest = lines[0].Seq
	}
	v := viewOf(room, lines, more || h.store != nil && h.state.MayBeStored(r, oldest))
	v.Dropped = !v.More && oldest > r.First()
	v.Reset = reset
	e := share(event{"history", []any{room, historyEvent(v), at.String()}})
	if local != nil {
		local.history = cachedHistory{at: at, reset: reset, event: e}
	}
	return e
}

func (h *history) emitLocked(cl *client, room string, reset bool) {
	h.out.emitShared(cl, h.eventLocked(room, reset))
}

// resetLocked makes all clients here replace what they display.
func (h *history) resetLocked() {
	for name, r := range h.local.rooms {
		if r.listeners[state.V09] > 0 {
			h.out.broadcastShared(r.sockets[state.V09], h.eventLocked(name, true), "")
		}
	}
}
