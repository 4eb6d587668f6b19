package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// nicknameAck is the ack id under which a client asks for its name; user messages count on from there.
const nicknameAck = 1

// askedSlots is how many acks one client may await and still have each timed.
const askedSlots = 1 << 12

// maxKept is the most memory that a client keeps for the beginning of a frame while it has none.
const maxKept = 512

// load is what all clients of one run share.
type load struct {
	// immutable
	door    door
	epoch   time.Time
	run     uint64 // random; marks this run's messages
	letters []byte // fills each text up to the size asked for
	senders int    // clients numbered below this one send
	lanes   lanes
	timeout time.Duration // for connecting and for closing

	measured atomic.Int64 // nanoseconds after epoch; messages sent earlier are not timed
	open     atomic.Int64 // clients connected and accepted now

	window    *window // nil where the rate is given
	reference *client // the client whose interleaving all others must have seen; nil: not checked
	seen      interleaving
}

// client is one connection. Its goroutine dials, answers the server and reads until the end; any other may write.
type client struct {
	// immutable
	load   *load
	number int
	target target
	name   string // nickname to ask for, "" for none
	lane   *lane

	settled chan error    // gets one value: nil once the server has accepted the client, or why it did not
	ended   chan struct{} // closed when the goroutine ends
	err     error         // why it ended; read it after ended
	took    time.Duration // from dialling to acceptance; read it after settled
	leaving atomic.Bool   // set once the end is wanted

	// owned by the goroutine
	accepted  bool
	announced bool
	rest      []byte // the start of a frame whose end has not come
	wanted    int    // bytes of that frame known to be needed
	fragments []byte // the frames so far of a fragmented message
	joining   bool   // within a fragmented message
	replies   []byte // frames to write once the lane is free

	ledger ledger // guarded by lane.mu

	writeMu sync.Mutex
	conn    net.Conn // set before settled

	asked []atomic.Int64 // by ack id: when the message was sent; nil unless acks are asked for
}

func newClient(l *load, number int, t target, name string) *client {
	return &client{load: l, number: number, target: t, name: name, lane: l.lanes.of(number),
		settled: make(chan error, 1), ended: make(chan struct{})}
}

// errEnded is how a connection ends that the server has closed in order.
var errEnded = errors.New("closed by the server")

// serve is the client's goroutine.
func (c *client) serve(ctx context.Context) {
	defer close(c.ended)
	c.err = c.converse(ctx)
	if c.announced {
		c.load.open.Add(-1)
	} else {
		c.settled <- c.err
	}
	if c.conn != nil {
		c.conn.Close()
	}
}

func (c *client) converse(ctx context.Context) error {
	start := time.Now()
	ctx, cancel := context.WithDeadline(ctx, start.Add(c.load.timeout))
	defer cancel()
	conn, rest, err := dial(ctx, c.target)
	if err != nil {
		return err
	}
	c.conn = conn
	// Cancelling ctx closes the connection until the server has accepted the client; afterwards leave does.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if !c.load.door.greets() {
		c.introduce()
	}
	c.lane.mu.Lock()
	err = c.consume(rest)
	c.lane.mu.Unlock()
	if err := c.afterRead(start, stop, err); err != nil {
		return err
	}
	return c.read(func(err error) error { return c.afterRead(start, stop, err) })
}

// afterRead does what may not be done while the lane is held: it writes the answers, and tells of the acceptance.
func (c *client) afterRead(start time.Time, stop func() bool, err error) error {
	if len(c.replies) > 0 {
		if err := c.write(c.replies); err != nil && !c.leaving.Load() {
			return err
		}
		c.replies = c.replies[:0]
	}
	if err != nil {
		return err
	}
	if c.accepted && !c.announced && stop() {
		c.announced = true
		c.took = time.Since(start)
		c.load.open.Add(1)
		c.settled <- nil
	}
	return nil
}

// room returns the part of the lane's buffer that the next read may fill, behind what is left of the last one. The
// lane must be held.
func (c *client) room() []byte {
	l := c.lane
	if need := max(c.wanted, len(c.rest)+laneBuffer/2); need > len(l.buf) {
		l.buf = make([]byte, 2*need)
	}
	return l.buf[copy(l.buf, c.rest):]
}

// received consumes the n bytes read into room. The lane must be held.
func (c *client) received(n int) error {
	c.lane.tally.reads++
	c.lane.tally.bytes += uint64(n)
	return c.consume(c.lane.buf[:len(c.rest)+n])
}

// consume handles every whole frame of data and keeps the rest. The lane must be held.
func (c *client) consume(data []byte) error {
	now := time.Since(c.load.epoch)
	t := &c.lane.tally
	before := t.deliveries
	for {
		f, size, complete, err := scanFrame(data)
		if err != nil {
			return err
		}
		if !complete {
			c.wanted = size
			break
		}
		data = data[size:]
		t.frames++
		if err := c.frame(f, now); err != nil {
			return err
		}
	}
	if cap(c.rest) > maxKept {
		c.rest = nil
	}
	c.rest = append(c.rest[:0], data...)
	if n := t.deliveries - before; n > 0 && c.load.window != nil {
		c.load.window.delivered(int64(n))
	}
	return nil
}

