package engineio

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPollingEcho(t *testing.T) {
	h := serve(t, Options{CloseTimeout: quickly})
	_, target := h.openPolling()
	h.want("a POST is handled before it is answered", "POST", target, "4one\x1e4two\x1ebAQIDBA==\x1e4", 200, "ok")
	h.want("one poll returns all that is there", "GET", target, "", 200, "4one\x1e4two\x1ebAQIDBA==\x1e4")
}

func TestPollingMistakesEndTheSession(t *testing.T) {
	for _, row := range []struct {
		why, body string
		status    int
		header    []string
	}{
		{"unknown packet", "abc", 400, nil},
		{"empty body", "", 400, nil},
		{"a good packet, then a bad one", "4a\x1e?", 400, nil},
		{"invalid UTF-8", "4\xff", 400, nil},
		{"too big", "4" + strings.Repeat("x", 1000), 413, nil},
		{"binary body in protocol 4", "4x", 400, []string{"Content-Type", "application/octet-stream"}},
		{"the server's ping", "2", 400, nil},
		{"upgrade without WebSocket", "5", 400, nil},
	} {
		h := serve(t, Options{MaxMessageSize: 1000})
		sid, target := h.openPolling()
		if a := h.request(t.Context(), "POST", target, row.body, row.header...); a.status != row.status {
			t.Errorf("%s: POST = %d %q, want %d", row.why, a.status, a.body, row.status)
		}
		h.wantClosed(sid, errAnyMistake)
		h.want(row.why, "GET", target, "", 400, `{"code":1,"message":"Session ID unknown"}`)
	}
}

// poll polls in the background; bubbles know when it waits.
func (h *host) poll(target string) <-chan answer {
	answered := make(chan answer, 1)
	go func() {
		a, err := h.tryRequest(h.t.Context(), "GET", target, "")
		if err != nil {
			a.body = err.Error()
		}
		answered <- a
	}()
	return answered
}

func (h *host) wantAnswer(why string, answered <-chan answer, status int, body string) {
	h.t.Helper()
	if a := <-answered; a.status != status || a.body != body {
		h.t.Errorf("%s: poll answered %d %q, want %d %q", why, a.status, a.body, status, body)
	}
}

func TestSecondPollEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{})
		defer end()
		sid, target := h.openPolling()
		first := h.poll(target)
		synctest.Wait()
		h.want("the second is refused", "GET", target, "", 400, `{"code":3,"message":"Bad request"}`)
		h.wantAnswer("the first is told of the end", first, 200, "1")
		h.wantClosed(sid, errAnyMistake)
		h.want("the session is gone", "GET", target, "", 400, `{"code":1,"message":"Session ID unknown"}`)
	})
}

func TestCancelledPollEndsTheSession(t *testing.T) {
	h := serve(t, Options{})
	sid, target := h.openPolling()
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		_, _ = h.tryRequest(ctx, "GET", target, "")
	}()
	h.waitFor("a poll waits", func() bool {
		s := h.session()
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.polling.poll != nil
	})
	cancel()
	<-waiting
	h.wantClosed(sid, ErrTransportClosed)
	h.want("the session is gone", "GET", target, "", 400, `{"code":1,"message":"Session ID unknown"}`)
}

// A client may give up the poll that its WebSocket has made superfluous, before the server has come to refuse it.
func TestPollCancelledAfterUpgrade(t *testing.T) {
	h := newHost(t, Options{CloseTimeout: quickly})
	defer h.shutdown()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 { // a select of two that are ready takes either
		s, _ := h.server.newSession(V4, statePolling, Handshake{})
		s.notifyOpened()
		p, _ := s.startPoll()
		here, _ := net.Pipe()
		c := &conn{Conn: here}
		if !s.startProbe(c) || !s.move(c) {
			t.Fatal("the session did not move")
		}
		if _, _, refusal := s.awaitPoll(p, newRequest("192.0.2.1:1").WithContext(cancelled)); refusal != errBadRequest {
			t.Errorf("await = %v, want %v", refusal, errBadRequest)
		}
		if err := s.reason(); err != nil {
			t.Fatalf("the session on the WebSocket ended with %v", err)
		}
	}
}

