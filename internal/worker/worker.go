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

	"chatapp/internal/backplane"
	"chatapp/internal/chat"
	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
)

// Worker is one instance of the chat. It is made by New and served by Serve, once.
type Worker struct {
	config   Config
	log      *slog.Logger
	engine   *engineio.Server
	sockets  *socketio.Server
	chat     *chat.Chat
	cluster  *cluster
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

// ConfigError is a configuration that can't work, found where only the part it is for could tell.
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string { return e.Err.Error() }
func (e *ConfigError) Unwrap() error { return e.Err }

// New puts a worker together, with the bus that the configuration names. It starts nothing and talks to nobody.
func New(config Config, log *slog.Logger) (*Worker, error) {
	cluster, err := openBus(config, log)
	if err != nil {
		return nil, &ConfigError{err}
	}
	return assemble(config, log, cluster)
}

// NewOn is New with a bus of the caller's, for several workers in one process.
func NewOn(config Config, log *slog.Logger, bus backplane.Bus) (*Worker, error) {
	return assemble(config, log, &cluster{bus: bus, name: "given", log: log})
}

func assemble(config Config, log *slog.Logger, c *cluster) (*Worker, error) {
	nodeLog := log // which names the instance itself
	log = log.With("instance", c.bus.Instance())
	w := &Worker{config: config, log: log, cluster: c, draining: make(chan struct{})}
	var err error
	if w.metrics, err = newMetrics(context.Background(), config, c.bus.Instance(), log); err != nil {
		return nil, err
	}
	w.chat = chat.New(chat.Options{
		MaxMessageLength: unlimited(config.MaxMessageLength),
		MessageRate:      unlimited(config.MessageRate),
		NameHold:         unlimited(config.NameHold),
		Clean:            func(reason error) bool { return errors.Is(reason, engineio.ErrClientClosed) },
		SignedIn:         signedIn(config.NicknameHeader),
		Observe:          w.metrics.observeLog,
		Logger:           log,
	})
	w.sockets = socketio.NewServer(socketio.Options{Recovery: w.chat.Recovery(), Logger: log})
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
	m := machine{w.chat}
	options := backplane.Options{Local: m, Logger: nodeLog, Observer: backplane.Observer{Batch: w.metrics.observeBatch}}
	if c.service != nil {
		options.SendRate = serviceBusRate
	}
	c.node = backplane.New(c.bus, m, options)
	w.chat.Attach(w.sockets.Of("/"), chat.Backplane{
		Instance: c.bus.Instance(), Log: c.node, Suspect: c.node.Suspect, Cluster: c.view,
	})
	if err := w.metrics.observe(w.measures(), w.figures); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	w.handler = w.routes()
	return w, nil
}

// signedIn reads the name of a signed-in person from a header that only the platform in front can set; nil where there is no such platform.
func signedIn(header string) func(*socketio.Socket) string {
	if header == "" {
		return nil
	}
	return func(s *socketio.Socket) string { return s.Handshake().Header().Get(header) }
}

// serviceBusRate is how many messages a second a cluster sends through Service Bus when it is busy. In the Standard tier, which has 1,000
// credits a second, each costs 1 and 3 more an instance, so that this is less than half of them at three. With three busy instances an
// entry waits 30 ms more on average.
const serviceBusRate = 45

// unlimited turns the environment's 0, no limit, into the chat's, whose 0 is the default.
func unlimited[T int | float64 | time.Duration](n T) T {
	if n == 0 {
		return -1
	}
	return n
}

// Instance is the worker's name in the cluster.
func (w *Worker) Instance() string { return w.cluster.bus.Instance() }

// Handler serves the worker's routes; Serve does so by itself.
func (w *Worker) Handler() http.Handler { return w.handler }

// Time-outs and limits of HTTP. Polls wait long and WebSockets longer, so there is none for a whole request: engineio and the
// routes set those they need.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// Serve serves on the listener until ctx ends, then drains: it is no longer ready, releases its clients spread over the drain time, says
// goodbye to the others, and waits until everything it has started is gone.
func (w *Worker) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           w.handler,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(w.log.Handler(), slog.LevelDebug), // net/http reports clients' mistakes here
	}
	w.log.Info("worker listening", "addr", listener.Addr().String(), "bus", w.cluster.name, "version", Version())
	served, clustered := make(chan error, 1), make(chan error, 1)
	inCluster, leaveCluster := context.WithCancel(context.WithoutCancel(ctx))
	defer leaveCluster()
	go func() { served <- server.Serve(listener) }()
	go func() { clustered <- w.cluster.run(inCluster) }()
	trimming, stopTrimming := context.WithCancel(ctx)
	trimmed := make(chan struct{})
	go func() {
		defer close(trimmed)
		w.trim(trimming)
	}()
	var failure error
	select {
	case err := <-served:
		failure = fmt.Errorf("serve HTTP: %w", err)
		served <- nil // for who waits for its end below
	case err := <-clustered:
		failure = fmt.Errorf("run in the cluster: %w", err)
		clustered <- nil
	case <-ctx.Done():
	}
	err := w.shutdown(server, leaveCluster, clustered)
	<-served
	stopTrimming()
	<-trimmed
	w.log.Info("worker ended")
	return errors.Join(failure, err)
}

// shutdownGrace is what each step of shutting down may take once the clients have been released. Each has its own: a client that does not
// answer must not cost this instance its goodbye.
const shutdownGrace = 8 * time.Second

func (w *Worker) shutdown(server *http.Server, leaveCluster func(), clustered <-chan error) error {
	close(w.draining)
	w.release()
	err := within(shutdownGrace, w.engine.Shutdown)
	w.sockets.Close()
	leaveCluster() // flushes what is left, and says goodbye
	err = errors.Join(err, <-clustered)
	w.chat.Close()
	return errors.Join(err, within(shutdownGrace, w.cluster.close), within(shutdownGrace, server.Shutdown),
		within(shutdownGrace, w.metrics.close))
}

// within calls f with so much time.
func within(d time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return f(ctx)
}

// release lets clients go to other instances, not all at once; where there is no other there is nothing to spare.
func (w *Worker) release() {
	others := len(w.cluster.node.Status().Members) - 1
	w.log.Info("draining", "sessions", w.engine.Stats().Sessions, "others", others)
	if others < 1 {
		return
	}
	w.engine.Drain(context.Background(), w.config.DrainTimeout)
}
