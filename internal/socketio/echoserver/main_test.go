package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"chatapp/internal/engineio"
	"chatapp/internal/leaktest"
	"chatapp/internal/socketio"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// TestServe has a polling client at both echoes, whose handshake has exactly the keys that the suites look for.
func TestServe(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1) // so that serve returns when the test has failed
	go func() {
		options := engineio.Options{PingInterval: time.Minute, CloseTimeout: 100 * time.Millisecond}
		served <- serve(ctx, []net.Listener{listener}, options, socketio.Options{})
	}()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	exchange := func(path, body string) string {
		t.Helper()
		method := http.MethodGet
		if body != "" {
			method = http.MethodPost
		}
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+listener.Addr().String()+path,
			strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(answer)
	}
	for _, row := range []struct{ path, say, want string }{
		{"/engine.io/", "4hello\x1ebAQID", "4hello\x1ebAQID"},
		{"/socket.io/", `40{"token":"t"}` + "\x1e" + `42["message",1.0]` + "\x1e" + `427["message-with-ack","x"]`,
			`42["auth",{"token":"t"}]` + "\x1e" + `42["message-back",1.0]` + "\x1e" + `437["x"]`},
	} {
		path := row.path + "?EIO=4&transport=polling"
		var handshake map[string]any
		open := exchange(path, "")
		if err := json.Unmarshal([]byte(strings.TrimPrefix(open, "0")), &handshake); err != nil || len(handshake) != 5 {
			t.Fatalf("GET %s = %q, want a handshake of 5 keys", path, open)
		}
		for _, key := range []string{"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"} {
			if handshake[key] == nil {
				t.Errorf("the handshake %q lacks %s", open, key)
			}
		}
		path += "&sid=" + handshake["sid"].(string)
		if got := exchange(path, row.say); got != "ok" {
			t.Errorf("POST %s = %q, want ok", path, got)
		}
		if got := exchange(path, ""); !strings.HasSuffix(got, row.want) {
			t.Errorf("GET %s = %q, want %q at its end", path, got, row.want)
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("serve = %v", err)
	}
}

func TestFlags(t *testing.T) {
	if err := run([]string{"-ping-interval", "soon"}, "0"); err == nil {
		t.Error("a ping interval of \"soon\" is taken")
	}
	if err := run(nil, "no port"); err == nil {
		t.Error("\"no port\" is served")
	}
}
