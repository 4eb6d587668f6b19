package chat

import (
	"time"

	"chatapp/internal/chat/state"
)

// retryQueue holds commands that must not be lost and that the log has refused. Chat.mu guards it.
type retryQueue struct {
	*core

	waiting []state.Command // oldest first
}

const retryEvery = time.Second

// appendLocked appends a command that no client waits for. If the log refuses it, or others are waiting to be
// retried, it is appended later.
func (q *retryQueue) appendLocked(command state.Command) {
	if len(q.waiting) == 0 {
		if err := q.backplane.Log.Append(command.Encode()); err == nil {
			return
		}
		q.timers.Add(time.Now().Add(retryEvery), q.retryLocked)
	}
	q.waiting = append(q.waiting, command)
}

func (q *retryQueue) retryLocked(now time.Time) {
	for len(q.waiting) > 0 {
		if err := q.backplane.Log.Append(q.waiting[0].Encode()); err != nil {
			q.timers.Add(now.Add(retryEvery), q.retryLocked)
			return
		}
		q.waiting = q.waiting[1:]
	}
	q.waiting = nil
}
