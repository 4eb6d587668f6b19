package broker

import (
	"sync/atomic"
	"testing"
	"time"
)

func TestDeliverTwiceRepeatsMessages(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		source.DeliverTwice(2)
		b.ok(target.Send(msgs("a", "b", "c")))
		r := b.receiver(source, PeekLock)
		got := b.wantTake("locked", r, 9, "a", "a", "b", "b", "c")
		if got[0].SequenceNumber != got[1].SequenceNumber || got[0].LockToken == got[1].LockToken {
			t.Errorf("the two have numbers %d and %d, tokens %v and %v", got[0].SequenceNumber, got[1].SequenceNumber,
				got[0].LockToken, got[1].LockToken)
		}
		b.wantCounts("a repeat is not a message", "q", Counts{Active: 3, Total: 3, Bytes: 300})
		for i, how := range []Outcome{Complete, Complete, DeadLetter, Defer, Complete} {
			b.settle(source, got[i], how)
		}
		b.wantCounts("all settled", "q", Counts{DeadLetter: 0, Active: 0, Total: 0,
			Bytes: 0}.with(func(c *Counts) { c.DeadLetter, c.Total, c.Bytes = 1, 1, 100 }))
		source.DeliverTwice(1)
		b.ok(target.Send(msgs("d")))
		b.wantTake("deleted", b.receiver(source, ReceiveAndDelete), 9, "d", "d")
	})
}

func (c Counts) with(change func(*Counts)) Counts {
	change(&c)
	return c
}

func TestSecondCopyExpiresWithItsLock(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		source.DeliverTwice(1)
		b.ok(target.Send(msgs("a")))
		r := b.receiver(source, PeekLock)
		b.settle(source, b.wantTake("both", r, 2, "a", "a")[0], Complete)
		wait(time.Minute)
		again := b.wantTake("the one not completed", r, 2, "a")
		b.settle(source, again[0], Complete)
		b.wantTake("nothing", r, 2)
		if len(source.faults.copies) != 0 {
			t.Errorf("%d copies are kept", len(source.faults.copies))
		}
	})
}

func TestStallStopsDelivery(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		var woken atomic.Int32
		r, err := source.NewReceiver(ReceiverOptions{Mode: ReceiveAndDelete, Wake: func() { woken.Add(1) }})
		b.ok(err)
		source.Stall(time.Hour)
		b.ok(r.SetCredit(5))
		b.ok(target.Send(msgs("a")))
		wait(59 * time.Minute)
		if woken.Load() != 0 {
			t.Error("a stalled queue delivered")
		}
		wait(time.Minute)
		if n := woken.Load(); n != 1 {
			t.Errorf("woken %d times after the hour, want once", n)
		}
		source.Stall(time.Hour)
		b.ok(target.Send(msgs("b")))
		source.Stall(0)
		got := make([]Delivery, 5)
		if n := r.Take(got); n != 2 {
			t.Errorf("took %d, want both", n)
		}
	})
}

func TestLoseLocksRequeuesMessages(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("plain", nil)
		b.ok(target.Send(msgs("a", "b")))
		r := b.receiver(source, PeekLock)
		got := b.take(r, 2)
		if n := source.LoseLocks(); n != 2 {
			t.Errorf("lost %d locks, want 2", n)
		}
		b.refused("settling", source.Settle(got[0].LockToken, Settlement{}), CodeLockLost, "")
		if got = b.wantTake("again", r, 2, "a", "b"); got[0].DeliveryCount != 1 {
			t.Errorf("count %d, want 1", got[0].DeliveryCount)
		}
		target, source = b.sessionQueue()
		b.ok(target.Send([]*Message{sessionMsg("s", "x")}))
		holder, err := b.accept(source, "s", false)
		b.ok(err)
		if n := source.LoseLocks(); n != 1 {
			t.Errorf("lost %d session locks, want 1", n)
		}
		b.refused("the holder", holder.Err(), CodeSessionLockLost, "")
	})
}

func TestServerBusyRefusesSendsAndManagement(t *testing.T) {
	inBubble(t, func(b bench) {
		target, _ := b.queue("q", nil)
		b.ServerBusy(time.Minute)
		b.refused("send", target.Send(msgs("a")), CodeServerBusy, "50009")
		b.refused("management", b.ChargeManagement(), CodeServerBusy, "Please wait 2 seconds and try again")
		wait(time.Minute)
		b.ok(target.Send(msgs("a")))
		b.ServerBusy(time.Hour)
		b.ServerBusy(0)
		b.ok(target.Send(msgs("a")))
	})
}

func TestThrottleRefusesBeyondCredits(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		b.Throttle(1000)
		for range 100 {
			b.ok(target.Send(msgs(numbers(0, 10)...)))
		}
		b.refused("the next", target.Send(msgs("a")), CodeServerBusy, "throttled")
		if n := len(b.take(b.receiver(source, ReceiveAndDelete), 2000)); n != 1000 {
			t.Errorf("received %d: delivery is not refused", n)
		}
		wait(time.Second)
		b.ok(target.Send(msgs("a")))
		b.Throttle(0)
		for range 200 {
			b.ok(target.Send(msgs(numbers(0, 10)...)))
		}
	})
}

func TestUsageCountsOperations(t *testing.T) {
	inBubble(t, func(b bench) {
		target := b.topic("t", "x", "y")
		b.ok(b.CreateRule("t", "y", RuleDescription{Name: "second"}))
		b.ok(target.Send(msgs("a", "b"))) // 2 messages, 3 filters each
		source := b.source("t/Subscriptions/x")
		r := b.receiver(source, PeekLock)
		got := b.take(r, 2)
		b.settle(source, got[0], Complete)
		b.settle(source, got[1], Abandon)
		b.wantPeek("one is left", source, "b")
		b.ok(b.ChargeManagement())
		want := Usage{Sent: 2, Filters: 6, Received: 2, Completed: 1, Settled: 1, Peeked: 1, Managed: 1,
			Credits: 2 + 6 + 2 + 2 + 1 + 10}
		if got := b.Usage(); got != want {
			t.Errorf("usage %+v, want %+v", got, want)
		}
	})
}
