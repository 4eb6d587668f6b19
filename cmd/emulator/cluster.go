package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
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

// instance returns the instance whose number is the argument at a position.
func (c *cluster) instance(a arguments, at int) (*instance, error) {
	n, err := a.number(at)
	if err != nil {
		return nil, err
	}
	if n < 1 || n > len(c.instances) {
		return nil, fmt.Errorf("there is no instance %d", n)
	}
	return c.instances[n-1], nil
}

// chosen returns the instance that an argument names, or all instances if the argument is left out.
func (c *cluster) chosen(a arguments, at int) ([]*instance, error) {
	if at >= len(a) {
		return c.instances, nil
	}
	i, err := c.instance(a, at)
	return []*instance{i}, err
}

func (c *cluster) scale(a arguments) error {
	n, err := a.number(0)
	if err != nil {
		return err
	}
	if n > maxInstances {
		return fmt.Errorf("no more than %d instances", maxInstances)
	}
	return c.setCount(n)
}

func (c *cluster) partition(a arguments) error {
	i, err := c.instance(a, 0)
	if err != nil {
		return err
	}
	d, err := a.duration(1, 0)
	if err == nil {
		i.relay.partition(d)
	}
	return err
}

func (c *cluster) heal(a arguments) error {
	chosen, err := c.chosen(a, 0)
	if err != nil {
		return err
	}
	for _, i := range chosen {
		i.relay.endPartition()
		i.relay.slow(0)
	}
	return nil
}

func (c *cluster) slow(a arguments) error {
	d, err := a.duration(0, 0)
	if err != nil {
		return err
	}
	chosen, err := c.chosen(a, 1)
	if err != nil {
		return err
	}
	for _, i := range chosen {
		i.relay.slow(d)
	}
	return nil
}

func (c *cluster) drop(a arguments) error {
	chosen, err := c.chosen(a, 0)
	if err != nil {
		return err
	}
	for _, i := range chosen {
		i.say("%d connections to the bus broken", i.relay.drop())
	}
	return nil
}

// standardCredits is the Standard tier's limit a second ("Throttling operations on Azure Service
// Bus").
const standardCredits = 1000

func (c *cluster) throttle(a arguments) error {
	credits := standardCredits
	switch a[0] {
	case "on":
	case "off":
		credits = 0
	default:
		var err error
		if credits, err = a.number(0); err != nil {
			return err
		}
	}
	c.bus.Broker().Throttle(credits)
	return nil
}

func (c *cluster) busy(a arguments) error {
	d, err := a.duration(0, 0)
	if err == nil {
		c.bus.ServerBusy(d)
	}
	return err
}

func (c *cluster) restartBus(arguments) error {
	if err := c.bus.Restart(); err != nil {
		return fmt.Errorf("restart the bus: %w", err)
	}
	c.console.printf("%sstopped and started again", c.console.busName())
	return nil
}

// collect reads the metrics of all instances and a line about each.
func (c *cluster) collect() (total, []string) {
	usage := c.bus.Broker().Usage()
	now := total{at: time.Now()}
	now.operations = usage.Sent + usage.Received + usage.Completed + usage.Settled + usage.Peeked + usage.Managed
	states := make([]string, len(c.instances))
	for n, i := range c.instances {
		states[n] = i.report(&now)
	}
	return now, states
}

func (c *cluster) refreshStatus() {
	now, _ := c.collect()
	c.console.setStatus(now.since(c.samples[0]))
	c.samples = [2]total{now, c.samples[0]}
}

// welcome prints the address of the chat and opens it if -launch was given.
func (c *cluster) welcome() {
	c.console.printf("The chat is at %s: open it in two windows, and they chat across instances.", c.url())
	if c.config.launch {
		openBrowser(c.url(), c.console)
	}
}

func (c *cluster) printStatus() error {
	now, states := c.collect()
	var b strings.Builder
	fmt.Fprintf(&b, "%s; %d connections and %d subscriptions to the bus, %d credits spent there\n",
		now.since(c.samples[1]), c.bus.Connections(), c.subscriptions(), c.bus.Broker().Usage().Credits)
	for n, state := range states {
		fmt.Fprintf(&b, "%s%s\n", c.console.name(n+1), state)
	}
	c.console.print(b.String())
	return nil
}

// subscriptions counts the subscriptions of the bus, orphaned ones included.
func (c *cluster) subscriptions() int {
	b, n := c.bus.Broker(), 0
	for _, t := range b.Topics() {
		if all, err := b.Subscriptions(t.Name); err == nil { // else the topic has just been deleted
			n += len(all)
		}
	}
	return n
}

func (c *cluster) printHelp() error {
	var b strings.Builder
	for _, one := range commands() {
		fmt.Fprintf(&b, "  %-19s %s\n", one.name+" "+one.uses, one.help)
	}
	c.console.print(b.String())
	return nil
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
