package worker

import (
	"context"
	"net/http"
	"sync"
	"time"

	"chatapp/internal/backplane"
)

// The end takes DRAIN_TIMEOUT and endTimeout at most, whatever is down. Hosts kill a process that takes
// longer than they wait; README's table says how long that is.
const (
	endTimeout = 5 * time.Second

	// Parts of endTimeout. The rest is for the bus, the last metrics and HTTP connections.
	cutAfter    = 1500 * time.Millisecond // clients that do not read their close frame
	leaveWithin = 2 * time.Second         // what waits for the log, and the leave entry

	storeTimeout = time.Second // what waits for the store, behind endTimeout
)

// maxNotice bounds how long a draining instance only reports that it is not ready. Load balancers that poll /readyz
// stop sending new clients in that time, so that few are refused afterwards.
const maxNotice = 5 * time.Second

// timing returns the cluster's times that differ from the defaults.
func timing() backplane.Timing { return backplane.Timing{FlushTimeout: leaveWithin} }

// shutdown stops the parts in the order in which they depend on each other: clients first, since their last messages
// need the log, and then the log. It fails only if entries have not reached the log.
func (w *Worker) shutdown(server *http.Server, sides []*sideServer, leave func(), left <-chan error) error {
	close(w.draining)
	// Load balancers that choose an instance for each connection must not be asked on the connections they have.
	server.SetKeepAlivesEnabled(false)
	w.release()
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() { w.warn("last metrics not exported", w.metrics.close(ctx)) })
	defer func() { w.warn("last spans not exported", w.tracing.close(ctx)) }() // of what happens until then
	cutting, cancelCutting := context.WithTimeout(ctx, cutAfter)
	defer cancelCutting()
	if w.engine.Shutdown(cutting) != nil {
		w.log.Info("clients did not read their close frames: connections cut")
	}
	w.sockets.Close()
	leave() // publishes what waits and a leave entry
	err := <-left
	w.chat.Close()
	w.audit.Close()
	w.warn("subscription not removed: other instances remove it later", w.cluster.close(ctx))
	for _, side := range sides {
		w.warn("metrics or profiles not ended in order", side.shutdown(ctx))
	}
	if server.Shutdown(ctx) != nil {
		_ = server.Close()
		w.log.Info("HTTP connections cut that did not end by themselves")
	}
	group.Wait()
	return err
}

func (w *Worker) warn(message string, err error) {
	if err != nil {
		w.log.Warn(message, "err", err)
	}
}

// release closes sessions one by one over the drain time, so that clients reconnect to other instances without a rush.
// For the first quarter of it, maxNotice at most, new clients are still let in. Without another instance it returns at
// once: clients could not reconnect anywhere.
func (w *Worker) release() {
	others := len(w.cluster.node.Status().Members) - 1
	w.log.Info("draining", "sessions", w.engine.Stats().Sessions, "others", others)
	if others < 1 {
		return
	}
	notice := min(w.config.DrainTimeout/4, maxNotice)
	time.Sleep(notice)
	w.engine.Drain(context.Background(), w.config.DrainTimeout-notice)
}
