package chat

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/chat/state"
)

// A chat that starts with other settings on a log that was stored puts them in force on all instances alike: those of
// the oldest one. Another one that has different settings says so once, and its own count when it is the oldest.
func TestSettingsOfTheOldestInstanceCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := newCluster(t, 1, Options{Bounds: Bounds{RoomLines: 9, AddressKey: state.Hash{5}}, MessageRate: -1})
		ann := before.replicas[0].named(false, "Ann")
		for i := range 8 {
			ann.ask("user message", fmt.Sprint("m", i))
		}
		stored := before.replicas[0].Snapshot()

		var log bytes.Buffer
		c := newCluster(t, 2, Options{Bounds: Bounds{RoomLines: 3, AddressKey: state.Hash{6}}, Retention: time.Hour})
		for _, r := range c.replicas {
			if err := r.Restore(stored); err != nil {
				t.Fatal(err)
			}
		}
		other := c.replicas[1]
		other.mu.Lock()
		other.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
		other.settings.own.Bounds.RoomLines = 4
		other.mu.Unlock()
		want := func(when string, lines int, retention time.Duration, differs bool) {
			t.Helper()
			time.Sleep(2 * adjustEvery)
			synctest.Wait()
			c.agree()
			for _, r := range c.replicas {
				r.mu.Lock()
				s := r.state.Settings()
				kept, _ := r.state.Room("lobby").Last(100, 0)
				r.mu.Unlock()
				if s.Bounds.RoomLines != lines || s.RetentionMillis != retention.Milliseconds() || len(kept) > lines {
					t.Errorf("%s: %s follows %+v with %d lines, want %d lines and a retention of %v", when, r.name, s,
						len(kept), lines, retention)
				}
			}
			if got := other.SettingsDiffer(); strings.Contains(got, fmt.Sprint(lines, " lines a room")) != differs {
				t.Errorf("%s: SettingsDiffer() = %q, want it to differ: %v", when, got, differs)
			}
			if got := strings.Count(log.String(), "settings differ"); got != 1 {
				t.Errorf("%s: the log says %d times that settings differ, want once: %s", when, got, log.String())
			}
		}
		want("the first one is the oldest", 3, time.Hour, true)
		if got := c.replicas[0].SettingsDiffer(); got != "" {
			t.Errorf("SettingsDiffer() of the oldest = %q", got)
		}
		want("nothing changes", 3, time.Hour, true)
		if n := c.adjustments(); n != 1 {
			t.Errorf("the log has %d entries that change settings, want 1: then they are in force", n)
		}
		c.mu.Lock()
		c.gone = "a"
		c.mu.Unlock()
		want("the other one is the oldest", 4, time.Hour, false)
	})
}

// adjustments counts the entries that change settings.
func (c *cluster) adjustments() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.entries {
		if command, err := state.DecodeCommand(e.Body); err == nil {
			if _, ok := command.Action.(*state.Adjust); ok {
				n++
			}
		}
	}
	return n
}
