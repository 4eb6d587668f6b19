package broker

import (
	"slices"
	"testing"
	"time"
)

func TestPeekLockLocksUntilSettled(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		b.ok(target.Send(msgs("a", "b", "c")))
		r := b.receiver(source, PeekLock)
		got := b.wantTake("first", r, 2, "a", "b")
		for i, d := range got {
			if d.SequenceNumber != int64(i+1) || d.EnqueuedSequenceNumber != 0 || d.DeliveryCount != 0 ||
				d.LockToken == (UUID{}) ||
				!d.LockedUntil.Equal(time.Now().Add(time.Minute)) || !d.EnqueuedTime.Equal(time.Now()) || d.TTL != 0 {
				t.Errorf("delivery %d is %+v", i, d)
			}
		}
		b.wantPeek("locked ones show", source, "a", "b", "c")
		b.settle(source, got[0], Complete)
		b.refused("completing twice", source.Settle(got[0].LockToken, Settlement{}), CodeLockLost,
			"The lock supplied is invalid")
		b.refused("a foreign token", source.Settle(newUUID(), Settlement{}), CodeLockLost, "")
		b.refused("no token", source.Settle(UUID{}, Settlement{}), CodeLockLost, "")
		b.settle(source, got[1], Release)
		again := b.wantTake("released comes first", r, 5, "b", "c")
		if again[0].DeliveryCount != 0 || again[0].LockToken == got[1].LockToken {
			t.Errorf("after a release: count %d, token %v; want 0 and a new token", again[0].DeliveryCount,
				again[0].LockToken)
		}
		b.settle(source, again[0], Abandon)
		b.refused("a token from before", source.Settle(got[1].LockToken, Settlement{}), CodeLockLost, "")
		if again = b.wantTake("abandoned", r, 5, "b"); again[0].DeliveryCount != 1 {
			t.Errorf("after abandoning: count %d, want 1", again[0].DeliveryCount)
		}
	})
}

func TestLocksExpireAndRenew(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		b.ok(target.Send(msgs("a", "b")))
		r := b.receiver(source, PeekLock)
		got := b.wantTake("both", r, 2, "a", "b")
		wait(40 * time.Second)
		ends, err := source.Renew([]UUID{got[0].LockToken})
		b.ok(err)
		if want := time.Now().Add(time.Minute); len(ends) != 1 || !ends[0].Equal(want) {
			t.Errorf("renewed until %v, want %v", ends, want)
		}
		wait(21 * time.Second)
		_, err = source.Renew([]UUID{got[0].LockToken, got[1].LockToken})
		b.refused("renewing a lost lock", err, CodeLockLost, "")
		r.Close()
		b.settle(source, got[0], Complete) // the lock outlives its link
		r = b.receiver(source, PeekLock)
		if again := b.wantTake("expired", r, 2, "b"); again[0].DeliveryCount != 1 {
			t.Errorf("after the lock's end: count %d, want 1", again[0].DeliveryCount)
		}
	})
}

func TestMaxDeliveryCountDeadLetters(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", func(d *QueueDescription) { d.MaxDeliveryCount = 3 })
		b.ok(target.Send(msgs("a")))
		r := b.receiver(source, PeekLock)
		for i, spoil := range []func(Delivery){
			func(d Delivery) { b.settle(source, d, Abandon) },
			func(Delivery) { wait(time.Minute) },
			func(d Delivery) { b.settle(source, d, Abandon) },
		} {
			d := b.wantTake("attempt", r, 1, "a")[0]
			if d.DeliveryCount != uint32(i) {
				t.Errorf("attempt %d has count %d", i, d.DeliveryCount)
			}
			spoil(d)
		}
		b.wantPeek("queue", source)
		dead := b.source("q/$deadletterqueue")
		d := b.wantPeek("dead letters", dead, "a")[0]
		if d.Message.Properties["DeadLetterReason"] != "MaxDeliveryCountExceeded" || !d.Message.Modified ||
			d.SequenceNumber != 1 ||
			d.DeadLetterSource != "" {
			t.Errorf("dead letter %+v of %+v", d.Message, d)
		}
		b.wantCounts("after dying", "q", Counts{DeadLetter: 1, Total: 1, Bytes: 100})

		// In a dead-letter queue nothing counts, expires or dies again.
		r = b.receiver(dead, PeekLock)
		for range 5 {
			d = b.wantTake("dead letter", r, 1, "a")[0]
			b.settle(dead, d, Abandon)
		}
		if d.DeliveryCount != 3 {
			t.Errorf("count in the dead-letter queue is %d, want 3 still", d.DeliveryCount)
		}
		d = b.wantTake("dead letter", r, 1, "a")[0]
		b.refused("dead-lettering a dead letter", dead.Settle(d.LockToken, Settlement{Outcome: DeadLetter}),
			CodeNotAllowed, "")
		b.settle(dead, d, Complete)
		b.wantCounts("at the end", "q", Counts{})
	})
}