// waitFor waits for a condition that nothing announces.
func (h *host) waitFor(what string, condition func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited in vain until %s", what)
		}
		tick := time.NewTimer(time.Millisecond)
		<-tick.C
	}
}

func TestPostsRaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{})
		defer end()
		release := make(chan struct{})
		h.received = func(*Session, Message) { <-release }
		sid, target := h.openPolling()
		first := make(chan answer, 1)
		go func() { first <- h.request(t.Context(), "POST", target, "4x") }()
		synctest.Wait()
		h.want("the second is refused", "POST", target, "4y", 400, `{"code":3,"message":"Bad request"}`)
		close(release)
		if a := <-first; a.status != 200 {
			t.Errorf("first POST = %d %q, want 200", a.status, a.body)
		}
		h.wantClosed(sid, errPostsRaced)
	})
}

func TestPostWhilePolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{CloseTimeout: quickly})
		defer end()
		_, target := h.openPolling()
		for range 50 {
			poll := h.poll(target)
			synctest.Wait()
			h.want("the echo goes to the waiting poll", "POST", target, "4x", 200, "ok")
			h.wantAnswer("at once", poll, 200, "4x")
		}
	})
}

// Engine.IO v4: a client closes by POST while its own poll waits, or is on its way. Both orders must be answered alike.
func TestClientClosesByPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{})
		defer end()
		for _, pollFirst := range []bool{true, false} {
			sid, target := h.openPolling()
			var poll <-chan answer
			if pollFirst {
				poll = h.poll(target)
				synctest.Wait()
			}
			h.want("a close", "POST", target, "1", 200, "ok")
			if !pollFirst {
				poll = h.poll(target)
			}
			h.wantAnswer("the poll ends", poll, 200, "6")
			h.wantClosed(sid, ErrClientClosed)
			h.want("the session is gone", "GET", target, "", 400, `{"code":1,"message":"Session ID unknown"}`)
		}
	})
}

func TestServerClosesPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{})
		defer end()
		_, target := h.openPolling()
		session := h.session()
		_ = session.Send(Message{Data: []byte("last words")})
		session.Close(nil)
		h.want("the next poll hears what was sent", "GET", target, "", 200, "4last words")
		h.want("the one after it the end", "GET", target, "", 200, "1")
		h.want("then it is gone", "GET", target, "", 400, `{"code":1,"message":"Session ID unknown"}`)

		_, target = h.openPolling()
		h.session().Close(nil)
		time.Sleep(6 * time.Second)
		h.want("nobody has asked in time", "GET", target, "", 400, `{"code":1,"message":"Session ID unknown"}`)
		h.wantClosed(session.ID(), ErrClosed)
	})
}

func TestHeartbeat(t *testing.T) {
	for _, transport := range []string{"polling", "websocket", "bare", "websocket, protocol 3"} {
		t.Run(transport, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, end := pipes(t, Options{Protocol3: true})
				defer end()
				start := time.Now()
				sid := heartbeats[transport](h)
				h.wantClosed(sid, ErrPingTimeout)
				// Three heartbeats of 25 s that are answered at once, then 45 s of silence; late by ticks at most.
				if got := time.Since(start); got < 120*time.Second || got > 125*time.Second {
					t.Errorf("the session ended after %v, want about 120 s", got)
				}
			})
		})
	}
}

