package attacktest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// poller is a Socket.IO client by long-polling.
type poller struct {
	a       *arena
	address string
	url     string
}

func (a *arena) poll(address string) *poller {
	a.t.Helper()
	p := &poller{a: a, address: address, url: a.URL + "/socket.io/?EIO=4&transport=polling"}
	var open struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(p.get(), "0")), &open); err != nil || open.SID == "" {
		a.t.Fatalf("handshake: %v", err)
	}
	p.url += "&sid=" + open.SID
	p.post("40")
	return p
}

var pollClient = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

func (p *poller) do(method, body string) (status int, answer string) {
	p.a.t.Helper()
	request, err := http.NewRequest(method, p.url, strings.NewReader(body))
	if err != nil {
		p.a.t.Fatal(err)
	}
	request.Header.Set("X-Forwarded-For", p.address)
	response, err := pollClient.Do(request)
	if err != nil {
		p.a.t.Fatal(err)
	}
	defer response.Body.Close()
	b, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(b)
}

func (p *poller) get() string {
	p.a.t.Helper()
	status, answer := p.do("GET", "")
	if status != http.StatusOK {
		p.a.t.Fatalf("poll = %d %s", status, answer)
	}
	return answer
}

// post reports whether the session goes on.
func (p *poller) post(packets ...string) bool {
	p.a.t.Helper()
	status, _ := p.do("POST", strings.Join(packets, "\x1e"))
	return status == http.StatusOK
}

// Clients that ask for much and read nothing share a budget, and the slowest pay: not one who polls a little late.
func TestUnreadAnswersHaveABudgetInAll(t *testing.T) {
	t.Parallel()
	a := newArena(t, "QUEUE_MEMORY=4000000")
	for i := range 2 {
		filler := a.join(newAddress(), fmt.Sprint("Filler ", i))
		for range 5 {
			filler.emit("user message", combining(16_000))
		}
		filler.reply("who")
	}
	honest := a.poll(newAddress())
	honest.post(`421["nickname","Polly"]`)
	honest.get()
	attackers := make([]*poller, 10)
	for i := range attackers {
		attackers[i] = a.poll(newAddress())
		for id := range 15 {
			attackers[i].post(fmt.Sprintf(`42%d["history",{"limit":100}]`, id))
		}
	}
	closed := 0
	for _, attacker := range attackers {
		if !attacker.post(`3`) {
			closed++
		}
	}
	if closed < 5 { // each holds up to 2 MB
		t.Errorf("%d of 10 clients that read nothing were closed, want most", closed)
	}
	if !honest.post(`422["who"]`) || !strings.Contains(honest.get(), `"ok":true`) {
		t.Error("a client that polls late was closed with the slowest")
	}
	a.checkOthers()
}

// Connections by plain HTTP that send requests and read no response end at a deadline, and are counted from the start.
func TestUnreadResponsesEndAtADeadline(t *testing.T) {
	t.Parallel()
	// Without a rate nothing but the deadline ends them.
	a := newArena(t, "RESPONSE_TIMEOUT=500ms", "MAX_CONNECTIONS=60", "HTTP_RATE_PER_ADDRESS=0")
	requests := strings.Repeat("GET /assets/none HTTP/1.1\r\nHost: localhost\r\n\r\n", 1000)
	conns, ended := make([]net.Conn, 40), make(chan error)
	for i := range conns {
		conn, err := net.Dial("tcp", a.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		conns[i] = conn
		if i < 3 { // enough to show it: each costs time
			_ = conn.SetWriteDeadline(time.Now().Add(patience))
			go func() {
				var err error
				for err == nil {
					_, err = io.WriteString(conn, requests)
				}
				ended <- err
			}()
		}
	}
	refused := 0
	for range 30 {
		conn, err := net.Dial("tcp", a.Address)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			refused++
		}
		defer conn.Close() // keeps its place until then
	}
	if refused < 5 {
		t.Errorf("%d of 30 connections above the limit of 60 were refused, want 10", refused)
	}
	for _, conn := range conns[3:] {
		_ = conn.Close()
	}
	// The server has given up what it could not write in time, and the connection with it.
	for range 3 {
		if err := <-ended; errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the server keeps a connection that reads nothing: %v", err)
		}
	}
	a.checkOthers()
}
