package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// runIdle opens all clients, has them do nothing but answer heartbeats, and tells what that costs the server.
func runIdle(s *session) error {
	whole, err := startMeter(s.cfg.pids)
	if err != nil {
		return err
	}
	clients, err := s.open(nil)
	defer s.fleet.close(clients)
	if err != nil {
		return err
	}
	s.status("waiting for quiet")
	s.fleet.quiet(s.ctx, s.cfg.timeout)
	wait(s.ctx, s.cfg.warmup, nil)

	load := s.fleet.load
	began := time.Now()
	s.live.show(func() string {
		return fmt.Sprintf("%d of %d clients idle for %v, %d heartbeats", load.open.Load(), s.cfg.clients,
			time.Since(began).Round(time.Second), load.lanes.sum().heartbeats)
	})
	meter, err := startMeter(s.cfg.pids)
	if err != nil {
		return err
	}
	before := load.lanes.sum()
	wait(s.ctx, s.cfg.duration, nil)
	after := load.lanes.sum()
	r, err := meter.read()
	if err != nil {
		return err
	}
	memory, err := whole.read()
	if err != nil {
		return err
	}
	idle := &idleReport{Open: int(load.open.Load()), Seconds: r.elapsed.Seconds(), Heartbeats: after.heartbeats - before.heartbeats}
	s.report.Idle = idle
	r.grown = memory.grown // since before the first connection
	s.usage(r)
	if server := s.report.Server; server != nil {
		server.BytesPerConnection = float64(r.grown) / float64(len(clients))
		server.CPUMicrosPerConnectionMinute = micros(r.cpu) / float64(len(clients)) / r.elapsed.Minutes()
		if idle.Heartbeats > 0 {
			server.CPUMicrosPerHeartbeat = micros(r.cpu) / float64(idle.Heartbeats)
		}
	}
	if n, first := dropped(clients); n > 0 {
		s.problem("%d connections ended; the first: %v", n, first)
	}
	return nil
}

// runConnect has clients connect, ask for a nickname and close, over and over.
func runConnect(s *session) error {
	s.live.show(func() string {
		tried, refused := s.fleet.progress()
		return fmt.Sprintf("%d connected and closed, %d failed", tried-refused, refused)
	})
	meter, err := startMeter(s.cfg.pids)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.duration)
	defer cancel()
	var number, unclosed atomic.Int64
	each(s.ctx, s.cfg.connecting, s.cfg.connecting, func(int) {
		for ctx.Err() == nil {
			c := s.fleet.newClient(int(number.Add(1)), s.cfg.named)
			s.fleet.launch(s.ctx, c)
			if s.fleet.settle(c) != nil {
				continue
			}
			c.leave()
			<-c.ended
			if !c.closedInOrder() {
				unclosed.Add(1)
			}
		}
	})
	r, err := meter.read()
	if err != nil {
		return err
	}
	s.connected(r)
	if n := unclosed.Load(); n > 0 {
		s.problem("%d connections ended without an answer to the close frame", n)
	}
	s.fleet.wg.Wait()
	return nil
}

// runStorm has all clients connect at once, as after a restart of the server.
func runStorm(s *session) error {
	meter, err := startMeter(s.cfg.pids)
	if err != nil {
		return err
	}
	s.cfg.connecting = s.cfg.clients
	clients, err := s.open(nil)
	defer s.fleet.close(clients)
	if err != nil {
		return err
	}
	r, err := meter.read()
	if err != nil {
		return err
	}
	s.connected(r)
	if n, first := dropped(clients); n > 0 {
		s.problem("%d connections ended; the first: %v", n, first)
	}
	return nil
}

// connected enters what connecting cost.
func (s *session) connected(r reading) {
	s.report.Connect = s.fleet.summary(r.elapsed)
	s.usage(r)
	if s.report.Server != nil && r.cpu > 0 {
		s.report.Server.ConnectsPerCPUSecond = float64(s.report.Connect.Accepted) / r.cpu.Seconds()
	}
	if s.fleet.first != nil && len(s.report.Problems) == 0 {
		s.problem("%d clients not accepted; the first: %v", s.report.Connect.Failed, s.fleet.first)
	}
}
