package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/internal/backplane/inprocess"
	"chatapp/internal/workertest"
)

// startChat starts two workers of one chat, behind proxies that pass all messages through spoil,
// and returns the proxies' URLs.
func startChat(t *testing.T, spoil spoiler) []string {
	t.Helper()
	hub := inprocess.NewHub(inprocess.Options{})
	connections := new(atomic.Int64)
	var urls []string
	for _, name := range []string{"a", "b"} {
		w := workertest.Start(t, hub.Join(name), "MESSAGE_RATE=0")
		p := &proxy{backend: w.Address, spoil: spoil, connections: connections}
		server := httptest.NewServer(p)
		t.Cleanup(func() {
			server.Close()
			p.open.Wait()
		})
		urls = append(urls, server.URL)
	}
	return urls
}

// spoiler returns the messages that a proxy passes on in place of one. The connections of both
// proxies are numbered from 1.
type spoiler func(connection int64, fromServer bool, text string) []string

func honest(_ int64, _ bool, text string) []string { return []string{text} }

// proxy passes WebSocket connections on to a worker.
type proxy struct {
	backend     string // host:port
	spoil       spoiler
	connections *atomic.Int64
	open        sync.WaitGroup
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.open.Add(1)
	defer p.open.Done()
	client, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer client.Close()
	server, _, err := websocket.DefaultDialer.Dial("ws://"+p.backend+r.URL.String(), nil)
	if err != nil {
		return
	}
	defer server.Close()
	n := p.connections.Add(1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.pass(n, false, client, server)
		server.Close()
	}()
	p.pass(n, true, server, client)
	client.Close()
	<-ended
}

// pass passes messages on until either connection ends, and then the first one's close code.
func (p *proxy) pass(n int64, fromServer bool, from, to *websocket.Conn) {
	for {
		_, data, err := from.ReadMessage()
		if closed, ok := err.(*websocket.CloseError); ok && closed.Code != websocket.CloseAbnormalClosure {
			message := websocket.FormatCloseMessage(closed.Code, closed.Text)
			_ = to.WriteControl(websocket.CloseMessage, message, time.Now().Add(time.Second))
		}
		if err != nil {
			return
		}
		for _, text := range p.spoil(n, fromServer, string(data)) {
			if to.WriteMessage(websocket.TextMessage, []byte(text)) != nil {
				return
			}
		}
	}
}

// verify runs the subcommand with a few users. patience is how long each step may take.
func verify(ctx context.Context, patience string, urls []string) (status int, output string) {
	var out strings.Builder
	args := append([]string{
		"verify", "-clients", "9", "-speakers", "3", "-messages", "15", "-rate", "10",
		"-away", "200ms", "-patience", patience,
	}, urls...)
	status = run(ctx, args, &out, &out, false)
	return status, out.String()
}

func TestVerifyPassesACorrectChat(t *testing.T) {
	t.Parallel()
	status, output := verify(t.Context(), "30s", startChat(t, honest))
	if status != 0 || !strings.HasSuffix(output, "\nok\n") || !strings.Contains(output, "received     360 of 360") ||
		!strings.Contains(output, "served       by 2 instances") {
		t.Errorf("verify of a correct chat = %d:\n%s", status, output)
	}
}

// deliveries spoils all deliveries whose text ends as given. A single one may be lost with a
// connection that verify cuts.
func deliveries(end string, spoil func(text string) []string) spoiler {
	return func(_ int64, fromServer bool, text string) []string {
		if isDelivery(fromServer, text) && strings.Contains(text, end+`"`) {
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
	kept := make(map[int64]string)
	return func(n int64, fromServer bool, text string) []string {
		mu.Lock()
		defer mu.Unlock()
		first, seen := kept[n]
		switch {
		case n%5 != 0 || !isDelivery(fromServer, text) || seen && first == "":
			return []string{text}
		case !seen:
			kept[n] = text
			return nil
		}
		kept[n] = ""
		return []string{text, first}
	}
}

func TestVerifyFindsPlantedFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil spoiler
		want  string
	}{
		{"a delivery lost", deliveries(": 2", func(string) []string { return nil }), "did not receive"},
		{"a delivery duplicated", deliveries(": 2", func(text string) []string {
			return []string{text, text}
		}), "twice"},
		{"a text changed", deliveries(": 2", func(text string) []string {
			return []string{strings.Replace(text, ": ", ":: ", 1)}
		}), "; it was"},
		{"another order", swapped(), "out of order"},
		{"a provisional message left", func(_ int64, fromServer bool, text string) []string {
			if isDelivery(fromServer, text) && strings.HasPrefix(text, "{") {
				return []string{text, `{"event":"provisional","args":["x","y",{"key":"k","room":"lobby"}]}`}
			}
			return []string{text}
		}, "still has as provisional"},
		{"a message not passed on", func(_ int64, fromServer bool, text string) []string {
			if !fromServer && strings.Contains(text, `-1: 14"`) {
				return nil
			}
			return []string{text}
		}, "not acknowledged"},
		{"missed messages not sent", func(_ int64, fromServer bool, text string) []string {
			before, rest, found := strings.Cut(text, `"offset":"`)
			if fromServer || !found {
				return []string{text}
			}
			_, log, _ := strings.Cut(rest, ".")
			return []string{before + `"offset":"1.` + log}
		}, "what it had missed"},
		{"a leave without notification", func(_ int64, fromServer bool, text string) []string {
			if fromServer && strings.Contains(text, `"announcement"`) && strings.Contains(text, `"kind":"leave"`) {
				return nil
			}
			return []string{text}
		}, "must be notified once"},
		{"a user away for good", func(_ int64, fromServer bool, text string) []string {
			if fromServer && strings.Contains(text, `"users":[{`) {
				text = strings.Replace(text, `-1"}`, `-1","away":true}`, 1)
			}
			return []string{text}
		}, "is away"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, output := verify(t.Context(), "5s", startChat(t, tt.spoil))
			if status != 1 || !strings.Contains(output, "FAILED") || !strings.Contains(output, tt.want) {
				t.Errorf("verify = %d, want 1 and %q in:\n%s", status, tt.want, output)
			}
		})
	}
}

func TestVerifyCommandLine(t *testing.T) {
	t.Parallel()
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
		status := run(t.Context(), append([]string{"verify"}, tt.args...), &out, &out, false)
		if status != 2 || !strings.Contains(out.String(), tt.want) {
			t.Errorf("verify %q = %d, %q, want 2 and %q", tt.args, status, out.String(), tt.want)
		}
	}
	var out strings.Builder
	args := []string{"verify", "-patience", "1s", "http://127.0.0.1:1", "http://127.0.0.1:2"}
	if status := run(t.Context(), args, &out, &out, false); status != 1 {
		t.Errorf("verify without a server = %d, %q, want 1", status, out.String())
	}
}
