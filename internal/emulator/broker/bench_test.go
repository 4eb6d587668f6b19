package broker

import (
	"fmt"
	"testing"
)

// batch returns n messages of 1 KB.
func batch(n int) []*Message {
	list := make([]*Message, n)
	for i := range list {
		list[i] = &Message{ID: fmt.Sprint(i), Size: 1024, Properties: map[string]any{"origin": "me", "kind": int32(1)}}
	}
	return list
}

// BenchmarkPublish sends to a topic with two subscriptions in ReceiveAndDelete mode. An operation
// is one message.
func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{1, 100} {
		for _, filter := range []Filter{TrueFilter{}, SQLFilter{Expression: "origin <> 'other'"},
			CorrelationFilter{Properties: map[string]any{"origin": "me"}}} {
			b.Run(fmt.Sprintf("batch=%d/filter=%T", size, filter), func(b *testing.B) {
				t := bench{b, New(Options{})}
				defer t.Close()
				target := t.topic("t")
				receivers := make([]*Receiver, 2)
				for i := range receivers {
					d := DefaultSubscription("t", fmt.Sprint(i))
					d.DefaultRule = &RuleDescription{Filter: filter}
					t.ok(t.CreateSubscription(d))
					receivers[i] = t.receiver(t.source("t/Subscriptions/"+d.Name), ReceiveAndDelete)
				}
				messages, taken := batch(size), make([]Delivery, size)
				b.ReportAllocs()
				b.SetBytes(int64(size) * 1024)
				for b.Loop() {
					t.ok(target.Send(messages))
					for _, r := range receivers {
						t.ok(r.SetCredit(size))
						if n := r.Take(taken); n != size {
							b.Fatalf("took %d of %d", n, size)
						}
					}
				}
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "msgs/s")
			})
		}
	}
}

// BenchmarkFanOut publishes one message to many subscriptions with a receiver each.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{100, 2000} {
		b.Run(fmt.Sprintf("subscriptions=%d", n), func(b *testing.B) {
			t := bench{b, New(Options{})}
			defer t.Close()
			target := t.topic("t")
			var receivers []*Receiver
			for i := range n {
				t.ok(t.CreateSubscription(DefaultSubscription("t", fmt.Sprint(i))))
				receivers = append(receivers, t.receiver(t.source(fmt.Sprint("t/Subscriptions/", i)), ReceiveAndDelete))
			}
			messages, taken := batch(1), make([]Delivery, 1)
			b.ReportAllocs()
			for b.Loop() {
				t.ok(target.Send(messages))
				for _, r := range receivers {
					t.ok(r.SetCredit(1))
					if r.Take(taken) != 1 {
						b.Fatal("nothing to take")
					}
				}
			}
		})
	}
}

// BenchmarkReceiveComplete sends, receives under locks and completes, while other messages wait. An operation is 100
// messages.
func BenchmarkReceiveComplete(b *testing.B) {
	for _, waiting := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			t := bench{b, New(Options{})}
			defer t.Close()
			target, source := t.queue("q", nil)
			for range waiting / 100 {
				t.ok(target.Send(batch(100)))
			}
			r := t.receiver(source, PeekLock)
			messages, taken := batch(100), make([]Delivery, 100)
			b.ReportAllocs()
			for b.Loop() {
				t.ok(target.Send(messages))
				t.ok(r.SetCredit(100))
				for _, d := range taken[:r.Take(taken)] {
					t.ok(source.Settle(d.LockToken, Settlement{Outcome: Complete}))
				}
			}
			b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}

// BenchmarkNew measures the creation of an empty namespace.
func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New(Options{}).Close()
	}
}
