package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"chatapp/internal/emulator"
)

// cluster is the local cluster: chat instances as child processes, joined by the emulator, behind
// one proxy. Its run method executes commands one at a time.
type cluster struct {
	// immutable
	config         config
	getenv         func(string) string
	environ        []string
	executable     string
	bus            *emulator.Server
	console        *console
	proxy          *proxy
	address        string // of the proxy
	probes         *http.Transport
	quit           context.CancelFunc
	running        sync.WaitGroup // instances
	firstReady     chan struct{}  // closed when the first instance has become ready
	markFirstReady func()         // closes it

	// owned by run
	ctx       context.Context // of all instances' processes
	instances []*instance     // by number, from 1
	samples   [2]total        // at the last refresh of the status and the one before
}

// maxInstances bounds -instances and the command scale.
const maxInstances = 50

// statusEvery is the interval at which the status in the last row is refreshed.
const statusEvery = time.Second

// runCluster runs a local cluster until ctx ends or the command quit. It returns after everything
// it has started has ended.
func runCluster(ctx context.Context, c *cluster, listener net.Listener, input io.Reader) error {
	ctx, c.quit = context.WithCancel(ctx)
	defer c.quit()
	lines := make(chan string)
	go readCommands(ctx, input, lines)
	served := make(chan error, 1)
	go func() { served <- c.proxy.serve(listener) }()
	instances, endInstances := context.WithCancel(context.WithoutCancel(ctx))
	defer endInstances()
	c.ctx = instances
	failure := c.setCount(c.config.instances)
	if failure == nil {
		failure = c.run(ctx, lines, served)
	}
	// Close the proxy first: instances without clients have none to move to the others.
	c.proxy.close()
	endInstances()
	c.running.Wait()
	for _, i := range c.instances {
		i.relay.close()
	}
	c.probes.CloseIdleConnections()
	return failure
}

// run executes commands from the terminal and scheduled ones until ctx ends.
func (c *cluster) run(ctx context.Context, lines <-chan string, served <-chan error) error {
	schedule := slices.Clone(c.config.schedule)
	slices.SortStableFunc(schedule, func(a, b scheduled) int { return int(a.after - b.after) })
	began := time.Now()
	due := time.NewTimer(0)
	defer due.Stop()
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	c.refreshStatus()
	firstReady := c.firstReady
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-served:
			return fmt.Errorf("serve the proxy: %w", err)
		case line := <-lines:
			c.perform(line)
		case <-tick.C:
			c.refreshStatus()
		case <-firstReady:
			firstReady = nil
			c.welcome()
		case <-due.C:
			for len(schedule) > 0 && time.Since(began) >= schedule[0].after {
				c.console.printf("> %s", schedule[0].line)
				c.perform(schedule[0].line)
				schedule = schedule[1:]
			}
			if len(schedule) > 0 {
				due.Reset(schedule[0].after - time.Since(began))
			}
		}
	}
}

// setCount starts the first n instances and drains the others.
func (c *cluster) setCount(n int) error {
	for len(c.instances) < n {
		i, err := c.newInstance(len(c.instances) + 1)
		if err != nil {
			return err
		}
		c.instances = append(c.instances, i)
		c.running.Go(func() {
			c.awaitFirstReady(i)
			i.run(c.ctx)
		})
	}
	for _, i := range c.instances {
		var err error
		if i.number <= n {
			err = i.start()
		} else {
			err = i.drain()
		}
		if err != nil && !errors.Is(err, errRunning) && !errors.Is(err, errNotRunning) {
			return err
		}
	}
	return nil
}

// firstReadyTimeout is how long the other instances wait for the first. Several that bootstrap the
// cluster at once take seconds to agree, while joining takes milliseconds.
const firstReadyTimeout = 3 * time.Second

