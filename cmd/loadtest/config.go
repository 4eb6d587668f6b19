package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// config is what the command line asks for.
type config struct {
	mode     string
	doorName string
	door     door
	targets  []target

	clients    int
	senders    int
	connecting int
	named      bool // false: only senders ask for a nickname
	timeout    time.Duration
	insecure   bool

	rate       float64
	size       int
	duration   time.Duration
	warmup     time.Duration
	patience   time.Duration
	messages   int // 0: until duration is over
	window     int
	acks       bool
	totalOrder bool

	pids []int
	json bool
}

// modes is every mode with what runs it.
var modes = map[string]func(*session) error{
	"chat":    runChat,
	"max":     runChat,
	"idle":    runIdle,
	"connect": runConnect,
	"storm":   runStorm,
}

var doors = map[string]door{"socketio": socketIO{}, "ws": bare{}}

// parseConfig reads the command line and checks it whole. Usage and errors go to output; flag.ErrHelp means that
// usage was asked for.
func parseConfig(args []string, output io.Writer) (config, error) {
	var cfg config
	var unnamed bool
	var pids string
	flags := flag.NewFlagSet("loadtest", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.Usage = func() {
		fmt.Fprintf(output, "usage: loadtest [flags] URL...\n       loadtest verify [flags] URL...\n\nClients are spread over the URLs. Flags:\n")
		flags.PrintDefaults()
	}
	flags.StringVar(&cfg.mode, "mode", "chat", "`what` to do: chat, max, idle, connect or storm")
	flags.StringVar(&cfg.doorName, "door", "socketio", "`entrance` to use: socketio or ws")
	flags.IntVar(&cfg.clients, "clients", 100, "connections to open")
	flags.IntVar(&cfg.senders, "senders", 10, "clients that send; at most all")
	flags.IntVar(&cfg.connecting, "connecting", 50, "clients that connect at the same time")
	flags.BoolVar(&unnamed, "listeners-without-nick", false, "only clients that send ask for a nickname")
	flags.DurationVar(&cfg.timeout, "timeout", 20*time.Second, "longest time to connect and be accepted, and to close")
	flags.BoolVar(&cfg.insecure, "insecure", false, "believe any certificate, as of a test deployment")
	flags.Float64Var(&cfg.rate, "rate", 100, "chat: messages a second, all senders together")
	flags.IntVar(&cfg.size, "size", 64, fmt.Sprintf("bytes of a message's text, at least %d", stampSize))
	flags.DurationVar(&cfg.duration, "duration", 10*time.Second, "time measured, after the warm-up")
	flags.DurationVar(&cfg.warmup, "warmup", time.Second, "chat, max: time of sending before the measured time")
	flags.DurationVar(&cfg.patience, "patience", 3*time.Second, "chat, max: time without any delivery after which a missing one is lost")
	flags.IntVar(&cfg.messages, "messages", 0, "chat, max: messages to send, all senders together, if that takes less than -duration; 0: no limit")
	flags.IntVar(&cfg.window, "window", 64, "max: messages kept under way")
	flags.BoolVar(&cfg.acks, "ack", false, "ask for an acknowledgement of each message, and check it")
	flags.BoolVar(&cfg.totalOrder, "total-order", false, "check that all clients saw the same interleaving of all senders")
	flags.StringVar(&pids, "pid", "", "server processes on this machine whose CPU time and memory to report (`numbers`, by commas)")
	flags.BoolVar(&cfg.json, "json", false, "print one JSON object instead of text")
	if err := flags.Parse(args); err != nil {
		return config{}, err
	}
	cfg.named = !unnamed
	err := cfg.complete(flags.Args(), pids)
	if err != nil {
		fmt.Fprintln(output, err)
	}
	return cfg, err
}

// complete resolves the words of the command line and checks the numbers; every mistake is reported at once.
func (cfg *config) complete(urls []string, pids string) error {
	var problems []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	refuse(modes[cfg.mode] == nil, "-mode %q: want chat, max, idle, connect or storm", cfg.mode)
	cfg.door = doors[cfg.doorName]
	refuse(cfg.door == nil, "-door %q: want socketio or ws", cfg.doorName)
	refuse(len(urls) == 0, "no URL")
	for _, raw := range urls {
		if cfg.door == nil {
			break
		}
		t, err := parseTarget(raw, cfg.door)
		t.insecure = cfg.insecure
		refuse(err != nil, "URL: %w", err)
		cfg.targets = append(cfg.targets, t)
	}
	cfg.senders = min(cfg.senders, cfg.clients)
	chatting := cfg.mode == "chat" || cfg.mode == "max"
	refuse(cfg.clients < 1, "-clients %d: want at least 1", cfg.clients)
	refuse(chatting && cfg.clients < 2, "-clients %d: want at least 2, as nobody gets his own messages", cfg.clients)
	refuse(cfg.senders < 1, "-senders %d: want at least 1", cfg.senders)
	refuse(cfg.senders > maxSenders, "-senders %d: want at most %d", cfg.senders, maxSenders)
	refuse(cfg.totalOrder && cfg.senders >= cfg.clients, "-total-order: want a client that does not send, to compare the others with")
	refuse(cfg.connecting < 1, "-connecting %d: want at least 1", cfg.connecting)
	refuse(cfg.timeout <= 0, "-timeout %v: want more than nothing", cfg.timeout)
	refuse(cfg.rate < 0, "-rate %v: want no less than 0", cfg.rate)
	refuse(cfg.size < stampSize || cfg.size > maxFramePayload/2, "-size %d: want %d to %d", cfg.size, stampSize, maxFramePayload/2)
	refuse(cfg.duration <= 0, "-duration %v: want more than nothing", cfg.duration)
	refuse(cfg.warmup < 0, "-warmup %v: want no less than 0", cfg.warmup)
	refuse(cfg.patience <= 0, "-patience %v: want more than nothing", cfg.patience)
	refuse(cfg.messages < 0, "-messages %d: want no less than 0", cfg.messages)
	refuse(cfg.window < 1, "-window %d: want at least 1", cfg.window)
	for _, word := range strings.FieldsFunc(pids, func(r rune) bool { return r == ',' }) {
		pid, err := strconv.Atoi(word)
		refuse(err != nil, "-pid %q: want a process number", word)
		cfg.pids = append(cfg.pids, pid)
	}
	return errors.Join(problems...)
}
