package worker

import (
	"log/slog"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"chatapp/web"
)

// Config is a worker's configuration. Each field names the environment variable that LoadConfig reads it from; the
// README's table explains them. The zero value is not usable: LoadConfig fills in the defaults.
type Config struct {
	Host         string        // HOST: the address to listen on; "": all
	Port         int           // PORT
	BasePath     string        // BASE_PATH: begins with a slash, and does not end with one; "": none
	DrainTimeout time.Duration // DRAIN_TIMEOUT
	PprofAddress string        // PPROF_PORT on 127.0.0.1; "": no profiles are served

	// Replica is the platform's name for this replica, or "": CONTAINER_APP_REPLICA_NAME or WEBSITE_INSTANCE_ID.
	Replica string
	// Void is the log index of an entry of the store that is not applied at start; 0: all are. No variable sets it.
	Void uint64
	// TuneGC is true where GOGC is not set, so that Main may choose a value.
	TuneGC bool

	ServiceBus ServiceBusConfig
	Store      StoreConfig
	Transport  TransportConfig
	Addresses  AllowanceConfig
	Chat       ChatConfig
	Metrics    MetricsConfig
	Log        LogConfig
	Page       web.Settings // PAGE_TITLE, PAGE_LOGO, PAGE_ACCENT, PAGE_ROOM, PAGE_PARTS, PAGE_LANGUAGES, EMBED_ORIGINS
}

// ServiceBusConfig selects the bus. At most one of ConnectionString and Namespace is set. With neither, the worker uses
// an in-process bus, and no other instance can join it.
type ServiceBusConfig struct {
	ConnectionString string // AZURE_SERVICEBUS_CONNECTIONSTRING, or the file AZURE_SERVICEBUS_CONNECTIONSTRING_FILE
	Namespace        string // AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE, such as chat.servicebus.windows.net
	Topic            string // SERVICEBUS_TOPIC
	Subscription     string // SERVICEBUS_SUBSCRIPTION, which must exist; "": the worker creates one of its own
	EmulatorHTTPPort int    // EMULATOR_HTTP_PORT: the management port of a Service Bus emulator
}

// StoreConfig says where the chat is kept, so that it outlives all instances.
type StoreConfig struct {
	Folder string // STORE; "": not in a folder
	Table  TableConfig
	IsSet  bool // STORE or Table is set; otherwise Folder is the default
}

// TableConfig selects a table of an Azure storage account. At most one of the two is set. With neither, there is none.
type TableConfig struct {
	ConnectionString string // AZURE_STORAGETABLE_CONNECTIONSTRING, or the file that its _FILE names
	Endpoint         string // AZURE_STORAGETABLE_RESOURCEENDPOINT
}

// TransportConfig limits and times client connections.
type TransportConfig struct {
	AllowedOrigins        []string       // ALLOWED_ORIGINS
	AllowedHosts          []string       // ALLOWED_HOSTS, in lower case
	PingInterval          time.Duration  // PING_INTERVAL
	PingTimeout           time.Duration  // PING_TIMEOUT
	SocketIOV2Clients     bool           // SOCKETIO_V2_CLIENTS
	TrustedProxies        []netip.Prefix // TRUSTED_PROXIES
	MaxSessions           int            // MAX_SESSIONS; 0: no limit
	MaxSessionsPerAddress int            // MAX_SESSIONS_PER_ADDRESS; 0: no limit
	QueueMemory           int            // QUEUE_MEMORY: bytes; 0: a quarter of GOMEMLIMIT, or 64 MiB without one

	// Of connections that are not sessions, which means HTTP.
	MaxConnections           int           // MAX_CONNECTIONS; 0: no limit
	MaxConnectionsPerAddress int           // MAX_CONNECTIONS_PER_ADDRESS; 0: no limit
	ResponseTimeout          time.Duration // RESPONSE_TIMEOUT
}

