package chat

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/engineio"
)

// absent has Ann's page leave, and Bob say so many long lines at another instance meanwhile.
func absent(c *cluster, raw bool, lines int) (ann *page, bob *testUser) {
	ann = &page{raw: raw}
	ann.open(&c.replicas[0].site)
	ann.name("Ann")
	bob = c.replicas[1].join("Bob")
	ann.until("bob", "nicknames")
	ann.Close()
	filler := strings.Repeat("x", 12<<10)
	for i := range lines {
		bob.sent(fmt.Sprint(i, " ", filler))
	}
	synctest.Wait()
	return ann, bob
}

// polled sends a request of long-polling without a connection, and returns the packets of the answer.
func polled(t *testing.T, engine *engineio.Server, method, sid, body string) []string {
	t.Helper()
	request := httptest.NewRequest(method, "http://localhost/socket.io/?EIO=4&transport=polling&sid="+sid,
		strings.NewReader(body))
	answer := httptest.NewRecorder()
	engine.ServeHTTP(answer, request)
	if answer.Code != 200 {
		t.Fatalf("%s is answered by %d %s", method, answer.Code, answer.Body)
	}
	return strings.Split(answer.Body.String(), "\x1e")
}

// A client that has missed much receives it page by page, the next one when it has taken the last: never more at once
// than its queue should hold.
func TestMissedLinesComeInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lines = 150
		c := newCluster(t, 2, Options{MessageRate: -1, MaxMessageLength: -1})
		ann, bob := absent(c, false, lines)
		engine := c.replicas[0].host.Engine
		var opened struct{ SID string }
		packets := polled(t, engine, "GET", "", "")
		if err := json.Unmarshal([]byte(packets[0][1:]), &opened); err != nil {
			t.Fatal(err)
		}
		polled(t, engine, "POST", opened.SID, fmt.Sprintf(`40{"pid":%q,"offset":%q}`, ann.pid, ann.offset))
		bob.sent(fmt.Sprint(lines, " is not missed, and behind what was"))
		next, polls := 0, 0
		for next <= lines {
			time.Sleep(10 * pageEvery) // the client does not poll
			packets, size := polled(t, engine, "GET", opened.SID, ""), 0
			for _, packet := range packets {
				size += len(packet)
				switch {
				case strings.HasPrefix(packet, fmt.Sprintf(`42["user message","Bob","%d `, next)):
					next++
				case strings.HasPrefix(packet, `42["user message"`), strings.HasPrefix(packet, `42["history"`):
					t.Fatalf("client receives %.40s, want line %d", packet, next)
				case strings.HasPrefix(packet, `42["nicknames"`) && next <= lines:
					t.Errorf("client receives the roster before line %d", next)
				}
			}
			if size > 400<<10 {
				t.Errorf("poll is answered by %d bytes, want a page", size)
			}
			polls++
		}
		if polls < lines*12>>8 {
			t.Errorf("%d polls took all", polls)
		}
		polled(t, engine, "POST", opened.SID, "1")
	})
}

func TestMissedLinesReachWebSocketsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lines = 60
		c := newCluster(t, 2, Options{MessageRate: -1, MaxMessageLength: -1})
		ann, bob := absent(c, true, lines)
		if !ann.open(&c.replicas[0].site) {
			t.Fatal("client was not recovered")
		}
		for i := range lines {
			if got := ann.hear("line"); !strings.HasPrefix(got, fmt.Sprint(i, " ")) {
				t.Fatalf("line %d is %.20q", i, got)
			}
		}
		ann.wantRoster("Ann, Bob")
		bob.sent("live")
		if got := ann.hear("live"); got != "live" {
			t.Errorf("client hears %.20q, want what is said now", got)
		}
		c.agree()
	})
}

// A client that has missed more than it is sent one by one receives what there is, and asks for what is before it.
func TestClientThatMissedTooMuchReceivesHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{MessageRate: -1, MaxMessageLength: -1})
		ann, _ := absent(c, false, 350)
		if ann.open(&c.replicas[0].site) {
			t.Error("client was recovered, want it to know that it was not")
		}
		if _, args := ann.until("what there is now", "history"); args[1].(map[string]any)["more"] != true {
			t.Error("history has no more, want the client to ask for it")
		}
	})
}

// A page that still waits in the outbox has not been taken, although nothing waits at the socket: no other follows it.
func TestNoPageIsSentBeforeTheLastIsPerformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lines = 100
		c := newCluster(t, 2, Options{MessageRate: -1, MaxMessageLength: -1})
		ann, _ := absent(c, true, lines)
		a := c.replicas[0]
		if !ann.open(&a.site) {
			t.Fatal("client was not recovered")
		}
		for next := range lines {
			if got := ann.hear("line"); !strings.HasPrefix(got, fmt.Sprint(next, " ")) {
				t.Fatalf("line %d is %.20q", next, got)
			}
			synctest.Wait()
			a.mu.Lock() // so that nothing is performed
			if len(a.resumption.paged) == 1 && a.resumption.paged[0].socket.Drained() {
				a.resumption.sendPagesLocked(time.Now())
				queued := len(a.out.queue)
				a.resumption.sendPagesLocked(time.Now())
				if queued == 0 || len(a.out.queue) != queued {
					t.Errorf("%d effects are queued with a page, %d before it is taken", queued, len(a.out.queue))
				}
				a.unlock()
				return
			}
			a.mu.Unlock()
		}
		t.Error("the client never had taken a page while there was more")
	})
}
