package broker

import (
	"testing"
	"testing/synctest"
	"time"
)

func newBroker(t *testing.T) *Broker {
	t.Helper()
	b := New(Options{})
	t.Cleanup(b.Close)
	return b
}

func mustQueue(t *testing.T, b *Broker, d QueueDescription) (*Target, *Source) {
	t.Helper()
	if err := b.CreateQueue(d); err != nil {
		t.Fatal(err)
	}
	target, err := b.Target(d.Name)
	if err != nil {
		t.Fatal(err)
	}
	source, err := b.Source(d.Name)
	if err != nil {
		t.Fatal(err)
	}
	return target, source
}

func receiver(t *testing.T, s *Source, mode Mode) *Receiver {
	t.Helper()
	r, err := s.NewReceiver(ReceiverOptions{Mode: mode, Wake: func() {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// take gives credit for n messages and returns the ids of those that are there.
func take(t *testing.T, r *Receiver, n int) (ids []string, deliveries []Delivery) {
	t.Helper()
	if err := r.SetCredit(n); err != nil {
		t.Fatal(err)
	}
	deliveries = make([]Delivery, n)
	deliveries = deliveries[:r.Take(deliveries)]
	for _, d := range deliveries {
		ids = append(ids, d.Message.ID)
	}
	return ids, deliveries
}

func msg(id string) *Message { return &Message{ID: id, Size: 100} }

func TestQueueLocksExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Options{})
		defer b.Close()
		target, source := mustQueue(t, b, DefaultQueue("q"))
		if err := target.Send([]*Message{msg("a"), msg("b")}); err != nil {
			t.Fatal(err)
		}
		r := receiver(t, source, PeekLock)
		ids, ds := take(t, r, 2)
		if len(ids) != 2 || ids[0] != "a" || ids[1] != "b" {
			t.Fatalf("took %q, want a, b", ids)
		}
		if err := source.Settle(ds[0].LockToken, Settlement{Outcome: Complete}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if err := source.Settle(ds[1].LockToken, Settlement{Outcome: Complete}); CodeOf(err) != CodeLockLost {
			t.Errorf("settling after a minute: %v, want code %d", err, CodeLockLost)
		}
		ids, ds = take(t, r, 2)
		if len(ids) != 1 || ids[0] != "b" || ds[0].DeliveryCount != 1 {
			t.Errorf("took %q with count %d, want b with 1", ids, ds[0].DeliveryCount)
		}
	})
}
