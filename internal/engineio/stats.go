package engineio

// Stats are figures of a server, for metrics.
type Stats struct {
	Sessions      int    // open now, including those whose client has not received the end yet
	Opened        uint64 // sessions ever opened
	QueuedBytes   int    // waiting to be sent
	MessagesIn    uint64
	BytesIn       uint64 // of messages
	MessagesOut   uint64 // a message to two sessions counts two
	BytesOut      uint64 // written to WebSockets, framing included, and in polling responses
	Writes        uint64 // to WebSockets and polling responses; MessagesOut/Writes messages share one
	SlowConsumers uint64 // sessions closed as such
	Origins       uint64 // requests refused because of their Origin
	Refusals      uint64 // requests and packets of clients that were refused
}

// Opened returns how many sessions were ever opened. Unlike Stats it does not visit the sessions.
func (s *Server) Opened() uint64 { return s.opened.Load() }

// Stats counts. It visits every session.
func (s *Server) Stats() Stats {
	stats := Stats{Opened: s.opened.Load(), SlowConsumers: s.slowConsumers.Load(), Refusals: s.refusals.Load(),
		Origins: s.origins.refused.Load()}
	for _, session := range s.all() {
		stats.Sessions++
		session.mu.Lock()
		stats.QueuedBytes += session.output.size
		session.mu.Unlock()
	}
	for _, w := range s.writers {
		stats.MessagesIn += w.messagesIn.Load()
		stats.BytesIn += w.bytesIn.Load()
		stats.MessagesOut += w.messagesOut.Load()
		stats.BytesOut += w.bytesOut.Load()
		stats.Writes += w.writes.Load()
	}
	return stats
}
