// Package worker is the composition root: it reads the environment, puts the parts together, and runs them as one worker role until it is
// told to stop.
//
// # Concurrency
//
//	goroutine    started by   ends when
//	http server  Serve        its listener is closed, after the drain
//	net/http's   http server  their connection ends, or is taken over by engineio
//	cluster      Serve        it has said goodbye, once all clients are gone; it runs the log's
//	sweep        cluster      the cluster is left; only on Service Bus
//	trim         Serve        the worker is told to stop
//
// The goroutines of engineio and of the log are theirs; Serve waits for all of them.
package worker