// heartbeats live through three heartbeats on each transport and then fall silent.
var heartbeats = map[string]func(*host) string{
	"polling": func(h *host) string {
		sid, target := h.openPolling()
		for range 3 {
			h.want("a ping", "GET", target, "", 200, "2")
			h.want("a pong", "POST", target, "3", 200, "ok")
		}
		return sid
	},
	"websocket": func(h *host) string {
		s := h.webSocket(webSocketURL)
		_ = s.conn.SetDeadline(time.Now().Add(time.Hour))
		for range 3 {
			s.want("a ping", "2")
			s.send("3")
		}
		s.want("a last ping", "2")
		s.wantClose("silence ends it", closeGoingAway)
		return s.sid
	},
	"bare": func(h *host) string {
		s := h.webSocket("/ws")
		start := time.Now()
		_ = s.conn.SetDeadline(time.Now().Add(time.Hour))
		for range 4 {
			first, _, err := s.readFrame()
			if err != nil || first != framePing {
				h.t.Fatalf("read %#x, %v, want a WebSocket ping", first, err)
			}
			if _, last := h.t.Context().Deadline(); last {
				break
			}
			if time.Since(start) > 80*time.Second {
				break
			}
			s.write(clientFrame(framePong, nil))
		}
		s.wantClose("silence ends it", closeGoingAway)
		return h.session().ID()
	},
	"websocket, protocol 3": func(h *host) string {
		s := h.webSocket("/engine.io/?EIO=3&transport=websocket")
		_ = s.conn.SetDeadline(time.Now().Add(time.Hour))
		for range 3 {
			time.Sleep(25 * time.Second)
			s.send("2")
			s.want("the client pings", "3")
		}
		s.wantClose("silence ends it", closeGoingAway)
		return s.sid
	},
}

// A time-out longer than the interval does not make pings rarer.
func TestPingsComeEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{PingInterval: 2 * time.Second, PingTimeout: 20 * time.Second})
		defer end()
		s := h.webSocket(webSocketURL)
		start := time.Now()
		for range 5 {
			s.want("a ping", "2")
			s.send("3")
		}
		if got := time.Since(start); got > 11*time.Second {
			t.Errorf("five pings took %v, want about 10 s", got)
		}
		s.hangUp()
	})
}

// The suite of the protocol asks at the very moment when interval and time-out are over: the answer must not hang on a tick.
func TestExpiryIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond})
		defer end()
		_, target := h.openPolling()
		time.Sleep(500 * time.Millisecond)
		h.want("the sid is unknown", "GET", target, "", 400, `{"code":1,"message":"Session ID unknown"}`)
	})
}

func TestUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{})
		defer end()
		sid, target := h.openPolling()
		poll := h.poll(target)
		synctest.Wait()
		s := h.rawWebSocket(webSocketURL + "&sid=" + sid)
		s.send("2probe")
		s.want("the probe is answered", "3probe")
		h.wantAnswer("the waiting poll is let go at once", poll, 200, "6")
		_ = h.session().Send(Message{Data: []byte("while upgrading")})
		s.send("5")
		s.want("what waited comes by WebSocket", "4while upgrading")
		s.send("4hello")
		s.want("the session goes on", "4hello")
		h.want("polling is over", "GET", target, "", 400, `{"code":3,"message":"Bad request"}`)

		second := h.rawWebSocket(webSocketURL + "&sid=" + sid)
		second.wantClose("another WebSocket is ignored", closePolicyViolation)
		s.send("4still")
		s.want("the first is unharmed", "4still")
		s.hangUp()
	})
}

func TestPollDuringUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{})
		defer end()
		sid, target := h.openPolling()
		s := h.rawWebSocket(webSocketURL + "&sid=" + sid)
		s.send("2probe")
		s.want("the probe is answered", "3probe")
		start := time.Now()
		h.want("a poll on its way is let go", "GET", target, "", 200, "6")
		if waited := time.Since(start); waited > probeGrace {
			t.Errorf("the poll waited %v, want at most %v", waited, probeGrace)
		}
		late := h.poll(target)
		synctest.Wait()
		s.send("5")
		h.wantAnswer("a poll that outlives the upgrade is a mistake", late, 400, `{"code":3,"message":"Bad request"}`)
		s.send("4x")
		s.want("the session lives", "4x")
		s.hangUp()
	})
}

