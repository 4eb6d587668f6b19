package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"chatapp/internal/chatclient"
)

const (
	eventNickname    = "nickname"
	eventUserMessage = "user message"
)

// nicknameAck is the ack id under which a client requests its name; those of its messages count on
// from there.
const nicknameAck = 1

// ackSlots is how many acknowledgements one client may await and still have each timed.
const ackSlots = 1 << 12

// load is what all clients of one run share.
type load struct {
	// immutable
	protocol chatclient.Protocol
	epoch    time.Time
	run      uint64 // random; marks this run's messages
	letters  []byte // fills each text up to the size asked for
	senders  int    // clients numbered below this one send
	shards   shards
	timeout  time.Duration // for connecting and for closing

	measured atomic.Int64 // nanoseconds after epoch; messages sent earlier are not timed
	open     atomic.Int64 // clients connected and accepted now

	window    *window // nil where the rate is given
	reference *client // the client whose interleaving all others must have; nil: not checked
	seen      interleaving
}

// client is one connection. Its goroutine dials, reads and answers until the end; the sender's
// writes its messages.
type client struct {
	// immutable
	load   *load
	number int
	target chatclient.Target
	name   string // nickname to request, "" for none
	shard  *shard

	settled chan error       // gets one value: nil once the server has accepted the client, or why it did not
	ended   chan struct{}    // closed when the goroutine ends
	err     error            // why it ended; read it after ended
	took    time.Duration    // from dialling to acceptance; read it after settled
	conn    *chatclient.Conn // set before settled; nil if there never was a connection

	handshake handshake // owned by the goroutine
	reading   reading   // owned by the goroutine

	received sequences      // guarded by shard
	sentAt   []atomic.Int64 // by ack id: when the message was sent; nil unless acks are asked for
}

// handshake is how far the server has let a client in.
type handshake struct {
	start     time.Time
	connected bool        // the nickname is to be requested
	accepted  bool        // the client has its nickname, or needs none
	announced bool        // settled has its value
	stop      func() bool // ends the time-out of connecting; reports whether it was in time
}

// reading is what the messages of one read share.
type reading struct {
	at         time.Duration // after the load's epoch
	deliveries int64
}

func newClient(l *load, number int, t chatclient.Target, name string) *client {
	return &client{
		load: l, number: number, target: t, name: name, shard: l.shards.of(number),
		settled: make(chan error, 1), ended: make(chan struct{}),
	}
}

// serve is the client's goroutine.
func (c *client) serve(ctx context.Context) {
	defer close(c.ended)
	c.err = c.converse(ctx)
	if c.handshake.announced {
		c.load.open.Add(-1)
	} else {
		c.settled <- c.err
	}
}

func (c *client) converse(ctx context.Context) error {
	c.handshake.start = time.Now()
	ctx, cancel := context.WithDeadline(ctx, c.handshake.start.Add(c.load.timeout))
	defer cancel()
	conn, err := chatclient.Dial(ctx, c.target, chatclient.Options{
		Protocol: c.load.protocol, Handler: c, Buffer: c.shard.buffer,
	})
	if err != nil {
		return err
	}
	c.conn = conn
	// Cancelling ctx closes the connection until the server has accepted the client; afterwards
	// leave does.
	c.handshake.stop = context.AfterFunc(ctx, conn.Abort)
	defer c.handshake.stop()
	c.handshake.connected = c.load.protocol == chatclient.Raw // which needs no connect packet
	return conn.Serve()
}

// BeforeRead implements chatclient.ReadObserver. All messages of one read carry the same time: a
// million come in a second.
func (c *client) BeforeRead() { c.reading = reading{at: time.Since(c.load.epoch)} }

// AfterRead implements chatclient.ReadObserver. It does what can't be done while the shard is locked.
func (c *client) AfterRead() error {
	if n := c.reading.deliveries; n > 0 && c.load.window != nil {
		c.load.window.delivered(n)
	}
	h := &c.handshake
	if h.connected {
		h.connected = false
		if h.accepted = c.name == ""; !h.accepted {
			if err := c.conn.Emit(eventNickname, nicknameAck, c.name); err != nil {
				return err
			}
		}
	}
	if h.accepted && !h.announced && h.stop() {
		h.announced = true
		c.took = time.Since(h.start)
		c.load.open.Add(1)
		c.settled <- nil
	}
	return nil
}

// Handle implements chatclient.Handler, with the shard locked.
func (c *client) Handle(kind chatclient.Kind, payload []byte) error {
	switch kind {
	case chatclient.Event:
		if text, ok := deliveredText(c.load.protocol, payload); ok {
			c.deliver(text)
		}
	case chatclient.Ping:
		c.shard.tally.heartbeats++
	case chatclient.Connected:
		c.handshake.connected = true
	case chatclient.Ack:
		return c.acknowledged(payload)
	case chatclient.Refused:
		return fmt.Errorf("namespace refused: %s", payload)
	case chatclient.Disconnected:
		return new(chatclient.CloseError)
	}
	return nil
}

func (c *client) acknowledged(payload []byte) error {
	m, err := c.load.protocol.Parse(payload)
	if err != nil {
		return nil // some other server's way to acknowledge: the message counts as not acknowledged
	}
	// In this vocabulary a first argument of true refuses.
	refused := len(m.Args) > 0 && string(m.Args[0]) == "true"
	if m.AckID == nicknameAck && !c.handshake.accepted {
		if refused {
			return fmt.Errorf("nickname %q refused", c.name)
		}
		c.handshake.accepted = true
		return nil
	}
	s := c.shard
	s.tally.acked++
	if refused {
		s.tally.refused++
	}
	if len(c.sentAt) == 0 {
		return nil
	}
	if at := c.sentAt[m.AckID&(ackSlots-1)].Load(); at >= c.load.measured.Load() {
		s.acks.record(c.reading.at - time.Duration(at))
	}
	return nil
}

// deliver checks one text against what was sent, and times it.
func (c *client) deliver(text []byte) {
	load, s := c.load, c.shard
	stamp, ours, ok := parseText(text, load.letters)
	switch {
	case !ours || stamp.run != load.run || stamp.sender >= uint64(load.senders):
		s.tally.foreign++
		return
	case !ok:
		s.tally.damaged++
		return
	case stamp.sender == uint64(c.number):
		s.tally.echoed++
		return
	}
	sender, seq := int(stamp.sender), uint32(stamp.seq)
	switch c.received.observe(sender, seq) {
	case duplicate:
		s.tally.duplicates++
		return
	case late:
		s.tally.late++
	}
	s.tally.deliveries++
	c.reading.deliveries++
	if load.reference != nil {
		c.received.hash = mix(c.received.hash, sender, seq)
		if c == load.reference {
			load.seen.observe(sender, seq)
		}
	}
	if int64(stamp.at) >= load.measured.Load() {
		s.delays.record(c.reading.at - time.Duration(stamp.at))
	}
}

// leave starts the closing handshake; the goroutine ends when the server has answered it, or after
// the time-out. The client must have settled.
func (c *client) leave() {
	if c.conn != nil {
		c.conn.StartClose(c.load.timeout)
	}
}

// closedInOrder reports whether the server has answered the closing handshake. The goroutine must
// have ended.
func (c *client) closedInOrder() bool {
	var closed *chatclient.CloseError
	return errors.As(c.err, &closed)
}
