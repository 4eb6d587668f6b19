package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatapp/internal/emulator/broker"
	"chatapp/internal/leaktest"
)

// mainVariable makes the test binary the command, for tests that kill it.
const mainVariable = "CHATAPP_TEST_MAIN"

// TestMain lets the test binary be the command, and a worker of the local cluster.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" && os.Getenv(mainVariable) != "" {
		os.Exit(run(os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
	}
	if os.Getenv(childVariable) != "" {
		os.Exit(runChild(os.Getenv, os.Stdin, os.Stdout, os.Stderr))
	}
	leaktest.Main(m)
}

func noEnv(string) string { return "" }

const configJSON = `{
	"UserConfig": { // as in Microsoft's samples
		"Namespaces": [{
			"Name": "sbemulatorns",
			"Queues": [{"Name": "queue.1", "Properties": {"LockDuration": "PT30S"}}],
			"Topics": [{"Name": "topic.1", "Subscriptions": [{"Name": "subscription.1"}]}],
		}],
	}
}`

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Config.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRun starts the command, reads what it announces, asks for its health, and interrupts it.
func TestRun(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	announced, out := io.Pipe()
	var errors bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		args := []string{"-amqp", "127.0.0.1:0", "-http", "127.0.0.1:0", "-tls", "127.0.0.1:0", "-ca", ca,
			"-config", writeConfig(t, configJSON)}
		ended <- run(args, noEnv, strings.NewReader(""), out, &errors)
		out.Close()
	}()
	text := readUntil(t, announced, "Stop with Ctrl-C.")
	for _, want := range []string{
		"namespace sbemulatorns (Standard)", "UseDevelopmentEmulator=true", "SharedAccessKey=SAS_KEY_VALUE", ca,
		"queue.1", "topic.1/Subscriptions/subscription.1", "\nEmulator Service is Successfully Up!\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the announcement lacks %q:\n%s", want, text)
		}
	}
	if pem, err := os.ReadFile(ca); err != nil || !bytes.Contains(pem, []byte("BEGIN CERTIFICATE")) {
		t.Errorf("the authority's file holds %q, %v", pem, err)
	}
	_, rest, _ := strings.Cut(text, "http://")
	address, _, _ := strings.Cut(rest, " ")
	response, err := http.Get("http://" + address + "/health")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if want := `{"status":"healthy","message":"Service is healthy."}`; string(body) != want {
		t.Errorf("GET /health = %s, want %s", body, want)
	}
	interrupt(t)
	readUntil(t, announced, "stopped")
	select {
	case status := <-ended:
		if status != 0 || errors.Len() > 0 {
			t.Errorf("after an interrupt: status %d, %s", status, errors.String())
		}
	case <-time.After(wait):
		t.Fatal("the command does not end after an interrupt")
	}
}

// interrupt is Ctrl-C in this process. Windows knows it only for consoles.
func interrupt(t *testing.T) {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Signal(os.Interrupt)
	}
	if err != nil {
		t.Skipf("interrupt the own process: %v", err)
	}
}

func readUntil(t *testing.T, r io.Reader, want string) string {
	t.Helper()
	var text strings.Builder
	buf := make([]byte, 1024)
	for !strings.Contains(text.String(), want) {
		n, err := r.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			t.Fatalf("output ends without %q: %s", want, text.String())
		}
	}
	return text.String()
}

func TestPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var errors bytes.Buffer
	args := []string{"-amqp", taken.Addr().String(), "-http", "127.0.0.1:0"}
	status := run(args, noEnv, strings.NewReader(""), io.Discard, &errors)
	lines := strings.Split(strings.TrimSpace(errors.String()), "\n")
	if status != exitFailure || len(lines) != 1 || !strings.Contains(lines[0], taken.Addr().String()) ||
		!strings.Contains(lines[0], "-amqp") {
		t.Errorf("with its port taken the command ends with status %d and prints %q, want %d and one line",
			status, errors.String(), exitFailure)
	}
}

func TestParseConfig(t *testing.T) {
	path := writeConfig(t, configJSON)
	env := func(values map[string]string) func(string) string {
		return func(name string) string { return values[name] }
	}
	c, err := parseConfig([]string{"-key", "reader=a=b=Listen", "-premium", "-tls", ":5671,:443", "-hosts", "sb.test"},
		env(map[string]string{"EMULATOR_HTTP_PORT": "5301", "CONFIG_PATH": path}), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c.http != "127.0.0.1:5301" || c.amqp != "127.0.0.1:5672" || len(c.tls) != 2 || len(c.hosts) != 1 {
		t.Errorf("addresses %q, %q, %q, hosts %q", c.http, c.amqp, c.tls, c.hosts)
	}
	want := broker.AuthorizationRule{KeyName: "reader", PrimaryKey: "a=b", Claims: broker.Listen}
	if len(c.keys) != 1 || c.keys[0] != want {
		t.Errorf("keys %+v, want %+v", c.keys, want)
	}
	if c.tier != broker.Premium || c.entities == nil || c.entities.Namespace != "sbemulatorns" {
		t.Errorf("tier %v, entities %+v", c.tier, c.entities)
	}
}

func TestParseConfigErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		env  map[string]string
		want string
	}{
		{"an argument", []string{"start"}, nil, "no arguments"},
		{"no address", []string{"-amqp", "5672"}, nil, "-amqp"},
		{"a bad port in the environment", nil, map[string]string{"EMULATOR_HTTP_PORT": "http"}, "EMULATOR_HTTP_PORT"},
		{"a file that is not there", nil, map[string]string{"CONFIG_PATH": "/nonexistent/Config.json"},
			"/nonexistent/Config.json"},
		{"an authority without TLS", []string{"-ca", "ca.pem"}, nil, "-ca needs -tls"},
		{"a sync without data", []string{"-data-sync"}, nil, "-data-sync needs -data"},
		{"a negative limit", []string{"-throttle", "-1"}, nil, "negative"},
		{"an unknown level", []string{"-log", "loud"}, nil, "-log"},
	} {
		_, err := parseConfig(tt.args, func(name string) string { return tt.env[name] }, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: parseConfig(%q) = %v, want …%s…", tt.name, tt.args, err, tt.want)
		}
	}
	var output bytes.Buffer
	_, err := parseConfig([]string{"-key", "name=key=Fly"}, noEnv, &output)
	if err == nil || !strings.Contains(output.String(), "Fly") {
		t.Errorf("a key with the claim Fly: %v, %s", err, output.String())
	}
	if status := run([]string{"-h"}, noEnv, strings.NewReader(""), io.Discard, &output); status != 0 {
		t.Errorf("-h ends with status %d, want 0", status)
	}
}
