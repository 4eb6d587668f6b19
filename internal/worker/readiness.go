package worker

import (
	"context"
	"io"
	"net/http"
	"time"
)

// state is a coarse reason why an instance should or should not receive new clients, as the metric chat.instance.state
// shows it. The sentence that belongs to it is in /readyz and in the log.
type state string

const (
	stateReady      state = "ready"
	stateDraining   state = "draining"        // the worker is stopping
	stateWaiting    state = "waiting_for_bus" // Service Bus is not open: a role, topic or network is missing
	stateOutOfSync  state = "out_of_sync"     // the instance joins the cluster, or joins again after a gap
	stateCutOff     state = "cut_off"         // the instance's own entries have not come back from the log for long
	readinessPeriod       = time.Second
)

var states = []state{stateReady, stateDraining, stateWaiting, stateOutOfSync, stateCutOff}

// readiness returns whether new clients should be sent to this instance and, if not, a reason for people.
func (w *Worker) readiness() (s state, reason string) {
	select {
	case <-w.draining:
		return stateDraining, "draining"
	default:
		return w.cluster.readiness()
	}
}

// logReadiness logs every change of readiness until ctx ends. It polls, so a change that lasts for less than a second
// can go unlogged.
func (w *Worker) logReadiness(ctx context.Context) {
	ticker := time.NewTicker(readinessPeriod)
	defer ticker.Stop()
	last := state("starting")
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		s, reason := w.cluster.readiness()
		switch {
		case s == last:
			continue
		case s == stateReady:
			w.log.Info("instance ready")
		case last == "starting":
			w.log.Info("instance not ready yet", "state", string(s), "reason", reason)
		default:
			w.log.Warn("instance not ready", "state", string(s), "reason", reason)
		}
		last = s
	}
}

// serveHealth reports that the process serves requests. A platform restarts a process that does not answer.
func serveHealth(rw http.ResponseWriter, _ *http.Request) {
	neverCache(rw)
	_, _ = io.WriteString(rw, "ok\n")
}

// serveReadiness answers 200 if new clients should be sent here, and otherwise 503. Only operators see the reason.
func (w *Worker) serveReadiness(rw http.ResponseWriter, r *http.Request) {
	neverCache(rw)
	if w.isDirect(r) {
		w.serveReadinessWithReason(rw, r)
		return
	}
	if s, _ := w.readiness(); s != stateReady {
		http.Error(rw, string(s), http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(rw, "ready\n")
}

// serveReadinessWithReason is serveReadiness for operators.
func (w *Worker) serveReadinessWithReason(rw http.ResponseWriter, _ *http.Request) {
	neverCache(rw)
	if s, reason := w.readiness(); s != stateReady {
		http.Error(rw, reason, http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(rw, "ready\n")
	if why, _ := w.storage.unsaved(); why != "" {
		_, _ = io.WriteString(rw, why+"\n")
	}
	if differ := w.chat.SettingsDiffer(); differ != "" {
		_, _ = io.WriteString(rw, differ+"\n")
	}
	if w.engine.BehindUnknownProxy() {
		_, _ = io.WriteString(rw, "unknown proxy: clients are not limited by address, set TRUSTED_PROXIES\n")
	}
}
