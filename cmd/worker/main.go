// Command worker runs one worker role: the chat on the port that PORT names, until SIGTERM or Ctrl-C. The README has the table of the
// environment variables it reads. It exits with 0 after a clean end, 1 after a failure, and 2 where its environment cannot be used.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"chatapp/internal/worker"
)

// gcPercent keeps garbage to half of what lives: most of that is idle connections, and what the chat allocates for a message is little.
const gcPercent = 50

func main() {
	os.Exit(run())
}

func run() int {
	config, err := worker.LoadConfig(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if config.TuneGC {
		debug.SetGCPercent(gcPercent)
	}
	log := worker.NewLogger(os.Stderr, config)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	// A second signal ends at once: from the first on, signals have their own way again.
	context.AfterFunc(ctx, stop)
	err = worker.Run(ctx, config, log)
	var unusable *worker.ConfigError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &unusable):
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	log.Error("worker failed", "err", err)
	return 1
}
