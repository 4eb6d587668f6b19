package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// runIdle opens all clients, has them do nothing but answer heartbeats, and reports what that costs
// the server.
func runIdle(r *runner) error {
	whole, err := startMeter(r.cfg.pids)
	if err != nil {
		return err
	}
	clients, err := r.open(nil)
	defer r.clients.close(clients)
	if err != nil {
		return err
	}
	r.status("waiting for quiet")
	r.clients.quiet(r.ctx, r.cfg.timeout)
	wait(r.ctx, r.cfg.traffic.warmup, nil)

	load := r.clients.load
	began := time.Now()
	r.live.show(func() string {
		return fmt.Sprintf("%d of %d clients idle for %v, %d heartbeats", load.open.Load(), r.cfg.clients,
			time.Since(began).Round(time.Second), load.shards.sum().heartbeats)
	})
	meter, err := startMeter(r.cfg.pids)
	if err != nil {
		return err
	}
	before := load.shards.sum()
	wait(r.ctx, r.cfg.traffic.duration, nil)
	after := load.shards.sum()
	u, err := meter.read()
	if err != nil {
		return err
	}
	memory, err := whole.read()
	if err != nil {
		return err
	}
	idle := &idleReport{Open: int(load.open.Load()), Seconds: u.elapsed.Seconds(),
		Heartbeats: after.heartbeats - before.heartbeats}
	r.report.Idle = idle
	u.grown = memory.grown // since before the first connection
	r.reportUsage(u)
	if server := r.report.Server; server != nil {
		server.BytesPerConnection = float64(u.grown) / float64(len(clients))
		server.CPUMicrosPerConnectionMinute = micros(u.cpu) / float64(len(clients)) / u.elapsed.Minutes()
		if idle.Heartbeats > 0 {
			server.CPUMicrosPerHeartbeat = micros(u.cpu) / float64(idle.Heartbeats)
		}
	}
	if n, first := dropped(clients); n > 0 {
		r.problem("%d connections ended; the first: %v", n, first)
	}
	return nil
}

// runConnect has clients connect, request a nickname and close, over and over.
func runConnect(r *runner) error {
	r.live.show(func() string {
		tried, refused := r.clients.progress()
		return fmt.Sprintf("%d connected and closed, %d failed", tried-refused, refused)
	})
	meter, err := startMeter(r.cfg.pids)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.traffic.duration)
	defer cancel()
	var number, unclosed atomic.Int64
	each(r.ctx, r.cfg.connecting, r.cfg.connecting, func(int) {
		for ctx.Err() == nil {
			c := r.clients.newClient(int(number.Add(1)), r.cfg.named)
			r.clients.launch(r.ctx, c)
			if r.clients.settle(c) != nil {
				continue
			}
			c.leave()
			<-c.ended
			if !c.closedInOrder() {
				unclosed.Add(1)
			}
		}
	})
	u, err := meter.read()
	if err != nil {
		return err
	}
	r.reportConnecting(u)
	if n := unclosed.Load(); n > 0 {
		r.problem("%d connections ended without an answer to the close frame", n)
	}
	r.clients.wg.Wait()
	return nil
}

// runStorm has all clients connect at once, as after a restart of the server.
func runStorm(r *runner) error {
	meter, err := startMeter(r.cfg.pids)
	if err != nil {
		return err
	}
	r.cfg.connecting = r.cfg.clients
	clients, err := r.open(nil)
	defer r.clients.close(clients)
	if err != nil {
		return err
	}
	u, err := meter.read()
	if err != nil {
		return err
	}
	r.reportConnecting(u)
	if n, first := dropped(clients); n > 0 {
		r.problem("%d connections ended; the first: %v", n, first)
	}
	return nil
}

// reportConnecting reports how connecting went and what it cost.
func (r *runner) reportConnecting(u measured) {
	r.report.Connect = r.clients.summary(u.elapsed)
	r.reportUsage(u)
	if r.report.Server != nil && u.cpu > 0 {
		r.report.Server.ConnectsPerCPUSecond = float64(r.report.Connect.Accepted) / u.cpu.Seconds()
	}
	if r.clients.first != nil && len(r.report.Problems) == 0 {
		r.problem("%d clients not accepted; the first: %v", r.report.Connect.Failed, r.clients.first)
	}
}
