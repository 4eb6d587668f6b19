package worker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/inprocess"
	"chatapp/internal/backplane/servicebus"
	"chatapp/internal/chat"
)

// cluster joins this instance to the others: it owns the bus and the node on it.
type cluster struct {
	bus     backplane.Bus
	node    *backplane.Node
	service *servicebus.Bus // bus, if it is one
	kind    string          // of bus, for the log
	log     *slog.Logger
}

// kindInProcess is the kind of a bus that keeps nothing beyond the process, and never brings another instance.
const kindInProcess = "in process"

// newCluster chooses the bus by the configuration. It opens no connection.
func newCluster(config Config, log *slog.Logger) (*cluster, error) {
	name := config.Replica
	if name == "" {
		name, _ = os.Hostname() // without a name the bus uses its default
	}
	if config.ServiceBus.ConnectionString == "" && config.ServiceBus.Namespace == "" {
		bus := inprocess.NewHub(inprocess.Options{}).Join(withRandomSuffix(name))
		return &cluster{bus: bus, kind: kindInProcess, log: log}, nil
	}
	service, err := servicebus.New(servicebus.Options{
		ConnectionString: config.ServiceBus.ConnectionString,
		Namespace:        config.ServiceBus.Namespace,
		Topic:            config.ServiceBus.Topic,
		Subscription:     config.ServiceBus.Subscription,
		Name:             name,
		EmulatorHTTPPort: config.ServiceBus.EmulatorHTTPPort,
		Archive:          config.Store.isGiven(),
		Logger:           log,
	})
	if err != nil {
		return nil, err
	}
	return &cluster{bus: service, service: service, kind: "service bus", log: log}, nil
}

// withRandomSuffix makes an instance name that no earlier process had, so that entries of this process's log have ids
// of their own.
func withRandomSuffix(name string) string {
	var suffix [4]byte
	rand.Read(suffix[:])
	return name + "-" + hex.EncodeToString(suffix[:])
}

// run opens the bus, waiting for as long as that takes, and keeps the instance in the cluster until ctx ends. Then it
// leaves the cluster.
func (c *cluster) run(ctx context.Context) error {
	if c.service == nil {
		return c.node.Run(ctx)
	}
	if err := c.service.Open(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it joined
		}
		return fmt.Errorf("open service bus: %w", err)
	}
	cleaning, stopCleaning := context.WithCancel(ctx)
	cleaned := make(chan struct{})
	go func() {
		defer close(cleaned)
		c.cleanUp(cleaning)
	}()
	err := c.node.Run(ctx)
	stopCleaning() // Run may have ended before ctx
	<-cleaned
	return err
}

// settled reports whether the log has passed a message; see backplane.Node.Settled.
func (c *cluster) settled(m *backplane.Archived) (index uint64, settled bool, err error) {
	return c.node.Settled(m)
}

// close removes what the bus keeps for this instance.
func (c *cluster) close(ctx context.Context) error {
	if c.service == nil {
		return nil
	}
	return c.service.Close(ctx)
}

// readiness returns the instance's state in the cluster and, if it is not ready, the reason for people.
func (c *cluster) readiness() (s state, reason string) {
	if c.service != nil {
		if reason := c.service.Waiting(); reason != "" {
			return stateWaiting, reason
		}
	}
	status := c.node.Status()
	if !status.Ready && c.service != nil {
		if shared := c.service.Shared(); shared != "" {
			return stateOutOfSync, shared
		}
	}
	switch {
	case status.Ready:
		return stateReady, ""
	case status.CutOff && len(status.Members) > 0: // a joining instance has no members
		return stateCutOff, status.Why
	default:
		return stateOutOfSync, status.Why
	}
}

// view returns the cluster as the chat shows it to clients.
func (c *cluster) view() chat.Cluster {
	status := c.node.Status()
	s, reason := c.readiness()
	view := chat.Cluster{Ready: s == stateReady, Why: reason, CutOff: status.CutOff, Latency: status.Latency}
	for _, m := range status.Members {
		view.Instances = append(view.Instances, chat.Instance{Name: m.Instance, Self: m.Self, Heard: m.Heard})
	}
	return view
}

// machine adapts the chat to the node's interfaces. Both packages declare the same flat entry type, so that neither
// imports the other, and a conversion costs nothing.
type machine struct {
	*chat.Chat
	tracing *tracing // nil: off
	void    *void    // nil: all entries are applied
	storage *storage // nil: none
}

// Joined also says that the store was read.
func (m machine) Joined() [][]byte {
	if m.void.end() && m.storage != nil {
		m.storage.recorder.WantCheckpoint()
	}
	return m.Chat.Joined()
}

// Apply also traces an entry that carries a trace context.
func (m machine) Apply(e backplane.Entry) error {
	if skipped, err := m.void.apply(m.Chat, e); skipped {
		return err
	}
	if m.tracing == nil || e.Trace == "" {
		return m.Chat.Apply(chat.Entry(e))
	}
	began := time.Now()
	err := m.Chat.Apply(chat.Entry(e))
	m.tracing.applied(e, began, err)
	return err
}

func (m machine) Gone(at backplane.Entry, instance string) { m.Chat.Gone(chat.Entry(at), instance) }
func (m machine) Begin(at backplane.Entry)                 { m.Chat.Begin(chat.Entry(at)) }
func (m machine) Raise(at backplane.Entry, rules uint64)   { m.Chat.Raise(chat.Entry(at), rules) }
func (m machine) Committed(e backplane.Entry)              { m.Chat.Committed(chat.Entry(e)) }

// Restore says in the node's words that the state needs another version of this program.
func (m machine) Restore(snapshot []byte) error {
	err := m.Chat.Restore(snapshot)
	if errors.Is(err, chat.ErrVersion) {
		return fmt.Errorf("%w: %w", err, backplane.ErrVersion)
	}
	return err
}