// awaitFirstReady delays the start of every instance but the first until the first is ready.
func (c *cluster) awaitFirstReady(i *instance) {
	if i.number == 1 {
		return
	}
	timer := time.NewTimer(firstReadyTimeout)
	defer timer.Stop()
	select {
	case <-c.firstReady:
	case <-timer.C:
	case <-c.ctx.Done():
	}
}

func (c *cluster) newInstance(number int) (*instance, error) {
	r, err := newRelay(c.bus.AMQPAddress())
	if err != nil {
		return nil, err
	}
	i := &instance{
		number: number, executable: c.executable, relay: r, proxy: c.proxy, console: c.console,
		client: &http.Client{Transport: c.probes}, wake: make(chan struct{}, 1),
		preferred: "127.0.0.1:0", onReady: c.markFirstReady,
	}
	// Ports next to the proxy's are easy to remember. If the system chose that port, the next ones
	// are not predictable.
	if _, port, err := net.SplitHostPort(c.config.proxy); err == nil && port != "0" {
		if base, err := strconv.Atoi(port); err == nil && base+number < 1<<16 {
			i.preferred = net.JoinHostPort("127.0.0.1", strconv.Itoa(base+number))
		}
	}
	i.environment = c.childEnvironment(i)
	return i, nil
}

// childEnvironment returns the environment of an instance's processes: this process's own, without
// variables of a platform. AMQP and management of the bus are reached through the instance's relay.
func (c *cluster) childEnvironment(i *instance) []string {
	port := strconv.Itoa(i.relay.port())
	key := emulator.RootKey
	set := map[string]string{
		childVariable: i.preferred,
		"HOST":        "127.0.0.1",
		"AZURE_SERVICEBUS_CONNECTIONSTRING": fmt.Sprintf(
			"Endpoint=sb://127.0.0.1:%s;SharedAccessKeyName=%s;SharedAccessKey=%s;UseDevelopmentEmulator=true;",
			port, key.KeyName, key.PrimaryKey),
		"EMULATOR_HTTP_PORT":         port,
		"CONTAINER_APP_REPLICA_NAME": "local-" + strconv.Itoa(i.number),
		"TRUSTED_PROXIES":            strings.Trim("127.0.0.0/8,::1,"+c.getenv("TRUSTED_PROXIES"), ","),
	}
	for name, value := range map[string]string{"DRAIN_TIMEOUT": "3s", "LOG_FORMAT": "text"} {
		if c.getenv(name) == "" {
			set[name] = value
		}
	}
	if c.config.data != "" && c.getenv("STORE") == "" {
		set["STORE"] = filepath.Join(c.config.data, "chat") // one instance writes it, the others read
	}
	if c.getenv("PPROF_PORT") != "" {
		set["PPROF_PORT"] = "0" // a port of its own for each instance; the log names it
	}
	removed := []string{"AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE", "SERVICEBUS_SUBSCRIPTION", "WEBSITE_INSTANCE_ID",
		"METRICS_PORT"} // of which all instances would have the same
	environment := slices.DeleteFunc(slices.Clone(c.environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		_, replaced := set[name]
		return replaced || slices.Contains(removed, name)
	})
	for name, value := range set {
		environment = append(environment, name+"="+value)
	}
	return environment
}

// url returns the address of the page, with localhost for loopback addresses.
func (c *cluster) url() string {
	host, port, err := net.SplitHostPort(c.address)
	if err != nil {
		return "http://" + c.address
	}
	if ip := net.ParseIP(host); ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// newCluster prepares a local cluster on an emulator. It starts nothing.
func newCluster(
	config config, getenv func(string) string, bus *emulator.Server, console *console, proxy *proxy,
) (*cluster, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to start it as a worker: %w", err)
	}
	firstReady := make(chan struct{})
	return &cluster{
		firstReady: firstReady, markFirstReady: sync.OnceFunc(func() { close(firstReady) }),
		config: config, getenv: getenv, environ: os.Environ(), executable: executable,
		bus: bus, console: console, proxy: proxy,
		probes: &http.Transport{},
	}, nil
}
