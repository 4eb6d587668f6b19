package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"chatapp/internal/allowance"
	"chatapp/internal/audit"
	"chatapp/internal/backplane"
	"chatapp/internal/chat"
	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
	"chatapp/internal/store"
)

// Worker is one instance of the chat. New makes it; Serve runs it, once.
type Worker struct {
	config    Config
	log       *slog.Logger
	addresses *allowance.Table
	audit     *audit.Log
	engine    *engineio.Server
	sockets   *socketio.Server
	chat      *chat.Chat
	cluster   *cluster
	storage   *storage // nil: the chat is not kept
	handler   http.Handler
	telemetry

	connections *connections
	draining    chan struct{} // closed when the worker begins to stop
	fits        int           // connections of clients within the limit of open files
	full        atomic.Bool   // fits was reached; logged once
	loaded      atomic.Bool   // see whenLoaded
}

// telemetry is what others learn of the worker.
type telemetry struct {
	metrics *metrics
	tracing *tracing // nil: off
}

// ConfigError is a configuration that LoadConfig accepts and a part of the worker rejects, such as a malformed
// connection string.
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string { return e.Err.Error() }
func (e *ConfigError) Unwrap() error { return e.Err }

// New assembles a worker on the bus that the configuration names. It starts no goroutine and opens no connection.
func New(config Config, log *slog.Logger) (*Worker, error) {
	cluster, err := newCluster(config, log)
	if err != nil {
		return nil, &ConfigError{err}
	}
	return assemble(config, log, cluster)
}

// NewOn is like New but uses the caller's bus, so that several workers can share one within a process.
func NewOn(config Config, log *slog.Logger, bus backplane.Bus) (*Worker, error) {
	if !config.Store.IsSet {
		config.Store.Folder = "" // the default is one process's alone
	}
	return assemble(config, log, &cluster{bus: bus, kind: "given", log: log})
}

func assemble(config Config, log *slog.Logger, c *cluster) (*Worker, error) {
	nodeLog := log // the node adds the instance itself
	log = log.With("instance", c.bus.Instance())
	w := &Worker{config: config, log: log, cluster: c, draining: make(chan struct{}), fits: fitting()}
	w.audit = audit.New(log)
	var err error
	if w.metrics, err = newMetrics(context.Background(), config, c.bus.Instance(), log); err != nil {
		return nil, err
	}
	w.storage = newStorage(config.Store, c, w.linesSince, log)
	var recorded func([]store.Line)
	if w.storage != nil {
		recorded = w.storage.recorder.Lines
	}
	if w.tracing, err = newTracing(context.Background(), config, c.bus.Instance()); err != nil {
		return nil, err
	}
	chatOptions := chat.Options{
		Recorded:         recorded,
		MaxMessageLength: unlimited(config.Chat.MaxMessageLength),
		MaxMessageBytes:  config.Chat.MaxMessageBytes,
		MessageRate:      unlimited(config.Chat.MessageRate),
		NameHold:         unlimited(config.Chat.NameHold),
		Retention:        config.Chat.Retention,
		Clean:            func(reason error) bool { return errors.Is(reason, engineio.ErrClientClosed) },
		Audit:            w.audit.Record,
		SignedIn:         signedIn(config.Chat.NicknameHeader, config.Chat.SubjectHeader),
		Observe:          w.metrics.observeLog,
		Bounds:           bounds(config.Chat),
		Logger:           log,
	}
	if w.tracing != nil {
		chatOptions.Trace = w.tracing.event
	}
	w.chat = chat.New(chatOptions)
	w.sockets = socketio.NewServer(socketio.Options{
		Recovery: w.chat.Recovery(), MaxPacketBytes: config.Chat.maxMessageSize(), Logger: log,
	})
	w.addresses = allowance.NewTable(config.Addresses.limits())
	transport := engineio.Options{
		PingInterval:          config.Transport.PingInterval,
		PingTimeout:           config.Transport.PingTimeout,
		MaxSessions:           config.Transport.MaxSessions,
		MaxSessionsPerAddress: config.Transport.MaxSessionsPerAddress,
		AllowedOrigins:        config.Transport.AllowedOrigins,
		TrustedProxies:        config.Transport.TrustedProxies,
		Protocol3:             config.Transport.SocketIOV2Clients,
		Addresses:             w.addresses,
		Audit:                 func(what, remote string) { w.audit.Record(what, remote, "") },
		MaxMessageSize:        config.Chat.maxMessageSize(),
		MaxQueuedBytes:        config.Transport.queueMemory(),
		Headers:               keptHeaders(config.Chat.NicknameHeader, config.Chat.SubjectHeader),
		RequiredHeaders:       keptHeaders(config.Chat.NicknameHeader, config.Chat.SubjectHeader),
		Logger:                log,
	}
	if config.Chat.MessageRate > 0 {
		transport.Frames, transport.Refusals = sessionFrames(), sessionRefusals()
	}
	w.engine = engineio.NewServer(w.sockets, transport)
	m := machine{w.chat, w.tracing, newVoid(config.Void, log), w.storage}
	options := backplane.Options{
		Local:    m,
		Logger:   nodeLog,
		Observer: backplane.Observer{Batch: w.metrics.observeBatch},
		Rules:    chat.Rules,
		Timing:   timing(),
	}
	options.Observer.Published = w.published
	skipped := &skippedEntries{dir: os.TempDir(), instance: c.bus.Instance(), log: log}
	options.Observer.Skipped = skipped.save
	if c.service != nil {
		options.Credits = serviceBusCredits
		options.Connected = func() bool { return w.engine.Connected() > 0 }
	}
	if c.kind == kindInProcess {
		options.MaxKept = 1 // no log lacks what this one has
	}
	if w.storage != nil {
		options.Archived = c.service != nil
		options.Recorder = w.storage.recorder
	}
	c.node = backplane.New(c.bus, m, options)
	w.chat.Attach(w.sockets.Of("/"), chat.Backplane{
		Instance: c.bus.Instance(), Log: c.node, Suspect: c.node.Suspect, Cluster: c.view,
		Time: c.node.BusTime, Unsaved: w.storage.unsaved,
	})
	if w.storage != nil {
		w.chat.SetStore(w.storage.recorder.Reader())
		w.storage.chat = w.chat
	}
	if err := w.metrics.observe(w.observables(), w.sample); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	w.connections = w.newConnections()
	w.handler = w.routes()
	return w, nil
}

