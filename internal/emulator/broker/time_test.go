package broker

import (
	"slices"
	"testing"
	"time"
)

func TestMessagesExpire(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", func(d *QueueDescription) { d.DefaultMessageTimeToLive = time.Minute })
		long, short := msg("long"), msg("short")
		long.TTL, short.TTL = time.Hour, 10*time.Second // the entity's is a ceiling
		b.ok(target.Send([]*Message{long, short, msg("none")}))
		r := b.receiver(source, PeekLock)
		held := b.take(r, 1)
		if held[0].TTL != time.Minute {
			t.Errorf("effective time to live is %v, want %v", held[0].TTL, time.Minute)
		}
		wait(11 * time.Second)
		b.wantPeek("short is over", source, "long", "none")
		_, err := source.Renew([]UUID{held[0].LockToken})
		b.ok(err)
		wait(55 * time.Second)
		b.wantPeek("a lock protects", source, "long")
		b.settle(source, held[0], Abandon)
		b.wantPeek("until it ends", source)
		b.wantCounts("dropped", "q", Counts{})
	})
}

func TestExpiredMessagesAreDeadLettered(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", func(d *QueueDescription) {
			d.DefaultMessageTimeToLive, d.DeadLetteringOnMessageExpiration = time.Minute, true
		})
		b.ok(target.Send(msgs("a", "b")))
		r := b.receiver(source, PeekLock)
		b.wantTake("one", r, 1, "a")
		wait(time.Minute)
		dead := b.wantPeek("both, the lock having ended too", b.source("q/$DeadLetterQueue"), "a", "b")
		if got := dead[1].Message.Properties["DeadLetterReason"]; got != "TTLExpiredException" {
			t.Errorf("reason is %v", got)
		}
		wait(24 * time.Hour)
		b.wantPeek("dead letters stay", b.source("q/$DeadLetterQueue"), "a", "b")
	})
}

func TestScheduledMessagesBecomeActive(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", func(d *QueueDescription) { d.LockDuration = 5 * time.Minute })
		r := b.receiver(source, PeekLock)
		at := func(id string, in time.Duration) *Message {
			m := msg(id)
			m.ScheduledEnqueueTime = time.Now().Add(in)
			return m
		}
		seqs, err := target.Schedule([]*Message{at("late", time.Hour), at("soon", time.Minute),
			at("past", -time.Minute), at("never", time.Minute)})
		b.ok(err)
		if !slices.Equal(seqs, []int64{1, 2, 3, 4}) {
			t.Errorf("sequence numbers %v", seqs)
		}
		b.ok(target.Send([]*Message{at("sent", 2*time.Minute)}))
		b.wantPeek("states", source, "late:scheduled", "soon:scheduled", "past", "never:scheduled", "sent:scheduled")
		b.wantCounts("scheduled", "q", Counts{Active: 1, Scheduled: 4, Total: 5, Bytes: 500})
		b.refused("cancelling what is active", target.Cancel([]int64{4, 3}), CodeMessageNotFound, "3")
		b.ok(target.Cancel([]int64{4, 4}))
		b.refused("cancelling twice", target.Cancel([]int64{4}), CodeMessageNotFound, "4")
		if d := b.wantTake("only what is due", r, 5, "past")[0]; d.State != Active {
			t.Errorf("a message that was due when it came is received in state %v", d.State)
		}
		wait(time.Minute)
		d := b.wantTake("soon", r, 5, "soon")[0]
		if d.SequenceNumber != 6 || !d.EnqueuedTime.Equal(time.Now()) || !d.ScheduledTime.Equal(time.Now()) {
			t.Errorf("an activated message has number %d, enqueued %v, scheduled %v; want 6 and now",
				d.SequenceNumber, d.EnqueuedTime, d.ScheduledTime)
		}
		if d.State != Scheduled {
			t.Errorf("an activated message is received in state %v, want that it was scheduled", d.State)
		}
		wait(time.Hour)
		b.wantTake("the rest; the lock of soon is over", r, 5, "past", "soon", "sent", "late")
	})
}

func TestScheduledMessagesReachSubscriptions(t *testing.T) {
	inBubble(t, func(b bench) {
		target := b.topic("t", "s")
		m := msg("a")
		m.ScheduledEnqueueTime = time.Now().Add(time.Minute)
		seqs, err := target.Schedule([]*Message{m, m})
		b.ok(err)
		info, err := b.Topic("t")
		b.ok(err)
		if info.Counts.Scheduled != 2 || info.Bytes != 200 {
			t.Errorf("topic has %+v, want 2 scheduled and 200 bytes", info.Counts)
		}
		b.ok(target.Cancel(seqs[:1]))
		b.refused("again", target.Cancel(seqs[:1]), CodeMessageNotFound, "")
		source := b.source("t/Subscriptions/s")
		b.wantPeek("not yet", source)
		wait(time.Minute)
		d := b.wantPeek("due", source, "a")[0]
		if d.SequenceNumber != 1 || d.EnqueuedSequenceNumber <= seqs[1] {
			t.Errorf("numbers %d and %d, want 1 and more than %d", d.SequenceNumber, d.EnqueuedSequenceNumber, seqs[1])
		}
		if d := b.wantTake("due", b.receiver(source, PeekLock), 1, "a")[0]; d.State != Scheduled {
			t.Errorf("received in state %v, want that it was scheduled", d.State)
		}
	})
}

