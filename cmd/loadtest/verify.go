package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"chatapp/internal/chatclient"
)

// verifyConfig is what the command line of verify asks for.
type verifyConfig struct {
	urls     []string
	clients  int
	senders  int
	messages int // of each sender
	rate     float64
	away     time.Duration
	patience time.Duration
	insecure bool
}

const verifyUsage = `usage: loadtest verify [flags] URL...

Several URLs are several instances of one chat, or several ways to it. Flags:
`

// parseVerify reads the command line of verify. Usage and errors go to output.
func parseVerify(args []string, output io.Writer) (verifyConfig, error) {
	var cfg verifyConfig
	flags := flag.NewFlagSet("loadtest verify", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.Usage = func() {
		fmt.Fprint(output, verifyUsage)
		flags.PrintDefaults()
	}
	flags.IntVar(&cfg.clients, "clients", 24, "users, by both protocols; at least two more than send")
	flags.IntVar(&cfg.senders, "speakers", 6, "users who send")
	flags.IntVar(&cfg.messages, "messages", 25, "messages of each user who sends")
	flags.Float64Var(&cfg.rate, "rate", 4, "messages a second of each; workers allow 5 unless configured otherwise")
	flags.DurationVar(&cfg.away, "away", time.Second, "time after which users reconnect whose connections are cut")
	flags.DurationVar(&cfg.patience, "patience", 30*time.Second, "longest time that any step may take")
	flags.BoolVar(&cfg.insecure, "insecure", false, "accept any certificate, such as that of a test deployment")
	if err := flags.Parse(args); err != nil {
		return cfg, err
	}
	cfg.urls = flags.Args()
	err := cfg.check()
	if err != nil {
		fmt.Fprintln(output, err)
	}
	return cfg, err
}

func (cfg *verifyConfig) check() error {
	var problems []error
	for _, raw := range cfg.urls {
		if _, err := chatclient.ParseTarget(raw, chatclient.Raw); err != nil {
			problems = append(problems, fmt.Errorf("URL: %w", err))
		}
	}
	for _, check := range []struct {
		bad    bool
		format string
		value  any
	}{
		{len(cfg.urls) == 0, "no URL%v", ""},
		{cfg.senders < 1, "-speakers %v: want at least 1", cfg.senders},
		{cfg.clients <= cfg.senders+1, "-clients %v: want at least two who do not send", cfg.clients},
		{cfg.messages < 1, "-messages %v: want at least 1", cfg.messages},
		{cfg.rate <= 0, "-rate %v: want more than 0", cfg.rate},
		{cfg.away < 0, "-away %v: want no less than 0", cfg.away},
		{cfg.patience <= 0, "-patience %v: want more than 0", cfg.patience},
	} {
		if check.bad {
			problems = append(problems, fmt.Errorf(check.format, check.value))
		}
	}
	return errors.Join(problems...)
}

// runVerify is the subcommand. It returns the exit status.
func runVerify(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, err := parseVerify(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	v := &verification{verifyConfig: cfg, out: stdout, run: fmt.Sprintf("%08x", rand.Uint32())}
	defer v.end()
	v.verify(ctx)
	return v.finish()
}
