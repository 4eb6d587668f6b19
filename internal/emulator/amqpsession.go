package emulator

import "chatapp/internal/emulator/amqp"

// The windows of an AMQP session, in transfer frames.
const (
	incomingWindow = 5000
	outgoingWindow = 5000
)

// amqpSession is an AMQP session. The connection's loop owns it.
type amqpSession struct {
	conn    *conn
	channel uint16 // of both directions: the server uses the channel the client chose
	ended   bool   // the server has sent end and ignores all frames up to the client's end

	links map[uint32]linkEnd // by handle; both ends use the client's

	// detachedHandles are handles the client has detached: go-amqp may write a flow after its own detach.
	detachedHandles map[uint32]struct{}

	// incoming, from the client
	nextIncomingID uint32
	window         uint32 // transfers the client may still send

	// outgoing, to the client
	nextOutgoingID uint32
	peerWindow     uint32 // transfers the server may still send
	nextDelivery   uint32
	unsettled      map[uint32]unsettled // by delivery-id
	blocked        []*outgoingLink      // links with something to send that wait for the window

	pending pendingDisposition // not yet written, because the next may extend it
}

// unsettled is a delivery that the client has not settled yet.
type unsettled struct {
	link  *outgoingLink
	token [16]byte
}

// pendingDisposition answers a range of deliveries and is not written yet.
type pendingDisposition struct {
	set bool
	amqp.Disposition
}

// linkEnd is the server's end of a link.
type linkEnd interface {
	base() *link
	// flow handles a flow of the client for this link.
	flow(f *amqp.Flow)
	// release closes the sender or receiver that the broker holds for the link.
	release()
}

func (c *conn) sessionFrame(channel uint16, p amqp.Performative) {
	if begin, ok := p.(*amqp.Begin); ok {
		c.begin(channel, begin)
		return
	}
	s := c.sessions[channel]
	if s == nil {
		c.fail(amqp.Errorf(amqp.CondFramingError, "%T on channel %d, which has no AMQP session", p, channel))
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
		s.handleAttach(p)
	case *amqp.Flow:
		s.handleFlow(p)
	case *amqp.Transfer:
		s.handleTransfer(p)
	case *amqp.Disposition:
		s.handleDisposition(p)
	case *amqp.Detach:
		s.handleDetach(p)
	default:
		c.fail(amqp.Errorf(amqp.CondNotAllowed, "a %T in an AMQP session", p))
	}
}

func (c *conn) begin(channel uint16, b *amqp.Begin) {
	switch {
	case c.sessions[channel] != nil:
		c.fail(amqp.Errorf(amqp.CondNotAllowed, "channel %d has an AMQP session already", channel))
		return
	case channel > maxChannels:
		c.fail(amqp.Errorf(amqp.CondNotAllowed, "channel %d is above the channel-max %d", channel, maxChannels))
		return
	}
	c.sessions[channel] = &amqpSession{
		conn: c, channel: channel, links: make(map[uint32]linkEnd), nextIncomingID: b.NextOutgoingID,
		window:     incomingWindow,
		peerWindow: b.IncomingWindow,
	}
	c.write(channel, &amqp.Begin{
		RemoteChannel: amqp.Some(channel), IncomingWindow: incomingWindow, OutgoingWindow: outgoingWindow,
		HandleMax: amqp.DefaultHandleMax,
	})
}

func (s *amqpSession) write(p amqp.Performative) { s.conn.write(s.channel, p) }

// end ends the AMQP session because of an error.
func (s *amqpSession) end(err *amqp.Error) {
	s.conn.log.Info("ending the AMQP session because of an error", "err", err)
	s.release()
	s.write(&amqp.End{Error: err})
	s.ended = true
}

// release releases all links. The AMQP session is about to end.
func (s *amqpSession) release() {
	s.flushDisposition()
	for _, e := range s.links {
		e.base().closed = true
		e.release()
		s.conn.linkRemoved()
	}
	clear(s.links)
	s.unsettled, s.blocked = nil, nil
}

