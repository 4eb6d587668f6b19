// Package worker is the composition root: it reads the environment, connects the packages with each other, and runs
// them as one worker role until it is stopped.
//
// # Concurrency
//
//	goroutine    started by   ends when
//	http server  Serve        its listener is closed, after the drain
//	net/http's   http server  their connection ends, or engineio takes it over
//	pprof server Serve        Serve closes it at the end of the drain; only with Config.PprofAddress
//	cluster      Serve        the instance has left the cluster, after all clients are gone
//	janitor      cluster      the cluster goroutine stops it; only on Service Bus
//	storage      Serve        the cluster goroutine has ended
//	upkeep       storage      storage's context ends
//	memory       Serve        Serve's context ends
//	readiness    Serve        Serve's context ends
//	last metrics Serve        the last export has succeeded or failed; only while the worker ends
//
// engineio, chat and backplane own further goroutines. Serve waits for all of them.
package worker
