package engineio

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sendPongs keeps a session alive without reading, until the connection ends or for ten minutes. It
// returns how long that took.
func (s *socket) sendPongs() time.Duration {
	_ = s.conn.SetDeadline(time.Time{})
	start := time.Now()
	for time.Since(start) < 10*time.Minute {
		if _, err := s.conn.Write(clientFrame(frameText, []byte("3"))); err != nil {
			break
		}
		time.Sleep(time.Second)
	}
	return time.Since(start)
}

func TestClientThatReadsNothingIsCutAfterAHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second})
		defer end()
		s := h.webSocket(webSocketURL)
		if err := h.session().Send(Message{Data: []byte("never read")}); err != nil {
			t.Fatal(err)
		}
		if took := s.sendPongs(); took < 45*time.Second || took > 47*time.Second {
			t.Errorf("the connection ended after %v, want 45 s", took)
		}
		h.wantClosed(s.sid, ErrSlowConsumer)
	})
}

func TestClosingClientThatReadsNothingIsCutAfterCloseTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{CloseTimeout: 5 * time.Second})
		defer end()
		s := h.webSocket(webSocketURL)
		if err := h.session().Send(Message{Data: []byte("never read")}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		h.session().Close(nil)
		if took := s.sendPongs(); took < 5*time.Second || took > 7*time.Second {
			t.Errorf("the connection ended after %v, want 5 s", took)
		}
		h.wantClosed(s.sid, ErrClosed)
	})
}

// A client that is cut for what it sends may go on sending as fast as it can. That costs the server little, and the
// client can't connect anew at once.
func TestClientThatGoesOnSendingIsReadSlowly(t *testing.T) {
	for name, frame := range map[string][]byte{
		"messages":         clientFrame(frameText, append([]byte("4"), make([]byte, 10_000)...)),
		"empty messages":   bytes.Repeat(clientFrame(frameText, nil), 1000),
		"pings":            bytes.Repeat(clientFrame(framePing, nil), 1000),
		"against protocol": make([]byte, 10_000),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, end := pipesOf(t, Options{CloseTimeout: 5 * time.Second},
					func(c net.Conn) net.Conn { return halfClosing{c} })
				defer end()
				s := h.webSocket(webSocketURL)
				go func() { _, _ = io.Copy(io.Discard, s.conn) }()
				_ = s.conn.SetDeadline(time.Time{})
				h.session().Close(errTooManyRefusals)
				start, taken := time.Now(), 0
				for taken < 10<<20 {
					n, err := s.conn.Write(frame)
					if taken += n; err != nil {
						break
					}
				}
				if took := time.Since(start); taken > 3*maxLate || took < 4*time.Second || took > 6*time.Second {
					t.Errorf("%d bytes taken, end after %v; want %d at most, and 5 s", taken, took, 3*maxLate)
				}
			})
		})
	}
}

// A deadline that stayed behind would fail the first write after a silence that is longer than a
// heartbeat.
func TestWriteDeadlineEndsWithTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second})
		defer end()
		s := h.webSocket(webSocketURL)
		_ = s.conn.SetDeadline(time.Time{})
		session := h.session()
		if err := session.Send(Message{Data: []byte("blocked at first")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		s.want("a pipe takes a message only when it is read", "4blocked at first")
		for range 10 {
			s.send("3") // before a ping is due
			time.Sleep(10 * time.Second)
		}
		var written sync.WaitGroup
		written.Go(func() { // as the writer does where the socket is not full
			if _, err := session.conn.Conn.Write(appendFrame(nil, frameText, "4later", nil)); err != nil {
				t.Errorf("write after a silence: %v", err)
				_ = s.conn.Close()
			}
		})
		first, payload, err := s.readFrame()
		if first != frameText || string(payload) != "4later" {
			t.Errorf("read frame %#x %q, %v after a silence, want a message", first, payload, err)
		}
		written.Wait()
		_ = s.conn.Close()
	})
}

// A request whose body does not arrive is given up after RequestTimeout, and ends its session.
func TestPostWithoutItsBodyEndsAfterRequestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{RequestTimeout: 5 * time.Second})
		defer end()
		sid, target := h.openPolling()
		c, err := h.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		start := time.Now()
		request := "POST " + target + " HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 9\r\n\r\n4x"
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, c) }()
		h.wantClosed(sid, ErrTransportClosed)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("the session ended after %v, want 5 s", took)
		}
	})
}
