package worker

import (
	"context"
	"runtime/debug"
	"time"
)

// A surge of new connections leaves as much garbage as it retains memory, and an idle process runs no collection for
// minutes.
const (
	memoryCheckInterval = 5 * time.Second
	// surgeSessions is how many sessions must have opened since memory was last returned.
	surgeSessions = 1000
	// calmSessions is the number of sessions opened within one check interval below which the surge has ended.
	calmSessions = 100
)

// returnMemory returns unused memory to the operating system after a surge of new connections: about 2 KB for each.
func (w *Worker) returnMemory(ctx context.Context) {
	ticker := time.NewTicker(memoryCheckInterval)
	defer ticker.Stop()
	var returned, last uint64
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		opened := w.engine.Opened()
		if opened-returned >= surgeSessions && opened-last < calmSessions {
			returned = opened
			debug.FreeOSMemory()
		}
		last = opened
	}
}
