package main

import (
	"context"
	"fmt"
	"time"
)

// runner is one run of the program.
type runner struct {
	ctx     context.Context // ends when the user interrupts
	cfg     config
	clients *clients
	report  *report
	live    *progress
}

// open connects all clients, a few at a time, after it has called prepare for each. It returns
// those that have a connection, and an error unless the server has accepted all.
func (r *runner) open(prepare func(*client)) ([]*client, error) {
	n := r.cfg.clients
	r.live.show(func() string {
		tried, refused := r.clients.progress()
		return fmt.Sprintf("connecting: %d of %d, %d failed", tried, n, refused)
	})
	all := make([]*client, n)
	for i := range all {
		all[i] = r.clients.newClient(i, r.cfg.named || i < r.cfg.senders)
		if prepare != nil {
			prepare(all[i])
		}
	}
	start := time.Now()
	each(r.ctx, n, r.cfg.connecting, func(i int) {
		r.clients.launch(r.ctx, all[i])
		_ = r.clients.settle(all[i]) // clients keeps the error
	})
	r.report.Connect = r.clients.summary(time.Since(start))
	var accepted []*client
	for _, c := range all {
		if c.conn != nil {
			accepted = append(accepted, c)
		}
	}
	if err := r.ctx.Err(); err != nil {
		return accepted, fmt.Errorf("interrupted while connecting")
	}
	if refused := r.report.Connect.Failed; refused > 0 {
		return accepted, fmt.Errorf("%d of %d clients not accepted; the first: %w", refused, n, r.clients.first)
	}
	return accepted, nil
}

// reportUsage reports what the server used, if its processes are known, and this program's own
// share of a processor.
func (r *runner) reportUsage(u measured) {
	r.report.Share = u.share
	if len(r.cfg.pids) == 0 {
		return
	}
	r.report.Server = &serverReport{
		CPUSeconds: u.cpu.Seconds(), Share: u.cpu.Seconds() / u.elapsed.Seconds(),
		ResidentBytes: u.resident, GrownBytes: u.grown,
	}
}

// problem reports a problem, which makes the run fail.
func (r *runner) problem(format string, args ...any) {
	r.report.Problems = append(r.report.Problems, fmt.Sprintf(format, args...))
}

func (r *runner) status(text string) { r.live.show(func() string { return text }) }

// showDeliveries shows in the progress line how many deliveries have come.
func (r *runner) showDeliveries() {
	shards := r.clients.load.shards
	last, at := shards.sum().deliveries, time.Now()
	r.live.show(func() string {
		now := shards.sum()
		n, elapsed := now.deliveries-last, time.Since(at)
		last, at = now.deliveries, time.Now()
		return fmt.Sprintf("%d clients, %d deliveries, %.0f/s, %d duplicates, %d out of order",
			r.clients.load.open.Load(), now.deliveries, float64(n)/elapsed.Seconds(), now.duplicates, now.late)
	})
}
