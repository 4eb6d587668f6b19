//go:build unix

package web_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"chatapp/internal/waittest"
)

// program is a running program that takes commands from its input.
type program struct {
	input io.Writer

	mu    sync.Mutex
	lines []string // guarded by mu
}

// start starts a program. The end of the test tells it to quit, and waits until it has ended.
func start(t *testing.T, name string, arguments ...string) *program {
	t.Helper()
	command := exec.Command(name, arguments...)
	command.Env = append(os.Environ(), "STORE=none", "LOG_LEVEL=error")
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	c := &program{input: input}
	var reader sync.WaitGroup
	reader.Go(func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			c.mu.Lock()
			c.lines = append(c.lines, lines.Text())
			c.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_, _ = io.WriteString(input, "quit\n") // it may have ended
		_ = input.Close()
		reader.Wait()
		if err := command.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	return c
}

func (c *program) say(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(c.input, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// printed waits for a line that a pattern matches, and returns the submatches.
func (c *program) printed(t *testing.T, pattern string) []string {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	var found []string
	waittest.UntilNil(t, "a line matches "+pattern, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, line := range c.lines {
			if found = wanted.FindStringSubmatch(line); found != nil {
				return nil
			}
		}
		return fmt.Errorf("there are %q", c.lines)
	})
	return found
}

// Behind the local cluster's proxy, which keeps a long-polling client at its instance by a cookie, the page and
// the official client chat across instances without WebSockets, and the page is back when its instance dies.
func TestPollingBehindTheLocalCluster(t *testing.T) {
	t.Parallel()
	browser(t) // or skip before anything is built
	if _, err := os.Stat("../internal/socketio/testdata/clients/node_modules"); err != nil {
		missing(t, "a package of the official client")
	}
	binary := filepath.Join(t.TempDir(), "emulator")
	if output, err := exec.Command("go", "build", "-o", binary, "chatapp/cmd/emulator").CombinedOutput(); err != nil {
		t.Fatalf("build the emulator: %v\n%s", err, output)
	}
	cluster := start(t, binary, "-instances", "2",
		"-front", "127.0.0.1:0", "-amqp", "127.0.0.1:0", "-http", "127.0.0.1:0")
	front := "http://127.0.0.1:" + cluster.printed(t, `behind http://localhost:(\d+),`)[1]
	cluster.printed(t, `^ 1 \| ready at`)
	cluster.printed(t, `^ 2 \| ready at`)

	clients := start(t, "node", "testdata/polling.mjs", front)
	at := []string{
		clients.printed(t, `^{"at":"(local-1-[^"]*)"}$`)[1],
		clients.printed(t, `^{"at":"(local-2-[^"]*)"}$`)[1],
	}
	address, polls := withoutWebSockets(t, front)
	page := openWindow(t, address, windowOptions{})
	page.enter("Ann")
	page.send("from the page")
	for _, instance := range at {
		clients.printed(t, `^{"at":"`+instance+`","from":"Ann","text":"from the page"}$`)
	}
	clients.say(t, "from a client")
	page.waitForMessage("client 1", "from a client")
	page.waitForMessage("client 2", "from a client")

	number := eval[string](page, `document.querySelector('#instance').textContent.match(/^local-([12])-/)[1]`)
	cluster.say(t, "kill "+number)
	page.wait("the page is at the other instance", `document.querySelector('#pulse').dataset.phase === 'online' &&
		!document.querySelector('#instance').textContent.startsWith('local-`+number+`-')`)
	page.send("after the loss")
	other := at[2-int(number[0]-'0')]
	clients.printed(t, `^{"at":"`+other+`","from":"Ann","text":"after the loss"}$`)
	if polls.Load() == 0 {
		t.Error("nothing was polled")
	}
	page.clearErrors() // of polls that the proxy could not pass on
}
