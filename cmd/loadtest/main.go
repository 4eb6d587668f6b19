// Loadtest puts load on a chat server and checks that it keeps its promises: every message reaches
// every client but its sender, once, undamaged, and in the order in which its sender sent it. It
// speaks both protocols of chatapp, and works with any other Socket.IO server that has the
// vocabulary of the Socket.IO chat example.
//
//	go run ./cmd/loadtest -clients 1000 -rate 20 http://localhost:3000
//	go run ./cmd/loadtest -door ws -total-order -json http://localhost:3001 http://localhost:3002
//
// Several URLs are several instances of one chat: the clients are spread over them, and messages
// must cross.
//
// The modes:
//
//	chat     send -rate messages a second for -duration; verify, and report deliveries and their latency
//	max      keep -window messages under way: as many deliveries as the server can make without loss
//	idle     hold the connections, answer heartbeats: with -pid, memory and CPU time of an idle connection
//	connect  connect, request a nickname and close, -connecting at a time, over and over
//	storm    connect all clients at once
//
// The subcommand verify checks a whole deployment rather than to load it:
//
//	go run ./cmd/loadtest verify https://chat.example.com
//	go run ./cmd/loadtest verify http://localhost:3001 http://localhost:3002
//
// Users of both protocols chat at the rate that workers allow. Some lose their connections and must
// receive, at another address, all they missed. The subcommand checks loss, duplicates, the one
// order of all messages, presence, and recovery.
//
// A worker limits the messages of each user and, if told to, the sessions of each address: run the
// one under test with MESSAGE_RATE=0. With -pid and the process number of a server on the same
// machine, which must be Linux, the report has what each delivery, heartbeat and connect costs the
// server. For figures worth comparing give server and load program a processor each (taskset -c 0,
// GOMAXPROCS=1) and compare with cmd/loadtest/floor in the same minute.
//
// A message is timed from just before it is written; one that is written more than 10 ms after it
// was due, from when it was due. All clocks are this process's. Percentiles are exact to 1.6 %.
//
// The exit status is 0 if all went well, 1 if anything was lost, duplicated, reordered, refused or
// cut off, and 2 for a mistake on the command line.
//
// # Concurrency
//
//	goroutine         started by              ends when
//	client            clients.launch          its connection ends; run waits for it
//	pacing            runner.send             all is sent, or the measured time is over
//	progress line     startProgress           progress.finish
//	sender (verify)   verification.send       its messages are acknowledged, each on a goroutine of its own
//
// A client's goroutine dials, reads, verifies and answers heartbeats; it holds no buffer while it
// waits. Clients share a few shards: a shard's lock guards its read buffer, its counters and what
// its clients have received. The pacing goroutine writes the messages of all senders. All
// goroutines end before run returns.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr, isTerminal(os.Stderr))
	stop()
	os.Exit(status)
}

// run is the program: it prints the report to stdout and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, live bool) int {
	if len(args) > 0 && args[0] == "verify" {
		return runVerify(ctx, args[1:], stdout, stderr)
	}
	cfg, err := parseConfig(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	r := &runner{
		ctx: ctx, cfg: cfg, clients: newClients(cfg), live: new(progress),
		report: &report{Mode: cfg.mode, Protocol: cfg.protocol.String(), Clients: cfg.clients, Problems: []string{}},
	}
	if live && !cfg.json {
		r.live = startProgress(stderr)
	}
	err = modes[cfg.mode](r)
	r.live.finish()
	if err != nil {
		r.problem("%v", err)
	}
	r.report.OK = len(r.report.Problems) == 0
	if cfg.json {
		err = r.report.writeJSON(stdout)
	} else {
		r.report.writeText(stdout)
	}
	if err != nil || !r.report.OK {
		return 1
	}
	return 0
}

// isTerminal reports whether f is a terminal, where a line can be written over.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
