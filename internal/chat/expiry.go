package chat

import (
	"hash/fnv"
	"strconv"
	"time"

	"chatapp/internal/chat/state"
)

// expiry collects the disconnected users whose hold time is over, for one entry that expires them all. Chat.mu guards
// it.
type expiry struct {
	*core
	local *localClients

	due []state.Stamp
}

const (
	maxExpired       = 1000             // users that one entry expires
	expireRetryEvery = 10 * time.Second // should the entry get lost
)

// watchLocked schedules the expiry of a disconnected user if this instance is responsible: it has lost the
// connection, or the instance that has lost it left the cluster. In the latter case all instances are, each after a
// delay of its own, so that mostly one entry suffices.
func (e *expiry) watchLocked(u *state.User) {
	if u.Status() != state.Disconnected {
		return
	}
	after := time.Duration(u.HoldMillis()) * time.Millisecond
	switch {
	case u.Orphaned():
		after += e.local.share(u.Stamp(), after/8+100*time.Millisecond)
	case u.Conn().Instance != e.local.instance:
		return
	}
	stamp := u.Stamp()
	e.timers.Add(time.Now().Add(after), func(now time.Time) { e.expireLocked(stamp, now) })
}

// share returns a duration up to a limit, which looks random but follows from the disconnection and this instance's
// name.
func (l *localClients) share(s state.Stamp, limit time.Duration) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(l.instance + " " + strconv.FormatUint(s.User, 36) + " " + strconv.FormatUint(s.Generation, 36)))
	return time.Duration(h.Sum64() % uint64(limit))
}

// expireLocked has a user expired, unless it has returned.
func (e *expiry) expireLocked(stamp state.Stamp, now time.Time) {
	if u := e.state.User(stamp.User); u == nil || u.Status() != state.Disconnected || u.Stamp() != stamp {
		return
	}
	again := func(now time.Time) { e.expireLocked(stamp, now) }
	if len(e.due) == maxExpired {
		e.timers.Add(now.Add(time.Millisecond), again)
		return
	}
	if len(e.due) == 0 {
		e.timers.Add(now, e.appendLocked) // behind all that is due by now
	}
	e.due = append(e.due, stamp)
	e.timers.Add(now.Add(expireRetryEvery), again)
}

func (e *expiry) appendLocked(time.Time) {
	command := state.Command{Action: &state.Expire{Users: e.due}}
	if err := e.backplane.Log.Append(command.Encode()); err != nil {
		e.logger().Warn("log refuses an expiry", "err", err)
	}
	e.due = e.due[:0]
}
