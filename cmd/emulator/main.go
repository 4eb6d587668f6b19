// Command emulator runs an Azure Service Bus namespace on this machine: no container, no database, ready in
// milliseconds. Connection string, ports and Config.json are those of Microsoft's emulator.
//
// It starts one goroutine, which waits for the signal to stop; those of the server end with it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"chatapp/internal/emulator"
	"chatapp/internal/emulator/broker"
)

// The exit statuses, beside 0.
const (
	exitFailure = 1 // a port is taken, a file cannot be read
	exitUsage   = 2 // bad flags, environment or Config.json
)

// goodbyeTimeout is how long clients get to answer the goodbye.
const goodbyeTimeout = 2 * time.Second

func main() {
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is main with its surroundings as arguments. It returns the exit status.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	config, err := parseConfig(args, getenv, stderr)
	if errors.Is(err, errHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: config.logLevel}))
	if config.entities != nil {
		for _, member := range config.entities.Ignored {
			log.Warn("a member of the configuration is not known and ignored", "member", member)
		}
	}
	server, err := emulator.Start(config.options(log))
	if err != nil {
		fmt.Fprintln(stderr, explain(err))
		return exitFailure
	}
	if config.caFile != "" {
		if err := os.WriteFile(config.caFile, server.CA(), 0o644); err != nil {
			server.Close()
			fmt.Fprintln(stderr, err)
			return exitFailure
		}
	}
	announce(stdout, server, config, time.Since(began))
	<-ctx.Done()
	stop() // a second Ctrl-C ends the program at once
	goodbye, cancel := context.WithTimeout(context.Background(), goodbyeTimeout)
	defer cancel()
	if err := server.Shutdown(goodbye); err != nil {
		fmt.Fprintln(stderr, "some clients had to be cut off")
	}
	fmt.Fprintln(stdout, "stopped")
	return 0
}

// explain says in one line what to do about a start that failed.
func explain(err error) string {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Sprintf("%v: something else listens there; stop it, or choose another address with -amqp, -http or -tls", err)
	}
	return err.Error()
}

// announce prints what a user needs to connect.
func announce(w io.Writer, s *emulator.Server, c config, took time.Duration) {
	fmt.Fprintf(w, "Service Bus emulator, namespace %s (%s), ready after %s\n\n", s.Broker().Namespace(), s.Broker().Tier(), took.Round(100*time.Microsecond))
	fmt.Fprintf(w, "  AMQP        %s  (also AMQP over WebSocket)\n", s.AMQPAddress())
	fmt.Fprintf(w, "  management  http://%s  (also /health, /$emulator)\n", s.HTTPAddress())
	if s.TLSAddress() != "" {
		fmt.Fprintf(w, "  TLS         %s  (AMQP, WebSocket and management on one port)\n", s.TLSAddress())
	}
	fmt.Fprintf(w, "\nConnection strings\n\n  send, receive  %s\n  management     %s\n", s.ConnectionString(), s.AdminConnectionString())
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
	fmt.Fprintln(w, "Stop with Ctrl-C.")
}

// entities lists what a namespace holds, one line each.
func entities(b *broker.Broker) []string {
	var lines []string
	for _, q := range b.Queues() {
		lines = append(lines, "queue         "+q.Name)
	}
	for _, t := range b.Topics() {
		lines = append(lines, "topic         "+t.Name)
		subscriptions, err := b.Subscriptions(t.Name)
		if err != nil { // deleted meanwhile
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
