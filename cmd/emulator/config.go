package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"chatapp/internal/emulator"
	"chatapp/internal/emulator/broker"
)

// config holds the values of flags and environment.
type config struct {
	amqp, http string
	tls        []string
	caFile     string
	hosts      []string
	origins    []string
	entities   *broker.Config // nil without a Config.json
	tier       broker.Tier
	keys       []broker.AuthorizationRule
	throttle   int
	data       string // folder; empty: memory alone
	dataSync   bool
	logLevel   slog.Level

	// of the local cluster
	instances int // 0: the emulator alone
	proxy     string
	launch    bool
	schedule  []scheduled
}

// errHelp reports that -h was given and the help is printed.
var errHelp = errors.New("help")

const usage = `Usage: emulator [flags]

Runs an Azure Service Bus namespace on this machine. Addresses are host:port; a host left out means every
interface. Everybody who reaches the port may use the namespace: the key is no secret.

With -instances it also runs the chat: that many workers, each a process, joined by that namespace and reached
through one proxy at -front. Standard input then takes commands; help lists them. The workers inherit this
program's environment.

Environment: CONFIG_PATH is the default of -config, EMULATOR_HTTP_PORT that of the port in -http, EMULATOR_HOSTS that
of -hosts, EMULATOR_ORIGINS that of -origins, PORT that of the port in -front.

Flags:
`