// handleFlow applies a flow of the client: first the window of the AMQP session, then the credit of a link.
func (s *amqpSession) handleFlow(f *amqp.Flow) {
	// AMQP 1.0 part 2, 2.5.6: the window counts from the last transfer the client had seen. A client that has not
	// seen the server's begin yet counts from the start.
	s.peerWindow = f.NextIncomingID.Value + f.IncomingWindow - s.nextOutgoingID
	if int32(s.peerWindow) < 0 && f.IncomingWindow < 1<<31 {
		s.peerWindow = 0
	}
	if f.Handle.Set {
		e := s.links[f.Handle.Value]
		if _, was := s.detachedHandles[f.Handle.Value]; e == nil && !was {
			s.end(amqp.Errorf(amqp.CondUnattachedHandle, "a flow for handle %d", f.Handle.Value))
			return
		}
		if e != nil && !e.base().closed {
			e.base().lastUsed = s.conn.now
			e.flow(f)
		}
	}
	if f.Echo && !f.Handle.Set {
		s.writeFlow(amqp.Flow{})
	}
	s.resumeBlocked()
}

// sendingBlocked reports whether no transfer may be written: the client's window is used up, or it
// has too many unsettled deliveries.
func (s *amqpSession) sendingBlocked() bool {
	return s.peerWindow == 0 || len(s.unsettled) >= maxUnsettled
}

// resumeBlocked continues the links that waited for the window.
func (s *amqpSession) resumeBlocked() {
	if len(s.blocked) == 0 || s.sendingBlocked() {
		return
	}
	starved := s.blocked
	s.blocked = nil
	for _, l := range starved {
		l.blocked = false
		l.pump()
		if l.drain && !l.blocked && !l.closed {
			l.finishDrain()
		}
	}
}

// writeFlow writes a flow and fills in the fields of the AMQP session, which clients expect in every flow.
func (s *amqpSession) writeFlow(f amqp.Flow) {
	f.NextIncomingID = amqp.Some(s.nextIncomingID)
	f.IncomingWindow = s.window
	f.NextOutgoingID = s.nextOutgoingID
	f.OutgoingWindow = outgoingWindow
	s.write(&f)
}

// handleTransfer passes a transfer of the client to its link. It renews the window when half of it
// is used, so that the client can't use it up.
func (s *amqpSession) handleTransfer(t *amqp.Transfer) {
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
		s.end(amqp.Errorf(amqp.CondNotAllowed, "a transfer on the link '%s', on which the client receives",
			e.base().name))
		return
	}
	if !l.closed {
		l.lastUsed = s.conn.now
		l.transfer(t)
	}
}

// writeDisposition settles one delivery. It coalesces consecutive deliveries with the same state into one disposition.
func (s *amqpSession) writeDisposition(role amqp.Role, id uint32, state amqp.State) {
	mergeable := state.Kind == amqp.StateAccepted || state.Kind == amqp.StateReleased
	if s.pending.set && mergeable && s.pending.Role == role && s.pending.State.Kind == state.Kind &&
		s.pending.Last+1 == id {
		s.pending.Last = id
		return
	}
	s.flushDisposition()
	d := amqp.Disposition{Role: role, First: id, Last: id, Settled: true, State: state}
	if !mergeable {
		s.write(&d)
		return
	}
	s.pending = pendingDisposition{set: true, Disposition: d}
	s.conn.withDisposition = append(s.conn.withDisposition, s)
}

func (s *amqpSession) flushDisposition() {
	if s.pending.set {
		s.pending.set = false
		s.write(&s.pending.Disposition)
	}
}

// handleDetach handles a detach of the client, which may answer a detach of the server.
func (s *amqpSession) handleDetach(d *amqp.Detach) {
	e := s.links[d.Handle]
	if e == nil {
		s.end(amqp.Errorf(amqp.CondUnattachedHandle, "a detach of handle %d", d.Handle))
		return
	}
	l := e.base()
	delete(s.links, d.Handle)
	if s.detachedHandles == nil || len(s.detachedHandles) >= maxLinks {
		s.detachedHandles = make(map[uint32]struct{})
	}
	s.detachedHandles[d.Handle] = struct{}{}
	if !l.detachSent {
		l.closed = true
		e.release()
		s.flushDisposition()
		s.write(&amqp.Detach{Handle: d.Handle, Closed: d.Closed})
	}
	s.conn.linkRemoved()
}

func (c *conn) linkRemoved() {
	c.links--
	if c.links == 0 {
		c.noLinksSince = c.now
	}
}
