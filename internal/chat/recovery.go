package chat

import (
	"slices"

	"chatapp/internal/chat/state"
	"chatapp/internal/socketio"
)

// Recovery returns Socket.IO's connection state recovery. It finds sockets in the replicated state, so a client may
// return to any instance. It belongs in the options of the server whose namespace is attached.
func (c *Chat) Recovery() socketio.Recovery { return c.recovered }

// known is what the state has of a client that returns.
type known struct {
	token    state.Hash
	name     state.Nickname
	rooms    []string
	protocol state.Protocol
	origin   state.Hash
}

func knownOf(u *state.User) *known {
	return &known{token: u.Token(), name: u.Nickname(), rooms: slices.Clone(u.Rooms()), protocol: u.Protocol(),
		origin: u.Origin()}
}

// recovered is a socketio.Recovery. It finds the socket of a known user whose missed lines are all kept, and not too
// many. Chat.connect sends them, the last of them in the critical section in which the client begins to listen.
func (c *Chat) recovered(nsp, pid, offset string) (socketio.Restored, bool) {
	since, err := state.ParsePosition(offset)
	if c.out.nsp == nil || nsp != c.out.nsp.Name() || err != nil {
		return socketio.Restored{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.state.UserByClient(state.HashOf(pid))
	if u == nil || u.SID() == "" || c.closed {
		return socketio.Restored{}, false
	}
	if _, whole := c.history.missedByLocked(u.Rooms(), since, maxReplayBytes); !whole {
		return socketio.Restored{}, false
	}
	return socketio.Restored{SID: u.SID(), Data: knownOf(u)}, true
}