func TestDeadLetterSetsReasonAndProperties(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		sent := &Message{ID: "a", Size: 10, Properties: map[string]any{"x": 1, "y": 2}}
		b.ok(target.Send([]*Message{sent}))
		r := b.receiver(source, PeekLock)
		b.ok(source.Settle(b.take(r, 1)[0].LockToken, Settlement{Outcome: Abandon, Properties: map[string]any{"x": 5}}))
		d := b.take(r, 1)[0]
		if d.Message.Properties["x"] != 5 || d.Message.Properties["y"] != 2 || !d.Message.Modified {
			t.Errorf("after abandoning with properties: %+v", d.Message)
		}
		if sent.Properties["x"] != 1 || sent.Modified {
			t.Errorf("the sender's message was changed: %+v", sent)
		}
		b.ok(source.Settle(d.LockToken, Settlement{Outcome: DeadLetter, Reason: "why", Description: "how",
			Properties: map[string]any{"z": 3}}))
		d = b.wantPeek("dead letters", b.source("q/$DeadLetterQueue"), "a")[0]
		for key, want := range map[string]any{"x": 5, "y": 2, "z": 3, "DeadLetterReason": "why",
			"DeadLetterErrorDescription": "how"} {
			if got := d.Message.Properties[key]; got != want {
				t.Errorf("property %s is %v, want %v", key, got, want)
			}
		}
	})
}

func TestDeferredMessagesAreReceivedByNumber(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", func(d *QueueDescription) { d.DefaultMessageTimeToLive = time.Hour })
		b.ok(target.Send(msgs("a", "b", "c")))
		r := b.receiver(source, PeekLock)
		for _, d := range b.take(r, 3) {
			b.ok(source.Settle(d.LockToken, Settlement{Outcome: Defer, Properties: map[string]any{"later": true}}))
		}
		b.wantTake("deferred are not received", r, 3)
		b.wantPeek("but show", source, "a:deferred", "b:deferred", "c:deferred")
		wait(2 * time.Hour) // deferred messages do not expire
		_, err := source.ReceiveDeferred([]int64{1, 9}, PeekLock, nil)
		b.refused("one is missing", err, CodeMessageNotFound,
			"Failed to lock one or more specified messages. The message does not exist.")
		got, err := source.ReceiveDeferred([]int64{3, 1}, PeekLock, nil)
		b.ok(err)
		if !slices.Equal(ids(got), []string{"c", "a"}) || got[0].State != Deferred ||
			got[0].Message.Properties["later"] != true {
			t.Fatalf("received %+v", got)
		}
		b.wantPeek("they stay deferred under their locks", source, "a:deferred", "b:deferred", "c:deferred")
		_, err = source.ReceiveDeferred([]int64{1}, PeekLock, nil)
		b.refused("while locked", err, CodeMessageNotFound, "")
		b.settle(source, got[0], Complete)
		b.settle(source, got[1], Abandon)
		b.wantPeek("abandoning keeps it deferred", source, "a:deferred", "b:deferred")
		got, err = source.ReceiveDeferred([]int64{1}, ReceiveAndDelete, nil)
		b.ok(err)
		if len(got) != 1 || got[0].DeliveryCount != 2 || got[0].LockToken != (UUID{}) {
			t.Errorf("received %+v, want 2 deliveries counted, for the deferral and the abandon", got)
		}
		b.wantPeek("one is left", source, "b:deferred")
		got, err = source.ReceiveDeferred([]int64{2, 2}, PeekLock, nil)
		b.ok(err)
		b.ok(source.Settle(got[0].LockToken, Settlement{Outcome: DeadLetter}))
		b.wantPeek("dead", b.source("q/$DeadLetterQueue"), "b")
		b.wantCounts("at the end", "q", Counts{DeadLetter: 1, Total: 1, Bytes: 100})
	})
}

// TestOutcomesCountDeliveries settles one message by each outcome and checks the delivery count afterwards.
func TestOutcomesCountDeliveries(t *testing.T) {
	inBubble(t, func(b bench) {
		outcome := func(how Outcome) func(*Source, Delivery) {
			return func(s *Source, d Delivery) { b.settle(s, d, how) }
		}
		for _, tt := range []struct {
			name string
			end  func(*Source, Delivery)
			at   string // address below the queue
			peek string // suffix in wantPeek
			want uint32
		}{
			{"release", outcome(Release), "", "", 0},
			{"abandon", outcome(Abandon), "", "", 1},
			{"defer", outcome(Defer), "", ":deferred", 1},
			{"expiry", func(*Source, Delivery) { wait(time.Minute) }, "", "", 1},
			{"dead-letter", outcome(DeadLetter), deadLetterQueue, "", 0},
		} {
			target, source := b.queue(tt.name, nil)
			b.ok(target.Send(msgs(tt.name)))
			tt.end(source, b.wantTake(tt.name, b.receiver(source, PeekLock), 1, tt.name)[0])
			d := b.wantPeek(tt.name, b.source(tt.name+tt.at), tt.name+tt.peek)[0]
			if d.DeliveryCount != tt.want {
				t.Errorf("after %s the delivery count is %d, want %d", tt.name, d.DeliveryCount, tt.want)
			}
		}
	})
}

