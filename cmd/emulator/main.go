// Command emulator runs an Azure Service Bus namespace on this machine: no container, no database,
// ready in milliseconds. Connection string, ports and Config.json are those of Microsoft's
// emulator.
//
// With -instances it runs a local cluster: that namespace, workers as child processes, which are
// this same program started again, and one proxy in front of them. Commands kill, pause, partition
// and scale the workers.
//
// # Concurrency
//
//	goroutine                    started by    ends when; who waits
//	wait for a signal            run           run returns
//	wait for the second signal   closeOnDeath  the returned function is called, which waits
//	input reader                 runCluster    the input ends, or the process
//	proxy, and one per request   runCluster    proxy.close, which waits
//	instance, one each           cluster.run   its last process has ended; runCluster
//	watch, one per process       instance      the process has ended; instance
//	relay, and two per           newRelay      relay.close, which waits
//	  connection to the bus
//	wait for the browser         openBrowser   the opener has ended; nothing waits
//	wait for the parent's end    runChild      the process ends
//
// The emulator's goroutines end with the emulator. Lock order, outermost first: instance.mu, then
// the mutexes of relay, proxy and console, none of which is held while another is taken.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"chatapp/internal/emulator"
	"chatapp/internal/emulator/broker"
	"chatapp/internal/stopsignal"
)

// The exit statuses, beside 0.
const (
	exitFailure = 1 // a port is taken, a file cannot be read
	exitUsage   = 2 // bad flags, environment or Config.json
)

// shutdownTimeout is how long AMQP clients may take to close their connections.
const shutdownTimeout = 2 * time.Second

func main() {
	stopsignal.IgnoreBrokenPipe()
	if os.Getenv(childVariable) != "" {
		os.Exit(runChild(os.Getenv, os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}

// run is main with its surroundings as arguments. It returns the exit status.
func run(args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	config, err := parseConfig(args, getenv, stderr)
	if errors.Is(err, errHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), stopsignal.All()...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if config.instances > 0 {
		err = runLocalCluster(ctx, config, getenv, stdin, stdout)
	} else {
		err = runAlone(ctx, config, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, explain(err))
		return exitFailure
	}
	fmt.Fprintln(stdout, "stopped")
	return 0
}

// runAlone runs the emulator and nothing else until ctx ends.
func runAlone(ctx context.Context, config config, stdout, stderr io.Writer) error {
	began := time.Now()
	server, err := startBus(config, stderr)
	if err != nil {
		return err
	}
	announce(stdout, server, config, time.Since(began))
	<-ctx.Done()
	if !shutDown(server) {
		fmt.Fprintln(stderr, "some clients did not close their connections in time")
	}
	return nil
}

// runLocalCluster runs the local cluster until ctx ends or the command quit.
func runLocalCluster(
	ctx context.Context, config config, getenv func(string) string, stdin io.Reader, stdout io.Writer,
) error {
	listener, err := net.Listen("tcp", config.proxy)
	if err != nil {
		return fmt.Errorf("-front: %w", err)
	}
	defer listener.Close() // the proxy has closed it, unless it never served
	console := newConsole(stdout, getenv)
	defer console.close()
	defer closeOnDeath(console)()
	busLog := console.lines(console.busName())
	defer busLog.finish()
	server, err := startBus(config, busLog)
	if err != nil {
		return err
	}
	defer server.Close() // shutDown has ended it, unless an error came first
	log := slog.New(slog.NewTextHandler(busLog, &slog.HandlerOptions{Level: config.logLevel}))
	c, err := newCluster(config, getenv, server, console, newProxy(log))
	if err != nil {
		return err
	}
	readInBackground()
	c.address = listener.Addr().String()
	console.printf("Local cluster: %d instances behind %s, joined by a Service Bus emulator", config.instances, c.url())
	console.printf("  bus  %s", server.ConnectionString())
	console.printf("Type help for commands; stop with Ctrl-C.\n")
	if err := runCluster(ctx, c, listener, stdin); err != nil {
		return err
	}
	for _, line := range orphans(entities(server.Broker())) {
		console.printf("orphaned subscription of a killed instance: %s", line)
	}
	shutDown(server)
	return nil
}

// startBus starts the emulator as the flags describe.
func startBus(config config, stderr io.Writer) (*emulator.Server, error) {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: config.logLevel}))
	if config.entities != nil {
		for _, member := range config.entities.Ignored {
			log.Warn("a member of the configuration is not known and ignored", "member", member)
		}
	}
	server, err := emulator.Start(config.options(log))
	if err != nil {
		return nil, err
	}
	if config.caFile != "" {
		// #nosec G306 -- it is a certificate, for clients of other users as well
		if err := os.WriteFile(config.caFile, server.CA(), 0o644); err != nil {
			server.Close()
			return nil, err
		}
	}
	return server, nil
}

