package chaostest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"chatapp/internal/worker"
)

// asWorker is the environment variable that turns the test binary into a worker.
const asWorker = "CHATAPP_CHAOSTEST_WORKER"

// runWorker is a worker process, on the loopback interface alone.
func runWorker() error {
	config, err := worker.LoadConfig(os.Getenv)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", config.Port))
	if err != nil {
		return err
	}
	w, err := worker.New(config, worker.NewLogger(os.Stderr, config.Log))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return w.Serve(ctx, listener)
}
