package chat

import (
	"slices"

	"chatapp/internal/chat/state"
)

// sessionInfo is the argument of "session": the identity of the client.
type sessionInfo struct {
	Instance  string       `json:"instance"`
	Name      string       `json:"name,omitempty"`
	Rooms     []string     `json:"rooms,omitempty"`
	Recovered bool         `json:"recovered"`
	Token     string       `json:"token,omitempty"` // for a client that has not requested its nickname
	SignedIn  bool         `json:"signedIn,omitempty"`
	Code      string       `json:"code,omitempty"` // why there is no name
	Message   string       `json:"message,omitempty"`
	Limits    clientLimits `json:"limits"`
}

// clientLimits are what a page can say before its user exceeds them: in grapheme clusters, 0 for none, and for
// MessageBytes in bytes of UTF-8.
type clientLimits struct {
	Message      int `json:"message"`
	Nickname     int `json:"nickname"`
	MessageBytes int `json:"messageBytes"`
}

// emitSessionLocked sends a client its identity. code is the reason why it has no nickname, or Accepted.
func (n *nicknames) emitSessionLocked(cl *client, rooms []string, recovered bool, code state.Code) {
	n.emitSessionTokenLocked(cl, rooms, recovered, code, "")
}

// emitSessionTokenLocked is emitSessionLocked with a resume token. The event's offset makes a client recoverable that
// has received nothing else. A client that listens to nothing yet gets no offset: what it has missed follows.
func (n *nicknames) emitSessionTokenLocked(cl *client, rooms []string, recovered bool, code state.Code, token string) {
	s := sessionInfo{Instance: n.local.instance, Recovered: recovered, SignedIn: cl.assigned != nil,
		Code: code.String(), Message: sentences[code],
		Limits: clientLimits{max(n.options.MaxMessageLength, 0), n.options.MaxNicknameLength,
			n.options.MaxMessageBytes}}
	if cl.name.Key != "" {
		s.Name, s.Rooms, s.Token = cl.name.Name, slices.Clone(rooms), token
	}
	n.lines.emitWithOffsetLocked(cl, "session", s)
}

// tellAgainLocked tells the client with a number here which nickname and rooms it has, if that is not what it was told
// last. A request that was granted as part of a log which this instance has left since is decided again in the log that
// it follows now, where no client waits for the reply.
func (n *nicknames) tellAgainLocked(conn uint64) {
	cl := n.local.byConn[conn]
	if cl == nil || cl.user == nil || cl.claims.pending > 0 {
		return // a claim that is pending tells the client
	}
	renamed := cl.name != cl.user.Nickname()
	cl.name = cl.user.Nickname()
	if cl.protocol == state.V4 {
		if renamed {
			n.emitLoginLocked(cl, "")
		}
		return
	}
	listened := len(cl.rooms)
	added := n.local.syncRoomsLocked(cl)
	if !renamed && len(cl.rooms) == listened && len(added) == 0 {
		return
	}
	for _, room := range added {
		n.history.emitLocked(cl, room, true)
		n.rosters.emitLocked(cl, room)
	}
	n.emitSessionLocked(cl, cl.user.Rooms(), cl.socket.Recovered(), state.Accepted)
}

// emitWithOffsetLocked sends an event that is no line, with the offset of what the client has been sent, if it has.
func (ls *lines) emitWithOffsetLocked(cl *client, name string, arg any) {
	if len(cl.rooms) == 0 {
		ls.out.emit(cl, name, arg)
		return
	}
	ls.out.emit(cl, name, arg, ls.sentLocked().String())
}

// emitLoginLocked sends a client of the 4.x protocol which nickname it has.
func (n *nicknames) emitLoginLocked(cl *client, secret string) {
	n.lines.emitWithOffsetLocked(cl, "login", struct {
		NumUsers int    `json:"numUsers"`
		Username string `json:"username"`
		Token    string `json:"token,omitempty"`
	}{n.numUsersLocked(state.Lobby), cl.user.Nickname().Name, secret})
}