func TestUpgradeThatFails(t *testing.T) {
	for _, row := range []struct {
		why   string
		sends []string
	}{
		{"no probe but a message", []string{"4x"}},
		{"a probe with other data", []string{"2other"}},
		{"garbage", []string{"abc"}},
		{"silence", nil},
		{"silence after the probe", []string{"2probe"}},
		{"no upgrade after the probe", []string{"2probe", "4x"}},
	} {
		t.Run(row.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, end := pipes(t, Options{CloseTimeout: time.Second})
				defer end()
				sid, target := h.openPolling()
				s := h.rawWebSocket(webSocketURL + "&sid=" + sid)
				for _, text := range row.sends {
					s.send(text)
					if text == "2probe" {
						s.want("the probe is answered", "3probe")
					}
				}
				if _, _, err := s.readFrame(); err == nil {
					t.Error("the WebSocket is still open")
				}
				_ = s.conn.Close()
				h.want("the session stays with polling", "POST", target, "4x", 200, "ok")
				h.want("and polls", "GET", target, "", 200, "4x")
			})
		})
	}
}

func TestUpgradeRacedWithClose(t *testing.T) {
	h := serve(t, Options{CloseTimeout: quickly})
	for range 50 {
		sid, _ := h.openPolling()
		s := h.rawWebSocket(webSocketURL + "&sid=" + sid)
		s.send("2probe")
		s.want("the probe is answered", "3probe")
		session := h.session()
		raced := make(chan struct{})
		go func() {
			session.Close(nil)
			close(raced)
		}()
		_, _ = s.conn.Write(clientFrame(frameText, []byte("5"))) // the connection may be gone
		<-raced
		h.wantClosed(sid, ErrClosed)
		_ = s.conn.Close()
	}
}

// A client whose poll has been let go no longer polls: it learns of the session's end by the WebSocket it is about to move to, when
// it has asked for that.
func TestCloseDuringUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{CloseTimeout: time.Second})
		defer end()
		sid, target := h.openPolling()
		poll := h.poll(target)
		synctest.Wait()
		s := h.rawWebSocket(webSocketURL + "&sid=" + sid)
		s.send("2probe")
		s.want("the probe is answered", "3probe")
		h.wantAnswer("the waiting poll is let go", poll, 200, "6")
		h.session().Close(nil)
		h.wantClosed(sid, ErrClosed)
		time.Sleep(900 * time.Millisecond)
		s.send("5")
		start := time.Now()
		if _, err := s.r.ReadByte(); err == nil || time.Since(start) > 0 {
			t.Errorf("the upgrade is answered with %v after %v, want the end at once", err, time.Since(start))
		}
		_ = s.conn.Close()
	})
}

// One who does not ask is waited for as long as for the answer to a closing handshake.
func TestCloseDuringProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{CloseTimeout: time.Second})
		defer end()
		sid, target := h.openPolling()
		s := h.rawWebSocket(webSocketURL + "&sid=" + sid)
		synctest.Wait()
		start := time.Now()
		h.session().Close(nil)
		h.want("its poll is told", "GET", target, "", 200, "1")
		if _, err := s.r.ReadByte(); err == nil || time.Since(start) != time.Second {
			t.Errorf("WebSocket ends with %v after %v, want after a second", err, time.Since(start))
		}
		_ = s.conn.Close()
	})
}

func TestProtocol3Polling(t *testing.T) {
	h := serve(t, Options{Protocol3: true, CloseTimeout: quickly})
	const url = "/engine.io/?EIO=3&transport=polling"
	a := h.get(url)
	length, open, _ := strings.Cut(a.body, ":")
	if length == "" || strings.Contains(open, "maxPayload") {
		t.Errorf("open payload = %q", a.body)
	}
	target := url + "&sid=" + sidOf(t, open)
	h.want("packets have lengths", "POST", target, "6:4hello2:4€", 200, "ok")
	h.want("so has the echo", "GET", target, "", 200, "6:4hello2:4€")
	b := h.request(t.Context(), "POST", target, "\x01\x03\xff\x04\x01\x02", "Content-Type", contentTypeBinary)
	if b.status != 200 {
		t.Fatalf("binary POST = %d %q", b.status, b.body)
	}
	c := h.get(target)
	if !bytes.Equal([]byte(c.body), []byte("\x01\x03\xff\x04\x01\x02")) || c.header.Get("Content-Type") != contentTypeBinary {
		t.Errorf("binary echo = %q as %s", c.body, c.header.Get("Content-Type"))
	}
	h.want("the client pings", "POST", target, "1:2", 200, "ok")
	h.want("and hears a pong", "GET", target, "", 200, "1:3")
	h.want("protocol 4 has another sid", "GET", pollingURL+"&sid="+sidOf(t, open), "", 400, `{"code":1,"message":"Session ID unknown"}`)
}

