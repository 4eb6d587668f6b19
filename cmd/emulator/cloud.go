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

// cloud is the local cloud: instances of the chat as processes of their own, joined by the emulator, behind one address. Commands are
// performed one at a time, by run.
type cloud struct {
	// immutable
	config     config
	getenv     func(string) string
	environ    []string
	executable string
	bus        *emulator.Server
	screen     *screen
	front      *front
	address    string // of the front
	probes     *http.Transport
	quit       context.CancelFunc
	running    sync.WaitGroup // instances
	founded    chan struct{}  // closed when the first instance has become ready
	found      func()         // closes it

	// owned by run
	ctx       context.Context // of instances: they start with commands, and end together
	instances []*instance     // by number, from 1
	samples   [2]total        // when the status was renewed, and last before
}

// maxInstances is as many as one machine could want.
const maxInstances = 50

// statusEvery is how often the status in the last row is renewed.
const statusEvery = time.Second

// runCloud runs a local cloud around a bus until ctx ends or it is told to quit. It returns when everything it has started has ended.
func runCloud(ctx context.Context, c *cloud, listener net.Listener, console io.Reader) error {
	ctx, c.quit = context.WithCancel(ctx)
	defer c.quit()
	lines := make(chan string)
	go readCommands(ctx, console, lines)
	served := make(chan error, 1)
	go func() { served <- c.front.serve(listener) }()
	instances, endInstances := context.WithCancel(context.WithoutCancel(ctx))
	defer endInstances()
	c.ctx = instances
	failure := c.setCount(c.config.instances)
	if failure == nil {
		failure = c.run(ctx, lines, served)
	}
	// Clients go first, so that instances that end have nobody to release to the others.
	c.front.close()
	endInstances()
	c.running.Wait()
	for _, i := range c.instances {
		i.relay.close()
	}
	c.probes.CloseIdleConnections()
	return failure
}

// run performs commands, those of the console and those that are due, until ctx ends.
func (c *cloud) run(ctx context.Context, lines <-chan string, served <-chan error) error {
	schedule := slices.Clone(c.config.schedule)
	slices.SortStableFunc(schedule, func(a, b scheduled) int { return int(a.after - b.after) })
	began := time.Now()
	due := time.NewTimer(0)
	defer due.Stop()
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	c.renewStatus()
	founded := c.founded
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-served:
			return fmt.Errorf("serve the front address: %w", err)
		case line := <-lines:
			c.perform(line)
		case <-tick.C:
			c.renewStatus()
		case <-founded:
			founded = nil
			c.welcome()
		case <-due.C:
			for len(schedule) > 0 && time.Since(began) >= schedule[0].after {
				c.screen.printf("> %s", schedule[0].line)
				c.perform(schedule[0].line)
				schedule = schedule[1:]
			}
			if len(schedule) > 0 {
				due.Reset(schedule[0].after - time.Since(began))
			}
		}
	}
}

