package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"

	"chatapp/internal/emulator"
	"chatapp/internal/emulator/broker"
)

// config is what flags and environment say.
type config struct {
	amqp, http string
	tls        []string
	caFile     string
	hosts      []string
	entities   *broker.Config // nil without a Config.json
	tier       broker.Tier
	keys       []broker.AuthorizationRule
	throttle   int
	logLevel   slog.Level

	// of the local cloud
	instances int // 0: the emulator alone
	front     string
	launch    bool
	schedule  []scheduled
}

// errHelp says that help was asked for and printed.
var errHelp = errors.New("help")

const usage = `Usage: emulator [flags]

Runs an Azure Service Bus namespace on this machine. Addresses are host:port; a host left out means every
interface, and whoever reaches the port may use the namespace: the key is no secret.

With -instances it runs the chat as well: so many workers, processes of their own, joined by that namespace and
reached through one address, -front. Standard input then takes commands, of which help is one. The workers get this
program's environment.

Environment: CONFIG_PATH is the default of -config, EMULATOR_HTTP_PORT that of the port in -http, PORT that of the
port in -front.

Flags:
`

// parseConfig reads flags and environment. Its error has one line per bad value.
func parseConfig(args []string, getenv func(string) string, output io.Writer) (config, error) {
	var c config
	var tls, configPath, hosts, logLevel string
	var premium bool
	httpPort := getenv("EMULATOR_HTTP_PORT")
	if httpPort == "" {
		httpPort = strconv.Itoa(emulator.DefaultHTTPPort)
	}
	frontPort := getenv("PORT")
	if frontPort == "" {
		frontPort = defaultFrontPort
	}
	flags := flag.NewFlagSet("emulator", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.Usage = func() {
		fmt.Fprint(output, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&c.amqp, "amqp", net.JoinHostPort("127.0.0.1", strconv.Itoa(emulator.DefaultAMQPPort)), "where to serve AMQP")
	flags.StringVar(&c.http, "http", net.JoinHostPort("127.0.0.1", httpPort), "where to serve management, /health and the fault switches")
	flags.StringVar(&tls, "tls", "", "addresses, comma-separated, where to serve everything with TLS; empty for nowhere")
	flags.StringVar(&c.caFile, "ca", "", "with -tls, file to write the certificate authority to, in PEM form")
	flags.StringVar(&hosts, "hosts", "", "with -tls, further names or addresses for the certificate, comma-separated")
	flags.StringVar(&configPath, "config", getenv("CONFIG_PATH"), "Config.json with the entities to create")
	flags.BoolVar(&premium, "premium", false, "play the Premium tier: messages up to 100 MB")
	flags.IntVar(&c.throttle, "throttle", 0, "credits a second for the namespace, 1000 as in the Standard tier; 0 for no limit")
	flags.StringVar(&logLevel, "log", "warn", "least level logged to standard error: debug, info, warn or error")
	flags.Func("key", "further key, as name=key=Claim,Claim with claims Manage, Send and Listen; may be repeated", func(s string) error {
		key, err := parseKey(s)
		c.keys = append(c.keys, key)
		return err
	})
	flags.IntVar(&c.instances, "instances", 0, "workers to run; 0 for the namespace alone")
	flags.StringVar(&c.front, "front", net.JoinHostPort("127.0.0.1", frontPort), "with -instances, the one address of all workers")
	flags.BoolVar(&c.launch, "launch", false, "with -instances, open the chat in the browser")
	flags.Func("at", "with -instances, command to perform some time after the start, as 10s=kill:2; may be repeated", func(s string) error {
		one, err := parseScheduled(s)
		c.schedule = append(c.schedule, one)
		return err
	})
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return config{}, errHelp
	case err != nil:
		return config{}, fmt.Errorf("emulator -h tells what is allowed") // the flag package has printed what was wrong
	}
	var bad []error
	if flags.NArg() > 0 {
		bad = append(bad, fmt.Errorf("emulator takes no arguments, got %q", flags.Args()))
	}
	if n, err := strconv.Atoi(httpPort); err != nil || n < 0 || n > 65535 {
		bad = append(bad, fmt.Errorf("EMULATOR_HTTP_PORT: %q is no port number", httpPort))
	}
	c.tls, c.hosts = fieldsOf(tls), fieldsOf(hosts)
	for _, address := range append([]string{c.amqp, c.http}, c.tls...) {
		if _, _, err := net.SplitHostPort(address); err != nil {
			bad = append(bad, fmt.Errorf("-amqp, -http, -tls: %w", err))
		}
	}
	if len(c.tls) == 0 && (c.caFile != "" || hosts != "") {
		bad = append(bad, errors.New("-ca and -hosts need -tls"))
	}
	bad = append(bad, c.checkCloud(frontPort)...)
	if c.throttle < 0 {
		bad = append(bad, fmt.Errorf("-throttle: %d is negative", c.throttle))
	}
	if err := c.logLevel.UnmarshalText([]byte(logLevel)); err != nil {
		bad = append(bad, fmt.Errorf("-log: %q is no level", logLevel))
	}
	if premium {
		c.tier = broker.Premium
	}
	if configPath != "" {
		entities, err := readEntities(configPath)
		if err != nil {
			bad = append(bad, err)
		}
		c.entities = entities
	}
	return c, errors.Join(bad...)
}

// defaultFrontPort is cmd/worker's.
const defaultFrontPort = "3000"

// checkCloud tells what is wrong with the flags of the local cloud.
func (c config) checkCloud(frontPort string) []error {
	var bad []error
	if c.instances < 0 || c.instances > maxInstances {
		bad = append(bad, fmt.Errorf("-instances: %d is not from 0 to %d", c.instances, maxInstances))
	}
	if c.instances == 0 && (c.launch || len(c.schedule) > 0) {
		bad = append(bad, errors.New("-launch and -at need -instances"))
	}
	if c.instances == 0 {
		return bad // PORT is nothing to the emulator alone
	}
	if n, err := strconv.Atoi(frontPort); err != nil || n < 0 || n > 65535 {
		bad = append(bad, fmt.Errorf("PORT: %q is no port number", frontPort))
	}
	if _, _, err := net.SplitHostPort(c.front); err != nil {
		bad = append(bad, fmt.Errorf("-front: %w", err))
	}
	return bad
}

func fieldsOf(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func readEntities(path string) (*broker.Config, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	entities, err := broker.ReadConfig(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return entities, nil
}

// parseKey reads the value of -key.
func parseKey(s string) (broker.AuthorizationRule, error) {
	name, rest, _ := strings.Cut(s, "=")
	at := strings.LastIndex(rest, "=")
	if name == "" || at <= 0 {
		return broker.AuthorizationRule{}, errors.New("want name=key=Claim,Claim")
	}
	rule := broker.AuthorizationRule{KeyName: name, PrimaryKey: rest[:at]}
	for claim := range strings.SplitSeq(rest[at+1:], ",") {
		switch strings.TrimSpace(claim) {
		case "Manage":
			rule.Claims |= broker.Manage
		case "Send":
			rule.Claims |= broker.Send
		case "Listen":
			rule.Claims |= broker.Listen
		default:
			return rule, fmt.Errorf("claim %q is none of Manage, Send and Listen", claim)
		}
	}
	return rule, nil
}

// options are what the server is started with.
func (c config) options(log *slog.Logger) emulator.Options {
	o := emulator.Options{
		AMQPAddress: c.amqp, HTTPAddress: c.http, TLSAddresses: c.tls, Hosts: c.hosts, Log: log,
		Broker: broker.Options{Tier: c.tier, Keys: append([]broker.AuthorizationRule{emulator.RootKey}, c.keys...)},
	}
	if c.entities != nil {
		o.Broker.Namespace = c.entities.Namespace
	}
	o.Populate = func(b *broker.Broker) error {
		b.Throttle(c.throttle)
		if c.entities == nil {
			return nil
		}
		return c.entities.Apply(b)
	}
	return o
}
