package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"chatapp/internal/chatclient"
)

// config is what the command line asks for.
type config struct {
	mode     string
	protocol chatclient.Protocol
	targets  []chatclient.Target

	clients    int
	senders    int
	connecting int
	named      bool // false: only senders request a nickname
	timeout    time.Duration
	insecure   bool

	traffic traffic
	pids    []int
	json    bool
}

// traffic is what senders send, for how long, and what is checked of it.
type traffic struct {
	rate       float64
	size       int
	duration   time.Duration
	warmup     time.Duration
	patience   time.Duration
	messages   int // 0: until duration is over
	window     int
	acks       bool
	totalOrder bool
}

// modes is every mode with what runs it.
var modes = map[string]func(*runner) error{
	"chat":    runChat,
	"max":     runChat,
	"idle":    runIdle,
	"connect": runConnect,
	"storm":   runStorm,
}

var protocols = map[string]chatclient.Protocol{
	chatclient.SocketIO.String(): chatclient.SocketIO,
	chatclient.Raw.String():      chatclient.Raw,
}

const usageText = `usage: loadtest [flags] URL...
       loadtest verify [flags] URL...

Clients are spread over the URLs. Flags:
`

// parseConfig reads the command line and checks it whole. Usage and errors go to output;
// flag.ErrHelp means that usage was asked for.
func parseConfig(args []string, output io.Writer) (config, error) {
	var cfg config
	var unnamed bool
	var protocol, pids string
	flags := flag.NewFlagSet("loadtest", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.Usage = func() {
		fmt.Fprint(output, usageText)
		flags.PrintDefaults()
	}
	flags.StringVar(&cfg.mode, "mode", "chat", "`what` to do: chat, max, idle, connect or storm")
	flags.StringVar(&protocol, "door", "socketio", "`protocol` to speak: socketio, or ws for the raw WebSocket")
	flags.IntVar(&cfg.clients, "clients", 100, "connections to open")
	flags.IntVar(&cfg.senders, "senders", 10, "clients that send; at most all")
	flags.IntVar(&cfg.connecting, "connecting", 50, "clients that connect at the same time")
	flags.BoolVar(&unnamed, "listeners-without-nick", false, "only clients that send request a nickname")
	flags.DurationVar(&cfg.timeout, "timeout", 20*time.Second, "longest time to connect and be accepted, and to close")
	flags.BoolVar(&cfg.insecure, "insecure", false, "accept any certificate, such as that of a test deployment")
	flags.Float64Var(&cfg.traffic.rate, "rate", 100, "chat: messages a second, of all senders together")
	flags.IntVar(&cfg.traffic.size, "size", 64, fmt.Sprintf("bytes of a message's text, at least %d", stampSize))
	flags.DurationVar(&cfg.traffic.duration, "duration", 10*time.Second, "time measured, after the warm-up")
	flags.DurationVar(&cfg.traffic.warmup, "warmup", time.Second, "chat, max: time of sending before the time measured")
	flags.DurationVar(&cfg.traffic.patience, "patience", 3*time.Second,
		"chat, max: time without any delivery after which a missing message is lost")
	flags.IntVar(&cfg.traffic.messages, "messages", 0,
		"chat, max: messages to send, of all senders together, if that takes less than -duration; 0: no limit")
	flags.IntVar(&cfg.traffic.window, "window", 64, "max: messages kept under way")
	flags.BoolVar(&cfg.traffic.acks, "ack", false, "request an acknowledgement of each message, and check it")
	flags.BoolVar(&cfg.traffic.totalOrder, "total-order", false,
		"check that all clients received the same interleaving of all senders")
	flags.StringVar(&pids, "pid", "",
		"server processes on this machine whose CPU time and memory to report (`numbers`, separated by commas)")
	flags.BoolVar(&cfg.json, "json", false, "print one JSON object instead of text")
	if err := flags.Parse(args); err != nil {
		return config{}, err
	}
	cfg.named = !unnamed
	err := cfg.complete(flags.Args(), protocol, pids)
	if err != nil {
		fmt.Fprintln(output, err)
	}
	return cfg, err
}

// complete resolves the words of the command line and checks the numbers. Its error names every
// mistake.
func (cfg *config) complete(urls []string, protocol, pids string) error {
	var problems []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	refuse(modes[cfg.mode] == nil, "-mode %q: want chat, max, idle, connect or storm", cfg.mode)
	var known bool
	cfg.protocol, known = protocols[protocol]
	refuse(!known, "-door %q: want socketio or ws", protocol)
	refuse(len(urls) == 0, "no URL")
	for _, raw := range urls {
		t, err := chatclient.ParseTarget(raw, cfg.protocol)
		t.Insecure = cfg.insecure
		refuse(err != nil, "URL: %w", err)
		cfg.targets = append(cfg.targets, t)
	}
	cfg.senders = min(cfg.senders, cfg.clients)
	chatting := cfg.mode == "chat" || cfg.mode == "max"
	refuse(cfg.clients < 1, "-clients %d: want at least 1", cfg.clients)
	refuse(chatting && cfg.clients < 2,
		"-clients %d: want at least 2, because no client receives its own messages", cfg.clients)
	refuse(cfg.senders < 1, "-senders %d: want at least 1", cfg.senders)
	refuse(cfg.senders > maxSenders, "-senders %d: want at most %d", cfg.senders, maxSenders)
	refuse(cfg.traffic.totalOrder && cfg.senders >= cfg.clients,
		"-total-order: want a client that does not send, to compare the others with")
	refuse(cfg.connecting < 1, "-connecting %d: want at least 1", cfg.connecting)
	refuse(cfg.timeout <= 0, "-timeout %v: want more than 0", cfg.timeout)
	cfg.traffic.check(refuse)
	for _, word := range strings.FieldsFunc(pids, func(r rune) bool { return r == ',' }) {
		pid, err := strconv.Atoi(word)
		refuse(err != nil, "-pid %q: want a process number", word)
		cfg.pids = append(cfg.pids, pid)
	}
	return errors.Join(problems...)
}

func (t *traffic) check(refuse func(bad bool, format string, args ...any)) {
	refuse(t.rate < 0, "-rate %v: want no less than 0", t.rate)
	const maxSize = chatclient.MaxPayload / 2
	refuse(t.size < stampSize || t.size > maxSize, "-size %d: want %d to %d", t.size, stampSize, maxSize)
	refuse(t.duration <= 0, "-duration %v: want more than 0", t.duration)
	refuse(t.warmup < 0, "-warmup %v: want no less than 0", t.warmup)
	refuse(t.patience <= 0, "-patience %v: want more than 0", t.patience)
	refuse(t.messages < 0, "-messages %d: want no less than 0", t.messages)
	refuse(t.window < 1, "-window %d: want at least 1", t.window)
}
