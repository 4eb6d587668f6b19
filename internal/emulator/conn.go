package emulator

import (
	"errors"
	"io"
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
	maxGrants        = 10000     // audiences with a token
	maxPartialBytes  = 128 << 20 // of deliveries that have not arrived whole, all links together
	maxUnsettled     = 20000     // deliveries of one AMQP session the client has not settled
	announcedIdle    = 4 * time.Minute
	handshakeTimeout = 20 * time.Second
	closeTimeout     = time.Second
)

// The times after which the service gives up ("AMQP errors in Azure Service Bus", "AMQP 1.0 protocol guide").
const (
	firstTokenTimeout = 20 * time.Second
	noLinkEverTimeout = time.Minute
	noLinkLeftTimeout = 5 * time.Minute
	linkIdleTimeout   = 10 * time.Minute
)

// conn is one AMQP connection. The goroutine that runs it, called the loop, owns all AMQP state: sessions, links,
// credit, and what is written. A second goroutine reads. Everything else reaches the loop by attention and do.
type conn struct {
	// immutable
	server *Server
	broker *broker.Broker
	nc     net.Conn
	log    *slog.Logger
	wake   chan struct{} // size 1
	dead   chan struct{} // closed by cut

	cutOnce sync.Once

	mu sync.Mutex
	// mu guards
	waiting []attentive // links that want the loop's attention, each once
	tasks   []func()    // what others want done on the loop

	// owned by the loop
	in           *input
	out          output
	reader       reader
	now          time.Time // when the loop last woke up
	opened       bool
	closeSent    bool
	finished     bool
	peerMaxFrame int
	keepAlive    time.Duration // how long to write nothing at most; 0 for ever
	sessions     map[uint16]*session
	holding      []*session                 // with a disposition not yet written
	accepting    map[*outgoingLink]struct{} // waiting for a session to be free
	links        int
	partialBytes int
	grants       map[string]grant // by lower-case path of the audience
	authorized   bool             // a token was accepted, or SASL PLAIN
	openedAt     time.Time
	linkless     time.Time // since when there is no link
	everLinked   bool
	nextSweep    time.Time
	timer        *time.Timer
	faults       connFaults
	scratch      []byte // sections of the delivery being written
}

// attentive is a link that the broker has something for.
type attentive interface {
	// attend runs on the loop.
	attend()
	// quiet notes that the link is no longer among the waiting. The connection's mutex is held.
	quiet()
}

func newConn(s *Server, b *broker.Broker, nc net.Conn) *conn {
	now := time.Now()
	return &conn{
		server: s, broker: b, nc: nc, log: s.log.With("remote", nc.RemoteAddr().String()), wake: make(chan struct{}, 1), dead: make(chan struct{}),
		in: newInput(nc), out: output{nc: nc, written: now}, now: now, openedAt: now, linkless: now, faults: connFaults{server: s}, nextSweep: now.Add(sweepInterval),
		peerMaxFrame: amqp.MinMaxFrameSize, sessions: make(map[uint16]*session), accepting: make(map[*outgoingLink]struct{}), grants: make(map[string]grant),
	}
}

// run serves the connection until it ends. It is the loop, and waits for the reader.
func (c *conn) run() {
	defer c.cut()
	if err := c.handshake(); err != nil {
		c.log.Debug("AMQP handshake ended", "err", err)
		return
	}
	c.timer = time.NewTimer(math.MaxInt64)
	defer c.timer.Stop()
	c.in.patience = 2 * announcedIdle
	c.reader = reader{chunks: make(chan []byte), done: make(chan struct{})}
	var reading sync.WaitGroup
	reading.Go(func() { c.reader.run(c.in) })
	c.loop()
	c.endSessions()
	if c.closeSent {
		c.linger()
	}
	close(c.reader.done)
	c.cut()
	reading.Wait()
	c.log.Debug("connection ended")
}

func (c *conn) loop() {
	for {
		if !c.flush() || c.finished {
			return
		}
		c.out.release()
		c.timer.Reset(c.nextDeadline())
		select {
		case chunk, ok := <-c.reader.chunks:
			c.now = time.Now()
			if !ok {
				c.readEnded(c.reader.err)
				return
			}
			c.attend() // what was asked for before the frames came goes first
			c.frames(chunk)
		case <-c.wake:
			c.now = time.Now()
			c.attend()
		case <-c.timer.C:
			c.now = time.Now()
			c.tick()
		case <-c.dead:
			return
		}
	}
}

