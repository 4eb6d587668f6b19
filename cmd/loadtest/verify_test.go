package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/internal/backplane/inprocess"
	"chatapp/internal/worker"
)

// startChat starts two workers of one chat, behind fronts that pass everything on by way of spoil, and returns the fronts' addresses.
func startChat(t *testing.T, spoil spoiler) []string {
	t.Helper()
	hub := inprocess.NewHub(inprocess.Options{})
	var urls []string
	for _, name := range []string{"a", "b"} {
		bus := hub.Join(name)
		config, err := worker.LoadConfig(func(name string) string { return map[string]string{"MESSAGE_RATE": "0"}[name] })
		if err != nil {
			t.Fatal(err)
		}
		w, err := worker.NewOn(config, slog.New(slog.DiscardHandler), bus)
		if err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- w.Serve(ctx, listener) }()
		t.Cleanup(func() {
			cancel()
			if err := <-served; err != nil {
				t.Errorf("worker %s ended: %v", name, err)
			}
		})
		backend := "http://" + listener.Addr().String()
		waitReady(t, backend)
		front := &front{backend: backend, spoil: spoil}
		server := httptest.NewServer(front)
		t.Cleanup(func() {
			server.Close()
			front.open.Wait()
		})
		urls = append(urls, server.URL)
	}
	return urls
}

func waitReady(t *testing.T, url string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if response, err := client.Get(url + "/readyz"); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("worker is not ready after 30 s")
		}
	}
}

// spoiler returns what becomes of a text message that passes a front on a connection, the connections of all fronts being counted
// from 1.
type spoiler func(connection int64, fromServer bool, text string) []string

func honest(_ int64, _ bool, text string) []string { return []string{text} }

// front passes WebSocket connections on to a worker.
type front struct {
	backend string
	spoil   spoiler
	open    sync.WaitGroup
}

var connections atomic.Int64

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.open.Add(1)
	defer f.open.Done()
	client, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer client.Close()
	server, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(f.backend, "http")+r.URL.String(), nil)
	if err != nil {
		return
	}
	defer server.Close()
	n := connections.Add(1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.pass(n, false, client, server)
		server.Close()
	}()
	f.pass(n, true, server, client)
	client.Close()
	<-ended
}

// pass passes messages on until either connection ends, and the end of the first with its code.
func (f *front) pass(n int64, fromServer bool, from, to *websocket.Conn) {
	for {
		_, data, err := from.ReadMessage()
		if closed, ok := err.(*websocket.CloseError); ok && closed.Code != websocket.CloseAbnormalClosure {
			_ = to.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(closed.Code, closed.Text), time.Now().Add(time.Second))
		}
		if err != nil {
			return
		}
		for _, text := range f.spoil(n, fromServer, string(data)) {
			if to.WriteMessage(websocket.TextMessage, []byte(text)) != nil {
				return
			}
		}
	}
}

func verify(t *testing.T, urls []string) (status int, output string) {
	t.Helper()
	var out strings.Builder
	args := append([]string{"verify", "-clients", "9", "-speakers", "3", "-messages", "15", "-rate", "10", "-away", "200ms", "-patience", "5s"}, urls...)
	status = run(t.Context(), args, &out, &out, false)
	return status, out.String()
}

func TestVerify(t *testing.T) {
	status, output := verify(t, startChat(t, honest))
	if status != 0 || !strings.HasSuffix(output, "\nok\n") || !strings.Contains(output, "heard        360 of 360") ||
		!strings.Contains(output, "served       by 2 instances") {
		t.Errorf("verify of a good chat = %d:\n%s", status, output)
	}
}

// once spoils one thing, the first that is told apart.
func once(is func(fromServer bool, text string) bool, spoil func(text string) []string) spoiler {
	var done atomic.Bool
	return func(_ int64, fromServer bool, text string) []string {
		if is(fromServer, text) && !done.Swap(true) {
			return spoil(text)
		}
		return []string{text}
	}
}

func isDelivery(fromServer bool, text string) bool {
	return fromServer && strings.Contains(text, `"user message"`)
}

// swapped delivers the second message of a connection before the first.
func swapped() spoiler {
	var mu sync.Mutex
	held := make(map[int64]string)
	return func(n int64, fromServer bool, text string) []string {
		mu.Lock()
		defer mu.Unlock()
		first, seen := held[n]
		switch {
		case n%5 != 0 || !isDelivery(fromServer, text) || seen && first == "":
			return []string{text}
		case !seen:
			held[n] = text
			return nil
		}
		held[n] = ""
		return []string{text, first}
	}
}

func TestVerifyFindsBugs(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil spoiler
		want  string
	}{
		{"a delivery lost", once(isDelivery, func(string) []string { return nil }), "did not hear"},
		{"a delivery doubled", once(isDelivery, func(text string) []string { return []string{text, text} }), "twice"},
		{"a text changed", once(isDelivery, func(text string) []string {
			return []string{strings.Replace(text, ": ", ":: ", 1)}
		}), "who was verify-"},
		{"another order", swapped(), "out of order"},
		{"a message said but not passed on", func(_ int64, fromServer bool, text string) []string {
			if !fromServer && strings.Contains(text, `-1: 14"`) {
				return nil
			}
			return []string{text}
		}, "not acknowledged"},
		{"no memory of what was missed", func(_ int64, fromServer bool, text string) []string {
			before, rest, found := strings.Cut(text, `"offset":"`)
			if fromServer || !found {
				return []string{text}
			}
			_, log, _ := strings.Cut(rest, ".")
			return []string{before + `"offset":"1.` + log}
		}, "could not be told what it had missed"},
		{"an end nobody is told of", func(_ int64, fromServer bool, text string) []string {
			if fromServer && strings.Contains(text, `"announcement"`) && strings.Contains(text, `"kind":"leave"`) {
				return nil
			}
			return []string{text}
		}, "was to be told once"},
		{"a user who is away for ever", func(_ int64, fromServer bool, text string) []string {
			if fromServer && strings.Contains(text, `"users":[{`) {
				text = strings.Replace(text, `-1"}`, `-1","away":true}`, 1)
			}
			return []string{text}
		}, "is away"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, output := verify(t, startChat(t, tt.spoil))
			if status != 1 || !strings.Contains(output, "FAILED") || !strings.Contains(output, tt.want) {
				t.Errorf("verify = %d, want 1 and %q in:\n%s", status, tt.want, output)
			}
		})
	}
}

func TestVerifyCommandLine(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "no URL"},
		{[]string{"ftp://x"}, "want an http"},
		{[]string{"-clients", "3", "-speakers", "2", "http://x"}, "-clients 3"},
		{[]string{"-rate", "0", "http://x"}, "-rate 0"},
	} {
		var out strings.Builder
		if status := run(t.Context(), append([]string{"verify"}, tt.args...), &out, &out, false); status != 2 || !strings.Contains(out.String(), tt.want) {
			t.Errorf("verify %q = %d, %q, want 2 and %q", tt.args, status, out.String(), tt.want)
		}
	}
	var out strings.Builder
	if status := run(t.Context(), []string{"verify", "-patience", "1s", "http://127.0.0.1:1", fmt.Sprint("http://127.0.0.1:", 2)}, &out, &out, false); status != 1 {
		t.Errorf("verify of nobody = %d, %q, want 1", status, out.String())
	}
}
