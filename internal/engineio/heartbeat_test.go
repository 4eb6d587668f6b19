package engineio

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestSilentClientIsClosedAfterIntervalAndTimeout(t *testing.T) {
	for _, transport := range []string{"polling", "websocket", "raw", "websocket, protocol 3"} {
		t.Run(transport, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, end := pipes(t, Options{Protocol3: true})
				defer end()
				start := time.Now()
				sid := heartbeats[transport](h)
				h.wantClosed(sid, ErrPingTimeout)
				// Three heartbeats of 25 s that are answered at once, then 45 s of silence; late by
				// ticks at most.
				if got := time.Since(start); got < 120*time.Second || got > 125*time.Second {
					t.Errorf("the session ended after %v, want about 120 s", got)
				}
			})
		})
	}
}

// heartbeats answer three heartbeats on each transport and then fall silent. They return the sid.
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
	"raw": func(h *host) string {
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

// A time-out that is longer than the interval does not make pings rarer.
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

// The official suite asks at the very moment when interval and time-out are over: the answer must
// not depend on a tick.
func TestExpiryIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond})
		defer end()
		_, target := h.openPolling()
		time.Sleep(500 * time.Millisecond)
		h.want("the sid is unknown", "GET", target, "", 400, `{"code":1,"message":"Session ID unknown"}`)
	})
}

// A client that does not answer receives one ping, and not another at each check until its time-out.
func TestUnansweredPingIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{PingInterval: 2 * time.Second, PingTimeout: 20 * time.Second})
		defer end()
		s := h.webSocket(webSocketURL)
		s.want("a ping", "2")
		if first, payload, err := s.readFrame(); err != nil || first != frameClose {
			t.Errorf("after the ping read %#x %q, %v, want a close frame", first, payload, err)
		}
		_ = s.conn.Close()
	})
}