// linger waits a moment for the client to close, and passes over what it still sends: a connection that is closed with
// input unread is reset, and the client would not see why.
func (c *conn) linger() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // an error shows in reading
	}
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	for {
		select {
		case _, open := <-c.reader.chunks:
			if !open {
				_ = c.nc.SetReadDeadline(time.Now().Add(closeTimeout))
				_, _ = io.Copy(io.Discard, c.nc) // what the reader has left, if it gave up
				return
			}
		case <-timer.C:
			return
		case <-c.dead:
			return
		}
	}
}

// frames works through what the reader has handed over.
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
		c.fail(amqp.Errorf(amqp.CondFramingError, "a SASL frame behind the SASL exchange"))
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
		c.fail(amqp.Errorf(amqp.CondInvalidField, "max-frame-size %d is below %d", o.MaxFrameSize, amqp.MinMaxFrameSize))
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

// minIdleTimeOut is the shortest idle-time-out a client may ask for, in milliseconds: each costs a frame per half.
const minIdleTimeOut = 1000

// write appends a frame to the output.
func (c *conn) write(channel uint16, p amqp.Performative) {
	c.out.buf = amqp.AppendFrame(c.out.begin(), channel, p)
}

// flush writes the output and says whether the connection still works.
func (c *conn) flush() bool {
	for _, s := range c.holding {
		s.flushHeld()
	}
	c.holding = c.holding[:0]
	if len(c.out.buf) == 0 {
		return true
	}
	if err := c.out.flush(c.now, c.faults.delay()); err != nil {
		c.log.Debug("write", "err", err)
		return false
	}
	return true
}

// fail closes the connection with an error.
func (c *conn) fail(err error) {
	wire := asWire(err)
	c.log.Info("connection closed for an error", "err", err)
	if !c.opened && !c.closeSent { // AMQP 1.0 part 2, 2.4.5: the open comes first in any case
		c.write(0, &amqp.Open{ContainerID: c.server.containerID, MaxFrameSize: maxFrameSize, ChannelMax: maxChannels})
	}
	if !c.closeSent {
		c.write(0, &amqp.Close{Error: wire})
		c.closeSent = true
	}
	c.finished = true
}

// asWire returns what of err the peer is told.
func asWire(err error) *amqp.Error {
	if wire, ok := errors.AsType[*amqp.Error](err); ok {
		return wire
	}
	return wireError(err)
}

// readEnded handles the end of the reader.
func (c *conn) readEnded(err error) {
	switch {
	case peerGone(err):
	case timedOut(err):
		c.fail(amqp.Errorf(amqp.CondResourceLimitExceeded, "The connection was silent for longer than its idle-time-out of %d milliseconds.", announcedIdle.Milliseconds()))
		c.flush()
	default:
		var wire *amqp.Error
		if errors.As(err, &wire) {
			c.fail(wire)
			c.flush()
			return
		}
		c.log.Debug("read", "err", err)
	}
}

// attention puts a link among those the loop looks after, once. It may be called anywhere, under any lock.
func (c *conn) attention(a attentive, marked *bool) {
	c.mu.Lock()
	first := !*marked
	if first {
		*marked = true
		c.waiting = append(c.waiting, a)
	}
	c.mu.Unlock()
	if first {
		c.nudge()
	}
}

func (c *conn) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// do runs f on the loop, soon and without waiting for it. On a connection that has ended it does not run.
func (c *conn) do(f func()) {
	c.mu.Lock()
	c.tasks = append(c.tasks, f)
	c.mu.Unlock()
	c.nudge()
}

// attend does what others have asked for.
func (c *conn) attend() {
	c.mu.Lock()
	links, tasks := c.waiting, c.tasks
	c.waiting, c.tasks = nil, nil
	for _, a := range links {
		a.quiet()
	}
	c.mu.Unlock()
	for _, f := range tasks {
		f()
	}
	for _, a := range links {
		if c.finished {
			return
		}
		a.attend()
	}
}

// cut ends the connection without a word. It may be called anywhere.
func (c *conn) cut() {
	c.cutOnce.Do(func() {
		close(c.dead)
		_ = c.nc.Close()
	})
}

// shutdown says goodbye, as the service does when it moves a connection, and ends.
func (c *conn) shutdown(why *amqp.Error) {
	c.do(func() {
		if c.opened && !c.closeSent {
			c.write(0, &amqp.Close{Error: why})
			c.closeSent = true
		}
		c.finished = true
	})
}

// endSessions frees what the broker holds for the connection.
func (c *conn) endSessions() {
	for _, s := range c.sessions {
		s.release()
	}
	clear(c.sessions)
}
