package socketio

import "sync/atomic"

// Stats holds counts since the server was made, except for Clients and Sockets, which are current numbers.
type Stats struct {
	Clients        int64  // connections
	Sockets        int64  // a client has one in every namespace it has joined
	Events         uint64 // received from clients
	Deliveries     uint64 // events queued, one for each receiver
	ConnectErrors  uint64 // attempts to join that a namespace refused
	ProtocolErrors uint64 // packets refused as malformed or out of place
	Panics         uint64 // of the application's functions
}

// counters are the source of Stats.
type counters struct {
	clients, sockets                                          atomic.Int64
	events, deliveries, connectErrors, protocolErrors, panics atomic.Uint64
}

// Stats returns the counts. They are read one after another, so they may be apart by what happens at
// the same time.
func (s *Server) Stats() Stats {
	c := &s.counters
	return Stats{
		Clients:        c.clients.Load(),
		Sockets:        c.sockets.Load(),
		Events:         c.events.Load(),
		Deliveries:     c.deliveries.Load(),
		ConnectErrors:  c.connectErrors.Load(),
		ProtocolErrors: c.protocolErrors.Load(),
		Panics:         c.panics.Load(),
	}
}
