package chaostest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"chatapp/internal/chatcheck"
)

// records returns what all users have received but those who have vanished.
func (c *cluster) records() []chatcheck.Record {
	var records []chatcheck.Record
	for _, user := range c.users {
		if c.lost[user.Name()] {
			continue
		}
		r := user.Record()
		r.Problems = slices.DeleteFunc(r.Problems, isRefusedConnection)
		records = append(records, r)
	}
	for _, other := range c.others {
		records = append(records, other())
	}
	return records
}

// compare compares what all users have received.
func (c *cluster) compare(t *testing.T) {
	t.Helper()
	records := c.records()
	result := chatcheck.Compare(records)
	for _, fault := range result.Faults {
		t.Error(fault)
	}
	for _, r := range records {
		if !c.compareLeaves(t, r) {
			break // the others will have received the same
		}
	}
	t.Logf("%d clients, %d messages, %d deliveries expected, %d lost, %d duplicated, %d out of order; "+
		"%d reconnects; acknowledged p50 %v p99 %v",
		result.Clients, result.Sent, result.Expected, result.Lost, result.Duplicates,
		result.Reordered, result.Reconnects,
		chatcheck.Quantile(result.Acks, .5).Round(time.Millisecond),
		chatcheck.Quantile(result.Acks, .99).Round(time.Millisecond))
}

// isRefusedConnection reports whether a client's problem is a connection that it could not make,
// which is right while an instance is down.
func isRefusedConnection(problem string) bool { return strings.HasPrefix(problem, "not connected: ") }

// compareLeaves checks that a client was notified once of each lost user's leaving, and of no other
// user's. It reports whether that is so. A user may have left whose name expired because the
// machine was too slow to reconnect it.
func (c *cluster) compareLeaves(t *testing.T, r chatcheck.Record) bool {
	leaves, ok := leavesIn(r), true
	for name, n := range leaves {
		if !c.lost[name] && !c.mayHaveExpired(name) {
			t.Errorf("%s was notified %d times that %s left, which did not: %s", r.Name, n, name, c.describe(name))
			ok = false
		}
	}
	for name := range c.lost {
		if leaves[name] != 1 {
			t.Errorf("%s was notified %d times that %s left, want once: %s", r.Name, leaves[name], name,
				c.describe(r.Name))
			ok = false
		}
	}
	return ok
}

// leavesIn returns how often a client was notified of each user's leaving.
func leavesIn(r chatcheck.Record) map[string]int {
	leaves := make(map[string]int)
	for _, l := range r.Lines {
		if l.Kind == "leave" {
			leaves[l.From]++
		}
	}
	return leaves
}

// describe returns what a user went through, for a failure message.
func (c *cluster) describe(name string) string {
	for _, user := range c.users {
		if r := user.Record(); r.Name == name {
			return fmt.Sprintf("served by %q, %d reconnects, away for %v at most, %d resets, problems %q",
				r.Instances, r.Reconnects, r.Away.Round(time.Millisecond), r.Resets, r.Problems)
		}
	}
	return "no user of this test"
}

// mayHaveExpired reports whether a user was disconnected for most of the time for which its name is
// held.
func (c *cluster) mayHaveExpired(name string) bool {
	return slices.ContainsFunc(c.users, func(user *chatcheck.Client) bool {
		return user.Name() == name && user.Record().Away >= c.nameHold/2
	})
}
