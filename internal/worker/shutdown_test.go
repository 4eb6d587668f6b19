package worker

import (
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/waittest"
)

// balancer forwards TCP connections as a load balancer does that knows no HTTP: it chooses an instance for each
// connection, the first one that is ready.
func balancer(t *testing.T, instances ...*running) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	choose := func() string {
		for _, i := range instances {
			if s, _ := i.worker.readiness(); s == stateReady {
				return i.addr
			}
		}
		return instances[0].addr
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", choose())
			if err != nil {
				_ = client.Close()
				continue
			}
			go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
			go func() { _, _ = io.Copy(client, server); _ = client.Close() }()
		}
	}()
	return listener.Addr().String()
}

// A client on a kept connection moves to another instance when its own drains, and is never refused.
func TestDrainMovesKeptConnections(t *testing.T) {
	t.Parallel()
	first, second := startTwo(t, "DRAIN_TIMEOUT", "2s")
	stay := first.join("Ann") // the drain lasts as long as somebody is connected
	address := balancer(t, first, second)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport}
	handshake := func() {
		response, err := client.Get("http://" + address + "/socket.io/?EIO=4&transport=polling")
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("a handshake on a kept connection = %s, want 200", response.Status)
		}
	}
	handshake()
	first.stop()
	waittest.Until(t, "the first is not ready", func() bool {
		s, _ := first.worker.readiness()
		return s == stateDraining
	})
	before := second.worker.engine.Stats().Opened
	waittest.Until(t, "the client is served by the other", func() bool {
		handshake()
		return second.worker.engine.Stats().Opened > before
	})
	waittest.Until(t, "the first lets nobody in", func() bool {
		handshake()
		return first.get("/socket.io/?EIO=4&transport=polling").StatusCode == http.StatusServiceUnavailable
	})
	_ = stay.conn.Close()
}

// The instance is not ready some time before it lets nobody in, for balancers that poll.
func TestDrainGivesNotice(t *testing.T) {
	t.Parallel()
	first, _ := startTwo(t, "DRAIN_TIMEOUT", "20s") // of which the notice takes five, for a busy machine
	stay := first.join("Ann")
	first.stop()
	waittest.Until(t, "the first is not ready", func() bool {
		return first.get("/readyz").StatusCode == http.StatusServiceUnavailable
	})
	const path = "/socket.io/?EIO=4&transport=polling"
	response, err := http.Get("http://" + first.addr + path) // a request that would have its connection kept
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || !response.Close {
		t.Errorf("a handshake just after = %s, Connection: close: %v; want 200, true", response.Status, response.Close)
	}
	id := regexp.MustCompile(`"sid":"([^"]+)"`).FindStringSubmatch(text(response))
	_ = response.Body.Close()
	if id == nil {
		t.Fatal("the handshake has no sid")
	}
	// The drain ends when nobody is connected.
	response, err = http.Post("http://"+first.addr+path+"&sid="+id[1], "text/plain", strings.NewReader("1"))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	_ = stay.conn.Close()
}

// The bus is silent, the metrics' collector too, and a client does not read: the worker ends in order all the same.
// Not parallel: the exporter reads its endpoint from the environment.
func TestEndWaitsForNothingThatIsDown(t *testing.T) {
	collector, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	var pushed atomic.Int64
	go func() {
		for {
			conn, err := collector.Accept()
			if err != nil {
				return
			}
			pushed.Add(1)
			defer conn.Close() // it never answers
		}
	}()
	endpoint := "http://" + collector.Addr().String()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
	e := emulatortest.Start(t)
	_, port, err := net.SplitHostPort(e.HTTPAddress())
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, nil, "", "AZURE_SERVICEBUS_CONNECTIONSTRING", e.ConnectionString(), "EMULATOR_HTTP_PORT", port,
		"DRAIN_TIMEOUT", "0s", "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
	deaf, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	if _, err := io.WriteString(deaf, "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	waittest.Until(t, "the client is connected", func() bool { return r.worker.engine.Stats().Sessions == 1 })
	e.GoSilent(time.Hour)
	began := time.Now()
	r.end() // which wants no error
	t.Logf("ended after %v, of %v at most", time.Since(began).Round(time.Millisecond), endTimeout)
	if pushed.Load() == 0 || !r.log.contains("last metrics not exported") {
		t.Error("the last metrics were not tried, or their failure was not logged")
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}
