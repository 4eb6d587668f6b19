package emulator_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"chatapp/internal/emulator"
	codec "chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
	"chatapp/internal/emulator/emulatortest"
)

// inEachStorage runs a benchmark in memory alone, with data, and with data that waits for the disk.
func inEachStorage(b *testing.B, f func(b *testing.B, s *emulatortest.Server)) {
	for _, storage := range []string{"memory", "data", "data-sync"} {
		b.Run(storage, func(b *testing.B) {
			f(b, emulatortest.Start(b, func(o *emulator.Options) {
				if storage != "memory" {
					o.Data, o.DataSync = b.TempDir(), storage == "data-sync"
				}
			}))
		})
	}
}

// BenchmarkPublish sends batches of 1 KB messages through one sender to a topic without subscriptions, and to a queue.
func BenchmarkPublish(b *testing.B) {
	const batch = 200
	for _, kind := range []string{"topic", "queue"} {
		b.Run(kind, func(b *testing.B) {
			inEachStorage(b, func(b *testing.B, s *emulatortest.Server) {
				s.Topic("topic")
				s.Queue("queue", func(d *broker.QueueDescription) { d.MaxSizeInMegabytes = 5120 })
				p := authorized(b, s)
				sender, message := p.sender(kind), batchOf(b, batch, make([]byte, 1024))
				b.ReportAllocs()
				b.SetBytes(batch * 1024)
				for b.Loop() {
					if err := sender.Send(context.Background(), message, nil); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "msgs/s")
			})
		})
	}
}

// BenchmarkFanOut sends batches to a topic while two subscriptions receive, in both modes. An
// iteration is one batch that both have received. The receivers count frames and decode nothing,
// so that the benchmark measures the emulator.
func BenchmarkFanOut(b *testing.B) {
	for _, mode := range []codec.SenderSettleMode{codec.SenderSettled, codec.SenderUnsettled} {
		b.Run(map[codec.SenderSettleMode]string{codec.SenderSettled: "ReceiveAndDelete",
			codec.SenderUnsettled: "PeekLock"}[mode], func(b *testing.B) {
			benchmarkFanOut(b, mode)
		})
	}
}

func benchmarkFanOut(b *testing.B, mode codec.SenderSettleMode) {
	const batch, subscriptions = 200, 2
	s := emulatortest.Start(b)
	s.Topic("topic", "s0", "s1")
	var reading sync.WaitGroup
	received := make(chan struct{}, 64) // batches received, so that the sender stays ahead by a few only
	var readers []*wire
	for i := range subscriptions {
		w := opened(b, s, 1<<30)
		w.attachReceiver(0, fmt.Sprintf("topic/Subscriptions/s%d", i), mode)
		if err := w.nc.SetDeadline(time.Time{}); err != nil {
			b.Fatal(err)
		}
		readers = append(readers, w)
		reading.Go(func() { countTransfers(w, mode, batch, received) })
	}
	sender, message := authorized(b, s).sender("topic"), batchOf(b, batch, make([]byte, 1024))
	ahead := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := sender.Send(context.Background(), message, nil); err != nil {
			b.Fatal(err)
		}
		for ahead += subscriptions; ahead > 16; ahead-- {
			<-received
		}
	}
	for ; ahead > 0; ahead-- {
		<-received
	}
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "msgs/s/subscription")
	for _, w := range readers {
		w.nc.Close()
	}
	reading.Wait()
}

// countTransfers reads to the end of the connection and reports each batch. It gives credit in
// time and, in PeekLock mode, settles each batch by one disposition.
func countTransfers(w *wire, mode codec.SenderSettleMode, batch uint32, received chan<- struct{}) {
	const credit = 5000
	flow := func(count uint32) {
		frame := codec.AppendFrame(nil, 0, &codec.Flow{
			NextIncomingID: codec.Some(count), IncomingWindow: 1 << 30, OutgoingWindow: 1,
			Handle:        codec.Some(uint32(0)),
			DeliveryCount: codec.Some(count), LinkCredit: codec.Some(uint32(credit)),
		})
		_, _ = w.nc.Write(frame) // Read reports the error
	}
	flow(0)
	buf := make([]byte, 256<<10)
	have, count := 0, uint32(0)
	for {
		n, err := w.nc.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		at := 0
		for have-at >= 8 {
			size := int(binary.BigEndian.Uint32(buf[at:]))
			if have-at < size {
				break
			}
			const transfer = 0x14
			if size > 11 && buf[at+10] == transfer {
				count++
				if count%batch == 0 {
					if mode == codec.SenderUnsettled {
						_, _ = w.nc.Write(codec.AppendFrame(nil, 0, &codec.Disposition{Role: codec.RoleReceiver,
							First: count - batch, Last: count - 1, State: codec.Accepted}))
					}
					received <- struct{}{}
				}
				if count%(credit/2) == 0 {
					flow(count)
				}
			}
			at += size
		}
		have = copy(buf, buf[at:have])
	}
}

