package emulator

import "chatapp/internal/emulator/amqp"

// The windows of an AMQP session, in transfer frames.
const (
	incomingWindow = 5000
	outgoingWindow = 5000
)

// session is an AMQP session. It belongs to the connection's loop.
type session struct {
	conn    *conn
	channel uint16 // of both directions: the server answers on the channel the client chose
	ended   bool   // an end was sent; what still arrives is ignored until the client's

	links map[uint32]linkEnd // by handle, which is the client's and the server's

	// former are the handles that were detached: go-amqp may write a flow behind its own detach.
	former map[uint32]struct{}

	// What the client sends.
	nextIncomingID uint32
	window         uint32 // transfers it may still send

	// What the server sends.
	nextOutgoingID uint32
	peerWindow     uint32 // transfers the client may still be sent
	nextDelivery   uint32
	unsettled      map[uint32]unsettled // by delivery-id
	starved        []*outgoingLink      // have something to send and wait for the window

	held disposition // not yet written, as the next may extend it
}

// unsettled is a delivery whose outcome the client has not told yet.
type unsettled struct {
	link  *outgoingLink
	token [16]byte
}

// disposition is what a run of deliveries is answered with.
type disposition struct {
	some bool
	amqp.Disposition
}

// linkEnd is this side's end of a link.
type linkEnd interface {
	base() *link
	// flow takes the client's flow for the link.
	flow(f *amqp.Flow)
	// release gives back what the broker holds for the link.
	release()
}

func (c *conn) sessionFrame(channel uint16, p amqp.Performative) {
	if begin, ok := p.(*amqp.Begin); ok {
		c.begin(channel, begin)
		return
	}
	s := c.sessions[channel]
	if s == nil {
		c.fail(amqp.Errorf(amqp.CondFramingError, "%T on channel %d, which has no session", p, channel))
		return
	}
	if s.ended {
		if _, ok := p.(*amqp.End); ok {
			delete(c.sessions, channel)
		}
		return
	}
	switch p := p.(type) {
	case *amqp.End:
		s.release()
		c.write(channel, &amqp.End{})
		delete(c.sessions, channel)
	case *amqp.Attach:
		s.attach(p)
	case *amqp.Flow:
		s.flow(p)
	case *amqp.Transfer:
		s.transfer(p)
	case *amqp.Disposition:
		s.disposition(p)
	case *amqp.Detach:
		s.detached(p)
	default:
		c.fail(amqp.Errorf(amqp.CondNotAllowed, "a %T in an AMQP session", p))
	}
}

func (c *conn) begin(channel uint16, b *amqp.Begin) {
	switch {
	case c.sessions[channel] != nil:
		c.fail(amqp.Errorf(amqp.CondNotAllowed, "channel %d has a session already", channel))
		return
	case channel > maxChannels:
		c.fail(amqp.Errorf(amqp.CondNotAllowed, "channel %d is above the channel-max %d", channel, maxChannels))
		return
	}
	c.sessions[channel] = &session{
		conn: c, channel: channel, links: make(map[uint32]linkEnd), nextIncomingID: b.NextOutgoingID, window: incomingWindow,
		peerWindow: b.IncomingWindow,
	}
	c.write(channel, &amqp.Begin{
		RemoteChannel: amqp.Some(channel), IncomingWindow: incomingWindow, OutgoingWindow: outgoingWindow, HandleMax: amqp.DefaultHandleMax,
	})
}

func (s *session) write(p amqp.Performative) { s.conn.write(s.channel, p) }

// end ends the session because of an error.
func (s *session) end(err *amqp.Error) {
	s.conn.log.Info("AMQP session ended for an error", "err", err)
	s.release()
	s.write(&amqp.End{Error: err})
	s.ended = true
}

// release frees the links of a session that ends.
func (s *session) release() {
	s.flushHeld()
	for _, e := range s.links {
		e.base().over = true
		e.release()
		s.conn.unlinked()
	}
	clear(s.links)
	s.unsettled, s.starved = nil, nil
}

