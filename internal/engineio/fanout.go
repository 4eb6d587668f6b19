package engineio

// Fanout sends one message to many sessions of a server. It counts the message in the budget of all queues once, where
// [Session.SendPrepared] counts it for each session. A Fanout is for one goroutine. End must follow the last Send.
type Fanout struct {
	server   *Server
	prepared *Prepared
	queued   int64
}

// fanoutHold stands for the sessions of a Fanout until it has ended: more than a server can have.
const fanoutHold = 1 << 40

// NewFanout begins to send a message to sessions of this one's server.
func (s *Session) NewFanout(p *Prepared) Fanout {
	s.server.hold(p, fanoutHold)
	return Fanout{server: s.server, prepared: p}
}

// Send is [Session.SendPrepared], except that the caller learns no more than whether the message was queued.
func (f *Fanout) Send(s *Session) bool {
	queued := s.enqueue(f.prepared, 0) == nil
	f.count(queued)
	return queued
}

// SendVolatile is [Session.SendVolatile].
func (f *Fanout) SendVolatile(s *Session) bool {
	queued := s.enqueueVolatile(f.prepared, 0)
	f.count(queued)
	return queued
}

func (f *Fanout) count(queued bool) {
	if queued {
		f.queued++
	}
}

// End returns in how many queues the message was put.
func (f *Fanout) End() int {
	f.server.letGo(f.prepared, fanoutHold-f.queued)
	return int(f.queued)
}
