package broker

import (
	"fmt"
	"testing"
	"time"

	"chatapp/internal/waittest"
)

func TestMessagesAreForwarded(t *testing.T) {
	inBubble(t, func(b bench) {
		_, end := b.queue("end", nil)
		b.topic("hub")
		d := DefaultSubscription("hub", "s")
		d.ForwardTo, d.AutoDeleteOnIdle = "HTTPS://Host:5671/END", 5*time.Minute
		b.ok(b.CreateSubscription(d))
		if d, err := b.Subscription("hub", "s"); err != nil || d.ForwardTo != "https://host:5671/END" {
			t.Errorf("ForwardTo is %q, %v; want scheme and host in lower case", d.ForwardTo, err)
		}
		start, source := b.queue("start", func(d *QueueDescription) { d.ForwardTo = "hub" })
		b.ok(start.Send(msgs("a", "b")))
		wait(0)
		found := b.wantPeek("through both", end, "a", "b")
		if found[1].SequenceNumber != 2 || found[1].EnqueuedSequenceNumber != 2 {
			t.Errorf("numbers %d and %d, want 2 here and the first entity's 2", found[1].SequenceNumber,
				found[1].EnqueuedSequenceNumber)
		}
		_, err := source.NewReceiver(ReceiverOptions{Wake: func() {}})
		b.refused("receiving at the start", err, CodeNotAllowed,
			"Cannot create a message receiver on an entity with auto-forwarding enabled.")
		_, err = source.Peek(0, 1, nil)
		b.refused("peeking at the start", err, CodeNotAllowed,
			"Cannot create a message browser on an entity with auto-forwarding enabled.")
		wait(time.Hour)
		if !b.Exists("hub/Subscriptions/s") {
			t.Error("a forwarding subscription was deleted as idle")
		}
		b.wantCounts("at the start", "start", Counts{})
	})
}

func TestRefusedForwardsAreDeadLettered(t *testing.T) {
	for name, spoil := range map[string]func(b bench){
		"deleted":  func(b bench) { b.ok(b.DeleteQueue("end")) },
		"disabled": func(b bench) { b.status("end", StatusSendDisabled) },
		"full": func(b bench) {
			for range 8 {
				b.ok(b.target("end").Send([]*Message{{ID: "big", Size: 128 << 10}}))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(b bench) {
				end, _ := b.queue("end", nil)
				shrink(end)
				start, _ := b.queue("start", func(d *QueueDescription) { d.ForwardTo = "end" })
				spoil(b)
				b.Throttle(1)
				b.ok(start.Send(msgs("a")))
				wait(0)
				d := b.wantPeek("a transfer dead letter of the source", b.source("start/$Transfer/$DeadLetterQueue"),
					"a")[0]
				if d.Message.Properties["DeadLetterErrorDescription"] == nil {
					t.Errorf("dead letter %+v of %+v", d, d.Message)
				}
			})
		})
	}
}

func (b bench) status(name string, to Status) {
	b.Helper()
	info, err := b.Queue(name)
	b.ok(err)
	info.Status = to
	b.ok(b.UpdateQueue(info.QueueDescription))
}

func TestForwardingEndsAfterFourHops(t *testing.T) {
	inBubble(t, func(b bench) {
		_, last := b.queue("q0", nil)
		for i := 1; i <= 5; i++ {
			b.queue(fmt.Sprint("q", i), func(d *QueueDescription) { d.ForwardTo = fmt.Sprint("q", i-1) })
		}
		b.ok(b.target("q4").Send(msgs("four hops")))
		b.ok(b.target("q5").Send(msgs("five hops")))
		wait(0)
		b.wantPeek("arrived", last, "four hops")
		d := b.wantPeek("stranded", b.source("q1/$Transfer/$DeadLetterQueue"), "five hops")[0]
		if got := d.Message.Properties["DeadLetterReason"]; got != "MaxTransferHopCountExceeded" {
			t.Errorf("reason %v", got)
		}
		// A circle ends as well.
		b.queue("x", nil)
		b.queue("y", func(d *QueueDescription) { d.ForwardTo = "x" })
		info, err := b.Queue("x")
		b.ok(err)
		info.ForwardTo = "y"
		b.ok(b.UpdateQueue(info.QueueDescription))
		b.ok(b.target("x").Send(msgs("round")))
		wait(0)
		b.wantCounts("x", "x", Counts{TransferDeadLetter: 1, Total: 1, Bytes: 100})
		// So does an entity that forwards to itself.
		info.ForwardTo, info.ForwardDeadLetteredMessagesTo = "X", "x"
		b.ok(b.UpdateQueue(info.QueueDescription))
		b.ok(b.target("x").Send(msgs("alone")))
		wait(0)
		b.wantCounts("x", "x", Counts{TransferDeadLetter: 2, Total: 2, Bytes: 200})
	})
}

