package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strconv"
)

// Exit statuses of Main, besides 0 for an orderly end.
const (
	exitFailure = 1 // the worker could not start or ended with an error
	exitUsage   = 2 // the environment has unusable values
)

// gcPercent bounds garbage to half of the live heap. Most of the heap is idle connections, and a chat message allocates
// little, so that collecting more often than by Go's default costs little time.
const gcPercent = 50

// Main runs one worker until ctx ends, logs to stderr, and returns the exit status of the process: 0 after an orderly
// end, 1 after a failure, 2 for an unusable environment. It calls listen after it has checked the configuration. Unless
// GOGC is set, it changes the garbage collector's target for the whole process.
func Main(
	ctx context.Context, getenv func(string) string, stderr io.Writer, listen func(Config) (net.Listener, error),
) int {
	config, err := LoadConfig(getenv)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	if config.TuneGC {
		debug.SetGCPercent(gcPercent)
	}
	log := NewLogger(stderr, config.Log)
	w, err := New(config, log)
	if _, unusable := errors.AsType[*ConfigError](err); unusable {
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	if err == nil {
		var listener net.Listener
		if listener, err = listen(config); err == nil {
			err = w.Serve(ctx, listener)
		}
	}
	if err != nil {
		log.Error("worker failed", "err", err)
		return exitFailure
	}
	return 0
}

// Listen listens on the configured port of all interfaces.
func Listen(config Config) (net.Listener, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(config.Port)))
	if err != nil {
		return nil, fmt.Errorf("listen on PORT %d: %w", config.Port, err)
	}
	return listener, nil
}
