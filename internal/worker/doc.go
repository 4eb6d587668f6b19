// Package worker is the composition root: it reads the environment, puts the parts together, and runs them as one worker role until it is
// told to stop.
//
// # Concurrency
//
//	goroutine    started by   ends when
//	http server  Run          its listener is closed, after the drain
//	net/http's   http server  their connection ends, or is taken over by engineio
//
// The goroutines of engineio and of the log are theirs; Run waits for all of them.
package worker
