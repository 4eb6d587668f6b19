package chat

import "time"

// A claim may be overtaken by one of a socket that was connected later: its instance was cut off, say, while the client
// went on to another. Mostly the socket that claimed is long gone by then. If it is not, either the client has left it
// behind, and it ends as if the claims had come in their order; or the clocks of two instances disagree by a little,
// and it is the one the client is on. Then it claims again as soon as the other is told to have gone.

// maxSkew is by how much the clocks of instances may disagree.
const maxSkew = 5 * time.Second

// settleStale deals with a client whose claim came late.
func (c *Chat) settleStale(p *pending, u *user) {
	cl := p.client
	if cl.ended {
		return
	}
	if u.present().born-p.command.Born > uint64(maxSkew.Milliseconds()) {
		c.replace(cl)
		return
	}
	cl.token, cl.name, cl.late = u.token, u.name, true
	c.late[u.token] = cl
	if !p.resumes {
		c.check(p.ack.Send(false, granted{OK: true, Name: u.name.name, Token: p.secret, Room: lobby, Rooms: u.rooms}))
	}
}

// notLate ends the wait of a client that was late.
func (c *Chat) notLate(cl *client) {
	if cl.late {
		cl.late = false
		if c.late[cl.token] == cl {
			delete(c.late, cl.token)
		}
	}
}

// claimLate claims a user, who is away now or gone, for the client here that waits for him.
func (c *Chat) claimLate(u *user) {
	cl := c.late[u.token]
	if cl == nil {
		return
	}
	c.notLate(cl)
	claim := c.claimFor(cl, cl.token)
	claim.Name, claim.Key, claim.Rooms = cl.name.name, cl.name.key, u.rooms
	if err := c.append(&pending{command: claim, client: cl, resumes: true}); err != nil {
		c.emitSession(cl, cl.rooms, false, overloaded)
	}
}
