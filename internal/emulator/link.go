package emulator

import (
	"errors"
	"strings"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// link is the part that both kinds of link ends share. The connection's loop owns it.
type link struct {
	// immutable
	session        *amqpSession
	end            linkEnd // the link end that embeds this
	name           string
	handle         uint32
	cbs            bool          // the link leads to $cbs
	path           string        // of the entity, empty at $cbs
	requiredClaims broker.Claims // to stay attached
	address        string        // the client's end, to which replies may be routed

	lastUsed   time.Time // when a frame of the client or a message last used the link
	deliveries uint32    // delivery-count, which starts at the sender's initial value
	credit     uint32    // link-credit: deliveries that the receiving end still allows
	detachSent bool
	closed     bool // detached by one side or the other
}

func (l *link) base() *link { return l }

// role returns the name that Service Bus gives the client's role in error texts.
func (l *link) role() string {
	if _, ok := l.end.(*incomingLink); ok {
		return "Publisher"
	}
	return "Consumer"
}

// detach detaches the link because of err, which may be nil, and expects the client to answer.
func (l *link) detach(err *amqp.Error) {
	if l.closed {
		return
	}
	if out, ok := l.end.(*outgoingLink); ok && out.pendingAttach != nil {
		out.refusePending(err) // the client has not received the attach, without which a detach is meaningless
		return
	}
	l.closed, l.detachSent = true, true
	l.end.release()
	l.session.flushDisposition()
	l.session.write(&amqp.Detach{Handle: l.handle, Closed: true, Error: err})
}

// handleAttach answers an attach of the client.
func (s *amqpSession) handleAttach(a *amqp.Attach) {
	c := s.conn
	switch {
	case s.links[a.Handle] != nil:
		s.end(amqp.Errorf(amqp.CondHandleInUse, "handle %d is in use", a.Handle))
		return
	case c.links >= maxLinks:
		s.end(amqp.Errorf(amqp.CondResourceLimitExceeded, "a connection may have %d links", maxLinks))
		return
	}
	c.links++
	c.hadLinks = true
	base := link{session: s, name: a.Name, handle: a.Handle, lastUsed: c.now}
	var err error
	if a.Role == amqp.RoleSender {
		err = s.attachIncoming(a, base)
	} else {
		err = s.attachOutgoing(a, base)
	}
	if err != nil {
		s.refuse(a, base, toWireError(err))
	}
}

// refuse answers an attach as AMQP 1.0 part 2, 2.6.3 requires: with an attach that lacks the server's terminus, and a
// detach that carries the error.
func (s *amqpSession) refuse(a *amqp.Attach, base link, why *amqp.Error) {
	s.conn.log.Debug("refusing the link", "link", a.Name, "err", why)
	answer := *a
	answer.Role, answer.Properties, answer.MaxMessageSize = !a.Role, nil, 0
	answer.InitialDeliveryCount = amqp.Optional[uint32]{}
	if a.Role == amqp.RoleSender {
		answer.Target = nil
	} else {
		answer.Source = nil
		answer.InitialDeliveryCount = amqp.Some(uint32(0))
	}
	s.write(&answer)
	l := &refusedLink{link: base}
	l.end, l.closed, l.detachSent = l, true, true
	s.links[a.Handle] = l
	s.write(&amqp.Detach{Handle: a.Handle, Closed: true, Error: why})
}

// refusedLink occupies a handle until the client answers the detach of the refusal.
type refusedLink struct{ link }

func (*refusedLink) flow(*amqp.Flow) {}
func (*refusedLink) release()        {}

// attachIncoming attaches a link on which the client sends to an entity, to $cbs or to a $management node.
func (s *amqpSession) attachIncoming(a *amqp.Attach, base link) error {
	if a.Target == nil {
		return amqp.Errorf(amqp.CondInvalidField, "a sending link needs a target")
	}
	if a.Target.Dynamic {
		return errTemporaryQueue()
	}
	l := &incomingLink{link: base}
	l.end = l
	l.deliveries = a.InitialDeliveryCount.Value
	if a.Source != nil {
		l.address = a.Source.Address.Value
	}
	answer := *a
	answer.Role, answer.InitialDeliveryCount, answer.Properties = amqp.RoleReceiver, amqp.Optional[uint32]{}, nil
	path := entityPath(a.Target.Address.Value)
	if a.Target.Coordinator {
		l.accept, l.maxSize = l.coordinate, maxCoordinatorMessage
		s.conn.usesEntities = true
	} else if strings.EqualFold(path, nodeCBS) {
		if s.conn.hasCBS(amqp.RoleReceiver) {
			return errCBSOpen()
		}
		l.cbs, l.accept, l.maxSize = true, l.putToken, maxTokenMessage
	} else if err := l.attachEntity(path, &answer); err != nil {
		return err
	}
	answer.MaxMessageSize = uint64(l.maxSize)
	s.links[a.Handle] = l
	s.write(&answer)
	l.grantCredit()
	return nil
}

// hasCBS reports whether the connection has a link to $cbs whose server's end has the given role.
// The service allows one pair of links.
func (c *conn) hasCBS(role amqp.Role) bool {
	for _, s := range c.sessions {
		for _, e := range s.links {
			l := e.base()
			if _, in := e.(*incomingLink); !l.closed && l.cbs && amqp.Role(in) == role {
				return true
			}
		}
	}
	return false
}

func errCBSOpen() *amqp.Error {
	return &amqp.Error{Condition: amqp.CondNotAllowed, Description: "$cbs node has already been opened."}
}

// attachEntity makes l a sender to an entity or to its management node.
func (l *incomingLink) attachEntity(path string, answer *amqp.Attach) error {
	c := l.session.conn
	if entity, ok := cutManagement(path); ok {
		l.path, l.requiredClaims = entity, 0
		if err := c.checkManagement(entity); err != nil {
			return err
		}
		l.accept, l.maxSize = l.manage, maxManagementMessage
		c.usesEntities = true
		return nil
	}
	l.path, l.requiredClaims = path, broker.Send
	if !c.claimsFor(path).Has(broker.Send) {
		return errUnauthorized("Send")
	}
	if c.server.faults.busy(c.now) {
		return errBusy()
	}
	target, err := c.broker.Target(path)
	if err != nil {
		return err
	}
	l.sender, err = target.NewSender(func() { c.wakeLink(l, &l.waiting) })
	if err != nil {
		return err
	}
	c.usesEntities = true
	l.accept, l.maxSize, l.maxBatch = l.send, target.MaxMessageSize(), target.MaxBatchSize()
	if l.maxBatch != l.maxSize {
		answer.Properties = amqp.Map{{Key: amqp.Symbol("com.microsoft:max-message-batch-size"),
			Value: uint64(l.maxBatch)}}
	}
	return nil
}

// checkManagement refuses a link to the management node of an entity that is missing or that the client has no right
// for.
func (c *conn) checkManagement(entity string) error {
	if c.claimsFor(entity) == 0 {
		return errUnauthorized("Listen")
	}
	if entity != "" && !c.broker.Exists(entity) {
		return amqp.Errorf(amqp.CondNotFound, "The messaging entity '%s/%s' could not be found.", entity,
			nodeManagement)
	}
	return nil
}

func errTemporaryQueue() *amqp.Error {
	return amqp.Errorf(amqp.CondNotImplemented,
		"Temporary queues (dynamic nodes) are not implemented by this emulator.")
}

func errUnauthorized(claim string) *amqp.Error {
	return amqp.Errorf(amqp.CondUnauthorizedAccess,
		"Unauthorized access. '%s' claim(s) are required to perform this operation.", claim)
}

func errBusy() *amqp.Error {
	return &amqp.Error{Condition: condServerBusy,
		Description: "The request was terminated because the namespace is being throttled. Error code : 50009. " +
			"Please wait 2 seconds and try again."}
}

// errAttachPending means that the attach is answered once a session is available.
var errAttachPending = errors.New("attach is waiting for a session")

// attachOutgoing attaches a link on which the client receives messages of an entity, or replies of $cbs or a
// $management node.
func (s *amqpSession) attachOutgoing(a *amqp.Attach, base link) error {
	if a.Source == nil {
		return amqp.Errorf(amqp.CondInvalidField, "a receiving link needs a source")
	}
	if a.Source.Dynamic {
		return errTemporaryQueue()
	}
	c := s.conn
	l := &outgoingLink{link: base, settled: a.SenderSettleMode == amqp.SenderSettled}
	l.end = l
	if a.Target != nil {
		l.address = a.Target.Address.Value
	}
	answer := *a
	answer.Role, answer.InitialDeliveryCount, answer.Properties = amqp.RoleSender, amqp.Some(uint32(0)), nil
	answer.MaxMessageSize = 0
	path := entityPath(a.Source.Address.Value)
	entity, management := cutManagement(path)
	switch {
	case strings.EqualFold(path, nodeCBS):
		if c.hasCBS(amqp.RoleSender) {
			return errCBSOpen()
		}
		l.cbs = true
		l.settled = a.SenderSettleMode != amqp.SenderUnsettled
	case management:
		l.path = entity
		l.settled = a.SenderSettleMode != amqp.SenderUnsettled
		if err := c.checkManagement(entity); err != nil {
			return err
		}
	default:
		l.path, l.requiredClaims = path, broker.Listen
		if !c.claimsFor(path).Has(broker.Listen) {
			return errUnauthorized("Listen")
		}
		err := l.attachSource(a, &answer)
		if err == errAttachPending {
			s.links[a.Handle] = l
			return nil
		}
		if err != nil {
			return err
		}
	}
	s.links[a.Handle] = l
	s.write(&answer)
	return nil
}