// ChatConfig limits users.
type ChatConfig struct {
	MessageRate      float64       // MESSAGE_RATE: messages a second and user; 0: no limit
	MaxMessageLength int           // MAX_MESSAGE_LENGTH: grapheme clusters; 0: MaxMessageBytes alone limits
	MaxMessageBytes  int           // MAX_MESSAGE_BYTES
	NameHold         time.Duration // NAME_HOLD
	Retention        time.Duration // HISTORY_RETENTION; 0: for as long as there is room
	HistoryLines     int           // HISTORY_LINES: lines of a room in memory
	HistoryMemory    int           // HISTORY_MEMORY: bytes of the lines of all rooms there
	MaxRooms         int           // MAX_ROOMS
	NicknameHeader   string        // NICKNAME_HEADER: a header in which a trusted proxy names the signed-in user
	SubjectHeader    string        // SUBJECT_HEADER: the one with the user's id; the name's, if there is none
}

// MetricsConfig says where metrics are sent besides /metrics, and where traces are.
type MetricsConfig struct {
	// OTLP is the protocol by which metrics are pushed: "grpc", "http/protobuf", or "" for none. OpenTelemetry's
	// exporters read the endpoint and the rest from the process's environment themselves.
	OTLP        string
	Traces      string        // the protocol by which traces are pushed, likewise
	LogInterval time.Duration // METRICS_LOG_INTERVAL; 0: metrics are not logged
	Address     string        // METRICS_PORT on HOST; "": they have no listener of their own
}

// LogConfig sets up the logger that NewLogger makes.
type LogConfig struct {
	Level  slog.Level // LOG_LEVEL
	Format string     // LOG_FORMAT: "text", "json", or "" for text on a terminal and JSON elsewhere
}

// LoadConfig reads the environment. Its error names every variable with an unusable value, one line each.
func LoadConfig(getenv func(string) string) (Config, error) {
	v := &variables{getenv: getenv}
	c := v.config()
	return c, v.err()
}

