package chat

import (
	"slices"
	"time"

	"chatapp/internal/chat/state"
)

// retryQueue holds commands that must not be lost and that the log has refused. Each is the last one of its connection,
// so that they may go in any order: an account that the log takes nothing of keeps no other's waiting. Chat.mu guards
// it.
type retryQueue struct {
	*core

	waiting []retried
}

// retried is a command, and the account that it is of.
type retried struct {
	command state.Command
	account string
}

const retryEvery = time.Second

// appendLocked appends the last command of a client, which does not wait for it. If the log refuses it, it is appended
// later.
func (q *retryQueue) appendLocked(cl *client, action state.Action) {
	r := retried{state.Command{Conn: cl.conn, Action: action}, cl.account()}
	if q.tryLocked(&r) == nil {
		return
	}
	if len(q.waiting) == 0 {
		q.timers.Add(time.Now().Add(retryEvery), q.retryLocked)
	}
	q.waiting = append(q.waiting, r)
}

func (q *retryQueue) tryLocked(r *retried) error {
	return q.backplane.Log.AppendFor(r.command.Encode(), r.account, "")
}

func (q *retryQueue) retryLocked(now time.Time) {
	q.waiting = slices.DeleteFunc(q.waiting, func(r retried) bool { return q.tryLocked(&r) == nil })
	if len(q.waiting) == 0 {
		q.waiting = nil
		return
	}
	q.timers.Add(now.Add(retryEvery), q.retryLocked)
}
