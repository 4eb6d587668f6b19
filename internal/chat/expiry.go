package chat

import (
	"hash/fnv"
	"strconv"
	"time"

	"chatapp/internal/chat/state"
)

// expiry collects the disconnected users whose hold time is over, for one entry that expires them all. Chat.mu guards
// it.
type expiry struct{ due []state.Stamp }

const (
	maxExpired       = 1000             // users that one entry expires
	expireRetryEvery = 10 * time.Second // should the entry get lost
)

// watchExpiryLocked schedules the expiry of a disconnected user if this instance is responsible: it has lost the
// connection, or the instance that has lost it left the cluster. In the latter case all instances are, each after a
// delay of its own, so that mostly one entry suffices.
func (c *Chat) watchExpiryLocked(u *state.User) {
	if u.Status() != state.Disconnected {
		return
	}
	after := time.Duration(u.HoldMillis()) * time.Millisecond
	switch {
	case u.Orphaned():
		after += c.local.share(u.Stamp(), after/8+100*time.Millisecond)
	case u.Conn().Instance != c.local.instance:
		return
	}
	stamp := u.Stamp()
	c.timers.Add(time.Now().Add(after), func(now time.Time) { c.expireLocked(stamp, now) })
}

// share returns a duration up to a limit, which looks random but follows from the disconnection and this instance's
// name.
func (l *localClients) share(s state.Stamp, limit time.Duration) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(l.instance + " " + strconv.FormatUint(s.User, 36) + " " + strconv.FormatUint(s.Generation, 36)))
	return time.Duration(h.Sum64() % uint64(limit))
}

// expireLocked has a user expired, unless it has returned.
func (c *Chat) expireLocked(stamp state.Stamp, now time.Time) {
	if u := c.state.User(stamp.User); u == nil || u.Status() != state.Disconnected || u.Stamp() != stamp {
		return
	}
	again := func(now time.Time) { c.expireLocked(stamp, now) }
	if len(c.presence.expiry.due) == maxExpired {
		c.timers.Add(now.Add(time.Millisecond), again)
		return
	}
	if len(c.presence.expiry.due) == 0 {
		c.timers.Add(now, c.appendExpiryLocked) // behind all that is due by now
	}
	c.presence.expiry.due = append(c.presence.expiry.due, stamp)
	c.timers.Add(now.Add(expireRetryEvery), again)
}

func (c *Chat) appendExpiryLocked(time.Time) {
	command := state.Command{Action: &state.Expire{Users: c.presence.expiry.due}}
	if err := c.backplane.Log.Append(command.Encode()); err != nil {
		c.logger().Warn("log refuses an expiry", "err", err)
	}
	c.presence.expiry.due = c.presence.expiry.due[:0]
}
