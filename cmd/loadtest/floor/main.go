//go:build unix

// Floor is the least chat server over WebSocket to measure chatapp against: gorilla/websocket, one
// goroutine per connection, and just enough of Engine.IO 4 and Socket.IO 5 as text to serve
// cmd/loadtest. It validates nothing, bounds nothing, closes no slow reader, and repeats a
// malformed event as it came. What a real server costs above it is the price of the protocol.
//
//	go run ./cmd/loadtest/floor -port 3100 &
//	go run ./cmd/loadtest -mode max http://localhost:3100
//
// It accepts every nickname and announces nothing. A user message goes to all clients but its
// sender: the event is framed once, and all receivers share the frame. The flags choose how it is
// written:
//
//	-write each         one write per delivery, made by the goroutine that read the event
//	-write gather       a queue per connection; what waits there leaves as one batch, in one writev
//	-raw                by write(2) itself, in place of net.Conn; the frames of a batch are copied together first
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// server holds all connections, and how to write to them.
type server struct {
	batch bool // write what waits for a connection in one system call
	raw   bool // write with write(2)
	pings time.Duration

	readers sync.WaitGroup

	mu    sync.RWMutex
	conns []*conn
}

// conn is one connection. Its goroutine reads. Frames are written by the goroutine that has them,
// or, in batches, by the one goroutine that runs while the queue holds something.
type conn struct {
	server *server
	ws     *websocket.Conn // only for reading
	net    net.Conn
	fd     syscall.RawConn
	name   []byte // quoted; owned by the reader

	index int // in server.conns; guarded by server.mu

	mu      sync.Mutex
	queue   [][]byte
	writing bool
}

func main() {
	port := flag.Int("port", 3100, "TCP port on the loopback address")
	write := flag.String("write", "each", "each or gather")
	raw := flag.Bool("raw", false, "write with write(2)")
	pings := flag.Duration("ping-interval", 25*time.Second, "time between heartbeats")
	flag.Parse()
	if *write != "each" && *write != "gather" || flag.NArg() > 0 || *pings <= 0 {
		flag.Usage()
		os.Exit(2)
	}
	s := &server{batch: *write == "gather", raw: *raw, pings: *pings}
	go s.heartbeat()
	// #nosec G114 -- it serves the load test alone, on loopback
	log.Fatal(http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", *port), http.HandlerFunc(s.upgrade)))
}

// upgrade serves the connection on a goroutine of its own, so that net/http keeps neither request
// nor buffers.
func (s *server) upgrade(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{ReadBufferSize: 512, WriteBufferSize: 512}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has responded
	}
	c := &conn{server: s, ws: ws, net: ws.NetConn(), name: []byte("null")}
	if c.fd, err = c.net.(syscall.Conn).SyscallConn(); err == nil {
		s.readers.Go(c.serve)
	}
}

// serve reads until the connection ends.
func (c *conn) serve() {
	defer c.net.Close()
	s := c.server
	const open = `0{"sid":"%p","upgrades":[],"pingInterval":%d,"pingTimeout":20000,"maxPayload":1000000}`
	c.send(frame(fmt.Appendf(nil, open, c, s.pings.Milliseconds())))
	s.add(c)
	defer s.remove(c)
	for {
		_, message, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		c.receive(message)
	}
}

const eventPrefix = `["user message",`

// receive handles one packet: the namespace's CONNECT, a nickname or a user message. It ignores all
// others.
func (c *conn) receive(message []byte) {
	body, ok := bytes.CutPrefix(message, []byte("42"))
	if !ok {
		if bytes.Equal(message, []byte("40")) {
			c.send(frame(fmt.Appendf(nil, `40{"sid":"%p"}`, c)))
		}
		return
	}
	start := bytes.IndexByte(body, '[')
	if start < 0 {
		return
	}
	id, event := body[:start], body[start:]
	if text, ok := bytes.CutPrefix(event, []byte(eventPrefix)); ok {
		c.server.broadcast(c, text)
	} else if name, ok := bytes.CutPrefix(event, []byte(`["nickname",`)); ok {
		c.name = bytes.TrimSuffix(name, []byte("]"))
	}
	if len(id) > 0 {
		c.send(frame(fmt.Appendf(nil, "43%s[false]", id)))
	}
}

// broadcast sends a user message to all clients but its sender.
func (s *server) broadcast(from *conn, text []byte) {
	event := frame(bytes.Join([][]byte{[]byte("42" + eventPrefix), from.name, []byte(","), text}, nil))
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range s.conns {
		if c != from {
			c.send(event)
		}
	}
}

// frame returns a text frame (RFC 6455, section 5.2), unmasked as a server's are.
func frame(payload []byte) []byte {
	out := make([]byte, 0, len(payload)+10)
	switch n := len(payload); {
	case n < 126:
		out = append(out, 0x81, byte(n))
	case n <= 0xffff:
		out = binary.BigEndian.AppendUint16(append(out, 0x81, 126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 0x81, 127), uint64(n))
	}
	return append(out, payload...)
}

// send writes frame, or queues it for the next batch. It ignores errors, which the reader meets as
// well.
func (c *conn) send(frame []byte) {
	if !c.server.batch {
		c.write(frame)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, frame)
	if !c.writing {
		c.writing = true
		go c.flush()
	}
}

// flush writes batches until the queue is empty.
func (c *conn) flush() {
	var batch [][]byte
	for {
		c.mu.Lock()
		batch, c.queue = c.queue, batch[:0]
		if len(batch) == 0 {
			c.writing, c.queue = false, nil
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		if len(batch) == 1 {
			c.write(batch[0])
		} else if c.server.raw {
			c.write(bytes.Join(batch, nil))
		} else {
			buffers := net.Buffers(batch)
			buffers.WriteTo(c.net)
		}
	}
}

// write writes whole frames. It may be called concurrently: net.Conn and RawConn both serialise writes.
func (c *conn) write(data []byte) {
	if !c.server.raw {
		c.net.Write(data)
		return
	}
	c.fd.Write(func(fd uintptr) bool {
		for len(data) > 0 {
			n, err := syscall.Write(int(fd), data)
			if err == syscall.EAGAIN {
				return false // until the poller finds room
			}
			if err != nil && err != syscall.EINTR {
				return true
			}
			data = data[max(n, 0):]
		}
		return true
	})
}

// heartbeat sends Engine.IO pings. It does not check for pongs.
func (s *server) heartbeat() {
	ping := frame([]byte("2"))
	for range time.Tick(s.pings) {
		s.mu.RLock()
		for _, c := range s.conns {
			c.send(ping)
		}
		s.mu.RUnlock()
	}
}

func (s *server) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.index = len(s.conns)
	s.conns = append(s.conns, c)
}

func (s *server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.conns[len(s.conns)-1]
	s.conns[c.index], last.index = last, c.index
	s.conns[len(s.conns)-1] = nil
	s.conns = s.conns[:len(s.conns)-1]
}