// flow takes a flow of the client: windows of the session, then credit of a link.
func (s *session) flow(f *amqp.Flow) {
	// AMQP 1.0 part 2, 2.5.6: the window counts from what the client had seen; before it saw our begin, from its start.
	s.peerWindow = f.NextIncomingID.Value + f.IncomingWindow - s.nextOutgoingID
	if int32(s.peerWindow) < 0 && f.IncomingWindow < 1<<31 {
		s.peerWindow = 0
	}
	if f.Handle.Set {
		e := s.links[f.Handle.Value]
		if _, was := s.former[f.Handle.Value]; e == nil && !was {
			s.end(amqp.Errorf(amqp.CondUnattachedHandle, "a flow for handle %d", f.Handle.Value))
			return
		}
		if e != nil && !e.base().over {
			e.base().used = s.conn.now
			e.flow(f)
		}
	}
	if f.Echo && !f.Handle.Set {
		s.writeFlow(amqp.Flow{})
	}
	s.feed()
}

// shut says that no transfer may be written: the client's window is used up, or it owes too many outcomes.
func (s *session) shut() bool { return s.peerWindow == 0 || len(s.unsettled) >= maxUnsettled }

// feed lets links go on that waited for the window.
func (s *session) feed() {
	if len(s.starved) == 0 || s.shut() {
		return
	}
	starved := s.starved
	s.starved = nil
	for _, l := range starved {
		l.starved = false
		l.pump()
		if l.drain && !l.starved && !l.over {
			l.drained()
		}
	}
}

// writeFlow writes a flow with the session's fields filled in; clients want them in every one.
func (s *session) writeFlow(f amqp.Flow) {
	f.NextIncomingID = amqp.Some(s.nextIncomingID)
	f.IncomingWindow = s.window
	f.NextOutgoingID = s.nextOutgoingID
	f.OutgoingWindow = outgoingWindow
	s.write(&f)
}

// transfer takes a transfer of the client.
func (s *session) transfer(t *amqp.Transfer) {
	if s.window == 0 {
		s.end(amqp.Errorf(amqp.CondWindowViolation, "a transfer beyond the window of %d", incomingWindow))
		return
	}
	s.window--
	s.nextIncomingID++
	if s.window <= incomingWindow/2 {
		s.window = incomingWindow
		s.writeFlow(amqp.Flow{})
	}
	e := s.links[t.Handle]
	if e == nil {
		s.end(amqp.Errorf(amqp.CondUnattachedHandle, "a transfer for handle %d", t.Handle))
		return
	}
	l, ok := e.(*incomingLink)
	if !ok {
		s.end(amqp.Errorf(amqp.CondNotAllowed, "a transfer on the link '%s', on which the client receives", e.base().name))
		return
	}
	if !l.over {
		l.used = s.conn.now
		l.transfer(t)
	}
}

// settle answers one delivery, together with its neighbours if they are answered alike.
func (s *session) settle(role amqp.Role, id uint32, state amqp.State) {
	plain := state.Kind == amqp.StateAccepted || state.Kind == amqp.StateReleased
	if s.held.some && plain && s.held.Role == role && s.held.State.Kind == state.Kind && s.held.Last+1 == id {
		s.held.Last = id
		return
	}
	s.flushHeld()
	d := amqp.Disposition{Role: role, First: id, Last: id, Settled: true, State: state}
	if !plain {
		s.write(&d)
		return
	}
	s.held = disposition{some: true, Disposition: d}
	s.conn.holding = append(s.conn.holding, s)
}

func (s *session) flushHeld() {
	if s.held.some {
		s.held.some = false
		s.write(&s.held.Disposition)
	}
}

// detached takes a detach of the client, its own or the answer to one of ours.
func (s *session) detached(d *amqp.Detach) {
	e := s.links[d.Handle]
	if e == nil {
		s.end(amqp.Errorf(amqp.CondUnattachedHandle, "a detach of handle %d", d.Handle))
		return
	}
	l := e.base()
	delete(s.links, d.Handle)
	if s.former == nil || len(s.former) >= maxLinks {
		s.former = make(map[uint32]struct{})
	}
	s.former[d.Handle] = struct{}{}
	if !l.detachSent {
		l.over = true
		e.release()
		s.flushHeld()
		s.write(&amqp.Detach{Handle: d.Handle, Closed: true})
	}
	s.conn.unlinked()
}

func (c *conn) unlinked() {
	c.links--
	if c.links == 0 {
		c.linkless = c.now
	}
}
