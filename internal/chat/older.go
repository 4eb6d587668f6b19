package chat

import (
	"context"
	"math"
	"slices"

	"chatapp/internal/chat/state"
	"chatapp/internal/store"
)

// historyAnswer is the reply to "history".
type historyAnswer struct {
	OK   bool   `json:"ok"`
	Room string `json:"room"`
	historyView
}

// historyPage is the part of a room's history that a client has requested, as far as memory has it.
type historyPage struct {
	room     string
	before   state.Position // zero: not given
	verified bool           // before is a position that memory knows
	limit    int
	end      uint64       // number behind the last line
	lines    []state.Line // the last ones of the page
	first    uint64       // number of the room's first line
	trimmed  uint64       // up to here memory lacks lines
}

// answerHistoryLocked replies with the last lines of a room before a position; zero: the last that clients have been
// sent, since the others are going to be broadcast. It reads on in the store where memory ends.
func (h *history) answerHistoryLocked(r *request, name string, before state.Position, limit int) {
	p := historyPage{room: name, before: before, limit: min(max(limit, 1), maxLines), end: h.lines.sentLocked().Seq + 1,
		first: math.MaxUint64, verified: h.state.Ahead(before) || h.state.Verify(before)}
	if before.Seq > 0 {
		p.end = min(p.end, before.Seq)
	}
	room := h.state.Room(name)
	if room == nil || !p.verified && h.store == nil {
		h.out.reply(r.ack, p.answer(nil, false))
		return
	}
	p.first, p.trimmed = room.First(), room.Trimmed()
	more := false
	if p.verified {
		p.lines, more = room.Last(p.limit, p.end)
	}
	lines, all := newestThatFit(name, p.lines)
	if !all || more || h.store == nil || !h.state.MayBeStored(room, p.oldest()) {
		h.out.reply(r.ack, p.answer(lines, more || !all))
		return
	}
	p.lines = slices.Clone(lines)
	h.readLocked(r, []string{name}, func(ctx context.Context, s store.Reader) (any, error) {
		return h.readHistory(ctx, s, &p)
	})
}

// oldest returns the number of the first line that memory has of the page, or else that of the line behind the page.
func (p *historyPage) oldest() uint64 {
	if len(p.lines) > 0 {
		return p.lines[0].Seq
	}
	return p.end
}

func (p *historyPage) answer(lines []state.Line, more bool) historyAnswer {
	a := historyAnswer{OK: true, Room: p.room, historyView: viewOf(p.room, lines, more)}
	oldest := p.end
	if len(lines) > 0 {
		oldest = lines[0].Seq
	}
	a.Dropped = !more && p.verified && oldest > p.first
	return a
}

// readHistory completes a page by lines of the store.
func (h *history) readHistory(ctx context.Context, s store.Reader, p *historyPage) (any, error) {
	if !p.verified {
		stored, err := h.isStored(ctx, s, p.room, p.before)
		if err != nil {
			return nil, err
		}
		if !stored {
			return p.answer(nil, false), nil
		}
		p.verified = true
	}
	older, more, err := h.olderLines(ctx, s, p)
	switch {
	case err != nil && len(p.lines) == 0:
		return nil, err
	case err != nil: // what memory has is true, and it has dropped more
		return p.answer(p.lines, true), err
	}
	lines, all := newestThatFit(p.room, append(older, p.lines...))
	return p.answer(lines, more || !all), nil
}

// olderLines reads what a page lacks.
func (h *history) olderLines(ctx context.Context, s store.Reader, p *historyPage) ([]state.Line, bool, error) {
	if err := savedUpTo(ctx, s, p.trimmed, p.oldest()); err != nil {
		return nil, false, err
	}
	return h.linesBefore(ctx, s, p.room, p.oldest(), p.limit-len(p.lines))
}

// onHistory returns older lines of a room.
func (h *history) onHistory(r *request) {
	name, ok := h.roomArgument(r, state.Lobby)
	if !ok {
		return
	}
	options := struct {
		Before string `json:"before"`
		Limit  int    `json:"limit"`
	}{Limit: h.options.HistoryOnJoin}
	if _, isName := r.String(0); !isName && !h.optionsArgument(r, 0, &options) {
		return
	}
	var before state.Position
	if options.Before != "" {
		var err error
		if before, err = state.ParsePosition(options.Before); err != nil {
			h.refuse(r, state.BadArgument)
			return
		}
	}
	h.mu.Lock()
	defer h.unlock()
	switch name = h.state.Meant(name); {
	case !h.local.allowLocked(r, h.local.takeRequest):
	case !r.client.mayListen(name):
		h.refuseRequestLocked(r, state.NotInRoom, 0)
	default:
		h.answerHistoryLocked(r, name, before, options.Limit)
	}
}
