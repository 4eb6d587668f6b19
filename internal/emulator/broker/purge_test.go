package broker

import (
	"testing"
	"time"
)

// TestResetEmptiesEverything has messages in every state, a session with a state, remembered ids and a transaction.
func TestResetEmptiesEverything(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", func(d *QueueDescription) { d.RequiresDuplicateDetection = true })
		topic := b.topic("t", "s")
		sessions, inSessions := b.queue("s", func(d *QueueDescription) { d.RequiresSession = true })
		later := msg("later")
		later.ScheduledEnqueueTime = time.Now().Add(time.Hour)
		b.ok(target.Send(append(msgs("ready", "locked", "deferred", "dead", "enlisted", "inbox"), later)))
		b.ok(topic.Send([]*Message{msg("x"), later}))
		r := b.receiver(source, PeekLock)
		got := b.wantTake("all", r, 5, "ready", "locked", "deferred", "dead", "enlisted")
		b.settle(source, got[0], Abandon)
		b.settle(source, got[2], Defer)
		b.settle(source, got[3], DeadLetter)
		tx, other := b.Begin(), b.Begin()
		b.ok(tx.Settle(source, got[4].LockToken, Settlement{}))
		b.ok(other.Settle(source, got[1].LockToken, Settlement{}))
		b.ok(r.SetCredit(1)) // "ready" is in the inbox
		m := msg("m")
		m.HasSession = true
		b.ok(sessions.Send([]*Message{m}))
		in, err := inSessions.NewReceiver(ReceiverOptions{Wake: func() {}, Session: &SessionRequest{}})
		b.ok(err)
		defer in.Close()
		b.ok(inSessions.SetSessionState("", []byte("state")))

		b.Reset()
		b.refused("commit", tx.Commit(), CodeLockLost, "")
		other.Rollback()
		for _, name := range []string{"q", "s"} {
			b.wantCounts("after the reset", name, Counts{})
		}
		if info, err := b.Subscription("t", "s"); err != nil || info.Total != 0 {
			t.Errorf("the subscription has %d messages, %v", info.Total, err)
		}
		if info, err := b.Topic("t"); err != nil || info.Scheduled != 0 || info.Bytes != 0 {
			t.Errorf("the topic has %+v, %v", info.Counts, err)
		}
		for _, one := range []*Target{target, topic, sessions} {
			if used, records := one.size.used.Load(), one.size.records.Load(); used != 0 || records != 0 {
				t.Errorf("%s has %d bytes and %d records", one.path, used, records)
			}
		}
		if state, err := inSessions.SessionState(""); err != nil || state != nil {
			t.Errorf("the session has the state %q, %v", state, err)
		}
		b.ok(target.Send(msgs("ready"))) // no duplicate any more
		var next [2]Delivery
		if n := r.Take(next[:]); n != 1 || next[0].Message.ID != "ready" {
			t.Errorf("the receiver got %d messages, %q", n, ids(next[:n]))
		}
		wait(2 * time.Hour)
		b.wantPeek("nothing else came", b.source("t/Subscriptions/s"))
	})
}

func TestDeadLettersAreResubmitted(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		b.ok(target.Send(msgs("a", "b", "c")))
		for _, d := range b.take(b.receiver(source, PeekLock), 3) {
			b.ok(source.Settle(d.LockToken, Settlement{Outcome: DeadLetter, Reason: "why", Description: "how",
				Properties: map[string]any{"kept": 1}}))
		}
		dead := b.source("q/$DeadLetterQueue")
		if n, err := dead.Resubmit([]int64{2, 99}); n != 1 || err != nil {
			t.Errorf("resubmitted %d, %v, want 1", n, err)
		}
		d := b.wantPeek("back", source, "b")[0]
		if p := d.Message.Properties; p["DeadLetterReason"] != nil || p["DeadLetterErrorDescription"] != nil ||
			p["kept"] != 1 {
			t.Errorf("properties %v", p)
		}
		b.status("q", StatusSendDisabled)
		if n, err := dead.Resubmit(nil); n != 0 || CodeOf(err) != CodeEntityDisabled {
			t.Errorf("resubmitted %d to a disabled queue, %v", n, err)
		}
		b.status("q", StatusActive)
		if n, err := dead.Resubmit(nil); n != 2 || err != nil {
			t.Errorf("resubmitted %d, %v, want the other 2", n, err)
		}
		b.wantPeek("all", source, "b", "a", "c")
		_, err := source.Resubmit(nil)
		b.refused("from no dead letters", err, CodeNotAllowed, "dead-letter")
	})
}
