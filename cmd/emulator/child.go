package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/signal"
	"runtime/debug"
	"syscall"

	"chatapp/internal/worker"
)

// childVariable turns this program into one worker of the local cloud, so that `go run ./cmd/emulator` needs no second program. Its value is
// the address to listen on; another port is taken where that one is not free.
const childVariable = "CHATAPP_LOCAL_WORKER"

// childGCPercent is what cmd/worker sets: the local cloud's workers are to behave as deployed ones.
const childGCPercent = 50

// runChild is the life of a child process: it says on stdout where it listens, and serves until it is told to stop or stdin ends, which is
// how it notices, on every system, that the local cloud is gone. Its exit statuses are cmd/worker's.
func runChild(getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	config, err := worker.LoadConfig(getenv)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	if config.TuneGC {
		debug.SetGCPercent(childGCPercent)
	}
	log := worker.NewLogger(stderr, config)
	w, err := worker.New(config, log)
	var unusable *worker.ConfigError
	switch {
	case errors.As(err, &unusable):
		fmt.Fprintln(stderr, err)
		return exitUsage
	case err != nil:
		log.Error("worker failed", "err", err)
		return exitFailure
	}
	listener, err := listenNear(getenv(childVariable))
	if err != nil {
		log.Error("worker failed", "err", err)
		return exitFailure
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, orphaned := context.WithCancel(ctx)
	defer orphaned()
	go func() { // ends with the process at the latest
		_, _ = io.Copy(io.Discard, stdin)
		orphaned()
	}()
	fmt.Fprintln(stdout, listener.Addr())
	if err := w.Serve(ctx, listener); err != nil {
		log.Error("worker failed", "err", err)
		return exitFailure
	}
	return 0
}

// listenNear listens on an address, or on another port of the same host if it is taken.
func listenNear(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err == nil {
		return listener, nil
	}
	host, _, splitErr := net.SplitHostPort(address)
	if splitErr != nil {
		return nil, err
	}
	return net.Listen("tcp", net.JoinHostPort(host, "0"))
}
