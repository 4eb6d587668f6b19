package broker

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// world is a queue under random operations and the model that the test compares it with.
type world struct {
	bench
	*rand.Rand
	target    *Target
	source    *Source
	receivers []*Receiver
	held      []Delivery
	deferred  []int64
	sent      int
}

// TestRandomOperationsMatchModel checks after random operations that the counters of the queue
// agree with its records, and that every message is completed, taken or dead-lettered in the end.
func TestRandomOperationsMatchModel(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			inBubble(t, func(b bench) {
				w := &world{bench: b, Rand: rand.New(rand.NewPCG(seed, 1))}
				w.target, w.source = b.queue("q", func(d *QueueDescription) {
					d.RequiresSession, d.MaxDeliveryCount = seed%2 == 1, 4
					d.DeadLetteringOnMessageExpiration = true
					if seed%3 == 0 {
						d.DefaultMessageTimeToLive = 10 * time.Minute
					}
				})
				for range 400 {
					w.step()
					w.check()
				}
				w.drain()
			})
		})
	}
}

func (w *world) session() string { return fmt.Sprint("s", w.IntN(3)) }

func (w *world) step() {
	switch w.IntN(12) {
	case 0, 1, 2:
		var list []*Message
		for range 1 + w.IntN(5) {
			m := sessionMsg(w.session(), fmt.Sprint(w.sent))
			w.sent++
			if w.IntN(6) == 0 {
				m.ScheduledEnqueueTime = time.Now().Add(time.Duration(w.IntN(100)) * time.Second)
			}
			list = append(list, m)
		}
		w.ok(w.target.Send(list))
	case 3:
		options := ReceiverOptions{Wake: func() {}}
		if w.source.RequiresSession() {
			options.Session = &SessionRequest{ID: w.session(), Next: w.IntN(2) == 0}
		}
		if r, err := w.source.NewReceiver(options); err == nil {
			w.receivers = append(w.receivers, r)
		} else if CodeOf(err) != CodeSessionCannotBeLocked {
			w.Fatal(err)
		}
	case 4, 5, 6:
		if r := w.receiverAtRandom(); r != nil && r.SetCredit(w.IntN(6)) == nil {
			got := make([]Delivery, w.IntN(6))
			w.held = append(w.held, got[:r.Take(got)]...)
		}
	case 7, 8, 9:
		if len(w.held) > 0 {
			i := w.IntN(len(w.held))
			d, how := w.held[i], Outcome(w.IntN(5))
			w.held = append(w.held[:i], w.held[i+1:]...)
			if err := w.source.Settle(d.LockToken, Settlement{Outcome: how}); err == nil && how == Defer {
				w.deferred = append(w.deferred, d.SequenceNumber)
			}
		}
	case 10:
		if r := w.receiverAtRandom(); r != nil && w.IntN(3) == 0 {
			r.Close()
		}
		if len(w.deferred) > 0 {
			id := w.session()
			if got, err := w.source.ReceiveDeferred(w.deferred[:1], PeekLock, &id); err == nil {
				w.deferred = w.deferred[1:]
				w.held = append(w.held, got...)
			}
		}
	case 11:
		switch w.IntN(6) {
		case 0:
			w.source.LoseLocks()
		case 1:
			w.source.Stall(time.Duration(w.IntN(30)) * time.Second)
		case 2:
			info, err := w.Queue("q")
			w.ok(err)
			w.ok(w.UpdateQueue(info.QueueDescription))
		}
		wait(time.Duration(w.IntN(90)) * time.Second)
	}
}

func (w *world) receiverAtRandom() *Receiver {
	if len(w.receivers) == 0 {
		return nil
	}
	return w.receivers[w.IntN(len(w.receivers))]
}

// check compares the counters of the source with its records.
func (w *world) check() {
	w.Helper()
	s := w.source
	s.mu.Lock()
	defer s.mu.Unlock()
	var counts [removed]int64
	var bytes int64
	live := 0
	for _, rec := range s.log.items {
		if rec.state != removed {
			counts[rec.state]++
			bytes += int64(rec.msg.Size)
			live++
		}
	}
	if counts != s.counts || bytes != s.bytes || live != s.log.live {
		w.Fatalf("the queue holds %v, %d bytes, %d live; its numbers are %v, %d, %d", counts, bytes, live, s.counts,
			s.bytes, s.log.live)
	}
	dead := s.deadLetters
	dead.mu.Lock()
	defer dead.mu.Unlock()
	if used, records := s.size.used.Load(), s.size.records.Load(); used != bytes+dead.bytes ||
		records != int64(live+dead.log.live) {
		w.Fatalf("the account has %d bytes and %d records, the queues %d+%d and %d+%d", used, records, bytes,
			dead.bytes, live, dead.log.live)
	}
}

