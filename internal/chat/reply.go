package chat

import (
	"time"

	"chatapp/internal/chat/state"
)

// said is the reply to a client whose message is in the log.
type said struct {
	OK        bool    `json:"ok"`
	ID        string  `json:"id"`
	Time      int64   `json:"time"`
	Room      string  `json:"room"`
	CID       string  `json:"cid"`
	Duplicate bool    `json:"duplicate,omitempty"`
	Unsaved   bool    `json:"unsaved,omitempty"`
	Latency   float64 `json:"latency"` // ms
}

// succeeded is the reply to a client that needs to know no more than that.
type succeeded struct {
	OK bool `json:"ok"`
}

// replyLocked replies to the client whose command has come back from the log. p is nil if that is none of this
// instance.
func (c *Chat) replyLocked(p *pendingCommand, o state.Outcome) {
	if p == nil {
		return
	}
	cl := p.client
	if p.span != nil {
		p.span.End(o.Code.String())
		p.span = nil
	}
	if claim := p.claim(); claim != nil {
		c.nicknames.replyLocked(p, claim, o)
		return
	}
	if o.Code != state.Accepted {
		c.refuseLocked(cl, p.event, p.ack, o.Code, 0)
		return
	}
	switch action := p.command.Action.(type) {
	case *state.Rename:
		cl.name = o.User.Nickname()
		c.out.reply(p.ack, false, newGranted(o.User, ""))
	case *state.Forget:
		c.replyToForgetLocked(p, action.Stored)
	case *state.LeaveChat:
		cl.name = state.Nickname{}
		c.out.reply(p.ack, succeeded{true})
	case *state.Join, *state.Enter:
		c.replyToJoinLocked(p, o.Room)
	case *state.Leave:
		c.local.ignoreLocked(cl, action.Room)
		c.out.reply(p.ack, succeeded{true})
	case *state.Say:
		c.replyToMessageLocked(p, action, o)
	}
}

func (c *Chat) replyToJoinLocked(p *pendingCommand, room string) {
	waits := p.client.ahead != nil // then history and roster follow, see stopWaitingLocked
	if p.client.protocol == state.V09 && p.client.user != nil && !waits {
		c.local.listenLocked(p.client, room)
		c.history.emitLocked(p.client, room, false)
	}
	c.out.reply(p.ack, struct {
		OK    bool   `json:"ok"`
		Room  string `json:"room"`
		Users int    `json:"users"`
	}{true, room, c.numUsersLocked(room)})
	if !waits {
		c.rosters.emitLocked(p.client, room)
	}
}

func (c *Chat) replyToMessageLocked(p *pendingCommand, say *state.Say, o state.Outcome) {
	latency := time.Since(p.appended)
	c.options.Observe(latency)
	if o.Duplicate {
		c.counts.duplicates++
	} else {
		c.counts.messages++
	}
	if !p.ack.Wanted() {
		return
	}
	_, unsaved := c.backplane.Unsaved()
	reply := said{OK: true, ID: o.At.String(), Time: p.appended.UnixMilli(), Room: say.Room, CID: say.CID,
		Duplicate: o.Duplicate, Unsaved: unsaved, Latency: float64(latency.Microseconds()) / 1000}
	if r := c.state.Room(say.Room); r != nil {
		if l, kept := r.Line(o.At.Seq); kept {
			reply.Time = l.Time
		}
	}
	c.out.reply(p.ack, reply)
}
