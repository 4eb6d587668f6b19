package main

import (
	"context"
	"time"
)

// runChat opens all clients, lets the senders speak at a rate (chat) or as fast as everything is delivered (max), and
// checks that everybody got every message of everybody else once and in order.
func runChat(s *session) error {
	cfg, load := s.cfg, s.fleet.load
	if cfg.mode == "max" {
		load.window = newWindow(cfg.window, cfg.clients-1)
	}
	clients, err := s.open(func(c *client) {
		c.ledger = newLedger(cfg.senders)
		if cfg.totalOrder && c.number == cfg.senders {
			load.seen.without = make([]uint64, cfg.senders)
			load.reference = c
		}
	})
	defer s.fleet.close(clients)
	if err != nil {
		return err
	}
	s.status("waiting for quiet")
	s.fleet.quiet(s.ctx, cfg.timeout)

	speakers := newSpeakers(clients[:cfg.senders], cfg.acks)
	talk := &chatReport{Senders: cfg.senders, Size: cfg.size}
	if err := s.talk(speakers, talk); err != nil {
		return err
	}
	s.status("waiting for the last deliveries")
	sent := make([]uint32, len(speakers))
	for i, speaker := range speakers {
		sent[i] = speaker.sent
		talk.Sent += uint64(speaker.sent)
	}
	talk.Expected = talk.Sent * uint64(cfg.clients-1)
	s.drain(talk)
	talk.verify(s, clients, sent)
	s.report.Chat = talk
	return nil
}

// talk has the speakers speak for the warm-up and the measured time, and enters what was delivered meanwhile.
func (s *session) talk(speakers []*speaker, talk *chatReport) error {
	cfg, load := s.cfg, s.fleet.load
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	// A speaker may hang in a write that the server does not read: past the end it gets a last chance.
	context.AfterFunc(ctx, func() {
		for _, speaker := range speakers {
			_ = speaker.client.conn.SetWriteDeadline(time.Now().Add(cfg.patience))
		}
	})
	load.measured.Store(int64(time.Since(load.epoch) + cfg.warmup))
	var p pacing
	var spoke error
	silent := make(chan struct{}) // closed when the speakers have ended
	go func() {
		defer close(silent)
		if load.window != nil {
			p, spoke = speakInWindow(ctx, speakers, load.window, cfg.messages, cfg.patience)
		} else {
			p, spoke = speakAtRate(ctx, speakers, cfg.rate, cfg.messages)
		}
	}()
	s.liveDeliveries()
	err := s.measure(ctx, silent, talk)
	cancel()
	<-silent
	talk.Late, talk.MaxLagMicros = p.late, micros(p.maxLag)
	if p.stall {
		s.problem("gave up sending: nothing delivered for %v", cfg.patience)
	}
	if spoke != nil {
		s.problem("sending ended: %v", spoke)
	}
	return err
}

// measure waits for the warm-up, then enters the difference that the measured time makes. It ends early when the
// speakers do.
func (s *session) measure(ctx context.Context, silent <-chan struct{}, talk *chatReport) error {
	wait(ctx, s.cfg.warmup, silent)
	meter, err := startMeter(s.cfg.pids)
	if err != nil {
		return err
	}
	before := s.fleet.load.lanes.sum()
	wait(ctx, s.cfg.duration, silent)
	after := s.fleet.load.lanes.sum()
	r, err := meter.read()
	if err != nil {
		return err
	}
	n := after.deliveries - before.deliveries
	talk.PerSecond = float64(n) / r.elapsed.Seconds()
	talk.MessagesPerSecond = talk.PerSecond / float64(s.cfg.clients-1)
	if reads := after.reads - before.reads; reads > 0 {
		talk.FramesPerRead = float64(after.frames-before.frames) / float64(reads)
	}
	s.usage(r)
	if s.report.Server != nil && n > 0 {
		s.report.Server.CPUMicrosPerDelivery = micros(r.cpu) / float64(n)
	}
	return nil
}

// wait waits for d, or until ctx or what ended stands for is over.
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
func (s *session) drain(talk *chatReport) {
	const step = 20 * time.Millisecond
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	var last tally
	for idle := time.Duration(0); idle < s.cfg.patience; idle += step {
		now := s.fleet.load.lanes.sum()
		if now.deliveries >= talk.Expected && (!s.cfg.acks || now.acked >= talk.Sent) {
			return
		}
		if now.frames != last.frames {
			last, idle = now, 0
		}
		select {
		case <-s.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// verify compares what every client saw with what was sent.
func (talk *chatReport) verify(s *session, clients []*client, sent []uint32) {
	load := s.fleet.load
	for _, c := range clients {
		own := -1
		if c.number < len(sent) {
			own = c.number
		}
		c.lane.mu.Lock()
		missing := c.ledger.missing(sent, own)
		hash := c.ledger.hash
		c.lane.mu.Unlock()
		talk.Lost += missing
		if missing > 0 {
			talk.Losers++
		} else if load.reference != nil && !load.agrees(hash, c.number) {
			talk.OtherOrder++
		}
	}
	got := load.lanes.sum()
	talk.Deliveries = got.deliveries
	talk.Doubled, talk.OutOfOrder, talk.Echoed = got.doubled, got.late, got.echoed
	talk.Damaged, talk.Foreign = got.damaged, got.foreign
	talk.Acked, talk.Refused = got.acked, got.refused
	delays, acks := load.lanes.histograms()
	talk.Latency = newLatency(delays)
	if s.cfg.acks {
		talk.AckLatency = newLatency(acks)
		talk.Unacked = talk.Sent - min(talk.Acked, talk.Sent)
	}
	n, first := dropped(clients)
	if talk.Dropped = n; n > 0 {
		s.problem("%d connections ended; the first: %v", n, first)
	}
	for _, fault := range talk.faults() {
		s.problem("%s", fault)
	}
}

// agrees reports whether hash is the one of the interleaving that the reference saw.
func (l *load) agrees(hash uint64, number int) bool {
	lane := l.reference.lane
	lane.mu.Lock()
	defer lane.mu.Unlock()
	return l.seen.agrees(hash, number)
}
