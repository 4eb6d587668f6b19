package worker

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"chatapp/web"
)

func env(pairs ...string) func(string) string {
	values := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return values[name] }
}

func TestConfigDefaults(t *testing.T) {
	got, err := LoadConfig(env())
	want := Config{
		Port: 3000, DrainTimeout: 20 * time.Second, TuneGC: true,
		ServiceBus: ServiceBusConfig{Topic: "chat", EmulatorHTTPPort: 5300},
		Store:      StoreConfig{Folder: filepath.Join("data", "3000")},
		Transport: TransportConfig{PingInterval: 18 * time.Second, PingTimeout: 20 * time.Second,
			MaxSessionsPerAddress: 2000, MaxConnections: 20_000, MaxConnectionsPerAddress: 1000,
			ResponseTimeout: 30 * time.Second},
		Addresses: AllowanceConfig{Messages: 100, Requests: 200, Refusals: 100, Connects: 100, HTTPRequests: 500,
			Bytes: 2_000_000, Rooms: 5},
		Chat: ChatConfig{MessageRate: 5, MaxMessageLength: 4000, MaxMessageBytes: 16 << 10,
			NameHold: 30 * time.Second, HistoryLines: 1000, HistoryMemory: 16 << 20, MaxRooms: 10_000},
		Log: LogConfig{Level: slog.LevelInfo},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("LoadConfig of an empty environment = %+v, %v, want %+v", got, err, want)
	}
}