// BenchmarkRoundTrip sends one message at a time and waits for its delivery on another connection.
func BenchmarkRoundTrip(b *testing.B) { inEachStorage(b, benchmarkRoundTrip) }

func benchmarkRoundTrip(b *testing.B, s *emulatortest.Server) {
	s.Topic("topic", "sub")
	settled := amqp.SenderSettleModeSettled
	receiver := authorized(b, s).receiver("topic/Subscriptions/sub",
		&amqp.ReceiverOptions{Credit: 100, RequestedSenderSettleMode: &settled})
	sender := authorized(b, s).sender("topic")
	message := amqp.NewMessage([]byte("hello"))
	var times []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		if err := sender.Send(context.Background(), message, nil); err != nil {
			b.Fatal(err)
		}
		if _, err := receiver.Receive(context.Background(), nil); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "median-ns")
}

// BenchmarkStart measures from the start of an emulator to the first message received.
func BenchmarkStart(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		s := emulatortest.Start(b)
		s.Queue("queue")
		p := authorized(b, s)
		receiver := p.receiver("queue", nil)
		if err := p.sender("queue").Send(context.Background(), amqp.NewMessage(nil), nil); err != nil {
			b.Fatal(err)
		}
		if _, err := receiver.Receive(context.Background(), nil); err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

// BenchmarkComplete completes 500 messages at once, each by a call of its own, as a client does that handles messages
// in parallel. An iteration is one message.
func BenchmarkComplete(b *testing.B) { inEachStorage(b, benchmarkComplete) }

func benchmarkComplete(b *testing.B, s *emulatortest.Server) {
	const together = 500
	s.Queue("queue")
	p := authorized(b, s)
	sender, message := p.sender("queue"), batchOf(b, 100, []byte("x"))
	receiver := p.receiver("queue", &amqp.ReceiverOptions{Credit: together,
		SettlementMode: amqp.ReceiverSettleModeSecond.Ptr()})
	messages := make([]*amqp.Message, together)
	var group sync.WaitGroup
	left := 0
	b.ReportAllocs()
	for b.Loop() {
		if left > 0 {
			left--
			continue
		}
		left = together - 1
		b.StopTimer()
		for range together / 100 {
			if err := sender.Send(b.Context(), message, nil); err != nil {
				b.Fatal(err)
			}
		}
		for i := range messages {
			var err error
			if messages[i], err = receiver.Receive(b.Context(), nil); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		for _, m := range messages {
			group.Go(func() {
				if err := receiver.AcceptMessage(b.Context(), m); err != nil {
					b.Error(err)
				}
			})
		}
		group.Wait()
	}
}

// BenchmarkAcceptSession accepts the next session, receives and completes its message, and closes the link, each after
// the answer to the step before. An iteration is one session.
func BenchmarkAcceptSession(b *testing.B) {
	const together = 500
	s := emulatortest.Start(b)
	s.Queue("queue", func(q *broker.QueueDescription) { q.RequiresSession = true })
	sender := authorized(b, s).sender("queue")
	w := opened(b, s, 1<<30)
	if err := w.nc.SetDeadline(time.Time{}); err != nil {
		b.Fatal(err)
	}
	left, id := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		if left == 0 {
			left = together
			b.StopTimer()
			for range together {
				m := amqp.NewMessage([]byte("x"))
				group := fmt.Sprint(id)
				m.Properties = &amqp.MessageProperties{GroupID: &group}
				if err := sender.Send(b.Context(), m, nil); err != nil {
					b.Fatal(err)
				}
				id++
			}
			b.StartTimer()
		}
		left--
		w.send(0, &codec.Attach{Name: "next", Role: codec.RoleReceiver, Target: &codec.Target{}, Source: &codec.Source{
			Address: codec.Some("queue"),
			Filter:  codec.Map{{Key: codec.Symbol("com.microsoft:session-filter"), Value: nil}}}})
		want[*codec.Attach](w)
		w.send(0, &codec.Flow{IncomingWindow: 1 << 30, OutgoingWindow: 100, Handle: codec.Some(uint32(0)),
			DeliveryCount: codec.Some(uint32(0)), LinkCredit: codec.Some(uint32(1))})
		t := want[*codec.Transfer](w)
		w.send(0, &codec.Disposition{Role: codec.RoleReceiver, First: t.DeliveryID.Value, Last: t.DeliveryID.Value,
			State: codec.Accepted})
		want[*codec.Disposition](w)
		w.send(0, &codec.Detach{Closed: true})
		want[*codec.Detach](w)
	}
}
