package worker

import (
	"math"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync"

	"chatapp/internal/engineio"
)

// defaultQueueMemory bounds what waits for clients where GOMEMLIMIT does not bound the process.
const defaultQueueMemory = 64 << 20

// queueMemory returns how many bytes may wait for all clients together: as configured, or a quarter of GOMEMLIMIT.
func (c *TransportConfig) queueMemory() int {
	if c.QueueMemory > 0 {
		return c.QueueMemory
	}
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		return int(limit / 4)
	}
	return defaultQueueMemory
}

// maxMessageSize bounds a received message in bytes: a text of control characters, each of which takes six in JSON.
func (c *ChatConfig) maxMessageSize() int { return 6*c.MaxMessageBytes + 32<<10 }

// connections counts the connections of an http.Server that are not sessions: a WebSocket leaves it when it opens. A
// connection that has not asked for anything yet counts, too.
type connections struct {
	max, perAddress int // 0: no limit
	// shared reports whether a peer is a proxy, whose connections are those of many clients.
	shared func(netip.Addr) bool

	mu sync.Mutex
	// mu guards
	open      map[net.Conn]string // the counted address, "" for a proxy
	byAddress map[string]int
	refused   uint64
}

func (w *Worker) newConnections() *connections {
	return &connections{
		max: w.config.Transport.MaxConnections, perAddress: w.config.Transport.MaxConnectionsPerAddress,
		shared: w.isProxy, open: make(map[net.Conn]string), byAddress: make(map[string]int),
	}
}

// isProxy reports whether a peer is a trusted proxy, or may be the one that nobody has told the worker of.
func (w *Worker) isProxy(peer netip.Addr) bool {
	for _, prefix := range w.config.Transport.TrustedProxies {
		if prefix.Contains(peer) {
			return true
		}
	}
	return w.engine.BehindUnknownProxy() && (peer.IsPrivate() || peer.IsLoopback() || peer.IsLinkLocalUnicast())
}

// track is an http.Server's ConnState. It closes a connection above the limits at once.
func (c *connections) track(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if !c.add(conn) {
			_ = conn.Close()
		}
	case http.StateClosed, http.StateHijacked:
		c.remove(conn)
	}
}

func (c *connections) add(conn net.Conn) bool {
	address := ""
	if peer, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil && !c.shared(peer.Addr().Unmap()) {
		address = engineio.CountedAddress(peer.Addr().String())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.max > 0 && len(c.open) >= c.max ||
		address != "" && c.perAddress > 0 && c.byAddress[address] >= c.perAddress {
		c.refused++
		return false
	}
	c.open[conn] = address
	if address != "" {
		c.byAddress[address]++
	}
	return true
}

func (c *connections) remove(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	address, ok := c.open[conn]
	if !ok {
		return
	}
	delete(c.open, conn)
	if address == "" {
		return
	}
	if c.byAddress[address]--; c.byAddress[address] == 0 {
		delete(c.byAddress, address)
	}
}

// counts returns how many connections are open, and how many were refused since the start.
func (c *connections) counts() (open int, refused uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open), c.refused
}