// frame handles one frame: control frames at once, messages when they are whole.
func (c *client) frame(f frame, now time.Duration) error {
	switch f.opcode {
	case opText, opBinary:
		if c.joining {
			return errors.New("new message within a fragmented one")
		}
		if f.fin {
			if f.opcode == opBinary {
				return nil // an attachment: no message of this vocabulary has any
			}
			return c.message(f.payload, now)
		}
		c.joining, c.fragments = true, append(c.fragments[:0], f.payload...)
	case opContinuation:
		if !c.joining {
			return errors.New("continuation frame outside a message")
		}
		if len(c.fragments)+len(f.payload) > maxFramePayload {
			return fmt.Errorf("fragmented message of more than %d bytes", maxFramePayload)
		}
		c.fragments = append(c.fragments, f.payload...)
		if f.fin {
			whole := c.fragments
			c.joining, c.fragments = false, nil
			return c.message(whole, now)
		}
	case opPing:
		c.lane.tally.heartbeats++
		c.replies = appendFrame(c.replies, opPong, f.payload)
	case opClose:
		if !c.leaving.Load() {
			c.replies = appendFrame(c.replies, opClose, f.payload)
		}
		return closeError(f.payload)
	}
	return nil
}

// closeError tells the code and reason of a close frame.
func closeError(payload []byte) error {
	if len(payload) < 2 {
		return errEnded
	}
	return fmt.Errorf("%w: %d %s", errEnded, binary.BigEndian.Uint16(payload), payload[2:])
}

// message handles one whole text message.
func (c *client) message(payload []byte, now time.Duration) error {
	switch m := c.load.door.parse(payload); m.kind {
	case kindDelivery:
		c.deliver(m.text, now)
	case kindOpen:
		c.replies = appendFrame(c.replies, opText, []byte("40"))
	case kindPing:
		c.lane.tally.heartbeats++
		c.replies = appendFrame(c.replies, opText, []byte("3"))
	case kindConnected:
		c.introduce()
	case kindAck:
		return c.acknowledged(m, now)
	case kindRefused:
		return fmt.Errorf("namespace refused: %s", m.text)
	case kindClosed:
		return errEnded
	}
	return nil
}

// introduce asks for the nickname; without one the client is in already.
func (c *client) introduce() {
	if c.name == "" {
		c.accepted = true
		return
	}
	event := c.load.door.appendEvent(nil, eventNickname, nicknameAck, []byte(c.name))
	c.replies = appendFrame(c.replies, opText, event)
}

func (c *client) acknowledged(m message, now time.Duration) error {
	if m.id == nicknameAck && !c.accepted {
		if m.yes {
			return fmt.Errorf("nickname %s refused", strconv.Quote(c.name))
		}
		c.accepted = true
		return nil
	}
	l := c.lane
	l.tally.acked++
	if m.yes {
		l.tally.refused++
	}
	if len(c.asked) == 0 {
		return nil
	}
	if at := c.asked[m.id&(askedSlots-1)].Load(); at >= c.load.measured.Load() {
		l.acks.record(now - time.Duration(at))
	}
	return nil
}

// deliver checks one text against what was sent, and times it.
func (c *client) deliver(text []byte, now time.Duration) {
	load, l := c.load, c.lane
	s, ours, ok := parseText(text, load.letters)
	switch {
	case !ours || s.run != load.run || s.sender >= uint64(load.senders):
		l.tally.foreign++
		return
	case !ok:
		l.tally.damaged++
		return
	case s.sender == uint64(c.number):
		l.tally.echoed++
		return
	}
	sender, seq := int(s.sender), uint32(s.seq)
	switch c.ledger.observe(sender, seq) {
	case doubled:
		l.tally.doubled++
		return
	case late:
		l.tally.late++
	}
	l.tally.deliveries++
	if load.reference != nil {
		c.ledger.hash = mix(c.ledger.hash, sender, seq)
		if c == load.reference {
			load.seen.observe(sender, seq)
		}
	}
	if int64(s.at) >= load.measured.Load() {
		l.delays.record(now - time.Duration(s.at))
	}
}

// write sends frames that are ready to go.
func (c *client) write(frames []byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	_, err := c.conn.Write(frames)
	return err
}

// leave starts the close handshake (RFC 6455, section 7); the goroutine ends when the server has answered it, or
// after the time-out. Call it once the client has settled.
func (c *client) leave() {
	if c.leaving.Swap(true) || c.conn == nil {
		return
	}
	// Errors here mean that the connection has ended already.
	_ = c.conn.SetDeadline(time.Now().Add(c.load.timeout))
	_ = c.write(appendFrame(nil, opClose, binary.BigEndian.AppendUint16(nil, 1000)))
}

// closedInOrder reports whether the server answered the close handshake; call it after ended.
func (c *client) closedInOrder() bool { return errors.Is(c.err, errEnded) }

// readCopied reads by way of a buffer of the client's own, for connections that cannot be read straight into the
// lane's: TLS, and systems other than Unix.
func (c *client) readCopied(after func(error) error) error {
	buf := make([]byte, 16<<10)
	for {
		n, err := c.conn.Read(buf)
		if n > 0 {
			c.lane.mu.Lock()
			copy(c.room(), buf[:n])
			consumed := c.received(n)
			c.lane.mu.Unlock()
			if err := after(consumed); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

// read reads until the connection ends, and calls after behind each read, with its result, while the lane is free.
func (c *client) read(after func(error) error) error {
	if conn, ok := c.conn.(syscall.Conn); ok {
		return c.readStraight(conn, after)
	}
	return c.readCopied(after)
}
