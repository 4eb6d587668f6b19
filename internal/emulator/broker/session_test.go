package broker

import (
	"slices"
	"testing"
	"time"
)

func sessionMsg(session, id string) *Message {
	return &Message{ID: id, SessionID: session, HasSession: true, Size: 10}
}

func (b bench) sessionQueue() (*Target, *Source) {
	return b.queue("q", func(d *QueueDescription) { d.RequiresSession = true })
}

// accept attaches a receiver to the session id, or with next to any session.
func (b bench) accept(s *Source, id string, next bool) (*Receiver, error) {
	return s.NewReceiver(ReceiverOptions{Wake: func() {}, Session: &SessionRequest{ID: id, Next: next}})
}

func (b bench) wantSession(what string, r *Receiver, want string) {
	b.Helper()
	if id, until, ok := r.Session(); !ok || id != want || !until.After(time.Now()) {
		b.Fatalf("%s: session %q until %v, accepted %t; want %q", what, id, until, ok, want)
	}
}

func TestSessionReceiversNeedSessionEntities(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.sessionQueue()
		b.refused("a message without", target.Send(msgs("a")), CodeNotAllowed, "The SessionId was not set on a message")
		_, err := source.NewReceiver(ReceiverOptions{Wake: func() {}})
		b.refused("a plain receiver", err, CodeNotAllowed,
			"It is not possible for an entity that requires sessions to create a non-sessionful message receiver.")
		_, plain := b.queue("plain", nil)
		_, err = b.accept(plain, "x", false)
		b.refused("a session of a plain queue", err, CodeNotAllowed, "")
		_, err = plain.SessionState("x")
		b.refused("state of a plain queue", err, CodeNotAllowed, "")
	})
}

func TestSessionReceiversGetOneSessionInOrder(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.sessionQueue()
		waiting, err := b.accept(source, "", true)
		b.ok(err)
		if _, _, ok := waiting.Session(); ok {
			t.Fatal("a session was accepted where there is none")
		}
		b.ok(target.Send([]*Message{sessionMsg("a", "a1"), sessionMsg("", "e1"), sessionMsg("b", "b1"),
			sessionMsg("a", "a2")}))
		b.wantSession("waiting", waiting, "a")
		_, err = b.accept(source, "a", false)
		b.refused("taken", err, CodeSessionCannotBeLocked,
			"The requested session 'a' cannot be accepted. It may be locked by another receiver.")
		empty, err := b.accept(source, "", true)
		b.ok(err)
		b.wantSession("the empty id is a session", empty, "")
		other, err := b.accept(source, "b", false)
		b.ok(err)
		got := b.wantTake("a's alone", waiting, 5, "a1", "a2")
		b.wantTake("e", empty, 5, "e1")
		b.settle(source, got[0], Complete)
		b.ok(target.Send([]*Message{sessionMsg("a", "a3")}))
		b.wantTake("later ones too", waiting, 5, "a3")
		waiting.Close() // frees a with what is locked, uncounted
		again, err := b.accept(source, "", true)
		b.ok(err)
		b.wantSession("again", again, "a")
		if got = b.wantTake("in order", again, 5, "a2", "a3"); got[0].DeliveryCount != 0 {
			t.Errorf("count after closing is %d, want 0", got[0].DeliveryCount)
		}
		b.settle(source, got[0], Abandon)
		if got = b.wantTake("abandoned", again, 5, "a2"); got[0].DeliveryCount != 1 {
			t.Errorf("count after abandoning is %d, want 1", got[0].DeliveryCount)
		}
		fresh, err := b.accept(source, "new", false)
		b.ok(err)
		b.wantSession("a session without messages, by its name", fresh, "new")
		other.Close()
		last, err := b.accept(source, "", true)
		b.ok(err)
		b.wantSession("b, freed without being read", last, "b")
	})
}

func TestSessionLocksExpireAndRenew(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.sessionQueue()
		b.ok(target.Send([]*Message{sessionMsg("a", "a1"), sessionMsg("a", "a2")}))
		r, err := b.accept(source, "a", false)
		b.ok(err)
		d := b.wantTake("one", r, 1, "a1")[0]
		_, err = source.Renew([]UUID{d.LockToken})
		b.refused("renewing a message's own lock", err, CodeNotAllowed, "")
		wait(50 * time.Second)
		until, err := source.RenewSession("a")
		b.ok(err)
		if want := time.Now().Add(time.Minute); !until.Equal(want) {
			t.Errorf("renewed until %v, want %v", until, want)
		}
		wait(50 * time.Second)
		b.ok(r.Err())
		wait(10 * time.Second)
		b.refused("the receiver afterwards", r.Err(), CodeSessionLockLost, "The session lock has expired")
		b.refused("settling afterwards", source.Settle(d.LockToken, Settlement{}), CodeSessionLockLost, "")
		_, err = source.RenewSession("a")
		b.refused("renewing afterwards", err, CodeSessionLockLost, "")
		r, err = b.accept(source, "a", false)
		b.ok(err)
		if got := b.wantTake("again", r, 5, "a1", "a2"); got[0].DeliveryCount != 1 || got[1].DeliveryCount != 0 {
			t.Errorf("counts %d and %d, want 1 for the one that was locked and 0", got[0].DeliveryCount,
				got[1].DeliveryCount)
		}
	})
}

