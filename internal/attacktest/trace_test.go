package attacktest

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"chatapp/internal/logtest"
	"chatapp/internal/worker"
	"chatapp/internal/workertest"
)

// An attack leaves a few lines that name the address, and no secret at any level.
func TestAttackLeavesATraceAndNoSecret(t *testing.T) {
	t.Parallel()
	environment := map[string]string{"TRUSTED_PROXIES": "127.0.0.1", "DRAIN_TIMEOUT": "0s", "STORE": "none"}
	config, err := worker.LoadConfig(func(name string) string { return environment[name] })
	if err != nil {
		t.Fatal(err)
	}
	log := &logtest.Buffer{}
	w, err := worker.New(config, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	a := &arena{workertest.Serve(t, w), t}
	a.WaitReady()
	address := newAddress()
	mallory := a.dial(address)
	token, _ := (&message{Args: mallory.request("nickname", "Mallory")}).object(1)["token"].(string)
	go func() {
		for mallory.conn.WriteMessage(websocket.TextMessage, []byte(`{"event":"who","args":[]}`)) == nil {
		}
	}()
	if code := mallory.closeCode(); code != websocket.ClosePolicyViolation {
		t.Errorf("closed with code %d", code)
	}
	p := a.poll(newAddress())
	_, sid, _ := strings.Cut(p.url, "sid=")
	p.post("41")
	a.checkOthers()
	a.Stop()
	lines := log.String()
	for _, want := range []string{
		"msg=audit instance=", `action=claim remote=` + address + ` user=Mallory`,
		`action="closed: policy violation" remote=` + address,
	} {
		if !strings.Contains(lines, want) {
			t.Errorf("the log has no %q", want)
		}
	}
	for _, secret := range []string{token, sid} {
		if secret == "" || strings.Contains(lines, secret) {
			t.Errorf("the log has the secret %q", secret)
		}
	}
}

// A web page that has its own name resolved to this machine, and one of another origin, are not let in.
func TestWebPagesDoNotReachAWorkerOnThisMachine(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	for _, row := range []struct{ host, origin string }{
		{"evil.test", "http://evil.test"}, {"evil.test", ""}, {a.Address, "http://evil.test"},
	} {
		header := http.Header{"Host": {row.host}}
		if row.origin != "" {
			header.Set("Origin", row.origin)
		}
		conn, response, err := websocket.DefaultDialer.Dial("ws://"+a.Address+"/ws", header)
		if err == nil {
			_ = conn.Close()
			t.Errorf("host %s, origin %s: let in", row.host, row.origin)
		} else if response == nil || response.StatusCode/100 != 4 {
			t.Errorf("host %s, origin %s: %v, want it refused", row.host, row.origin, err)
		}
	}
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+a.Address+"/ws", http.Header{"Origin": {a.URL}})
	if err != nil {
		t.Fatalf("the own page is refused: %v", err)
	}
	_ = conn.Close()
}