// drain receives and accounts for all remaining messages.
func (w *world) drain() {
	for _, r := range w.receivers {
		r.Close()
	}
	w.source.Stall(0)
	wait(time.Hour) // every lock and schedule is over
	for _, d := range w.wantAny(w.source) {
		if d.State == Deferred {
			w.deferred = append(w.deferred, d.SequenceNumber)
		}
	}
	left := len(w.wantAny(w.source))
	seen := map[string]bool{}
	for _, d := range append(w.wantAny(w.source), w.wantAny(w.source.deadLetters)...) {
		if seen[d.Message.ID] {
			w.Fatalf("message %s is there twice", d.Message.ID)
		}
		seen[d.Message.ID] = true
	}
	usage := w.Usage()
	if total := int64(len(seen)) + usage.Completed; total != int64(w.sent) {
		w.Fatalf("%d are left in the queue, %d with the dead, %d were completed; %d were sent", left, len(seen)-left,
			usage.Completed, w.sent)
	}
}

// wantAny peeks everything.
func (w *world) wantAny(s *Source) []Delivery {
	w.Helper()
	var all []Delivery
	for from := int64(0); ; {
		page, err := s.Peek(from, MaxPeek, nil)
		w.ok(err)
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		from = page[len(page)-1].SequenceNumber + 1
	}
}

// TestConcurrentUseLosesNoMessage runs all operations concurrently, for the race detector and
// against deadlocks.
func TestConcurrentUseLosesNoMessage(t *testing.T) {
	b := bench{t, New(Options{})}
	defer b.Close()
	b.queue("dest", nil)
	b.topic("t", "a", "b")
	b.ok(b.CreateSubscription(SubscriptionDescription{Topic: "t", Name: "f", ForwardTo: "dest"}))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	loop := func(f func(i int)) {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					f(i)
				}
			}
		})
	}
	loop(func(int) { _ = b.target("t").Send(msgs("x", "y", "z")) })
	loop(func(i int) {
		m := msg("later")
		m.ScheduledEnqueueTime = time.Now().Add(time.Duration(i%3) * time.Millisecond)
		if seqs, err := b.target("t").Schedule([]*Message{m}); err == nil && i%2 == 0 {
			_ = b.target("t").Cancel(seqs)
		}
	})
	for _, address := range []string{"t/Subscriptions/a", "t/Subscriptions/b", "dest"} {
		loop(func(i int) {
			s, err := b.Source(address)
			if err != nil {
				return
			}
			r, err := s.NewReceiver(ReceiverOptions{Mode: Mode(i % 2), Wake: func() {}})
			if err != nil {
				return
			}
			defer r.Close()
			if r.SetCredit(50) != nil {
				return
			}
			got := make([]Delivery, 40)
			for j, d := range got[:r.Take(got)] {
				_ = s.Settle(d.LockToken, Settlement{Outcome: Outcome((i + j) % 5)})
			}
			_, _ = s.Peek(0, 10, nil)
		})
	}
	loop(func(i int) {
		_ = b.CreateRule("t", "a", RuleDescription{Name: "r", Filter: SQLFilter{Expression: "1=1"}})
		_ = b.DeleteRule("t", "a", "r")
		_ = b.UpdateSubscription(DefaultSubscription("t", "a"))
		_, _ = b.Topics(), b.Queues()
		_, _ = b.Subscriptions("t")
		_ = b.DeleteSubscription("t", "b")
		_ = b.CreateSubscription(DefaultSubscription("t", "b"))
		if i%7 == 0 {
			_ = b.DeleteQueue("dest")
			_ = b.CreateQueue(DefaultQueue("dest"))
		}
		if dead, err := b.Source("t/Subscriptions/f/$DeadLetterQueue"); err == nil {
			_, _ = dead.DeleteMessages(1000, time.Now())
		}
	})
	time.AfterFunc(300*time.Millisecond, func() { close(stop) })
	wg.Wait()
}
