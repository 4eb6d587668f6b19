package worker

import (
	"log/slog"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
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
		Port: 3000, ServiceBusTopic: "chat", PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second, MessageRate: 5,
		MaxMessageLength: 4000, NameHold: 30 * time.Second, DrainTimeout: 20 * time.Second, EmulatorHTTPPort: 5300, TuneGC: true, LogLevel: slog.LevelInfo,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("LoadConfig of nothing = %+v, %v, want %+v", got, err, want)
	}
}

func TestConfigReadsEveryVariable(t *testing.T) {
	got, err := LoadConfig(env(
		"PORT", "8080", "AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE", "chat.servicebus.windows.net", "SERVICEBUS_TOPIC", "t",
		"SERVICEBUS_SUBSCRIPTION", "s", "ALLOWED_ORIGINS", "https://a.test, http://b.test:8080,*", "PING_INTERVAL", "1s", "PING_TIMEOUT", "2s",
		"SOCKETIO_V2_CLIENTS", "true", "MESSAGE_RATE", "0.5", "MAX_MESSAGE_LENGTH", "0", "NAME_HOLD", "0s", "NICKNAME_HEADER", "X-User",
		"TRUSTED_PROXIES", "10.0.0.0/8,192.0.2.1", "MAX_SESSIONS", "5", "MAX_SESSIONS_PER_ADDRESS", "2", "DRAIN_TIMEOUT", "3s",
		"CONTAINER_APP_REPLICA_NAME", "replica-1", "EMULATOR_HTTP_PORT", "5301", "METRICS_LOG_INTERVAL", "1m", "LOG_LEVEL", "DEBUG", "LOG_FORMAT", "JSON"))
	want := Config{
		Port: 8080, ServiceBusNamespace: "chat.servicebus.windows.net", ServiceBusTopic: "t", ServiceBusSubscription: "s",
		AllowedOrigins: []string{"https://a.test", "http://b.test:8080", "*"}, PingInterval: time.Second, PingTimeout: 2 * time.Second,
		SocketIOV2Clients: true, MessageRate: 0.5, NicknameHeader: "X-User",
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")},
		MaxSessions:    5, MaxSessionsPerAddress: 2, DrainTimeout: 3 * time.Second, Replica: "replica-1", EmulatorHTTPPort: 5301, MetricsLogInterval: time.Minute, TuneGC: true, LogLevel: slog.LevelDebug, LogFormat: "json",
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("LoadConfig = %+v, %v, want %+v", got, err, want)
	}
}

// Every value that cannot be used is named, in one go, a line each.
func TestConfigNamesEveryBadValue(t *testing.T) {
	bad := []string{
		"PORT", "70000", "ALLOWED_ORIGINS", "example.com", "PING_INTERVAL", "25", "PING_TIMEOUT", "-1s", "SOCKETIO_V2_CLIENTS", "maybe",
		"MESSAGE_RATE", "NaN", "MAX_MESSAGE_LENGTH", "-1", "NAME_HOLD", "soon", "TRUSTED_PROXIES", "10.0.0.0/40", "MAX_SESSIONS", "many",
		"MAX_SESSIONS_PER_ADDRESS", "1.5", "DRAIN_TIMEOUT", "x", "LOG_LEVEL", "loud", "LOG_FORMAT", "xml", "EMULATOR_HTTP_PORT", "0", "METRICS_LOG_INTERVAL", "often",
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
			t.Errorf("no line tells that %s is %q:\n%v", bad[i], bad[i+1], err)
		}
	}
	_, err = LoadConfig(env("AZURE_SERVICEBUS_CONNECTIONSTRING", "Endpoint=sb://x/", "AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE", "x.servicebus.windows.net"))
	if err == nil || !strings.Contains(err.Error(), "both set") {
		t.Errorf("both ways to Service Bus = %v, want a refusal", err)
	}
}

// The README's table and the code name the same variables.
func TestReadmeNamesEveryVariable(t *testing.T) {
	source, err := os.ReadFile("config.go")
	if err != nil {
		t.Fatal(err)
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
			t.Errorf("README.md's table names %s, which nothing reads", name)
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
