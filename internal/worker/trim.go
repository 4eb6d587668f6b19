package worker

import (
	"context"
	"runtime/debug"
	"time"
)

// A burst of connections leaves as much garbage as what it built, and an idle process does not collect for minutes.
const (
	trimEvery = 5 * time.Second
	// burst is how many sessions opened since the last trim make it worth it, and calm is how many a tick means that it is over.
	burst, calm = 1000, 100
)

// trim gives memory back to the system once a burst of connections is over: about 2 KB for each of them.
func (w *Worker) trim(ctx context.Context) {
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	var trimmed, last uint64
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		opened := w.engine.Opened()
		if opened-trimmed >= burst && opened-last < calm {
			trimmed = opened
			debug.FreeOSMemory()
		}
		last = opened
	}
}
