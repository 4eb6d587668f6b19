package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/signal"
	"syscall"

	"chatapp/internal/worker"
)

// childVariable makes this program run one worker of the local cluster instead, so that go run
// ./cmd/emulator needs no second program. Its value is the address to listen on; the worker takes
// another port if that one is in use.
const childVariable = "CHATAPP_LOCAL_WORKER"

// runChild runs a worker until SIGTERM or the end of stdin, and returns cmd/worker's exit status. It writes its address
// to stdout. The end of stdin means, on every system, that the parent process has ended.
func runChild(getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, orphaned := context.WithCancel(ctx)
	defer orphaned()
	go func() { // ends with the process at the latest
		_, _ = io.Copy(io.Discard, stdin)
		orphaned()
	}()
	return worker.Main(ctx, getenv, stderr, func(worker.Config) (net.Listener, error) {
		listener, err := listenNear(getenv(childVariable))
		if err == nil {
			fmt.Fprintln(stdout, listener.Addr())
		}
		return listener, err
	})
}

// listenNear listens on an address, or on another port of the same host if that one is in use.
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
