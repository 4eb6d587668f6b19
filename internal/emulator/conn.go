package emulator

import (
	"errors"
	"log/slog"
	"math"
	"net"
	"sync"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// The limits of one connection. Clients of the SDKs stay far below; the service's own are in "Service Bus quotas".
const (
	maxChannels      = 4999 // channel-max; the SDKs use up to four AMQP sessions for a link
	maxLinks         = 4999
	maxGrants        = 10000     // audiences with a token, per connection
	maxPartialBytes  = 128 << 20 // of deliveries that have not arrived whole, over all links
	maxUnsettled     = 20000     // deliveries of one AMQP session that the client has not settled
	announcedIdle    = 4 * time.Minute
	handshakeTimeout = 20 * time.Second
	closeTimeout     = time.Second
)

// The times after which the service closes a connection or detaches a link ("AMQP errors in Azure
// Service Bus", "AMQP 1.0 protocol guide").
const (
	firstTokenTimeout  = 20 * time.Second
	neverLinkedTimeout = time.Minute
	noLinksLeftTimeout = 5 * time.Minute
	linkIdleTimeout    = 10 * time.Minute
)

// conn is one AMQP connection. The goroutine that runs it, called the loop, owns all AMQP state: AMQP sessions, links,
// credit and the output. A second goroutine reads, and owns that state in its place while it handles frames: see turn.
// Other goroutines reach the loop through wakeups.
type conn struct {
	// immutable
	server *Server
	broker *broker.Broker
	nc     net.Conn
	log    *slog.Logger

	ending  // by abort
	wakeups // called from any goroutine
	turn    // between the loop and the reader

	// owned by the loop
	in  *input // the reader's
	out output
	connState
	connLinks
	authorization
	connTimers
	faults connFaults
}

// ending says that the network connection was closed.
type ending struct {
	abortOnce sync.Once
	aborted   chan struct{} // closed by abort
}

// connState is how far a connection is in its life.
type connState struct {
	opened       bool // the client's open has arrived
	closeSent    bool
	finished     bool // nothing more is handled; the loop ends
	usesEntities bool // a link to an entity or a coordinator was attached
	peerMaxFrame int  // max-frame-size of the client's open, in bytes
}

// connLinks are the AMQP sessions and links of a connection, and what the connection limits over all of them.
type connLinks struct {
	sessions        map[uint16]*amqpSession // by channel
	withDisposition []*amqpSession          // with a disposition not yet written
	awaitingSession map[*outgoingLink]struct{}
	links           int
	partialBytes    int    // bytes of deliveries that have not arrived whole
	scratch         []byte // sections of the delivery being written

	transactions    map[string]*transaction // open, by txn-id
	lastTransaction uint64
}

func newConn(s *Server, b *broker.Broker, nc net.Conn) *conn {
	now := time.Now()
	return &conn{
		server: s, broker: b, nc: nc, log: s.log.With("remote", nc.RemoteAddr().String()),
		ending: ending{aborted: make(chan struct{})}, wakeups: wakeups{wake: make(chan struct{}, 1)},
		turn: turn{taken: make(chan struct{}, 1)},
		in:   newInput(nc), out: output{nc: nc, written: now},
		connState: connState{peerMaxFrame: amqp.MinMaxFrameSize},
		connLinks: connLinks{
			sessions:        make(map[uint16]*amqpSession),
			awaitingSession: make(map[*outgoingLink]struct{}),
		},
		authorization: authorization{grants: make(map[string]tokenGrant)},
		connTimers:    connTimers{now: now, openedAt: now, noLinksSince: now, nextSweep: now.Add(sweepInterval)},
		faults:        connFaults{server: s},
	}
}

// run serves the connection until it ends. Its goroutine is the loop; run starts the reader and waits for it.
func (c *conn) run() {
	defer c.abort()
	if err := c.handshake(); err != nil {
		c.log.Debug("AMQP handshake ended", "err", err)
		return
	}
	c.timer = time.NewTimer(math.MaxInt64)
	defer c.timer.Stop()
	c.in.readTimeout = 2 * announcedIdle
	read := make(chan struct{})
	go func() {
		defer close(read)
		c.read()
	}()
	c.loop()
	c.beginTurn()
	c.finished = true
	c.endSessions()
	closed := c.closeSent
	c.passTurn(false)
	if closed {
		c.linger(read)
	}
	c.abort()
	<-read
	c.log.Debug("connection ended")
}

// linger waits up to closeTimeout for the client to close.
func (c *conn) linger(read <-chan struct{}) {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // reading reports the error
	}
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-read:
	case <-timer.C:
	case <-c.aborted:
	}
}

// frames handles the complete frames that the reader passed on.
func (c *conn) frames(chunk []byte) {
	for len(chunk) > 0 && !c.finished {
		f, size, err := amqp.ParseFrame(chunk, maxFrameSize)
		if err != nil {
			c.fail(err)
			return
		}
		chunk = chunk[size:]
		if len(f.Body) > 0 {
			c.frame(f)
		}
		if len(c.out.buf) > highWater && !c.flush() {
			c.finished = true
		}
	}
}

