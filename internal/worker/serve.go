package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Time-outs and limits of HTTP. There is none for a whole request, since polls wait long and WebSockets last longer:
// engineio and the routes set the deadlines they need.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// Serve serves on the listener until ctx ends, and then drains: it stops being ready, releases its clients over the
// drain time, leaves the cluster, and waits for everything that it has started. It closes the listener.
func (w *Worker) Serve(ctx context.Context, listener net.Listener) error {
	profiles, err := startPprof(w.config.PprofAddress, w.log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{
		Handler:           w.handler,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(w.log.Handler(), slog.LevelDebug), // clients' mistakes
	}
	w.log.Info("worker listening",
		"addr", listener.Addr().String(), "bus", w.cluster.kind, "version", Version())
	served, left := make(chan error, 1), make(chan error, 1)
	member, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	go func() { served <- server.Serve(listener) }()
	go func() { left <- w.cluster.run(member) }()
	background, stopBackground := context.WithCancel(ctx)
	defer stopBackground()
	var group sync.WaitGroup
	group.Go(func() { w.returnMemory(background) })
	group.Go(func() { w.logReadiness(background) })
	var failure error
	select {
	case err := <-served:
		failure = fmt.Errorf("serve HTTP: %w", err)
		served <- nil // the receive below waits for the server's end
	case err := <-left:
		failure = fmt.Errorf("run in the cluster: %w", err)
		left <- nil
	case <-ctx.Done():
	}
	stopBackground()
	err = w.shutdown(server, leave, left)
	<-served
	err = errors.Join(failure, err, within(shutdownGrace, profiles.shutdown))
	group.Wait()
	w.log.Info("worker ended")
	return err
}

// shutdownGrace is how long each step may take once the clients have been released. Every step has its own, so that an
// unresponsive client does not keep this instance from leaving the cluster in order.
const shutdownGrace = 8 * time.Second

// shutdown stops the parts in the order in which they depend on each other: clients first, since their last messages
// need the log, and then the log.
func (w *Worker) shutdown(server *http.Server, leave func(), left <-chan error) error {
	close(w.draining)
	w.release()
	err := within(shutdownGrace, w.engine.Shutdown)
	w.sockets.Close()
	leave() // publishes what waits and a leave entry
	err = errors.Join(err, <-left)
	w.chat.Close()
	return errors.Join(err, within(shutdownGrace, w.cluster.close), within(shutdownGrace, server.Shutdown),
		within(shutdownGrace, w.metrics.close))
}

// within calls f with a context that ends after d.
func within(d time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return f(ctx)
}

// release closes sessions one by one over the drain time, so that clients reconnect to other instances without a rush.
// Without another instance it returns at once: clients could not reconnect anywhere.
func (w *Worker) release() {
	others := len(w.cluster.node.Status().Members) - 1
	w.log.Info("draining", "sessions", w.engine.Stats().Sessions, "others", others)
	if others < 1 {
		return
	}
	w.engine.Drain(context.Background(), w.config.DrainTimeout)
}