func TestSessionLockExpiresBeforeTake(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.sessionQueue()
		b.ok(target.Send([]*Message{sessionMsg("a", "a1"), sessionMsg("a", "a2"), sessionMsg("a", "a3")}))
		r, err := b.accept(source, "a", false)
		b.ok(err)
		b.ok(r.SetCredit(2))
		var one [1]Delivery
		r.Take(one[:]) // a2 stays in the inbox
		wait(time.Minute)
		again, err := b.accept(source, "a", false)
		b.ok(err)
		if got := b.wantTake("each once", again, 9, "a1", "a2", "a3"); got[0].DeliveryCount != 1 ||
			got[1].DeliveryCount != 1 || got[2].DeliveryCount != 0 {
			t.Errorf("counts %d, %d, %d; want 1, 1 and 0", got[0].DeliveryCount, got[1].DeliveryCount,
				got[2].DeliveryCount)
		}
	})
}

func TestSessionStateNeedsTheLock(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.sessionQueue()
		_, err := source.SessionState("a")
		b.refused("without its lock", err, CodeSessionLockLost, "")
		r, err := b.accept(source, "a", false)
		b.ok(err)
		state, err := source.SessionState("a")
		b.ok(err)
		if state != nil {
			t.Errorf("a new session has state %q", state)
		}
		b.ok(source.SetSessionState("a", []byte("x")))
		r.Close()
		wait(time.Hour)
		r, err = b.accept(source, "a", false)
		b.ok(err)
		if state, _ = source.SessionState("a"); string(state) != "x" {
			t.Errorf("state %q, want x", state)
		}
		b.refused("too much", source.SetSessionState("a", make([]byte, 300<<10)), CodeMessageTooLarge, "")
		set := time.Now()
		wait(time.Second)
		b.ok(source.SetSessionState("a", []byte{}))
		b.ok(target.Send([]*Message{sessionMsg("c", "1"), sessionMsg("b", "2")}))
		for _, c := range []struct {
			after time.Time
			want  []string
		}{{time.Time{}, []string{"a", "b", "c"}}, {set, []string{"a"}}, {time.Now(), nil}} {
			ids, err := source.Sessions(c.after)
			b.ok(err)
			if !slices.Equal(ids, c.want) {
				t.Errorf("sessions since %v: %q, want %q", c.after, ids, c.want)
			}
		}
		if state, _ = source.SessionState("a"); state == nil {
			t.Error("empty state is no state")
		}
		b.ok(source.SetSessionState("a", nil))
		r.Close()
		if used := source.size.used.Load(); used != 20 {
			t.Errorf("%d bytes are counted, want those of the two messages", used)
		}
		if n := len(source.sessions.byID); n != 2 {
			t.Errorf("%d sessions are kept, want the 2 with messages", n)
		}
	})
}

func TestDeferredMessagesNeedTheSession(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.sessionQueue()
		b.ok(target.Send([]*Message{sessionMsg("a", "a1"), sessionMsg("b", "b1")}))
		r, err := b.accept(source, "a", false)
		b.ok(err)
		b.settle(source, b.take(r, 1)[0], Defer)
		a, other := "a", "b"
		_, err = source.ReceiveDeferred([]int64{1}, PeekLock, nil)
		b.refused("no session", err, CodeNotAllowed, "")
		_, err = source.ReceiveDeferred([]int64{1}, PeekLock, &other)
		b.refused("a session not held", err, CodeSessionLockLost, "")
		_, err = b.accept(source, "b", false)
		b.ok(err)
		_, err = source.ReceiveDeferred([]int64{1}, PeekLock, &other)
		b.refused("another session's", err, CodeMessageNotFound, "")
		got, err := source.ReceiveDeferred([]int64{1}, PeekLock, &a)
		b.ok(err)
		b.settle(source, got[0], Complete)
		found, err := source.Peek(0, 10, &other)
		b.ok(err)
		if !slices.Equal(ids(found), []string{"b1"}) {
			t.Errorf("peeked %q of session b, want b1", ids(found))
		}
	})
}

func TestMessagesWithoutSessionAreDeadLettered(t *testing.T) {
	inBubble(t, func(b bench) {
		target := b.topic("t")
		d := DefaultSubscription("t", "s")
		d.RequiresSession = true
		b.ok(b.CreateSubscription(d))
		b.ok(target.Send([]*Message{msg("none"), sessionMsg("a", "a1")}))
		source := b.source("t/Subscriptions/s")
		b.wantPeek("only those with a session", source, "a1")
		dead := b.wantPeek("the rest is dead", b.source("t/Subscriptions/s/$DeadLetterQueue"), "none")
		if got := dead[0].Message.Properties["DeadLetterReason"]; got != "Session ID is null." {
			t.Errorf("reason %v", got)
		}
		r, err := b.accept(source, "", true)
		b.ok(err)
		b.wantTake("a", r, 3, "a1")
		plain := b.receiver(b.source("t/Subscriptions/s/$DeadLetterQueue"), ReceiveAndDelete)
		b.wantTake("a dead-letter queue needs no session", plain, 3, "none")
	})
}
