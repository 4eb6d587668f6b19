// Command echoserver is the application that the official protocol suites of Engine.IO 4 and Socket.IO
// 5 test: an Engine.IO echo at /engine.io/, a Socket.IO echo at /socket.io/ and, for raw WebSockets, at
// /ws.
//
// It listens on the loopback interface, on the port in the variable PORT, by default 3000. The defaults
// of its flags are the values that the suites expect.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
)

func main() {
	if err := run(os.Args[1:], os.Getenv("PORT")); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "echoserver:", err)
		os.Exit(1)
	}
}

func run(args []string, port string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	engine := engineio.Options{Logger: log}
	options := socketio.Options{Logger: log}
	flags := flag.NewFlagSet("echoserver", flag.ContinueOnError)
	flags.DurationVar(&engine.PingInterval, "ping-interval", 300*time.Millisecond, "time between pings")
	flags.DurationVar(&engine.PingTimeout, "ping-timeout", 200*time.Millisecond, "time a client has to answer a ping")
	flags.DurationVar(&options.ConnectTimeout, "connect-timeout", time.Second, "time a client has to join a namespace")
	flags.IntVar(&engine.MaxMessageSize, "max-payload", 1_000_000, "bytes of the largest message")
	flags.BoolVar(&engine.Protocol3, "protocol3", false, "accept clients of Socket.IO 2")
	origins := flags.String("origins", "*", "origins accepted besides the server's own, separated by commas; * is any")
	if err := flags.Parse(args); err != nil {
		return err
	}
	engine.AllowedOrigins = strings.Split(*origins, ",")
	if port == "" {
		port = "3000"
	}
	// The suites connect to localhost, which is an address of either kind.
	listeners, err := listenLoopback(port)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return serve(ctx, listeners, engine, options)
}

func listenLoopback(port string) ([]net.Listener, error) {
	first, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	second, err := net.Listen("tcp6", net.JoinHostPort("::1", port))
	if err != nil {
		return []net.Listener{first}, nil // the machine has no IPv6
	}
	return []net.Listener{first, second}, nil
}

// serve serves both echoes until ctx ends, and then shuts them down.
func serve(
	ctx context.Context, listeners []net.Listener, engineOptions engineio.Options, options socketio.Options,
) error {
	sockets := newSocketEcho(options)
	socketEngine := engineio.NewServer(sockets, engineOptions)
	engine := engineio.NewServer(engineEcho{}, engineOptions)
	mux := http.NewServeMux()
	mux.Handle("/engine.io/", engine)
	mux.Handle("/socket.io/", socketEngine)
	mux.Handle("/ws", socketEngine.WebSocketHandler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}

	failed := make(chan error, len(listeners)) // so that each Serve can return
	for _, listener := range listeners {
		fmt.Fprintf(os.Stderr, "echoserver: listening on http://%s\n", listener.Addr())
		go func() { failed <- server.Serve(listener) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = errors.Join(err, engine.Shutdown(end), socketEngine.Shutdown(end))
	sockets.Close()
	return errors.Join(err, server.Shutdown(end))
}

// engineEcho sends every message back unchanged.
type engineEcho struct{}

func (engineEcho) Opened(*engineio.Session)        {}
func (engineEcho) Closed(*engineio.Session, error) {}

func (engineEcho) Received(s *engineio.Session, m engineio.Message) {
	// An error means that the session is over.
	_ = s.Send(engineio.Message{Data: bytes.Clone(m.Data), Binary: m.Binary})
}

// newSocketEcho returns a server with the namespaces "/" and "/custom", which emit to every client the
// payload it joined with. The main namespace echoes the arguments of two events.
func newSocketEcho(options socketio.Options) *socketio.Server {
	server := socketio.NewServer(options)
	log := options.Logger
	for _, name := range []string{"/", "/custom"} {
		server.Of(name).OnConnect(func(s *socketio.Socket) {
			if err := s.Emit("auth", json.RawMessage(s.Auth())); err != nil {
				log.Warn("auth not sent", "err", err)
			}
		})
	}
	server.Of("/").On("message", func(s *socketio.Socket, e *socketio.Event) {
		if err := s.Emit("message-back", e.Values()...); err != nil {
			log.Warn("message not echoed", "err", err)
		}
	})
	server.Of("/").On("message-with-ack", func(s *socketio.Socket, e *socketio.Event) {
		if err := e.Ack(e.Values()...); err != nil {
			log.Warn("message not acknowledged", "err", err)
		}
	})
	return server
}