func TestShutdownTellsEverybody(t *testing.T) {
	h := serve(t, Options{})
	ws, bare := h.webSocket(webSocketURL), h.webSocket("/ws")
	_, target := h.openPolling()
	polling := h.session()
	poll := h.poll(target)
	h.waitFor("the poll waits", func() bool {
		polling.mu.Lock()
		defer polling.mu.Unlock()
		return polling.polling.poll != nil
	})
	done := make(chan error, 1)
	go func() { done <- h.server.Shutdown(t.Context()) }()
	h.wantAnswer("polling hears of it", poll, 200, "1")
	ws.wantClose("so does a WebSocket", closeGoingAway)
	bare.wantClose("and a bare one", closeGoingAway)
	if err := <-done; err != nil {
		t.Errorf("Shutdown = %v", err)
	}
	h.wantClosed(ws.sid, ErrServerClosed)
	h.want("nobody is let in any more", "GET", pollingURL, "", 503, `{"code":4,"message":"No more sessions accepted"}`)
}

// A client that never answers the closing handshake does not hold up a server that has no time.
func TestShutdownInAHurry(t *testing.T) {
	h := serve(t, Options{CloseTimeout: time.Hour})
	s := h.webSocket(webSocketURL)
	h.openPolling()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := h.server.Shutdown(ctx); err != context.DeadlineExceeded {
		t.Errorf("Shutdown = %v, want %v", err, context.DeadlineExceeded)
	}
	_ = s.conn.Close()
}

// A session that Shutdown finds while it is being opened must not be left with the heartbeat, which Shutdown waits for.
func TestShutdownFindsNewSession(t *testing.T) {
	h := newHost(t, Options{PingInterval: time.Hour})
	defer h.shutdown()
	beat := h.server.heartbeat
	for range 100 {
		beat.mu.Lock() // holds the new session up where it is known and not watched yet
		opened := make(chan *Session)
		go func() {
			s, _ := h.server.newSession(V4, stateOpening, Handshake{})
			opened <- s
		}()
		h.waitFor("the session is known", func() bool { return !h.server.empty() })
		known := h.server.all()[0]
		beat.mu.Unlock()
		known.Close(ErrServerClosed)
		h.server.discard(<-opened, ErrServerClosed)
		beat.mu.Lock()
		waiting := beat.waiting
		beat.mu.Unlock()
		if waiting > 0 {
			h.server.heartbeat.forget(known)
			t.Fatal("the session is over and is to be looked at in an hour")
		}
	}
}

// A poll waits for longer than the WriteTimeout of the server it came to, on a connection that is used for polls and posts alike.
func TestPollsOutliveWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{CloseTimeout: quickly})
		defer end()
		client := http.Client{Transport: &http.Transport{
			DialContext:     func(context.Context, string, string) (net.Conn, error) { return h.dial() },
			MaxConnsPerHost: 1,
		}}
		defer client.CloseIdleConnections()
		do := func(method, target, body string) string {
			r, _ := http.NewRequest(method, "http://chat.test"+target, strings.NewReader(body))
			response, err := client.Do(r)
			if err != nil {
				t.Fatalf("%s after %v: %v", method, time.Since(h.server.start), err)
			}
			defer response.Body.Close()
			b, _ := io.ReadAll(response.Body)
			return string(b)
		}
		_, target := h.openPolling()
		for range 4 {
			if got := do("GET", target, ""); got != "2" {
				t.Fatalf("poll = %q, want a ping", got)
			}
			time.Sleep(15 * time.Second)
			if got := do("POST", target, "3"); got != "ok" {
				t.Fatalf("POST = %q", got)
			}
			time.Sleep(25 * time.Second)
		}
	})
}
