package chat

// Counters are a moment's view of the chat, for metrics.
type Counters struct {
	// As of now. Users, Held, Rooms and history are of the whole chat, alike on every instance.
	Clients      int // sockets here
	Named        int // of these, with a user
	Users        int // connected or held
	Held         int // of these, held
	Lapsed       int
	Rooms        int
	HistoryLines int
	HistoryBytes int
	Pending      int // commands of this instance on their way through the log

	// Since the chat was made; of this instance alone. They only grow.
	Messages    uint64            // said here and in the log
	Duplicates  uint64            // of messages said here, those said before
	Claims      uint64            // granted, Returns included
	Returns     uint64            // granted to clients who came back
	Provisional uint64            // messages shown before the log had them
	Malformed   uint64            // entries of the log that are no commands
	Refusals    map[string]uint64 // by code
}

// counts are the part of Counters that is counted.
type counts struct {
	messages, duplicates, claims, returns, provisional, malformed uint64
	refusals                                                      [codes]uint64
}

// Counters reports how things are.
func (c *Chat) Counters() Counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := Counters{
		Clients:      len(c.clients),
		Users:        len(c.state.users),
		Lapsed:       len(c.state.lapsed),
		Rooms:        len(c.state.rooms),
		HistoryBytes: c.state.bytes,
		Pending:      len(c.pending),
		Messages:     c.counts.messages,
		Duplicates:   c.counts.duplicates,
		Claims:       c.counts.claims,
		Returns:      c.counts.returns,
		Provisional:  c.counts.provisional,
		Malformed:    c.counts.malformed,
		Refusals:     make(map[string]uint64, codes),
	}
	for _, cl := range c.clients {
		if cl.user != nil {
			n.Named++
		}
	}
	for _, u := range c.state.users {
		if u.status == held {
			n.Held++
		}
	}
	for _, r := range c.state.rooms {
		n.HistoryLines += len(r.lines)
	}
	for why := noName; why < codes; why++ {
		n.Refusals[refusals[why].Code] = c.counts.refusals[why]
	}
	return n
}
