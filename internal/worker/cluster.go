package worker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/inprocess"
	"chatapp/internal/backplane/servicebus"
	"chatapp/internal/chat"
)

// cluster is this instance's part in the cluster: the bus, the node on it, and how the chat is told.
type cluster struct {
	bus     backplane.Bus
	node    *backplane.Node
	service *servicebus.Bus // bus, if it is one
	name    string          // of the kind of bus, for people
	log     *slog.Logger
}

// openBus chooses the bus by the configuration. It talks to nobody yet.
func openBus(config Config, log *slog.Logger) (*cluster, error) {
	name := config.Replica
	if name == "" {
		name, _ = os.Hostname() // without one the bus has a word of its own
	}
	if config.ServiceBusConnectionString == "" && config.ServiceBusNamespace == "" {
		return &cluster{bus: inprocess.NewHub(inprocess.Options{}).Join(aloneName(name)), name: "in process", log: log}, nil
	}
	service, err := servicebus.New(servicebus.Options{
		ConnectionString: config.ServiceBusConnectionString,
		Namespace:        config.ServiceBusNamespace,
		Topic:            config.ServiceBusTopic,
		Subscription:     config.ServiceBusSubscription,
		Name:             name,
		EmulatorHTTPPort: config.EmulatorHTTPPort,
		Logger:           log,
	})
	if err != nil {
		return nil, err
	}
	return &cluster{bus: service, service: service, name: "service bus", log: log}, nil
}

// aloneName names the instance of a worker without a bus; random, so that ids of its log are never those of an earlier run.
func aloneName(name string) string {
	var suffix [4]byte
	rand.Read(suffix[:])
	return name + "-" + hex.EncodeToString(suffix[:])
}

// run is in the cluster until ctx ends, and then says goodbye. What the bus waits for at the start it waits for here.
func (c *cluster) run(ctx context.Context) error {
	if c.service == nil {
		return c.node.Run(ctx)
	}
	if err := c.service.Open(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it had begun
		}
		return fmt.Errorf("open service bus: %w", err)
	}
	sweeping, stopSweeping := context.WithCancel(ctx)
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		c.sweep(sweeping)
	}()
	err := c.node.Run(ctx)
	stopSweeping() // Run may have ended by itself
	<-swept
	return err
}

// close removes what the bus keeps for this instance.
func (c *cluster) close(ctx context.Context) error {
	if c.service == nil {
		return nil
	}
	return c.service.Close(ctx)
}

// sweepFirst is when a new instance sweeps for the first time, twice in a row: subscriptions that a whole cluster left behind are gone
// soon after the next has begun.
const sweepFirst = 20 * time.Second

// sweep removes subscriptions without an instance, now and then, where this instance is the oldest.
func (c *cluster) sweep(ctx context.Context) {
	janitor := c.service.Janitor()
	timer := time.NewTimer(sweepFirst)
	defer timer.Stop()
	for sweeps := 0; ; sweeps++ {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if members := c.node.Status().Members; len(members) > 0 && members[0].Self {
			if _, err := janitor.Sweep(ctx, instanceNames(members)); err != nil && ctx.Err() == nil {
				c.log.Warn("subscriptions not swept", "err", err)
			}
		}
		pause := servicebus.SweepEvery
		if sweeps == 0 {
			pause = sweepFirst
		}
		timer.Reset(pause)
	}
}

func instanceNames(members []backplane.Member) []string {
	all := make([]string, len(members))
	for i, m := range members {
		all[i] = m.Instance
	}
	return all
}

// notReady is why this instance is not in the cluster or not in step, or "".
func (c *cluster) notReady() string {
	if c.service != nil {
		if why := c.service.Waiting(); why != "" {
			return why
		}
	}
	if status := c.node.Status(); !status.Ready {
		return status.Why
	}
	return ""
}

// view is the cluster as the chat shows it.
func (c *cluster) view() chat.Cluster {
	status := c.node.Status()
	view := chat.Cluster{Ready: status.Ready, Why: status.Why, CutOff: status.CutOff, Latency: status.Latency}
	for _, m := range status.Members {
		view.Instances = append(view.Instances, chat.Instance{Name: m.Instance, Self: m.Self, Heard: m.Heard})
	}
	if why := c.notReady(); why != "" {
		view.Ready, view.Why = false, why
	}
	return view
}

// machine gives the chat to a node: the entries of both are the same flat struct, declared twice so that neither knows the other.
type machine struct{ *chat.Chat }

func (m machine) Apply(e backplane.Entry)                  { m.Chat.Apply(chat.Entry(e)) }
func (m machine) Gone(at backplane.Entry, instance string) { m.Chat.Gone(chat.Entry(at), instance) }
func (m machine) Committed(e backplane.Entry)              { m.Chat.Settled(chat.Entry(e)) }
