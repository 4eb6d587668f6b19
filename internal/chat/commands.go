package chat

import (
	"strconv"
	"time"

	"chatapp/internal/chat/state"
	"chatapp/internal/socketio"
)

// commands are those of this instance on their way through the log. Chat.mu guards it.
type commands struct {
	*core
	local *localClients

	lastRef uint64
	pending map[uint64]*pendingCommand // by reference
	claims  map[*client]*state.Claim   // of these, the last claim of each client
	retries retryQueue

	provisional map[messageID]*provisionalLine // not resolved
}

// pendingCommand is a command of a client that has not come back from the log.
type pendingCommand struct {
	command     state.Command
	client      *client
	event       string // that the client has sent; "": the command was made without a request
	ack         socketio.Ack
	others      acks // of a claim: of further requests that it answers
	appended    time.Time
	account     string           // of the client
	secret      string           // of a claim: the resume token that the client receives
	resumes     bool             // of a claim: it was made for the client, which has not requested a nickname
	provisional *provisionalLine // of a message that clients have received before the log had it; nil: none
	span        Span             // of the request; nil: it is not traced
}

func newCommands(c *core, local *localClients, lastRef uint64) commands {
	return commands{core: c, local: local, retries: retryQueue{core: c}, lastRef: lastRef,
		pending: make(map[uint64]*pendingCommand),
		claims:  make(map[*client]*state.Claim), provisional: make(map[messageID]*provisionalLine)}
}

// expect registers a command that is about to be appended, and encodes it.
func (q *commands) expect(p *pendingCommand) []byte {
	q.lastRef++
	p.command.Ref, p.appended, p.account = q.lastRef, time.Now(), p.client.account()
	if say, ok := p.command.Action.(*state.Say); ok && say.CID == "" {
		say.CID = "." + strconv.FormatUint(p.command.Ref, 36) // every message has a different one
	}
	if claim := p.claim(); claim != nil {
		p.client.claims.pending++
		q.claims[p.client] = claim
	}
	q.pending[p.command.Ref] = p
	return p.command.Encode()
}

// take returns the pending command with a reference, which is pending no longer; nil if there is none.
func (q *commands) take(ref uint64) *pendingCommand {
	p := q.pending[ref]
	if p != nil {
		q.forget(p)
	}
	return p
}

func (q *commands) forget(p *pendingCommand) {
	delete(q.pending, p.command.Ref)
	if p.claim() == nil {
		return
	}
	if p.client.claims.pending--; p.client.claims.pending == 0 {
		delete(q.claims, p.client)
	}
}

// speaker returns the token and the nickname of a client's user, or of the one that it is going to have.
func (q *commands) speaker(cl *client) (state.Hash, string) {
	claim := q.claims[cl]
	switch {
	case cl.user != nil || claim == nil:
		return cl.token, cl.name.Name
	case claim.Name == "":
		return claim.Token, cl.name.Name
	}
	return claim.Token, claim.Name
}

// claim returns the claim that the command is; nil if it is another command.
func (p *pendingCommand) claim() *state.Claim {
	switch action := p.command.Action.(type) {
	case *state.Claim:
		return action
	case *state.Move:
		return &action.Claim
	}
	return nil
}

// appendLocked appends a client's command to the log. It returns the error of the log.
func (q *commands) appendLocked(p *pendingCommand) error {
	p.command.Conn = p.client.conn
	body := q.expect(p)
	trace := ""
	if p.span != nil {
		trace = p.span.Trace()
	}
	if err := q.backplane.Log.AppendFor(body, p.account, trace); err != nil {
		q.forget(p)
		q.logger().Warn("log refuses an entry", "err", err)
		return err
	}
	return nil
}

// requestLocked appends the command of a client that waits for the outcome.
func (q *commands) requestLocked(r *request, action state.Action) {
	q.appendRequestLocked(r, &pendingCommand{command: state.Command{Action: action}})
}

func (q *commands) appendRequestLocked(r *request, p *pendingCommand) {
	p.client, p.event, p.ack = r.client, r.name, r.ack
	p.span, r.span = r.span, nil
	if err := q.appendLocked(p); err != nil {
		r.span = p.span
		q.refuseRequestLocked(r, state.Overloaded, 0)
	}
}