func TestIdleSubscriptionIsDeleted(t *testing.T) {
	const idle = 5 * time.Minute
	for _, c := range []struct {
		name string
		use  func(b bench, r *Receiver) // every 4 minutes
		dies bool
	}{
		{"nothing", func(bench, *Receiver) {}, true},
		{"credit left standing", func(_ bench, r *Receiver) { _ = r.Credit() }, true},
		{"receives of nothing", func(b bench, r *Receiver) { b.take(r, 1) }, false},
		{"peeks", func(b bench, _ *Receiver) { b.wantPeek("idle", b.source("t/Subscriptions/s")) }, false},
		{"arriving messages", func(b bench, _ *Receiver) { b.ok(b.target("t").Send(msgs("a"))) }, false},
		{"reading its description", func(b bench, _ *Receiver) { _, err := b.Subscription("t", "s"); b.ok(err) }, true},
		{"new rules", func(b bench, _ *Receiver) {
			b.ok(b.CreateRule("t", "s", RuleDescription{Name: time.Now().Format("150405")}))
		}, false},
		{"updates", func(b bench, _ *Receiver) {
			info, err := b.Subscription("t", "s")
			b.ok(err)
			b.ok(b.UpdateSubscription(info.SubscriptionDescription))
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(b bench) {
				b.topic("t")
				d := DefaultSubscription("t", "s")
				d.AutoDeleteOnIdle = idle
				b.ok(b.CreateSubscription(d))
				r := b.receiver(b.source("t/Subscriptions/s"), PeekLock)
				if c.name == "credit left standing" {
					b.ok(r.SetCredit(5))
				}
				for range 5 {
					wait(4 * time.Minute)
					if !b.Exists("t/Subscriptions/s") {
						break
					}
					if c.name == "arriving messages" {
						r.Close()
					}
					c.use(b, r)
				}
				if dead := !b.Exists("t/Subscriptions/s"); dead != c.dies {
					t.Errorf("deleted: %t, want %t", dead, c.dies)
				}
				if c.dies && CodeOf(r.Err()) != CodeDetached {
					t.Errorf("the receiver has %v, want code %d", r.Err(), CodeDetached)
				}
			})
		})
	}
}

func TestIdleQueuesAndTopicsAreDeleted(t *testing.T) {
	inBubble(t, func(b bench) {
		idle := func(d *QueueDescription) { d.AutoDeleteOnIdle = 5 * time.Minute }
		b.queue("idle", idle)
		target, _ := b.queue("scheduled", idle)
		m := msg("a")
		m.ScheduledEnqueueTime = time.Now().Add(time.Hour)
		b.ok(target.Send([]*Message{m}))
		d := DefaultTopic("topic")
		d.AutoDeleteOnIdle = 5 * time.Minute
		b.ok(b.CreateTopic(d))
		b.ok(b.CreateSubscription(DefaultSubscription("topic", "s")))
		for range 4 {
			wait(4 * time.Minute)
			b.wantPeek("using a subscription uses its topic", b.source("topic/Subscriptions/s"))
		}
		for name, want := range map[string]bool{"idle": false, "scheduled": true, "topic": true} {
			if got := b.Exists(name); got != want {
				t.Errorf("%s exists: %t, want %t", name, got, want)
			}
		}
		wait(6 * time.Minute)
		if b.Exists("topic") || b.Exists("topic/Subscriptions/s") {
			t.Error("the topic outlived its idle time")
		}
		wait(time.Hour)
		if b.Exists("scheduled") {
			t.Error("the queue outlived its idle time after its scheduled message was due")
		}
	})
}

func TestDuplicatesAreDroppedWithinWindow(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", func(d *QueueDescription) {
			d.RequiresDuplicateDetection, d.DuplicateDetectionHistoryTimeWindow = true, time.Minute
		})
		b.ok(target.Send(msgs("a", "b", "a")))
		b.ok(target.Send(msgs("b", "c")))
		b.wantPeek("repeats are dropped silently", source, "a", "b", "c")
		r := b.receiver(source, ReceiveAndDelete)
		b.wantTake("all", r, 9, "a", "b", "c")
		b.ok(target.Send(msgs("a")))
		b.wantTake("even when the first is gone", r, 9)
		wait(time.Minute)
		b.ok(target.Send(msgs("a")))
		b.wantTake("after the window", r, 9, "a")
	})
}

// TestCancelledTopicMessagesFreeTheirBytes checks the size of a topic after its scheduled messages are cancelled.
func TestCancelledTopicMessagesFreeTheirBytes(t *testing.T) {
	inBubble(t, func(b bench) {
		target := b.topic("t", "s")
		later := &Message{ID: "a", Size: 100, ScheduledEnqueueTime: time.Now().Add(time.Hour)}
		numbers, err := target.Schedule([]*Message{later})
		b.ok(err)
		if info, err := b.Topic("t"); err != nil || info.Bytes != 100 || info.Counts.Scheduled != 1 {
			t.Errorf("the topic holds %+v, %v, want 100 bytes", info.Counts, err)
		}
		b.ok(target.Cancel(numbers))
		if info, err := b.Topic("t"); err != nil || info.Bytes != 0 || info.Counts.Scheduled != 0 {
			t.Errorf("after the cancellation the topic holds %+v, %v, want nothing", info.Counts, err)
		}
	})
}