// linesSince returns what of the history is in memory; see recorder.Options.
func (w *Worker) linesSince(seq uint64) []store.Line { return w.chat.LinesSince(seq) }

// published notes a message that was sent to the bus.
func (w *Worker) published(p backplane.Publication) {
	w.metrics.messaging.published(p)
	if w.tracing != nil {
		w.tracing.published(p)
	}
}

// keptHeaders are the header fields of a client's first request that are needed later. All others are forgotten.
func keptHeaders(names ...string) []string {
	kept := []string{}
	for _, name := range names {
		if name != "" {
			kept = append(kept, http.CanonicalHeaderKey(name))
		}
	}
	return kept
}

// bounds returns the bounds of the state, and a secret of its own. The secret counts only if this instance begins the
// log.
func bounds(c ChatConfig) chat.Bounds {
	b := chat.Bounds{RoomLines: c.HistoryLines, HistoryBytes: c.HistoryMemory, Rooms: c.MaxRooms}
	rand.Read(b.AddressKey[:])
	return b
}

// signedIn returns a function that reads the signed-in person from headers, or nil without headers. engineio lets only
// requests of trusted proxies in that have both.
func signedIn(name, subject string) func(*socketio.Socket) chat.Person {
	if name == "" {
		return nil
	}
	return func(s *socketio.Socket) chat.Person {
		header := s.Handshake().Header()
		return chat.Person{Name: header.Get(name), Subject: header.Get(subject)}
	}
}

// serviceBusCredits is how many credits a second a busy cluster spends on its log, by its own reckoning. The Standard
// tier has 1,000. The SDK releases a few messages, which are received again, and messages are received and completed a
// little later than they are sent: so a busy second cost up to 822 on a machine with nothing else to do. Where an
// archive keeps messages, backplane adds some.
const serviceBusCredits = 830

// unlimited maps the configuration's 0, which means no limit, to a negative number: to chat, 0 means the default.
func unlimited[T int | float64 | time.Duration](n T) T {
	if n == 0 {
		return -1
	}
	return n
}

// Instance returns the worker's name in the cluster.
func (w *Worker) Instance() string { return w.cluster.bus.Instance() }