// TestDeferralsCountTowardsMaxDeliveryCount abandons a deferred message until it is dead-lettered.
func TestDeferralsCountTowardsMaxDeliveryCount(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", func(d *QueueDescription) { d.MaxDeliveryCount = 2 })
		b.ok(target.Send(msgs("a")))
		b.settle(source, b.wantTake("first", b.receiver(source, PeekLock), 1, "a")[0], Defer)
		got, err := source.ReceiveDeferred([]int64{1}, PeekLock, nil)
		b.ok(err)
		b.settle(source, got[0], Abandon)
		b.wantPeek("the limit is reached", source)
		dead := b.wantPeek("the dead letters", b.source("q/$DeadLetterQueue"), "a")[0]
		if dead.DeliveryCount != 2 || dead.Message.Properties["DeadLetterReason"] != "MaxDeliveryCountExceeded" {
			t.Errorf("the dead letter has count %d and %v", dead.DeliveryCount, dead.Message.Properties)
		}
	})
}

func TestReceiveAndDeleteRemovesOnTake(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		b.ok(target.Send(msgs("a", "b", "c")))
		r := b.receiver(source, ReceiveAndDelete)
		b.ok(r.SetCredit(2))
		var one [1]Delivery
		if n := r.Take(one[:]); n != 1 || one[0].Message.ID != "a" || one[0].LockToken != (UUID{}) {
			t.Fatalf("took %d: %+v", n, one)
		}
		b.wantCounts("one is gone, one is on its way", "q", Counts{Active: 2, Total: 2, Bytes: 200})
		r.Close() // "b" was never taken, so it is not lost
		r = b.receiver(source, ReceiveAndDelete)
		b.wantTake("the rest", r, 5, "b", "c")
		b.wantCounts("at the end", "q", Counts{})
	})
}

func TestPeekReturnsPages(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		b.ok(target.Send(msgs(numbers(1, 300)...)))
		found, err := source.Peek(10, 1000, nil)
		b.ok(err)
		if len(found) != MaxPeek || found[0].SequenceNumber != 10 {
			t.Errorf("peeked %d from %d", len(found), found[0].SequenceNumber)
		}
		found, err = source.Peek(299, 5, nil)
		b.ok(err)
		if !slices.Equal(ids(found), []string{"299", "300"}) || found[0].LockToken != (UUID{}) {
			t.Errorf("peeked %q", ids(found))
		}
		_, err = source.Peek(1, 0, nil)
		b.refused("none asked for", err, CodeArgumentOutOfRange, "")
	})
}

func TestDeleteMessagesSparesLockedAndLate(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		b.ok(target.Send(msgs("a", "b", "c")))
		r := b.receiver(source, PeekLock)
		b.wantTake("locked", r, 1, "a")
		wait(time.Second)
		border := time.Now()
		wait(time.Second)
		b.ok(target.Send(msgs("d")))
		n, err := source.DeleteMessages(10, border)
		b.ok(err)
		if n != 2 {
			t.Errorf("deleted %d, want 2", n)
		}
		b.wantPeek("the locked and the late one stay", source, "a", "d")
	})
}

func TestCreditIsServedInOrderOfArrival(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		woken := make([]int, 3)
		var receivers []*Receiver
		for i := range 3 {
			r, err := source.NewReceiver(ReceiverOptions{Mode: ReceiveAndDelete, Wake: func() { woken[i]++ }})
			b.ok(err)
			receivers = append(receivers, r)
			b.ok(r.SetCredit(2))
		}
		b.ok(target.Send(msgs("a", "b", "c")))
		b.ok(target.Send(msgs("d", "e", "f", "g")))
		for i, want := range [][]string{{"a", "b"}, {"c", "d"}, {"e", "f"}} {
			got := make([]Delivery, 5)
			got = got[:receivers[i].Take(got)]
			if !slices.Equal(ids(got), want) || woken[i] != 1 || receivers[i].Credit() != 0 {
				t.Errorf("receiver %d took %q after %d wakes, credit left %d; want %q, 1, 0", i, ids(got), woken[i],
					receivers[i].Credit(), want)
			}
		}
		b.ok(receivers[2].SetCredit(5))
		b.ok(receivers[2].SetCredit(0)) // "g" goes back
		b.ok(receivers[0].SetCredit(1))
		got := make([]Delivery, 5)
		if got = got[:receivers[0].Take(got)]; !slices.Equal(ids(got), []string{"g"}) {
			t.Errorf("took %q, want g", ids(got))
		}
	})
}

func TestLockExpiresBeforeTake(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		slow, quick := b.receiver(source, PeekLock), b.receiver(source, PeekLock)
		b.ok(slow.SetCredit(1))
		b.ok(target.Send(msgs("a")))
		wait(61 * time.Second) // the lock's clock started when the message was handed to slow
		d := b.wantTake("quick", quick, 1)
		if len(d) != 0 {
			t.Fatal("the message went to quick though slow has credit")
		}
		got := make([]Delivery, 2)
		got = got[:slow.Take(got)]
		if len(got) != 1 || got[0].DeliveryCount != 1 || !got[0].LockedUntil.After(time.Now()) {
			t.Errorf("slow took %+v, want one message with a fresh lock and count 1", got)
		}
	})
}
