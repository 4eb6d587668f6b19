package chat

import (
	"time"

	"chatapp/internal/chat/state"
)

// retryQueue holds commands that must not be lost and that the log has refused, oldest first. Chat.mu guards it.
type retryQueue struct{ commands []state.Command }

const retryEvery = time.Second

// appendReliablyLocked appends a command that no client waits for. If the log refuses it, or others are waiting to be
// retried, it is appended later.
func (c *Chat) appendReliablyLocked(command state.Command) {
	q := &c.commands.retries
	if len(q.commands) == 0 {
		if err := c.backplane.Log.Append(command.Encode()); err == nil {
			return
		}
		c.timers.Add(time.Now().Add(retryEvery), c.retryLocked)
	}
	q.commands = append(q.commands, command)
}

func (c *Chat) retryLocked(now time.Time) {
	q := &c.commands.retries
	for len(q.commands) > 0 {
		if err := c.backplane.Log.Append(q.commands[0].Encode()); err != nil {
			c.timers.Add(now.Add(retryEvery), c.retryLocked)
			return
		}
		q.commands = q.commands[1:]
	}
	q.commands = nil
}
