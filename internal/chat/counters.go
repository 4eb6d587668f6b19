package chat

import "chatapp/internal/chat/state"

// Counters are a moment's view of the chat, for metrics.
type Counters struct {
	// As of now. The state is the one of the whole chat, alike on every instance.
	State   state.Size
	Clients int // sockets here
	Named   int // of these, with a user
	Pending int // commands of this instance on their way through the log

	// Since the chat was created, of this instance alone. They only grow.
	Messages    uint64            // sent here and in the log
	Duplicates  uint64            // messages sent here again that the log had already
	Claims      uint64            // granted, Returns included
	Returns     uint64            // claims of clients that have returned to their user
	Provisional uint64            // messages sent to clients before the log had them
	Malformed   uint64            // entries of the log that are no commands
	Refusals    map[string]uint64 // by code
}

// counts are the part of Counters that is counted. Chat.mu guards it.
type counts struct {
	messages, duplicates, claims, returns, provisional, malformed uint64
	refusals                                                      [state.NumCodes]uint64
}

// Counters takes a time in proportion to the clients and users.
func (c *Chat) Counters() Counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := Counters{
		State:       c.state.Size(),
		Clients:     len(c.local.byConn),
		Pending:     len(c.commands.pending),
		Messages:    c.counts.messages,
		Duplicates:  c.counts.duplicates,
		Claims:      c.counts.claims,
		Returns:     c.counts.returns,
		Provisional: c.counts.provisional,
		Malformed:   c.counts.malformed,
		Refusals:    make(map[string]uint64, state.NumCodes),
	}
	for _, cl := range c.local.byConn {
		if cl.user != nil {
			n.Named++
		}
	}
	for code := state.Accepted + 1; code < state.NumCodes; code++ {
		n.Refusals[code.String()] = c.counts.refusals[code]
	}
	return n
}
