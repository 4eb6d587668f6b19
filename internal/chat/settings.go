package chat

import (
	"fmt"
	"time"

	"chatapp/internal/chat/state"
)

const (
	settingsEvery = 5 * time.Second  // how often the settings in force are compared with this instance's
	adjustEvery   = 30 * time.Second // how often the log is asked to change them, at most
)

// settings are this instance's settings beside those in force, which are part of the state.
type settings struct {
	*core

	// Guarded by core.mu.
	own      state.Settings
	askedAt  time.Time      // when the log was last asked for the own ones
	seen     state.Settings // those in force at the last comparison
	toldOf   state.Settings // those in force that the own ones were last logged to differ from
	isSenior bool           // the own ones count
}

func newSettings(c *core) settings {
	own := state.Settings{Bounds: c.options.Bounds, RetentionMillis: c.options.Retention.Milliseconds()}
	return settings{core: c, own: own.Normal()}
}

// compareLocked has the log put this instance's settings in force if it is the oldest one in the cluster and they
// differ. Any other instance logs once that its own settings do not count. It does so again from then on.
func (s *settings) compareLocked(now time.Time) {
	s.timers.Add(now.Add(settingsEvery), s.compareLocked)
	cluster := s.backplane.Cluster()
	s.isSenior = len(cluster.Instances) > 0 && cluster.Instances[0].Self
	inForce := s.state.Settings()
	steady := s.seen == inForce // the oldest instance has had the time to change them
	s.seen = inForce
	if !cluster.Ready || s.state.Rules() < state.SettingsSince || s.own == inForce {
		return
	}
	switch {
	case !s.isSenior && steady && s.toldOf != inForce:
		s.toldOf = inForce
		s.options.Logger.Warn("settings differ from those of the oldest instance, which are in force",
			"own", describeSettings(s.own), "in_force", describeSettings(inForce))
	case s.isSenior && now.Sub(s.askedAt) >= adjustEvery:
		s.askedAt = now
		s.options.Logger.Info("settings change for all instances", "before", describeSettings(inForce),
			"now", describeSettings(s.own))
		adjust := state.Command{Action: state.NewAdjust(s.own)}
		if err := s.backplane.Log.Append(adjust.Encode()); err != nil {
			s.options.Logger.Warn("log refuses an entry", "err", err)
		}
	}
}

// SettingsDiffer says how this instance's settings differ from those that all instances follow, as a sentence; "" if
// they don't, or if the own ones are about to take effect.
func (c *Chat) SettingsDiffer() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, inForce := &c.settings, c.state.Settings()
	if s.isSenior || c.state.Rules() < state.SettingsSince || s.own == inForce {
		return ""
	}
	return fmt.Sprintf("settings differ from those of the oldest instance, which are in force: %s, not %s",
		describeSettings(inForce), describeSettings(s.own))
}

// describeSettings names what operators know.
func describeSettings(s state.Settings) string {
	retention := "no retention"
	if s.RetentionMillis > 0 {
		retention = fmt.Sprint("retention ", time.Duration(s.RetentionMillis)*time.Millisecond)
	}
	b, ms := &s.Bounds, func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	return fmt.Sprintf("%s, %d lines a room, %d bytes of history, %d rooms, %d users, %d expired users, "+
		"return within %v, idle rooms after %v, %d bytes of messages remembered for %v",
		retention, b.RoomLines, b.HistoryBytes, b.Rooms, b.Users, b.Expired,
		ms(b.RecoveryMillis), ms(b.IdleMillis), b.RememberedBytes, ms(b.RememberedMillis))
}
