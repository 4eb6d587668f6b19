package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
)

// Worker is one instance of the chat. It is made by New and served by Serve, once.
type Worker struct {
	config   Config
	log      *slog.Logger
	engine   *engineio.Server
	sockets  *socketio.Server
	metrics  *metrics
	handler  http.Handler
	draining chan struct{} // closed when the worker is told to stop
}

// Run listens on the configured port and serves until ctx ends and the worker has drained.
func Run(ctx context.Context, config Config, log *slog.Logger) error {
	listener, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(config.Port)))
	if err != nil {
		return fmt.Errorf("listen on PORT %d: %w", config.Port, err)
	}
	w, err := New(config, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return w.Serve(ctx, listener)
}

// New puts a worker together. It starts nothing.
func New(config Config, log *slog.Logger) (*Worker, error) {
	w := &Worker{config: config, log: log, draining: make(chan struct{})}
	w.sockets = socketio.NewServer(socketio.Options{Logger: log})
	w.engine = engineio.NewServer(w.sockets, engineio.Options{
		PingInterval:          config.PingInterval,
		PingTimeout:           config.PingTimeout,
		MaxSessions:           config.MaxSessions,
		MaxSessionsPerAddress: config.MaxSessionsPerAddress,
		AllowedOrigins:        config.AllowedOrigins,
		TrustedProxies:        config.TrustedProxies,
		Protocol3:             config.SocketIOV2Clients,
		Logger:                log,
	})
	joinRoomlessChat(w.sockets.Of("/"))
	var err error
	if w.metrics, err = newMetrics(context.Background(), config, config.Replica); err != nil {
		return nil, err
	}
	if err := w.metrics.observe(w.engineMeasures()); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	w.handler = w.routes()
	return w, nil
}

// Time-outs and limits of HTTP. Polls wait long and WebSockets longer, so there is none for a whole request: engineio and the
// routes set those they need.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// Serve serves on the listener until ctx ends, then drains: it is no longer ready, tells its clients, spread over the drain time, and waits
// until they and everything it has started are gone.
func (w *Worker) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           w.handler,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(w.log.Handler(), slog.LevelDebug), // net/http reports clients' mistakes here
	}
	w.log.Info("worker listening", "addr", listener.Addr().String(), "bus", "in process", "version", Version())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	err := w.shutdown(server)
	<-served
	w.log.Info("worker ended")
	return err
}

// shutdownGrace is what shutting down may take once the clients have been released.
const shutdownGrace = 10 * time.Second

func (w *Worker) shutdown(server *http.Server) error {
	close(w.draining)
	w.log.Info("draining", "sessions", w.engine.Stats().Sessions)
	ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	return errors.Join(
		w.engine.Shutdown(ctx),
		w.sockets.Close(),
		server.Shutdown(ctx),
		w.metrics.close(ctx),
	)
}