func TestDeadLettersAreForwarded(t *testing.T) {
	inBubble(t, func(b bench) {
		_, morgue := b.queue("morgue", nil)
		target, source := b.queue("q", func(d *QueueDescription) { d.ForwardDeadLetteredMessagesTo = "morgue" })
		b.ok(target.Send(msgs("a", "b")))
		r := b.receiver(source, PeekLock)
		got := b.take(r, 2)
		b.ok(source.Settle(got[1].LockToken, Settlement{Outcome: DeadLetter, Reason: "why"}))
		wait(0)
		d := b.wantPeek("moved on", morgue, "b")[0]
		if d.DeadLetterSource != "q" || d.Message.Properties["DeadLetterReason"] != "why" ||
			d.EnqueuedSequenceNumber != 2 {
			t.Errorf("%+v of %+v", d, d.Message)
		}
		b.ok(b.DeleteQueue("morgue"))
		b.ok(source.Settle(got[0].LockToken, Settlement{Outcome: DeadLetter}))
		wait(0)
		b.wantPeek("nowhere to go", b.source("q/$Transfer/$DeadLetterQueue"), "a")
		b.wantCounts("q", "q", Counts{TransferDeadLetter: 1, Total: 1, Bytes: 100})
	})
}

func TestChangeOfForwardToMovesMessages(t *testing.T) {
	inBubble(t, func(b bench) {
		_, end := b.queue("end", nil)
		target, source := b.queue("q", nil)
		b.ok(target.Send(msgs("a", "b", "c")))
		r := b.receiver(source, PeekLock)
		b.wantTake("locked while it changes", r, 1, "a")
		info, err := b.Queue("q")
		b.ok(err)
		info.ForwardTo = "end"
		b.ok(b.UpdateQueue(info.QueueDescription))
		wait(0)
		b.wantPeek("older messages are forwarded, too", end, "a", "b", "c")
		info.ForwardTo = ""
		b.ok(b.UpdateQueue(info.QueueDescription))
		b.ok(target.Send(msgs("d")))
		b.wantPeek("and stays again", source, "d")
	})
}

// TestStoppedForwardingKeepsMessages stops forwarding while a message is between two entities.
// That message is in both afterwards; the waiting messages stay.
func TestStoppedForwardingKeepsMessages(t *testing.T) {
	b := bench{t, New(Options{})}
	defer b.Close()
	dest, end := b.queue("end", nil)
	start, source := b.queue("q", func(d *QueueDescription) { d.ForwardTo = "end" })
	dest.mu.Lock() // nothing can arrive
	b.ok(start.Send(msgs("a", "b")))
	waiting := func() int {
		source.mu.Lock()
		defer source.mu.Unlock()
		return len(source.outbox)
	}
	waittest.Until(t, "the first message is being forwarded", func() bool { return waiting() == 1 })
	b.ok(b.UpdateQueue(DefaultQueue("q")))
	dest.mu.Unlock()
	b.wantPeek("the waiting messages and the one in transfer", source, "a", "b")
	b.wantTake("and they can be received", b.receiver(source, PeekLock), 5, "a", "b")
	arrived := func() int {
		found, err := end.Peek(0, 5, nil)
		b.ok(err)
		return len(found)
	}
	waittest.Until(t, "the message in transfer has arrived", func() bool { return arrived() == 1 })
}
