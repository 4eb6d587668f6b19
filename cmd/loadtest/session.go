package main

import (
	"context"
	"fmt"
	"time"
)

// session is one run of the program: what was asked, who is connected, what is to be reported.
type session struct {
	ctx    context.Context // ends when the user interrupts
	cfg    config
	fleet  *fleet
	report *report
	live   *progress
}

// open connects all clients, a few at a time, after prepare has seen each. It returns those that were accepted; a
// client that was not makes the run fail.
func (s *session) open(prepare func(*client)) ([]*client, error) {
	n := s.cfg.clients
	s.live.show(func() string {
		tried, refused := s.fleet.progress()
		return fmt.Sprintf("connecting: %d of %d, %d failed", tried, n, refused)
	})
	all := make([]*client, n)
	for i := range all {
		all[i] = s.fleet.newClient(i, s.cfg.named || i < s.cfg.senders)
		if prepare != nil {
			prepare(all[i])
		}
	}
	start := time.Now()
	each(s.ctx, n, s.cfg.connecting, func(i int) {
		s.fleet.launch(s.ctx, all[i])
		_ = s.fleet.settle(all[i]) // the fleet remembers the error
	})
	s.report.Connect = s.fleet.summary(time.Since(start))
	var accepted []*client
	for _, c := range all {
		if c.conn != nil {
			accepted = append(accepted, c)
		}
	}
	if err := s.ctx.Err(); err != nil {
		return accepted, fmt.Errorf("interrupted while connecting")
	}
	if refused := s.report.Connect.Failed; refused > 0 {
		return accepted, fmt.Errorf("%d of %d clients not accepted; the first: %w", refused, n, s.fleet.first)
	}
	return accepted, nil
}

// usage enters what the server used, if its processes are known, and this program's own share of a processor.
func (s *session) usage(r reading) {
	s.report.Share = r.share
	if len(s.cfg.pids) == 0 {
		return
	}
	s.report.Server = &serverReport{CPUSeconds: r.cpu.Seconds(), Share: r.cpu.Seconds() / r.elapsed.Seconds(),
		ResidentBytes: r.resident, GrownBytes: r.grown}
}

// problem makes the run fail, and says why.
func (s *session) problem(format string, args ...any) {
	s.report.Problems = append(s.report.Problems, fmt.Sprintf(format, args...))
}

func (s *session) status(text string) { s.live.show(func() string { return text }) }

// liveDeliveries shows the deliveries as they come.
func (s *session) liveDeliveries() {
	lanes := s.fleet.load.lanes
	last, at := lanes.sum().deliveries, time.Now()
	s.live.show(func() string {
		now := lanes.sum()
		n, elapsed := now.deliveries-last, time.Since(at)
		last, at = now.deliveries, time.Now()
		return fmt.Sprintf("%d clients, %d deliveries, %.0f/s, %d doubled, %d out of order",
			s.fleet.load.open.Load(), now.deliveries, float64(n)/elapsed.Seconds(), now.doubled, now.late)
	})
}