// parseConfig reads flags and environment. Its error has one line for each bad value.
func parseConfig(args []string, getenv func(string) string, output io.Writer) (config, error) {
	var c config
	var tls, configPath, hosts, origins, logLevel string
	var premium bool
	httpPort := getenv("EMULATOR_HTTP_PORT")
	if httpPort == "" {
		httpPort = strconv.Itoa(emulator.DefaultHTTPPort)
	}
	proxyPort := getenv("PORT")
	if proxyPort == "" {
		proxyPort = defaultProxyPort
	}
	flags := flag.NewFlagSet("emulator", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.Usage = func() {
		fmt.Fprint(output, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&c.amqp, "amqp", net.JoinHostPort("127.0.0.1", strconv.Itoa(emulator.DefaultAMQPPort)),
		"address of AMQP")
	flags.StringVar(&c.http, "http", net.JoinHostPort("127.0.0.1", httpPort),
		"address of management, /health and the fault switches")
	flags.StringVar(&tls, "tls", "", "addresses of everything with TLS, comma-separated; empty for none")
	flags.StringVar(&c.caFile, "ca", "", "with -tls, file to write the certificate authority to, in PEM form")
	flags.StringVar(&hosts, "hosts", getenv("EMULATOR_HOSTS"),
		"names beside localhost by which HTTP and WebSocket clients may ask, also for the certificate, comma-separated")
	flags.StringVar(&origins, "origins", getenv("EMULATOR_ORIGINS"),
		"origins of web pages that may send requests, as https://app.example, comma-separated")
	flags.StringVar(&configPath, "config", defaultConfigPath(getenv), "Config.json with the entities to create")
	flags.StringVar(&c.data, "data", "",
		"folder that keeps entities and messages, and with -instances the chat; empty for memory alone")
	flags.BoolVar(&c.dataSync, "data-sync", false,
		"with -data, wait for the disk before each answer: it then survives a crash of the machine as well")
	flags.BoolVar(&premium, "premium", false, "emulate the Premium tier: messages up to 100 MB")
	flags.IntVar(&c.throttle, "throttle", 0,
		"credits a second for the namespace, 1000 as in the Standard tier; 0 for no limit")
	flags.StringVar(&logLevel, "log", "warn", "least level logged to standard error: debug, info, warn or error")
	const keyHelp = "further key, as name=key=Claim,Claim with claims Manage, Send and Listen; may be repeated"
	flags.Func("key", keyHelp, func(s string) error {
		key, err := parseKey(s)
		c.keys = append(c.keys, key)
		return err
	})
	flags.IntVar(&c.instances, "instances", 0, "workers to run; 0 for the namespace alone")
	flags.StringVar(&c.proxy, "front", net.JoinHostPort("127.0.0.1", proxyPort),
		"with -instances, address of the proxy to all workers")
	flags.BoolVar(&c.launch, "launch", false, "with -instances, open the chat in the browser")
	const atHelp = "with -instances, command to perform some time after the start, as 10s=kill:2; may be repeated"
	flags.Func("at", atHelp, func(s string) error {
		one, err := parseScheduled(s)
		c.schedule = append(c.schedule, one)
		return err
	})
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return config{}, errHelp
	case err != nil:
		return config{}, fmt.Errorf("see emulator -h") // the flag package has printed what was wrong
	}
	var bad []error
	if flags.NArg() > 0 {
		bad = append(bad, fmt.Errorf("emulator takes no arguments, got %q", flags.Args()))
	}
	if n, err := strconv.Atoi(httpPort); err != nil || n < 0 || n > 65535 {
		bad = append(bad, fmt.Errorf("EMULATOR_HTTP_PORT: %q is no port number", httpPort))
	}
	c.tls, c.hosts, c.origins = fieldsOf(tls), fieldsOf(hosts), fieldsOf(origins)
	for _, address := range append([]string{c.amqp, c.http}, c.tls...) {
		if _, _, err := net.SplitHostPort(address); err != nil {
			bad = append(bad, fmt.Errorf("-amqp, -http, -tls: %w", err))
		}
	}
	if len(c.tls) == 0 && c.caFile != "" {
		bad = append(bad, errors.New("-ca needs -tls"))
	}
	if c.dataSync && c.data == "" {
		bad = append(bad, errors.New("-data-sync needs -data"))
	}
	bad = append(bad, c.checkClusterFlags(proxyPort)...)
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

// microsoftConfigPath is where Microsoft's emulator reads its Config.json, and where tools mount it into the container.
const microsoftConfigPath = "/ServiceBus_Emulator/ConfigFiles/Config.json"

// defaultConfigPath returns CONFIG_PATH, else the file of Microsoft's emulator if there is one.
func defaultConfigPath(getenv func(string) string) string {
	if path := getenv("CONFIG_PATH"); path != "" {
		return path
	}
	if _, err := os.Stat(microsoftConfigPath); err == nil {
		return microsoftConfigPath
	}
	return ""
}

// defaultProxyPort is the default of cmd/worker's PORT.
const defaultProxyPort = "3000"

// checkClusterFlags returns an error for each bad flag of the local cluster.
func (c config) checkClusterFlags(proxyPort string) []error {
	var bad []error
	if c.instances < 0 || c.instances > maxInstances {
		bad = append(bad, fmt.Errorf("-instances: %d is not from 0 to %d", c.instances, maxInstances))
	}
	if c.instances == 0 && (c.launch || len(c.schedule) > 0) {
		bad = append(bad, errors.New("-launch and -at need -instances"))
	}
	if c.instances == 0 {
		return bad // the emulator alone does not use PORT
	}
	if n, err := strconv.Atoi(proxyPort); err != nil || n < 0 || n > 65535 {
		bad = append(bad, fmt.Errorf("PORT: %q is no port number", proxyPort))
	}
	if _, _, err := net.SplitHostPort(c.proxy); err != nil {
		bad = append(bad, fmt.Errorf("-front: %w", err))
	}
	return bad
}

func fieldsOf(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func readEntities(path string) (*broker.Config, error) {
	file, err := os.Open(path) // #nosec G304 -- whoever starts the emulator names it
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

// parseKey reads a value of -key.
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

// options returns the options of the emulator.
func (c config) options(log *slog.Logger) emulator.Options {
	o := emulator.Options{
		AMQPAddress: c.amqp, HTTPAddress: c.http, TLSAddresses: c.tls, Hosts: c.hosts, Origins: c.origins,
		Log:    log,
		Broker: broker.Options{Tier: c.tier, Keys: append([]broker.AuthorizationRule{emulator.RootKey}, c.keys...)},
	}
	if c.data != "" {
		o.Data, o.DataSync = filepath.Join(c.data, "broker"), c.dataSync
	}
	if c.entities != nil {
		o.Broker.Namespace = c.entities.Namespace
	}
	o.Populate = func(b *broker.Broker) error {
		b.Throttle(c.throttle)
		if c.entities == nil {
			return nil
		}
		if c.data != "" {
			return c.entities.Missing(b).Apply(b)
		}
		return c.entities.Apply(b)
	}
	return o
}
