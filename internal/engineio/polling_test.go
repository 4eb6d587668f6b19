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

	"chatapp/internal/waittest"
)

func TestPollingEchoes(t *testing.T) {
	h := serve(t, Options{CloseTimeout: shortClose})
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

func TestSecondPollEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{})
		defer end()
		sid, target := h.openPolling()
		first := h.poll(target)
		synctest.Wait()
		h.want("the second is refused", "GET", target, "", 400, `{"code":3,"message":"Bad request"}`)
		h.wantAnswer("the first receives the end", first, 200, "1")
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
	waittest.Until(h.t, "a poll waits", func() bool {
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

func TestSecondPostEndsTheSession(t *testing.T) {
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

func TestEchoOfAPostAnswersTheWaitingPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{CloseTimeout: shortClose})
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

// Engine.IO v4: a client closes by POST while its own poll waits, or is on its way. Both orders
// must be answered alike.
func TestCloseByPostAnswersThePollWithANoop(t *testing.T) {
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

func TestPollsReceiveTheQueueBeforeTheClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{})
		defer end()
		_, target := h.openPolling()
		session := h.session()
		_ = session.Send(Message{Data: []byte("last words")})
		session.Close(nil)
		h.want("the next poll receives the queue", "GET", target, "", 200, "4last words")
		h.want("the one after it the end", "GET", target, "", 200, "1")
		h.want("then it is gone", "GET", target, "", 400, `{"code":1,"message":"Session ID unknown"}`)

		_, target = h.openPolling()
		h.session().Close(nil)
		time.Sleep(6 * time.Second)
		h.want("nobody has asked in time", "GET", target, "", 400, `{"code":1,"message":"Session ID unknown"}`)
		h.wantClosed(session.ID(), ErrClosed)
	})
}

func TestProtocol3Polls(t *testing.T) {
	h := serve(t, Options{Protocol3: true, CloseTimeout: shortClose})
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
	if !bytes.Equal([]byte(c.body), []byte("\x01\x03\xff\x04\x01\x02")) ||
		c.header.Get("Content-Type") != contentTypeBinary {
		t.Errorf("binary echo = %q as %s", c.body, c.header.Get("Content-Type"))
	}
	h.want("the client pings", "POST", target, "1:2", 200, "ok")
	h.want("and hears a pong", "GET", target, "", 200, "1:3")
	h.want("protocol 4 has another sid", "GET", pollingURL+"&sid="+sidOf(t, open), "", 400,
		`{"code":1,"message":"Session ID unknown"}`)
}

// A poll waits for longer than the WriteTimeout of the server it came to, on a connection that is
// used for polls and posts alike.
func TestPollsOutliveTheServersWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{CloseTimeout: shortClose})
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

// A protocol 3 client asks by b64 for payloads without bytes.
func TestProtocol3ClientReceivesBase64(t *testing.T) {
	h := serve(t, Options{Protocol3: true, CloseTimeout: shortClose})
	const url = "/engine.io/?EIO=3&transport=polling&b64=1"
	_, open, _ := strings.Cut(h.get(url).body, ":")
	target := url + "&sid=" + sidOf(t, open)
	_ = h.session().Send(Message{Data: []byte{1, 2, 3, 4}, Binary: true})
	h.want("a binary message", "GET", target, "", 200, "10:b4AQIDBA==")
}