// shutDown ends the emulator. It returns false if some clients did not close their connections in
// time.
func shutDown(server *emulator.Server) bool {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	return server.Shutdown(ctx) == nil
}

// explain adds a hint to an error of the start, in one line.
func explain(err error) string {
	if errors.Is(err, errAddressInUse) {
		return fmt.Sprintf("%v: another process listens there; stop it, "+
			"or choose another address with -amqp, -http, -tls or -front", err)
	}
	return err.Error()
}

// readyLine is what Microsoft's emulator prints when it is ready. Tools that start an emulator wait for it.
const readyLine = "Emulator Service is Successfully Up!"

// announce prints how to connect.
func announce(w io.Writer, s *emulator.Server, c config, took time.Duration) {
	fmt.Fprintf(w, "Service Bus emulator, namespace %s (%s), ready after %s\n\n",
		s.Broker().Namespace(), s.Broker().Tier(), took.Round(100*time.Microsecond))
	fmt.Fprintf(w, "  AMQP        %s  (also AMQP over WebSocket)\n", s.AMQPAddress())
	fmt.Fprintf(w, "  management  http://%s  (also a page, /health, /$emulator, /reset)\n", s.HTTPAddress())
	if s.TLSAddress() != "" {
		fmt.Fprintf(w, "  TLS         %s  (AMQP, WebSocket and management on one port)\n", s.TLSAddress())
	}
	fmt.Fprintf(w, "\nConnection strings\n\n  send, receive  %s\n  management     %s\n",
		s.ConnectionString(), s.AdminConnectionString())
	if s.TLSAddress() != "" {
		fmt.Fprintf(w, "  TLS, anything  %s\n", s.TLSConnectionString())
		if c.caFile != "" {
			fmt.Fprintf(w, "                 (clients must trust %s: SSL_CERT_FILE, NODE_EXTRA_CA_CERTS)\n", c.caFile)
		}
	}
	fmt.Fprintln(w)
	for _, line := range entities(s.Broker()) {
		fmt.Fprintln(w, "  "+line)
	}
	fmt.Fprintln(w, readyLine)
	fmt.Fprintln(w, "Stop with Ctrl-C.")
}

// orphans returns the lines of the subscriptions that ended instances have left. The archive is no instance's.
func orphans(entities []string) []string {
	return slices.DeleteFunc(entities, func(line string) bool {
		return !strings.HasPrefix(line, "subscription") || strings.HasSuffix(line, "/Subscriptions/archive")
	})
}

// entities lists the entities of a namespace, one line each.
func entities(b *broker.Broker) []string {
	var lines []string
	for _, q := range b.Queues() {
		lines = append(lines, "queue         "+q.Name)
	}
	for _, t := range b.Topics() {
		lines = append(lines, "topic         "+t.Name)
		subscriptions, err := b.Subscriptions(t.Name)
		if err != nil { // the topic has just been deleted
			continue
		}
		for _, s := range subscriptions {
			lines = append(lines, "subscription  "+t.Name+"/Subscriptions/"+s.Name)
		}
	}
	if len(lines) == 0 {
		return []string{"No entities yet: create them with the management API, or start with -config.", ""}
	}
	return append(lines, "")
}
