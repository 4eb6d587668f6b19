// Command worker runs one worker role: the chat on the port that PORT names, until SIGTERM, SIGHUP or
// Ctrl-C. The README lists the environment variables it reads. It exits with 0 after an orderly end, 1
// after a failure, and 2 if its environment has unusable values.
package main

import (
	"context"
	"os"
	"os/signal"

	"chatapp/internal/stopsignal"
	"chatapp/internal/worker"
)

func main() {
	stopsignal.IgnoreBrokenPipe()
	ctx, stop := signal.NotifyContext(context.Background(), stopsignal.All()...)
	// After the first signal the default action applies again: a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(worker.Command(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr, worker.Listen))
}
