package worker

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Time-outs and limits of HTTP, besides RESPONSE_TIMEOUT for writing a response. Polls wait longer and WebSockets last
// longer: engineio sets the deadlines that these need. The routes set one for a request's body.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = time.Minute
	maxHeaderBytes    = 32 << 10
)

// Serve serves on the listener until ctx ends, and then drains: it stops being ready, releases its clients over the
// drain time, leaves the cluster, and waits for everything that it has started. It closes the listener.
func (w *Worker) Serve(ctx context.Context, listener net.Listener) error {
	sides, err := w.startSides()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{
		Handler:           w.handler,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		WriteTimeout:      w.config.Transport.ResponseTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         w.connections.track,
		ErrorLog:          stdlog.New(httpLog{w.log}, "", 0),
	}
	if w.storage != nil {
		w.log.Info("the chat is kept", "store", w.storage.name)
	}
	w.log.Info("worker listening", "addr", listener.Addr().String(), "bus", w.cluster.kind, "version", Version(),
		"connections", w.fits)
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
	storing, stopStoring := context.WithCancel(context.WithoutCancel(ctx))
	stored := make(chan struct{})
	go func() {
		defer close(stored)
		w.storage.run(storing)
	}()
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
	err = w.shutdown(server, sides, leave, left)
	stopStoring()
	<-stored
	closing, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	w.warn("store not closed in order", w.storage.close(closing))
	<-served
	group.Wait()
	w.log.Info("worker ended")
	return errors.Join(failure, err)
}
