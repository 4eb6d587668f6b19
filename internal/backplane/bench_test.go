package backplane_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/inprocess"
	"chatapp/internal/waittest"
)

// counting is a state machine that counts its entries.
type counting struct{ applied atomic.Int64 }

func (s *counting) Apply(backplane.Entry) error   { s.applied.Add(1); return nil }
func (s *counting) Gone(backplane.Entry, string)  {}
func (s *counting) Begin(backplane.Entry)         {}
func (s *counting) Raise(backplane.Entry, uint64) {}
func (s *counting) Snapshot() []byte              { return nil }
func (s *counting) Restore([]byte) error          { return nil }

// BenchmarkEntries measures what an entry costs from Append on one instance to Apply on all.
func BenchmarkEntries(b *testing.B) {
	for _, instances := range []int{1, 3} {
		for _, size := range []int{100, 1000} {
			b.Run(fmt.Sprintf("instances=%d/bytes=%d", instances, size), func(b *testing.B) {
				benchmarkEntries(b, instances, size)
			})
		}
	}
}

func benchmarkEntries(b *testing.B, instances, size int) {
	hub := inprocess.NewHub(inprocess.Options{})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, instances) // so that all end at once
	nodes, states := make([]*backplane.Node, instances), make([]*counting, instances)
	for i := range nodes {
		bus := hub.Join(fmt.Sprintf("i%d", i))
		defer bus.Close()
		states[i] = &counting{}
		nodes[i] = backplane.New(bus, states[i], backplane.Options{})
		go func() { done <- nodes[i].Run(ctx) }()
		waittest.Until(b, "the node is ready", func() bool { return nodes[i].Status().Ready })
	}
	var appended int64
	body := make([]byte, size)
	behind := func(s *counting, by int64) bool { return s.applied.Load()+by < appended }
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		for errors.Is(nodes[0].Append(body), backplane.ErrFull) {
			runtime.Gosched()
		}
		if appended++; appended%4096 != 0 {
			continue
		}
		for _, s := range states { // an instance far behind would lose messages
			for behind(s, 32768) {
				runtime.Gosched()
			}
		}
	}
	for _, s := range states {
		for behind(s, 0) {
			runtime.Gosched()
		}
	}
	b.StopTimer()
	count := nodes[0].Counters()
	b.ReportMetric(float64(count.Appended)/float64(count.Batches), "entries/batch")
	cancel()
	for range nodes {
		<-done
	}
}

// BenchmarkRoundTrip is one entry at a time, from Append to Apply.
func BenchmarkRoundTrip(b *testing.B) {
	hub := inprocess.NewHub(inprocess.Options{})
	bus := hub.Join("a")
	defer bus.Close()
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error)
	back := make(chan struct{}, 1)
	node := backplane.New(bus, &signalling{back: back}, backplane.Options{})
	go func() { done <- node.Run(ctx) }()
	body := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		if err := node.Append(body); err != nil {
			b.Fatal(err)
		}
		<-back
	}
	b.StopTimer()
	cancel()
	<-done
}

// signalling is a state machine that signals each entry.
type signalling struct {
	counting
	back chan struct{}
}

func (s *signalling) Apply(backplane.Entry) error { s.back <- struct{}{}; return nil }
