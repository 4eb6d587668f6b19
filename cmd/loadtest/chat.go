package main

import (
	"context"
	"time"
)

// runChat opens all clients, lets the senders send at a rate (chat) or as fast as everything is
// delivered (max), and checks that every client received every message of every other once and in
// order.
func runChat(r *runner) error {
	cfg, load := r.cfg, r.clients.load
	if cfg.mode == "max" {
		load.window = newWindow(cfg.traffic.window, cfg.clients-1)
	}
	clients, err := r.open(func(c *client) {
		c.received = newSequences(cfg.senders)
		if cfg.traffic.totalOrder && c.number == cfg.senders {
			load.seen.without = make([]uint64, cfg.senders)
			load.reference = c
		}
	})
	defer r.clients.close(clients)
	if err != nil {
		return err
	}
	r.status("waiting for quiet")
	r.clients.quiet(r.ctx, cfg.timeout)

	senders := newSenders(clients[:cfg.senders], cfg.traffic.acks)
	chat := &chatReport{Senders: cfg.senders, Size: cfg.traffic.size}
	if err := r.send(senders, chat); err != nil {
		return err
	}
	r.status("waiting for the last deliveries")
	sent := make([]uint32, len(senders))
	for i, s := range senders {
		sent[i] = s.sent
		chat.Sent += uint64(s.sent)
	}
	chat.Expected = chat.Sent * uint64(cfg.clients-1)
	r.drain(chat)
	chat.verify(r, clients, sent)
	r.report.Chat = chat
	return nil
}

// send has the senders send for the warm-up and the measured time, and reports what was delivered
// in between.
func (r *runner) send(senders []*sender, chat *chatReport) error {
	cfg, load := r.cfg.traffic, r.clients.load
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	// The server may have stopped reading, so that a write blocks: past the end it has a last chance.
	context.AfterFunc(ctx, func() {
		for _, s := range senders {
			_ = s.client.conn.SetWriteDeadline(time.Now().Add(cfg.patience))
		}
	})
	load.measured.Store(int64(time.Since(load.epoch) + cfg.warmup))
	var p pacing
	var failure error
	ended := make(chan struct{}) // closed when all is sent
	go func() {
		defer close(ended)
		if load.window != nil {
			p, failure = sendInWindow(ctx, senders, load.window, cfg.messages, cfg.patience)
		} else {
			p, failure = sendAtRate(ctx, senders, cfg.rate, cfg.messages)
		}
	}()
	r.showDeliveries()
	err := r.measure(ctx, ended, chat)
	cancel()
	<-ended
	chat.Late, chat.MaxLagMicros = p.late, micros(p.maxLag)
	if p.stall {
		r.problem("gave up sending: nothing delivered for %v", cfg.patience)
	}
	if failure != nil {
		r.problem("sending ended: %v", failure)
	}
	return err
}

// measure waits for the warm-up, then reports what is delivered during the measured time. It
// returns early when the sending has ended.
func (r *runner) measure(ctx context.Context, ended <-chan struct{}, chat *chatReport) error {
	wait(ctx, r.cfg.traffic.warmup, ended)
	meter, err := startMeter(r.cfg.pids)
	if err != nil {
		return err
	}
	before := r.clients.load.shards.sum()
	wait(ctx, r.cfg.traffic.duration, ended)
	after := r.clients.load.shards.sum()
	u, err := meter.read()
	if err != nil {
		return err
	}
	n := after.deliveries - before.deliveries
	chat.PerSecond = float64(n) / u.elapsed.Seconds()
	chat.MessagesPerSecond = chat.PerSecond / float64(r.cfg.clients-1)
	if reads := after.reads - before.reads; reads > 0 {
		chat.FramesPerRead = float64(after.frames-before.frames) / float64(reads)
	}
	r.reportUsage(u)
	if r.report.Server != nil && n > 0 {
		r.report.Server.CPUMicrosPerDelivery = micros(u.cpu) / float64(n)
	}
	return nil
}

// wait waits for d, until ctx ends, or until ended is closed.
func wait(ctx context.Context, d time.Duration, ended <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-ended:
	case <-timer.C:
	}
}

// drain waits for the deliveries still under way, as long as any arrive.
func (r *runner) drain(chat *chatReport) {
	const step = 20 * time.Millisecond
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	var last tally
	for idle := time.Duration(0); idle < r.cfg.traffic.patience; idle += step {
		now := r.clients.load.shards.sum()
		if now.deliveries >= chat.Expected && (!r.cfg.traffic.acks || now.acked >= chat.Sent) {
			return
		}
		if now.frames != last.frames {
			last, idle = now, 0
		}
		select {
		case <-r.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// verify compares what every client received with what was sent.
func (chat *chatReport) verify(r *runner, clients []*client, sent []uint32) {
	load := r.clients.load
	for _, c := range clients {
		own := -1
		if c.number < len(sent) {
			own = c.number
		}
		c.shard.buffer.Lock()
		missing := c.received.missing(sent, own)
		hash := c.received.hash
		c.shard.buffer.Unlock()
		chat.Lost += missing
		if missing > 0 {
			chat.ClientsWithLosses++
		} else if load.reference != nil && !load.agrees(hash, c.number) {
			chat.OtherOrder++
		}
	}
	got := load.shards.sum()
	chat.Deliveries = got.deliveries
	chat.Duplicates, chat.OutOfOrder, chat.Echoed = got.duplicates, got.late, got.echoed
	chat.Damaged, chat.Foreign = got.damaged, got.foreign
	chat.Acked, chat.Refused = got.acked, got.refused
	delays, acks := load.shards.histograms()
	chat.Latency = newLatency(delays)
	if r.cfg.traffic.acks {
		chat.AckLatency = newLatency(acks)
		chat.Unacked = chat.Sent - min(chat.Acked, chat.Sent)
	}
	n, first := dropped(clients)
	if chat.Dropped = n; n > 0 {
		r.problem("%d connections ended; the first: %v", n, first)
	}
	for _, fault := range chat.faults() {
		r.problem("%s", fault)
	}
}

// agrees reports whether the client of that number has the same interleaving as the reference.
func (l *load) agrees(hash uint64, number int) bool {
	buffer := l.reference.shard.buffer
	buffer.Lock()
	defer buffer.Unlock()
	return l.seen.agrees(hash, number)
}