// setCount has n instances run: the first n by number.
func (c *cloud) setCount(n int) error {
	for len(c.instances) < n {
		i, err := c.newInstance(len(c.instances) + 1)
		if err != nil {
			return err
		}
		c.instances = append(c.instances, i)
		c.running.Go(func() {
			c.awaitFounder(i)
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
		if err != nil && !errors.Is(err, errRuns) && !errors.Is(err, errRunsNot) {
			return err
		}
	}
	return nil
}

// founderTimeout is how long the other instances wait for the first: a cluster that several found at once takes seconds to agree, and joining
// one takes milliseconds.
const founderTimeout = 3 * time.Second

// awaitFounder lets the first instance become ready before the others start.
func (c *cloud) awaitFounder(i *instance) {
	if i.number == 1 {
		return
	}
	timer := time.NewTimer(founderTimeout)
	defer timer.Stop()
	select {
	case <-c.founded:
	case <-timer.C:
	case <-c.ctx.Done():
	}
}

func (c *cloud) newInstance(number int) (*instance, error) {
	r, err := newRelay(c.bus.AMQPAddress())
	if err != nil {
		return nil, err
	}
	i := &instance{
		number: number, executable: c.executable, relay: r, front: c.front, screen: c.screen,
		client: &http.Client{Transport: c.probes}, wake: make(chan struct{}, 1),
		preferred: "127.0.0.1:0", wasReady: c.found,
	}
	// The front's port and the next ones are easily remembered. With a port of the system's choice the next are nobody's to expect.
	if _, port, err := net.SplitHostPort(c.config.front); err == nil && port != "0" {
		if base, err := strconv.Atoi(port); err == nil && base+number < 1<<16 {
			i.preferred = net.JoinHostPort("127.0.0.1", strconv.Itoa(base+number))
		}
	}
	i.environment = c.childEnvironment(i)
	return i, nil
}

// childEnvironment is what an instance's processes are told: what this process was told, but for what a platform would say. The bus is reached
// through the instance's relay, which passes on AMQP and management alike.
func (c *cloud) childEnvironment(i *instance) []string {
	port := strconv.Itoa(i.relay.port())
	key := emulator.RootKey
	set := map[string]string{
		childVariable: i.preferred,
		"AZURE_SERVICEBUS_CONNECTIONSTRING": fmt.Sprintf("Endpoint=sb://127.0.0.1:%s;SharedAccessKeyName=%s;SharedAccessKey=%s;UseDevelopmentEmulator=true;",
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
	removed := []string{"AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE", "SERVICEBUS_SUBSCRIPTION", "WEBSITE_INSTANCE_ID"}
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

// instance finds the instance that an argument names.
func (c *cloud) instance(a arguments, at int) (*instance, error) {
	n, err := a.number(at)
	if err != nil {
		return nil, err
	}
	if n < 1 || n > len(c.instances) {
		return nil, fmt.Errorf("there is no instance %d", n)
	}
	return c.instances[n-1], nil
}

// chosen are the instances that an argument names: one, or all if it is left out.
func (c *cloud) chosen(a arguments, at int) ([]*instance, error) {
	if at >= len(a) {
		return c.instances, nil
	}
	i, err := c.instance(a, at)
	return []*instance{i}, err
}

func (c *cloud) scale(a arguments) error {
	n, err := a.number(0)
	if err != nil {
		return err
	}
	if n > maxInstances {
		return fmt.Errorf("no more than %d instances", maxInstances)
	}
	return c.setCount(n)
}

func (c *cloud) partition(a arguments) error {
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

func (c *cloud) heal(a arguments) error {
	chosen, err := c.chosen(a, 0)
	if err != nil {
		return err
	}
	for _, i := range chosen {
		i.relay.mend()
		i.relay.slow(0)
	}
	return nil
}

func (c *cloud) slow(a arguments) error {
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

func (c *cloud) drop(a arguments) error {
	chosen, err := c.chosen(a, 0)
	if err != nil {
		return err
	}
	for _, i := range chosen {
		i.say("%d connections to the bus broken", i.relay.drop())
	}
	return nil
}

// standardCredits are those of the Standard tier, in a second ("Throttling operations on Azure Service Bus").
const standardCredits = 1000

func (c *cloud) throttle(a arguments) error {
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

func (c *cloud) busy(a arguments) error {
	d, err := a.duration(0, 0)
	if err == nil {
		c.bus.ServerBusy(d)
	}
	return err
}

func (c *cloud) restartBus(arguments) error {
	if err := c.bus.Restart(); err != nil {
		return fmt.Errorf("restart the bus: %w", err)
	}
	c.screen.printf("%sstopped and started again", c.screen.busName())
	return nil
}

// look reads the figures of all instances, and what each has to say of itself.
func (c *cloud) look() (total, []string) {
	usage := c.bus.Broker().Usage()
	now := total{at: time.Now(), operations: usage.Sent + usage.Received + usage.Completed + usage.Settled + usage.Peeked + usage.Managed}
	states := make([]string, len(c.instances))
	for n, i := range c.instances {
		states[n] = i.report(&now)
	}
	return now, states
}

func (c *cloud) renewStatus() {
	now, _ := c.look()
	c.screen.setStatus(now.since(c.samples[0]))
	c.samples = [2]total{now, c.samples[0]}
}

// welcome tells the user that the chat is there.
func (c *cloud) welcome() {
	c.screen.printf("The chat is at %s: open it in two windows, and they chat across instances.", c.url())
	if c.config.launch {
		openBrowser(c.url(), c.screen)
	}
}

func (c *cloud) tellStatus() error {
	now, states := c.look()
	var b strings.Builder
	fmt.Fprintf(&b, "%s; %d connections and %d subscriptions to the bus, %d credits spent there\n",
		now.since(c.samples[1]), c.bus.Connections(), c.subscriptions(), c.bus.Broker().Usage().Credits)
	for n, state := range states {
		fmt.Fprintf(&b, "%s%s\n", c.screen.name(n+1), state)
	}
	c.screen.print(b.String())
	return nil
}

// subscriptions is how many the bus has: those of living instances, and of dead ones until they are evicted.
func (c *cloud) subscriptions() int {
	b, n := c.bus.Broker(), 0
	for _, t := range b.Topics() {
		if all, err := b.Subscriptions(t.Name); err == nil { // else deleted meanwhile
			n += len(all)
		}
	}
	return n
}

func (c *cloud) tellHelp() error {
	var b strings.Builder
	for _, one := range commands() {
		fmt.Fprintf(&b, "  %-19s %s\n", one.name+" "+one.uses, one.help)
	}
	c.screen.print(b.String())
	return nil
}

// url is the page's address for people.
func (c *cloud) url() string {
	host, port, err := net.SplitHostPort(c.address)
	if err != nil {
		return "http://" + c.address
	}
	if ip := net.ParseIP(host); ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// newCloud prepares a local cloud around a bus. It starts nothing.
func newCloud(config config, getenv func(string) string, bus *emulator.Server, screen *screen, front *front) (*cloud, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to start it as a worker: %w", err)
	}
	founded := make(chan struct{})
	return &cloud{
		founded: founded, found: sync.OnceFunc(func() { close(founded) }),
		config: config, getenv: getenv, environ: os.Environ(), executable: executable, bus: bus, screen: screen, front: front,
		probes: &http.Transport{},
	}, nil
}
