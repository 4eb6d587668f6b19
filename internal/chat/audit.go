package chat

import (
	"time"

	"chatapp/internal/chat/state"
)

// Once rooms or the history are full, everybody's next room or line costs others some, so one that does is no trace of
// an attack. A client is named that fills them: that made another such room within floodTime, or that said an eighth of
// what filled floodBytes of the history within floodTime, twice in succession.
const (
	floodTime  = 10 * time.Second
	floodBytes = 64 << 10
	floodPart  = 8
)

// floods are what the clients of this instance, by account, have lately cost others. Chat.mu guards it.
type floods struct {
	said     map[string]*saidBy // since began
	bytes    int                // of the lines of all instances since then
	began    time.Time
	dropped  bool // old lines were, since then
	madeRoom map[string]time.Time
}

// saidBy is what an account has said.
type saidBy struct {
	bytes        int
	before       bool // it said much of what came before that, too
	remote, name string
}

// auditEvictionsLocked leaves a trace of the clients that cost others rooms or history, on the instance that they are
// on. p is the command that was applied, nil if it is another instance's; rooms and lines are the numbers of
// State.Evictions before it.
func (c *Chat) auditEvictionsLocked(p *pendingCommand, changes []state.Change, rooms, lines uint64) {
	f := &c.floods
	nowRooms, nowLines := c.state.Evictions()
	if p != nil && rooms != nowRooms && f.makesAnother(p.account, time.Now()) {
		c.options.Audit("made rooms for which others were closed", p.client.socket.Handshake().RemoteAddr,
			p.client.name.Name)
	}
	f.dropped = f.dropped || lines != nowLines
	for i := range changes {
		if l := &changes[i].Line; l.Seq != 0 {
			f.count(p, l.Size())
		}
	}
	if f.bytes < floodBytes {
		return
	}
	now := time.Now()
	counts := f.dropped && now.Sub(f.began) <= floodTime
	for account, s := range f.said {
		much := counts && s.bytes*floodPart >= f.bytes
		if much && s.before {
			c.options.Audit("filled the history: old lines dropped", s.remote, s.name)
		}
		if s.bytes, s.before = 0, much; !much {
			delete(f.said, account)
		}
	}
	f.bytes, f.began, f.dropped = 0, now, false
}

// makesAnother notes that an account has made a room for which another was closed, and reports whether it has made one
// before, lately.
func (f *floods) makesAnother(account string, now time.Time) bool {
	for other, at := range f.madeRoom {
		if now.Sub(at) > floodTime {
			delete(f.madeRoom, other)
		}
	}
	_, another := f.madeRoom[account]
	if f.madeRoom == nil {
		f.madeRoom = make(map[string]time.Time)
	}
	f.madeRoom[account] = now
	return another
}

// count counts a line that a command has added.
func (f *floods) count(p *pendingCommand, bytes int) {
	f.bytes += bytes
	if p == nil {
		return
	}
	s := f.said[p.account]
	if s == nil {
		if f.said == nil {
			f.said = make(map[string]*saidBy)
		}
		s = &saidBy{}
		f.said[p.account] = s
	}
	s.bytes += bytes
	s.remote, s.name = p.client.socket.Handshake().RemoteAddr, p.client.name.Name
}
