package engineio

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// A client may give up the poll that its WebSocket has superseded, before the server refuses it.
func TestPollCancelledAfterUpgradeKeepsTheSession(t *testing.T) {
	h := newHost(t, Options{CloseTimeout: shortClose})
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

func TestUpgradeMovesTheSession(t *testing.T) {
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
		s.want("the queue comes by WebSocket", "4while upgrading")
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

func TestPollDuringUpgradeIsAnsweredWithANoop(t *testing.T) {
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

func TestFailedUpgradeLeavesTheSessionPolling(t *testing.T) {
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

func TestCloseRacedWithUpgradeEndsOnce(t *testing.T) {
	h := serve(t, Options{CloseTimeout: shortClose})
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

// A client whose poll was answered with a noop no longer polls. It learns of the session's end by
// the WebSocket, when it sends the upgrade packet.
func TestCloseDuringUpgradeAnswersTheUpgradePacket(t *testing.T) {
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

// A WebSocket that does not probe has as long as an answer to a closing handshake.
func TestCloseDuringProbeWaitsForCloseTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{CloseTimeout: time.Second})
		defer end()
		sid, target := h.openPolling()
		s := h.rawWebSocket(webSocketURL + "&sid=" + sid)
		synctest.Wait()
		start := time.Now()
		h.session().Close(nil)
		h.want("its poll receives the close", "GET", target, "", 200, "1")
		if _, err := s.r.ReadByte(); err == nil || time.Since(start) != time.Second {
			t.Errorf("WebSocket ends with %v after %v, want after a second", err, time.Since(start))
		}
		_ = s.conn.Close()
	})
}

// While one WebSocket probes, a second one is refused, and does not harm the first.
func TestSecondProbeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{})
		defer end()
		sid, _ := h.openPolling()
		first := h.rawWebSocket(webSocketURL + "&sid=" + sid)
		first.send("2probe")
		first.want("the probe is answered", "3probe")
		second := h.rawWebSocket(webSocketURL + "&sid=" + sid)
		second.wantClose("another probe", closePolicyViolation)
		first.send("5")
		first.send("4x")
		first.want("the session has moved to the first", "4x")
		first.hangUp()
	})
}

// UpgradeTimeout bounds the upgrade, not the session that has moved.
func TestUpgradedSessionOutlivesUpgradeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{UpgradeTimeout: 2 * time.Second})
		defer end()
		sid, _ := h.openPolling()
		s := h.rawWebSocket(webSocketURL + "&sid=" + sid)
		s.send("2probe")
		s.want("the probe is answered", "3probe")
		s.send("5")
		time.Sleep(10 * time.Second)
		s.send("4x")
		s.want("the session lives", "4x")
		s.hangUp()
	})
}
