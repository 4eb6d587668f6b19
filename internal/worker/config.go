package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Config is everything a worker is told by its environment. See the README's table for the variables.
type Config struct {
	Port int

	// At most one of these is set; neither: the in-process bus, for a worker that is alone.
	ServiceBusConnectionString string
	ServiceBusNamespace        string // fully qualified, such as chat.servicebus.windows.net
	ServiceBusTopic            string
	ServiceBusSubscription     string // made beforehand; empty: an own one is created

	AllowedOrigins        []string
	PingInterval          time.Duration
	PingTimeout           time.Duration
	SocketIOV2Clients     bool
	MessageRate           float64 // messages a second and user; 0: no limit
	MaxMessageLength      int     // grapheme clusters; 0: only what the transports allow
	NameHold              time.Duration
	NicknameHeader        string // a header in which a trusted front names the signed-in user
	TrustedProxies        []netip.Prefix
	MaxSessions           int
	MaxSessionsPerAddress int
	DrainTimeout          time.Duration

	EmulatorHTTPPort int // where a Service Bus emulator is managed

	// Replica is what the platform calls this replica, or "".
	Replica string

	// OTLP is the protocol by which metrics are sent: "grpc", "http/protobuf", or "" for not at all. Where to, and how, OpenTelemetry's
	// exporters read themselves from the environment.
	OTLP string

	// TuneGC: GOGC has not been set, so that the program may choose.
	TuneGC bool

	MetricsLogInterval time.Duration // 0: metrics are not logged

	LogLevel  slog.Level
	LogFormat string // "text", "json", or "" for text on a terminal and json elsewhere
}

// LoadConfig reads the environment. Its error names every variable that cannot be used, one line each.
func LoadConfig(getenv func(string) string) (Config, error) {
	v := variables{getenv: getenv}
	c := Config{
		Port:                       v.integer("PORT", 3000, 0, 65535),
		ServiceBusConnectionString: v.text("AZURE_SERVICEBUS_CONNECTIONSTRING", ""),
		ServiceBusNamespace:        v.text("AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE", ""),
		ServiceBusTopic:            v.text("SERVICEBUS_TOPIC", "chat"),
		ServiceBusSubscription:     v.text("SERVICEBUS_SUBSCRIPTION", ""),
		AllowedOrigins:             v.origins("ALLOWED_ORIGINS"),
		PingInterval:               v.duration("PING_INTERVAL", 25*time.Second, 100*time.Millisecond),
		PingTimeout:                v.duration("PING_TIMEOUT", 20*time.Second, 100*time.Millisecond),
		SocketIOV2Clients:          v.boolean("SOCKETIO_V2_CLIENTS"),
		MessageRate:                v.number("MESSAGE_RATE", 5),
		MaxMessageLength:           v.integer("MAX_MESSAGE_LENGTH", 4000, 0, 1_000_000),
		NameHold:                   v.duration("NAME_HOLD", 30*time.Second, 0),
		NicknameHeader:             v.text("NICKNAME_HEADER", ""),
		TrustedProxies:             v.prefixes("TRUSTED_PROXIES"),
		MaxSessions:                v.integer("MAX_SESSIONS", 0, 0, math.MaxInt32),
		MaxSessionsPerAddress:      v.integer("MAX_SESSIONS_PER_ADDRESS", 0, 0, math.MaxInt32),
		DrainTimeout:               v.duration("DRAIN_TIMEOUT", 20*time.Second, 0),
		EmulatorHTTPPort:           v.integer("EMULATOR_HTTP_PORT", 5300, 1, 65535),
		MetricsLogInterval:         v.duration("METRICS_LOG_INTERVAL", 0, 0),
		Replica:                    v.first("CONTAINER_APP_REPLICA_NAME", "WEBSITE_INSTANCE_ID"),
		TuneGC:                     v.text("GOGC", "") == "",
		LogLevel:                   v.level("LOG_LEVEL"),
		LogFormat:                  v.oneOf("LOG_FORMAT", "text", "json"),
	}
	if v.first("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") != "" {
		c.OTLP = v.oneOf("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "grpc")
		if c.OTLP == "" {
			c.OTLP = "http/protobuf"
		}
	}
	if c.ServiceBusConnectionString != "" && c.ServiceBusNamespace != "" {
		v.bad("AZURE_SERVICEBUS_CONNECTIONSTRING and AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE are both set: one of them must go")
	}
	if strings.Contains(c.ServiceBusNamespace, "/") {
		v.bad("AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE: %q is not a host name such as chat.servicebus.windows.net", c.ServiceBusNamespace)
	}
	return c, errors.Join(v.errs...)
}

// variables reads environment variables and gathers what is wrong with them.
type variables struct {
	getenv func(string) string
	errs   []error
}

func (v *variables) bad(format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf(format, args...))
}

func (v *variables) text(name, fallback string) string {
	if value := strings.TrimSpace(v.getenv(name)); value != "" {
		return value
	}
	return fallback
}

func (v *variables) first(names ...string) string {
	for _, name := range names {
		if value := v.text(name, ""); value != "" {
			return value
		}
	}
	return ""
}

func (v *variables) integer(name string, fallback, lowest, highest int) int {
	text := v.text(name, "")
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < lowest || n > highest {
		v.bad("%s: %q is not a whole number from %d to %d", name, text, lowest, highest)
	}
	return n
}

func (v *variables) number(name string, fallback float64) float64 {
	text := v.text(name, "")
	if text == "" {
		return fallback
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0) || math.IsInf(n, 0) {
		v.bad("%s: %q is not a number from 0 up", name, text)
	}
	return n
}

func (v *variables) duration(name string, fallback, lowest time.Duration) time.Duration {
	text := v.text(name, "")
	if text == "" {
		return fallback
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < lowest {
		v.bad("%s: %q is not a duration of at least %v, such as 25s or 1m30s", name, text, lowest)
	}
	return d
}

func (v *variables) boolean(name string) bool {
	text := v.text(name, "false")
	b, err := strconv.ParseBool(text)
	if err != nil {
		v.bad("%s: %q is neither true nor false", name, text)
	}
	return b
}

func (v *variables) oneOf(name string, allowed ...string) string {
	text := strings.ToLower(v.text(name, ""))
	for _, value := range allowed {
		if text == value {
			return text
		}
	}
	if text != "" {
		v.bad("%s: %q is none of %s", name, text, strings.Join(allowed, ", "))
	}
	return ""
}

func (v *variables) level(name string) slog.Level {
	var level slog.Level
	if text := v.text(name, "info"); level.UnmarshalText([]byte(text)) != nil {
		v.bad("%s: %q is none of debug, info, warn, error", name, text)
	}
	return level
}

func (v *variables) list(name string) []string {
	var items []string
	for item := range strings.SplitSeq(v.text(name, ""), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// origins reads origins as browsers write them: scheme and host, and a port if it is not the scheme's own.
func (v *variables) origins(name string) []string {
	origins := v.list(name)
	for _, origin := range origins {
		if origin == "*" {
			continue
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
			v.bad("%s: %q is not an origin such as https://example.com, nor *", name, origin)
		}
	}
	return origins
}

// prefixes reads CIDRs; a single address stands for itself alone.
func (v *variables) prefixes(name string) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, item := range v.list(name) {
		prefix, err := netip.ParsePrefix(item)
		if addr, addrErr := netip.ParseAddr(item); addrErr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			v.bad("%s: %q is not an address range such as 10.0.0.0/8", name, item)
			continue
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes
}