func (v *variables) config() Config {
	messageRate := v.number("MESSAGE_RATE", 5)
	sessions, connections := 2000, 1000
	if messageRate == 0 {
		sessions, connections = 0, 0
	}
	c := Config{
		Addresses:    v.allowances(messageRate),
		Host:         v.text("HOST", ""),
		Port:         v.integer("PORT", 3000, 0, 65535),
		BasePath:     v.path("BASE_PATH"),
		DrainTimeout: v.duration("DRAIN_TIMEOUT", 20*time.Second, 0),
		PprofAddress: v.loopback("PPROF_PORT"),
		Replica:      v.first("CONTAINER_APP_REPLICA_NAME", "WEBSITE_INSTANCE_ID"),
		TuneGC:       v.raw("GOGC") == "",
		ServiceBus: ServiceBusConfig{
			ConnectionString: v.secret("AZURE_SERVICEBUS_CONNECTIONSTRING"),
			Namespace:        v.text("AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE", ""),
			Topic:            v.text("SERVICEBUS_TOPIC", "chat"),
			Subscription:     v.text("SERVICEBUS_SUBSCRIPTION", ""),
			EmulatorHTTPPort: v.integer("EMULATOR_HTTP_PORT", 5300, 1, 65535),
		},
		Transport: TransportConfig{
			AllowedOrigins:        v.origins("ALLOWED_ORIGINS"),
			AllowedHosts:          v.hosts("ALLOWED_HOSTS"),
			PingInterval:          v.duration("PING_INTERVAL", 18*time.Second, 100*time.Millisecond),
			PingTimeout:           v.duration("PING_TIMEOUT", 20*time.Second, 100*time.Millisecond),
			SocketIOV2Clients:     v.boolean("SOCKETIO_V2_CLIENTS"),
			TrustedProxies:        v.prefixes("TRUSTED_PROXIES"),
			MaxSessions:           v.integer("MAX_SESSIONS", 0, 0, math.MaxInt32),
			MaxSessionsPerAddress: v.integer("MAX_SESSIONS_PER_ADDRESS", sessions, 0, math.MaxInt32),
			QueueMemory:           v.integer("QUEUE_MEMORY", 0, 0, math.MaxInt),
			MaxConnections:        v.integer("MAX_CONNECTIONS", 20_000, 0, math.MaxInt32),

			MaxConnectionsPerAddress: v.integer("MAX_CONNECTIONS_PER_ADDRESS", connections, 0, math.MaxInt32),
			ResponseTimeout:          v.duration("RESPONSE_TIMEOUT", 30*time.Second, 100*time.Millisecond),
		},
		Chat: ChatConfig{
			MessageRate:      messageRate,
			MaxMessageLength: v.integer("MAX_MESSAGE_LENGTH", 4000, 0, 1_000_000),
			MaxMessageBytes:  v.integer("MAX_MESSAGE_BYTES", 16<<10, 256, 48<<10),
			NameHold:         v.duration("NAME_HOLD", 30*time.Second, 0),
			Retention:        v.durationOrNone("HISTORY_RETENTION", time.Minute),
			HistoryLines:     v.integer("HISTORY_LINES", 1000, 10, 100_000),
			HistoryMemory:    v.integer("HISTORY_MEMORY", 16<<20, 1<<20, 1<<30),
			MaxRooms:         v.integer("MAX_ROOMS", 10_000, 10, 1_000_000),
			NicknameHeader:   v.text("NICKNAME_HEADER", ""),
			SubjectHeader:    v.text("SUBJECT_HEADER", ""),
		},
		Metrics: MetricsConfig{LogInterval: v.duration("METRICS_LOG_INTERVAL", 0, 0)},
		Page:    v.page(),
		Log:     LogConfig{Level: v.level("LOG_LEVEL"), Format: v.oneOf("LOG_FORMAT", "text", "json")},
	}
	c.Store = v.store("STORE", c.Port, c.ServiceBus.ConnectionString != "" || c.ServiceBus.Namespace != "", TableConfig{
		ConnectionString: v.secret("AZURE_STORAGETABLE_CONNECTIONSTRING"),
		Endpoint:         v.text("AZURE_STORAGETABLE_RESOURCEENDPOINT", ""),
	})
	c.Metrics.OTLP, c.Metrics.Traces = v.telemetry()
	if c.ServiceBus.ConnectionString != "" && c.ServiceBus.Namespace != "" {
		v.bad("AZURE_SERVICEBUS_CONNECTIONSTRING and AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE are both set: " +
			"remove one of them")
	}
	if v.text("METRICS_PORT", "") != "" {
		c.Metrics.Address = net.JoinHostPort(c.Host, strconv.Itoa(v.integer("METRICS_PORT", 0, 0, 65535)))
	}
	c.Chat.completeSignIn()
	if c.Chat.NicknameHeader != "" && len(c.Transport.TrustedProxies) == 0 {
		v.bad("NICKNAME_HEADER: set TRUSTED_PROXIES, too: from anybody else the header is not believed")
	}
	if strings.Contains(c.ServiceBus.Namespace, "/") {
		v.bad("AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE: %q is not a host name such as chat.servicebus.windows.net",
			c.ServiceBus.Namespace)
	}
	return c
}

// completeSignIn chooses the header of the id: Azure's for Azure's name, otherwise the name itself is the id.
func (c *ChatConfig) completeSignIn() {
	const azureName, azureID = "X-MS-CLIENT-PRINCIPAL-NAME", "X-MS-CLIENT-PRINCIPAL-ID"
	switch {
	case c.NicknameHeader == "" || c.SubjectHeader != "":
	case strings.EqualFold(c.NicknameHeader, azureName):
		c.SubjectHeader = azureID
	default:
		c.SubjectHeader = c.NicknameHeader
	}
}
