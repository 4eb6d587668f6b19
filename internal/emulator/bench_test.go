package emulator_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"chatapp/internal/emulator/broker"
	"chatapp/internal/emulator/emulatortest"
)

// BenchmarkPublish sends batches of 1 KB messages through one sender to a topic without subscriptions, and to a queue.
func BenchmarkPublish(b *testing.B) {
	const batch = 200
	for _, kind := range []string{"topic", "queue"} {
		b.Run(kind, func(b *testing.B) {
			s := emulatortest.Start(b)
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
	}
}

// BenchmarkFanOut sends batches to a topic while two subscriptions are read at once; an iteration is a batch that
// both have received.
func BenchmarkFanOut(b *testing.B) {
	const batch, subscriptions = 200, 2
	s := emulatortest.Start(b)
	s.Topic("topic", "s0", "s1")
	var reading sync.WaitGroup
	received := make(chan struct{}, 64) // batches received, so that the sender stays ahead by a few only
	ctx, cancel := context.WithCancel(context.Background())
	for i := range subscriptions {
		p := authorized(b, s)
		settled := amqp.SenderSettleModeSettled
		receiver := p.receiver(fmt.Sprintf("topic/Subscriptions/s%d", i), &amqp.ReceiverOptions{Credit: 4000, RequestedSenderSettleMode: &settled})
		reading.Go(func() {
			for n := 1; ; n++ {
				if _, err := receiver.Receive(ctx, nil); err != nil {
					return
				}
				if n%batch == 0 {
					received <- struct{}{}
				}
			}
		})
	}
	sender, message := authorized(b, s).sender("topic"), batchOf(b, batch, make([]byte, 1024))
	ahead := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := sender.Send(ctx, message, nil); err != nil {
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
	cancel()
	reading.Wait()
}

// BenchmarkRoundTrip sends one message at a time and waits for its delivery on another connection.
func BenchmarkRoundTrip(b *testing.B) {
	s := emulatortest.Start(b)
	s.Topic("topic", "sub")
	settled := amqp.SenderSettleModeSettled
	receiver := authorized(b, s).receiver("topic/Subscriptions/sub", &amqp.ReceiverOptions{Credit: 100, RequestedSenderSettleMode: &settled})
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
