package chat

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"unsafe"

	"chatapp/internal/chat/state"
)

// Messages are applied while clients send requests, on many goroutines. Every client receives all messages in the order
// of the log, and each reply.
func TestEventsAreSentInTheOrderOfTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const messages, requests = 200, 15
		c := newCluster(t, 1, Options{MessageRate: -1})
		a := c.replicas[0]
		users := []*testUser{a.visit(""), a.visit(""), a.visit("")}
		c.put("z", claimOf(1, "Ann"))
		var sending sync.WaitGroup
		sending.Go(func() {
			for i := range messages {
				say := &state.Say{Room: state.Lobby, Text: fmt.Sprint("line ", i)}
				c.put("z", state.Command{Conn: 1, Action: say})
			}
		})
		for _, u := range users {
			sending.Go(func() {
				for i := range requests {
					if err := u.TrySend(fmt.Sprintf(`2%d["who"]`, i)); err != nil {
						t.Errorf("send: %v", err)
					}
				}
			})
		}
		sending.Wait()
		synctest.Wait()
		for _, u := range users {
			u.want(messages, requests)
		}
	})
}

// want takes what a client was sent and checks that it contains so many lines, in order, and so many replies, in order.
func (u *testUser) want(lines, replies int) {
	u.t.Helper()
	line, reply := 0, 0
	for line < lines || reply < replies {
		text := u.Next("all lines and replies")
		switch text[0] {
		case '3':
			if want := fmt.Sprintf(`3%d[`, reply); text[:len(want)] != want {
				u.t.Fatalf("reply %d is %.20s", reply, text)
			}
			reply++
		default:
			var number int
			if n, _ := fmt.Sscanf(text, `2["user message","Ann","line %d"`, &number); n == 0 {
				continue
			}
			if number != line {
				u.t.Fatalf("line %d comes where line %d is due", number, line)
			}
			line++
		}
	}
}

// Disconnecting a client calls back into the chat, whose critical section queues effects of its own.
func TestReplacedClientIsDisconnectedOutsideTheLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newCluster(t, 1, Options{SignedIn: signedInByQuery}).replicas[0]
		first := a.dial("&person=Ann")
		first.Connect("/", "")
		token := tokenOf(t, until(first, `"session",{"instance":"a","name":"Ann"`))
		second := a.dial("")
		second.Connect("/", `{"token":"`+token+`"}`)
		until(first, `2["replaced",`)
		first.Want("disconnected", `1`)
		second.sent("the chat goes on")
	})
}

func TestClientIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(client{}); unsafe.Sizeof(uintptr(0)) == 8 && size > 208 {
		t.Errorf("a client takes %d bytes, want 208 at most", size)
	}
}
