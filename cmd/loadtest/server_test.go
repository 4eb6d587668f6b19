package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

// chatServer is a small correct chat server that speaks both protocols. A test may spoil its
// deliveries.
type chatServer struct {
	// spoil returns what the client to gets in place of its message number n; nil: it gets that
	// message.
	spoil func(to *peer, n int, message string) []string

	echo        bool // messages come back to their sender
	refuseNames bool // every nickname is taken
	refuseAcks  bool // every user message is acknowledged with true
	silentAcks  bool // no user message is acknowledged
	fragments   bool // messages are written in frames of a few bytes
	kickAt      int  // the connection that gets this message is closed instead; 0: none

	mu    sync.Mutex
	peers []*peer
	sent  int
	pongs int // heartbeats answered
}

// peer is one connection to a chatServer; the server's mutex guards it.
type peer struct {
	ws     *websocket.Conn
	raw    bool // at /ws
	number int
	name   string
	kept   []string // what a spoil function keeps for later
	count  int      // messages received
	// released is set once a spoil function has done its work.
	released bool
}

// start serves on the loopback address until the test ends.
func (s *chatServer) start(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.URL
}

func (s *chatServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{WriteBufferSize: 1024}
	if s.fragments {
		upgrader.WriteBufferSize = 16
	}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	p := &peer{ws: ws, raw: r.URL.Path == "/ws"}
	s.mu.Lock()
	p.number = len(s.peers)
	s.peers = append(s.peers, p)
	if !p.raw {
		s.write(p, `0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`)
		s.write(p, "2")
	} else {
		ws.SetPongHandler(func(string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.pongs++
			return nil
		})
		_ = ws.WriteControl(websocket.PingMessage, []byte("ping"), noDeadline)
	}
	s.mu.Unlock()
	defer s.forget(p)
	for {
		_, data, err := ws.ReadMessage()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.receive(p, string(data))
		s.mu.Unlock()
	}
}

func (s *chatServer) forget(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peers = slices.DeleteFunc(s.peers, func(other *peer) bool { return other == p })
}

// write sends one text message, in fragments if the server makes them. Errors show up in the reader.
func (s *chatServer) write(p *peer, text string) {
	if !s.fragments {
		_ = p.ws.WriteMessage(websocket.TextMessage, []byte(text))
		return
	}
	w, err := p.ws.NextWriter(websocket.TextMessage)
	if err != nil {
		return
	}
	for part := range slices.Chunk([]byte(text), 7) {
		_, _ = w.Write(part)
	}
	_ = w.Close()
}

func (s *chatServer) receive(p *peer, text string) {
	if !p.raw {
		s.receiveSocketIO(p, text)
		return
	}
	var object struct {
		Event string
		Args  []string
		ID    *int
	}
	if err := json.Unmarshal([]byte(text), &object); err != nil || len(object.Args) != 1 {
		return
	}
	id := ""
	if object.ID != nil {
		id = strconv.Itoa(*object.ID)
	}
	s.handle(p, object.Event, object.Args[0], id)
}

func (s *chatServer) receiveSocketIO(p *peer, text string) {
	body, event := strings.CutPrefix(text, "42")
	if text == "40" {
		s.write(p, `40{"sid":"x"}`)
	}
	if text == "3" {
		s.pongs++
	}
	if !event {
		return
	}
	id, args, _ := strings.Cut(body, "[")
	var words []string
	if err := json.Unmarshal([]byte("["+args), &words); err != nil || len(words) != 2 {
		return
	}
	s.handle(p, words[0], words[1], id)
}

func (s *chatServer) handle(p *peer, event, arg, id string) {
	switch event {
	case "nickname":
		p.name = arg
		s.acknowledge(p, id, s.refuseNames)
		for _, other := range s.peers {
			if other != p {
				s.emit(other, fmt.Sprintf(`["announcement",%q]`, arg+" connected"))
			}
		}
	case "user message":
		s.sent++
		for _, other := range s.peers {
			if other != p || s.echo {
				s.deliver(other, p, arg)
			}
		}
		if !s.silentAcks && id != "" {
			s.acknowledge(p, id, s.refuseAcks)
		}
	}
}

func (s *chatServer) deliver(to, from *peer, text string) {
	to.count++
	if to.count == s.kickAt {
		to.ws.Close()
		return
	}
	message := fmt.Sprintf(`["user message",%q,%q,{"id":"%d"}]`, from.name, text, s.sent)
	out := []string{message}
	if s.spoil != nil {
		out = s.spoil(to, to.count, message)
	}
	for _, m := range out {
		s.emit(to, m)
	}
}

func (s *chatServer) emit(p *peer, args string) {
	if !p.raw {
		s.write(p, "42"+args)
		return
	}
	event, rest, _ := strings.Cut(strings.TrimPrefix(args, "["), ",")
	s.write(p, `{"event":`+event+`,"args":[`+rest+`}`)
}

func (s *chatServer) acknowledge(p *peer, id string, refused bool) {
	if p.raw {
		s.write(p, fmt.Sprintf(`{"ack":%s,"args":[%v]}`, id, refused))
	} else {
		s.write(p, fmt.Sprintf("43%s[%v]", id, refused))
	}
}