func (c *conn) frame(f amqp.Frame) {
	p, err := amqp.ParsePerformative(f.Type, f.Body)
	if err != nil {
		c.fail(err)
		return
	}
	if f.Type != amqp.FrameAMQP {
		c.fail(amqp.Errorf(amqp.CondFramingError, "a SASL frame after the SASL exchange"))
		return
	}
	if c.closeSent {
		if _, ok := p.(*amqp.Close); ok {
			c.finished = true
		}
		return
	}
	switch p := p.(type) {
	case *amqp.Open:
		c.open(p)
	case *amqp.Close:
		c.write(0, &amqp.Close{})
		c.closeSent, c.finished = true, true
	default:
		if !c.opened {
			c.fail(amqp.Errorf(amqp.CondNotAllowed, "%T before open", p))
			return
		}
		c.sessionFrame(f.Channel, p)
	}
}

func (c *conn) open(o *amqp.Open) {
	switch {
	case c.opened:
		c.fail(amqp.Errorf(amqp.CondNotAllowed, "a second open"))
		return
	case o.MaxFrameSize < amqp.MinMaxFrameSize:
		c.fail(amqp.Errorf(amqp.CondInvalidField, "max-frame-size %d is below %d", o.MaxFrameSize,
			amqp.MinMaxFrameSize))
		return
	case o.IdleTimeOut != 0 && o.IdleTimeOut < minIdleTimeOut:
		c.fail(amqp.Errorf(amqp.CondInvalidField, "idle-time-out %d ms is below %d", o.IdleTimeOut, minIdleTimeOut))
		return
	}
	c.opened = true
	c.peerMaxFrame = int(min(o.MaxFrameSize, maxFrameSize))
	c.keepAlive = time.Duration(o.IdleTimeOut) * time.Millisecond / 2
	c.write(0, &amqp.Open{
		ContainerID: c.server.containerID, MaxFrameSize: maxFrameSize, ChannelMax: maxChannels,
		IdleTimeOut: uint32(announcedIdle / time.Millisecond),
	})
}

// minIdleTimeOut is the shortest idle-time-out a client may request, in milliseconds. The server writes a frame in each
// half of it.
const minIdleTimeOut = 1000

// write appends a frame to the output.
func (c *conn) write(channel uint16, p amqp.Performative) {
	c.out.buf = amqp.AppendFrame(c.out.buffer(), channel, p)
}

// flush writes the output and reports whether the connection still works.
func (c *conn) flush() bool {
	for _, s := range c.withDisposition {
		s.flushDisposition()
	}
	c.withDisposition = c.withDisposition[:0]
	if len(c.out.buf) == 0 {
		return true
	}
	if err := c.broker.Sync(); err != nil && c.usesEntities {
		return c.breakOff(err)
	}
	if err := c.out.flush(c.now, c.faults.delay()); err != nil {
		c.log.Debug("write", "err", err)
		return false
	}
	return true
}

// breakOff closes a connection whose clients can't be told what became of their operations, because these may not
// survive the end of the process. Nothing of the output is sent.
func (c *conn) breakOff(err error) bool {
	c.out.buf = c.out.buf[:0]
	c.usesEntities = false
	c.fail(err)
	return c.flush()
}

// fail answers an error with a close frame and ends the connection.
func (c *conn) fail(err error) {
	wire := toWireError(err)
	c.log.Info("closing the connection because of an error", "err", err)
	if !c.opened && !c.closeSent { // AMQP 1.0 part 2, 2.4.5: an open precedes the close
		c.write(0, &amqp.Open{ContainerID: c.server.containerID, MaxFrameSize: maxFrameSize, ChannelMax: maxChannels})
	}
	if !c.closeSent {
		c.write(0, &amqp.Close{Error: wire})
		c.closeSent = true
	}
	c.finished = true
}

// toWireError returns the AMQP error to send for err.
func toWireError(err error) *amqp.Error {
	if wire, ok := errors.AsType[*amqp.Error](err); ok {
		return wire
	}
	return wireError(err)
}

// readEnded closes the connection as the reason for the reader's end requires.
func (c *conn) readEnded(err error) {
	switch {
	case isConnectionEnd(err):
	case isTimeout(err):
		c.fail(amqp.Errorf(amqp.CondResourceLimitExceeded,
			"The connection was silent for longer than its idle-time-out of %d milliseconds.",
			announcedIdle.Milliseconds()))
	default:
		if wire, ok := errors.AsType[*amqp.Error](err); ok {
			c.fail(wire)
		} else {
			c.log.Debug("read", "err", err)
		}
	}
	c.finished = true
}

// abort closes the network connection without a close frame. It may be called from any goroutine.
func (c *conn) abort() {
	c.abortOnce.Do(func() {
		close(c.aborted)
		_ = c.nc.Close()
	})
}

// shutdown closes the connection with an error, as the service does when it moves a connection.
func (c *conn) shutdown(why *amqp.Error) {
	c.do(func() {
		if c.opened && !c.closeSent {
			c.write(0, &amqp.Close{Error: why})
			c.closeSent = true
		}
		c.finished = true
	})
}

// endSessions releases the senders and receivers that the broker holds for the connection.
func (c *conn) endSessions() {
	for _, s := range c.sessions {
		s.release()
	}
	clear(c.sessions)
}