func TestConfigReadsEveryVariable(t *testing.T) {
	got, err := LoadConfig(env(
		"BASE_PATH", "/chat/",
		"PORT", "8080", "PPROF_PORT", "6060", "DRAIN_TIMEOUT", "3s", "CONTAINER_APP_REPLICA_NAME", "replica-1",
		"AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE", "chat.servicebus.windows.net", "SERVICEBUS_TOPIC", "t",
		"SERVICEBUS_SUBSCRIPTION", "s", "EMULATOR_HTTP_PORT", "5301",
		"HOST", "127.0.0.1", "METRICS_PORT", "9090", "ALLOWED_HOSTS", "Chat.test,b.test",
		"ALLOWED_ORIGINS", "https://a.test, http://b.test:8080,*", "PING_INTERVAL", "1s", "PING_TIMEOUT", "2s",
		"SOCKETIO_V2_CLIENTS", "true", "TRUSTED_PROXIES", "10.0.0.0/8,192.0.2.1",
		"MAX_SESSIONS", "5", "MAX_SESSIONS_PER_ADDRESS", "2", "MAX_MESSAGE_BYTES", "1000",
		"MESSAGE_RATE_PER_ADDRESS", "1", "REQUEST_RATE_PER_ADDRESS", "2", "REFUSAL_RATE_PER_ADDRESS", "3",
		"CONNECT_RATE_PER_ADDRESS", "4", "HTTP_RATE_PER_ADDRESS", "5", "BYTE_RATE_PER_ADDRESS", "6",
		"ROOM_RATE_PER_ADDRESS", "7", "QUEUE_MEMORY", "1000000", "MAX_CONNECTIONS", "8",
		"MAX_CONNECTIONS_PER_ADDRESS", "9", "RESPONSE_TIMEOUT", "10s",
		"MESSAGE_RATE", "0.5", "MAX_MESSAGE_LENGTH", "0", "NAME_HOLD", "0s", "NICKNAME_HEADER", "X-User",
		"SUBJECT_HEADER", "X-User-Id", "HISTORY_RETENTION", "720h",
		"HISTORY_LINES", "50", "HISTORY_MEMORY", "2000000", "MAX_ROOMS", "30",
		"PAGE_TITLE", "Talk", "PAGE_LOGO", "https://a.test/l.png", "PAGE_ACCENT", "#aa0000,#ffaaaa",
		"PAGE_ROOM", "garden",
		"PAGE_PARTS", "rooms,people", "PAGE_LANGUAGES", "de,en", "EMBED_ORIGINS", "https://*.a.test",
		"METRICS_LOG_INTERVAL", "1m", "LOG_LEVEL", "DEBUG", "LOG_FORMAT", "JSON",
		"OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.test", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"))
	want := Config{
		Host: "127.0.0.1", Port: 8080, BasePath: "/chat",
		DrainTimeout: 3 * time.Second, PprofAddress: "127.0.0.1:6060", Replica: "replica-1", TuneGC: true,
		ServiceBus: ServiceBusConfig{
			Namespace: "chat.servicebus.windows.net", Topic: "t", Subscription: "s", EmulatorHTTPPort: 5301,
		},
		Transport: TransportConfig{
			AllowedOrigins: []string{"https://a.test", "http://b.test:8080", "*"},
			AllowedHosts:   []string{"chat.test", "b.test"},
			PingInterval:   time.Second, PingTimeout: 2 * time.Second, SocketIOV2Clients: true,
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")},
			MaxSessions:    5, MaxSessionsPerAddress: 2, QueueMemory: 1_000_000, MaxConnections: 8,
			MaxConnectionsPerAddress: 9, ResponseTimeout: 10 * time.Second,
		},
		Addresses: AllowanceConfig{Messages: 1, Requests: 2, Refusals: 3, Connects: 4, HTTPRequests: 5, Bytes: 6,
			Rooms: 7},
		Chat: ChatConfig{MessageRate: 0.5, MaxMessageBytes: 1000, NicknameHeader: "X-User",
			SubjectHeader: "X-User-Id", Retention: 720 * time.Hour,
			HistoryLines: 50, HistoryMemory: 2_000_000, MaxRooms: 30},
		Metrics: MetricsConfig{OTLP: "grpc", LogInterval: time.Minute,
			Address: "127.0.0.1:9090"},
		Log: LogConfig{Level: slog.LevelDebug, Format: "json"},
		Page: web.Settings{Title: "Talk", Logo: "https://a.test/l.png", Accent: []string{"#aa0000", "#ffaaaa"},
			Room: "garden", Parts: []string{"rooms", "people"}, Languages: []string{"de", "en"},
			EmbedOrigins: []string{"https://*.a.test"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("LoadConfig = %+v, %v, want %+v", got, err, want)
	}
}

// Without Service Bus the chat is kept in a folder of the port's, unless STORE says otherwise.
func TestStoreSetting(t *testing.T) {
	const bus = "x.servicebus.windows.net"
	for _, test := range []struct {
		store, bus, port string
		want             StoreConfig
	}{
		{"", "", "8080", StoreConfig{Folder: filepath.Join("data", "8080")}},
		{"", "", "0", StoreConfig{}},
		{"", bus, "8080", StoreConfig{}},
		{"none", "", "8080", StoreConfig{IsSet: true}},
		{"None", bus, "8080", StoreConfig{IsSet: true}},
		{"/var/chat", "", "8080", StoreConfig{Folder: "/var/chat", IsSet: true}},
		{"/var/chat", bus, "8080", StoreConfig{Folder: "/var/chat", IsSet: true}},
	} {
		got, err := LoadConfig(env("STORE", test.store, "PORT", test.port,
			"AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE", test.bus))
		if err != nil || got.Store != test.want {
			t.Errorf("STORE=%q with the bus %q and port %s is %+v, %v, want %+v",
				test.store, test.bus, test.port, got.Store, err, test.want)
		}
	}
}

func TestTableSetting(t *testing.T) {
	const endpoint, connection = "AZURE_STORAGETABLE_RESOURCEENDPOINT", "AZURE_STORAGETABLE_CONNECTIONSTRING"
	const address = "https://chat.table.core.windows.net"
	for _, test := range []struct {
		env  []string
		want StoreConfig
		err  string
	}{
		{[]string{endpoint, address}, StoreConfig{Table: TableConfig{Endpoint: address}, IsSet: true}, ""},
		{[]string{connection, "x"}, StoreConfig{Table: TableConfig{ConnectionString: "x"}, IsSet: true}, ""},
		{[]string{endpoint, address, "STORE", "none"}, StoreConfig{IsSet: true}, ""},
		{[]string{endpoint, address, connection, "x"}, StoreConfig{}, "are both set"},
		{[]string{endpoint, address, "STORE", "folder"}, StoreConfig{}, "are both set"},
		{[]string{endpoint, "chat.table.core.windows.net"}, StoreConfig{}, "is not an address"},
	} {
		got, err := LoadConfig(env(test.env...))
		switch {
		case test.err != "":
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("LoadConfig(%q) = %v, want %q", test.env, err, test.err)
			}
		case err != nil || got.Store != test.want:
			t.Errorf("LoadConfig(%q) has the store %+v, %v, want %+v", test.env, got.Store, err, test.want)
		}
	}
}

// MESSAGE_RATE=0 asks for a server that limits nobody, for measuring.
func TestNoMessageRateTurnsOffTheAllowances(t *testing.T) {
	got, err := LoadConfig(env("MESSAGE_RATE", "0", "ROOM_RATE_PER_ADDRESS", "7"))
	want := AllowanceConfig{Rooms: 7}
	if err != nil || got.Addresses != want || got.Transport.MaxSessionsPerAddress != 0 {
		t.Errorf("allowances = %+v, sessions by address %d, %v, want %+v and no limit",
			got.Addresses, got.Transport.MaxSessionsPerAddress, err, want)
	}
}

func TestConfigErrorHasALineForEveryBadValue(t *testing.T) {
	bad := []string{
		"BASE_PATH", "chat",
		"PORT", "70000", "PPROF_PORT", "localhost:6060", "DRAIN_TIMEOUT", "x", "EMULATOR_HTTP_PORT", "0",
		"ALLOWED_ORIGINS", "example.com", "ALLOWED_HOSTS", "https://a.test",
		"METRICS_PORT", "http", "PING_INTERVAL", "25", "PING_TIMEOUT", "-1s", "SOCKETIO_V2_CLIENTS", "maybe",
		"TRUSTED_PROXIES", "10.0.0.0/40", "MAX_SESSIONS", "many", "MAX_SESSIONS_PER_ADDRESS", "1.5",
		"MESSAGE_RATE", "NaN", "MAX_MESSAGE_LENGTH", "-1", "NAME_HOLD", "soon", "HISTORY_RETENTION", "30s",
		"HISTORY_LINES", "5", "HISTORY_MEMORY", "16MB", "MAX_ROOMS", "0",
		"BYTE_RATE_PER_ADDRESS", "-1", "QUEUE_MEMORY", "64MB", "RESPONSE_TIMEOUT", "0", "MAX_MESSAGE_BYTES", "0",
		"PAGE_LOGO", "javascript:x", "PAGE_ACCENT", "red", "PAGE_PARTS", "roofs", "PAGE_LANGUAGES", "xx",
		"EMBED_ORIGINS", "example.com", "METRICS_LOG_INTERVAL", "often", "LOG_LEVEL", "loud", "LOG_FORMAT", "xml",
	}
	_, err := LoadConfig(env(bad...))
	if err == nil {
		t.Fatal("LoadConfig = nil, want an error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(bad)/2 {
		t.Errorf("%d lines, want %d:\n%v", len(lines), len(bad)/2, err)
	}
	for i := 0; i < len(bad); i += 2 {
		if !strings.Contains(err.Error(), bad[i]+": ") || !strings.Contains(err.Error(), bad[i+1]) {
			t.Errorf("no line says that %s is %q:\n%v", bad[i], bad[i+1], err)
		}
	}
	_, err = LoadConfig(env("AZURE_SERVICEBUS_CONNECTIONSTRING", "Endpoint=sb://x/",
		"AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE", "x.servicebus.windows.net"))
	if err == nil || !strings.Contains(err.Error(), "both set") {
		t.Errorf("with a connection string and a namespace LoadConfig = %v, want an error", err)
	}
}

func TestReadmeNamesEveryVariable(t *testing.T) {
	var source []byte
	for _, name := range []string{"config.go", "allowances.go", "page.go", "telemetry.go"} {
		part, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, part...)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	inCode := names(t, `v\.\w+\("([A-Z][A-Z0-9_]+)"(?:, "([A-Z][A-Z0-9_]+)")?`, source)
	inTable := names(t, "(?m)^\\| `([A-Z][A-Z0-9_]+)`(?:, `([A-Z][A-Z0-9_]+)`)?", readme)
	for name := range inCode {
		if !inTable[name] && !strings.HasPrefix(name, "OTEL_") {
			t.Errorf("README.md's table does not name %s", name)
		}
	}
	for name := range inTable {
		if !inCode[name] && !strings.HasPrefix(name, "OTEL_") && name != "AZURE_CLIENT_ID" {
			t.Errorf("README.md's table names %s, which LoadConfig does not read", name)
		}
	}
}

func names(t *testing.T, pattern string, text []byte) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	for _, match := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
		for _, name := range match[1:] {
			if len(name) > 0 {
				found[string(name)] = true
			}
		}
	}
	if len(found) < 10 {
		t.Fatalf("found only %d names", len(found))
	}
	return found
}

// OpenTelemetry's variables decide alike wherever they are read: a signal's own variable replaces the general one.
func TestTelemetryFollowsTheSpecification(t *testing.T) {
	const endpoint = "http://collector.test:4318"
	for _, row := range []struct {
		env  []string
		want string // the protocol, or what the error names
		bad  bool
	}{
		{nil, "", false},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", endpoint}, "http/protobuf", false},
		{[]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", endpoint}, "http/protobuf", false},
		{[]string{"OTEL_METRICS_EXPORTER", "otlp"}, "http/protobuf", false},
		{[]string{"OTEL_METRICS_EXPORTER", "prometheus, otlp"}, "http/protobuf", false},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", endpoint, "OTEL_METRICS_EXPORTER", "none"}, "", false},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", endpoint, "OTEL_METRICS_EXPORTER", "prometheus"}, "", false},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", endpoint, "OTEL_SDK_DISABLED", "TRUE"}, "", false},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", endpoint, "OTEL_SDK_DISABLED", "1"}, "http/protobuf", false},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, "grpc", false},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf",
			"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"}, "grpc", false},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector.test:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT", true},
		{[]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "//collector.test"}, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
			true},
		{[]string{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"}, "OTEL_EXPORTER_OTLP_PROTOCOL", true},
		{[]string{"OTEL_METRICS_EXPORTER", "console"}, "OTEL_METRICS_EXPORTER", true},
		{[]string{"OTEL_METRIC_EXPORT_INTERVAL", "1m"}, "OTEL_METRIC_EXPORT_INTERVAL", true},
		{[]string{"OTEL_EXPORTER_OTLP_TIMEOUT", "0"}, "OTEL_EXPORTER_OTLP_TIMEOUT", true},
		{[]string{"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"}, "OTEL_EXPORTER_OTLP_COMPRESSION", true},
		{[]string{"OTEL_EXPORTER_OTLP_CERTIFICATE", "testdata/absent.pem"}, "OTEL_EXPORTER_OTLP_CERTIFICATE", true},
		{[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "//x"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", true},
		{[]string{"OTEL_TRACES_EXPORTER", "zipkin"}, "OTEL_TRACES_EXPORTER", true},
		{[]string{"OTEL_TRACES_SAMPLER", "sometimes"}, "OTEL_TRACES_SAMPLER", true},
		{[]string{"OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "10%"}, "OTEL_TRACES_SAMPLER_ARG",
			true},
		{[]string{"OTEL_BSP_SCHEDULE_DELAY", "5s"}, "OTEL_BSP_SCHEDULE_DELAY", true},
	} {
		config, err := LoadConfig(env(row.env...))
		switch {
		case row.bad && (err == nil || !strings.HasPrefix(err.Error(), row.want+": ")):
			t.Errorf("%q: error %v, want one that names %s", row.env, err, row.want)
		case !row.bad && (err != nil || config.Metrics.OTLP != row.want):
			t.Errorf("%q: protocol %q, %v, want %q", row.env, config.Metrics.OTLP, err, row.want)
		}
	}
}

// Traces are pushed only where a variable of theirs says so.
func TestTracesNeedAVariableOfTheirOwn(t *testing.T) {
	const endpoint = "http://collector.test:4318"
	for _, row := range []struct {
		env  []string
		want string
	}{
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", endpoint}, ""},
		{[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint}, "http/protobuf"},
		{[]string{"OTEL_TRACES_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, "grpc"},
		{[]string{"OTEL_TRACES_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"}, "grpc"},
		{[]string{"OTEL_TRACES_EXPORTER", "none", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint}, ""},
		{[]string{"OTEL_TRACES_EXPORTER", "otlp", "OTEL_SDK_DISABLED", "true"}, ""},
	} {
		if config, err := LoadConfig(env(row.env...)); err != nil || config.Metrics.Traces != row.want {
			t.Errorf("%q: protocol %q, %v, want %q", row.env, config.Metrics.Traces, err, row.want)
		}
	}
}

func TestSecretsAreReadFromFiles(t *testing.T) {
	const secret = "AZURE_SERVICEBUS_CONNECTIONSTRING"
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("Endpoint=sb://x/\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := LoadConfig(env(secret+"_FILE", file))
	if got := config.ServiceBus.ConnectionString; err != nil || got != "Endpoint=sb://x/" {
		t.Errorf("the connection string from a file = %q, %v", got, err)
	}
	for _, bad := range [][]string{
		{secret + "_FILE", file, secret, "Endpoint=sb://y/"}, {secret + "_FILE", file + ".absent"},
		{secret + "_FILE", empty}, {secret, `"Endpoint=sb://x/"`}, {"SERVICEBUS_TOPIC", "'chat'"},
	} {
		if _, err := LoadConfig(env(bad...)); err == nil || !strings.Contains(err.Error(), bad[0]) {
			t.Errorf("%q: error %v, want one that names %s", bad, err, bad[0])
		}
	}
}
