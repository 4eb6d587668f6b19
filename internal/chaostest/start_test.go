//go:build unix

package chaostest

import (
	"flag"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"chatapp/internal/chatclient"
)

var storedMessages = flag.Int("chaos.messages", 0,
	"number of messages with which tests measure a start; 0: they are skipped")

// How long a worker may take from its start until it is ready, with a million messages stored.
const (
	startsAlone = 2 * time.Second
	startsOnBus = 15 * time.Second // most of it is waiting for others to answer
)

// A worker that was killed is ready soon, however much it has stored:
//
//	go test ./internal/chaostest -run TestStartWithManyMessages -chaos.messages 1000000 -v -timeout 1h
func TestStartWithManyMessages(t *testing.T) {
	if *storedMessages == 0 {
		t.Skip("it measures only with -chaos.messages 1000000")
	}
	t.Run("alone", func(t *testing.T) {
		c := &cluster{nameHold: longHold, store: t.TempDir()}
		c.measureStart(t, startsAlone)
	})
	t.Run("bus", func(t *testing.T) {
		c := &cluster{nameHold: longHold, store: t.TempDir(), bus: startBus(t)}
		c.bus.start(t)
		t.Cleanup(c.bus.kill)
		c.measureStart(t, startsOnBus)
	})
}

// measureStart has the only instance store messages, kills it, and starts it again.
func (c *cluster) measureStart(t *testing.T, most time.Duration) {
	c.start(t, startProcess, "a")
	i := c.instances[0]
	began := time.Now()
	c.say(t, *storedMessages)
	t.Logf("%d messages are acknowledged after %v", *storedMessages, time.Since(began).Round(time.Second))
	i.signal(t, syscall.SIGKILL)
	i.stop()
	for n := range 3 {
		began = time.Now()
		i = startProcessAt(t, c, "a", i.port)
		i.waitReady(t)
		took := time.Since(began)
		i.signal(t, syscall.SIGKILL)
		i.stop()
		used := i.cmd.ProcessState
		t.Logf("start %d: ready after %v and %v of CPU time", n+1, took.Round(10*time.Millisecond),
			(used.UserTime() + used.SystemTime()).Round(10*time.Millisecond))
		if took > most {
			t.Errorf("ready after %v, want %v at most", took, most)
		}
	}
}

// say has users of twenty rooms send messages, and returns when all are acknowledged.
func (c *cluster) say(t *testing.T, messages int) {
	t.Helper()
	const users, window = 20, 100 // window is how many of a user wait for their acknowledgement
	var group sync.WaitGroup
	for n := range users {
		group.Go(func() {
			if err := sayAlone(t, c.instances[0].url, fmt.Sprint("speaker-", n), messages/users, window); err != nil {
				t.Errorf("speaker %d: %v", n, err)
			}
		})
	}
	group.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// sayAlone has a user send messages into a room of its own.
func sayAlone(t *testing.T, url, name string, messages, window int) error {
	target, err := chatclient.ParseTarget(url, chatclient.Raw)
	if err != nil {
		return err
	}
	conn, err := chatclient.Dial(t.Context(), target, chatclient.Options{Protocol: chatclient.Raw})
	if err != nil {
		return err
	}
	defer conn.Abort()
	await := func(id int) error {
		for {
			m, err := conn.Next()
			if err != nil {
				return err
			}
			if m.Kind == chatclient.Ack && m.AckID == id {
				return nil
			}
		}
	}
	for id, event := range []string{"nickname", "join"} {
		if err := conn.Emit(event, id+1, name); err != nil {
			return err
		}
		if err := await(id + 1); err != nil {
			return err
		}
	}
	const first = 10
	text := strings.Repeat("A message of a usual length. ", 3)
	for n := range messages {
		err := conn.Emit("user message", first+n, fmt.Sprint(n, " ", text), map[string]string{"room": name})
		if err != nil {
			return err
		}
		if n >= window {
			if err := await(first + n - window); err != nil {
				return err
			}
		}
	}
	return await(first + messages - 1)
}
