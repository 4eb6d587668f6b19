//go:build unix

package infra

import (
	"bytes"
	"context"
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/internal/workertest"
)

const english, korean = "tutorial/TUTORIAL.md", "tutorial/TUTORIAL.ko.md"

// The two languages have the same commands, calculations, cmdlets, steps and links.
func TestTutorialLanguagesAgree(t *testing.T) {
	if a, b := blocks(t, english, "sh"), blocks(t, korean, "sh"); !slices.Equal(a, b) {
		t.Errorf("the commands differ:\n%q\n%q", a, b)
	}
	if a, b := sums(t, english), sums(t, korean); !slices.Equal(a, b) {
		t.Errorf("the calculations differ:\n%q\n%q", a, b)
	}
	for _, pattern := range []string{"(?m)^##? ", "`[^`\n]+`", `\]\([^#)]*\)`, "<!-- .* -->", `<https?:[^>]*>`} {
		count := func(file string) []string {
			found := regexp.MustCompile(pattern).FindAllString(read(t, file), -1)
			slices.Sort(found)
			return slices.DeleteFunc(found, func(s string) bool { return strings.Contains(s, "TUTORIAL") })
		}
		if a, b := count(english), count(korean); !slices.Equal(a, b) {
			t.Errorf("what matches %s differs:\n%q\n%q", pattern, a, b)
		}
	}
}

// sums returns the lines of the calculations, without their labels.
func sums(t *testing.T, file string) []string {
	t.Helper()
	var found []string
	for _, block := range blocks(t, file, "text") {
		for line := range strings.Lines(block) {
			_, sum, ok := strings.Cut(line, ": ")
			if !ok {
				t.Fatalf("%s: the line %q has no label", file, line)
			}
			found = append(found, strings.TrimSpace(sum))
		}
	}
	return found
}

func TestTutorialCostsAddUp(t *testing.T) {
	decimals := func(text string) int {
		_, fraction, _ := strings.Cut(text, ".")
		return len(fraction)
	}
	whole := regexp.MustCompile(`(^|[^.\d])(\d+)([^.\d]|$)`)
	for _, sum := range sums(t, english) {
		expression, want, ok := strings.Cut(strings.ReplaceAll(sum, ",", ""), " = ")
		if !ok {
			t.Errorf("%q has no result", sum)
			continue
		}
		expression = whole.ReplaceAllString(expression, "$1$2.0$3") // or Go would divide as integers
		result, err := types.Eval(token.NewFileSet(), nil, token.NoPos, expression)
		if err != nil {
			t.Errorf("%q: %v", sum, err)
			continue
		}
		value, _ := constant.Float64Val(result.Value)
		if got := fmt.Sprintf("%.*f", decimals(want), value); got != want {
			t.Errorf("%q: the result is %s", sum, got)
		}
	}
}

// TestTutorialRuns runs the tutorial's commands on this machine.
func TestTutorialRuns(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		missing(t, "no git: "+err.Error())
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, block := range blocks(t, english, "sh") {
		for line := range strings.Lines(block) {
			line = strings.TrimSpace(line)
			if to, ok := strings.CutPrefix(line, "cd "); ok {
				dir = filepath.Join(dir, to)
				continue
			}
			if strings.HasPrefix(line, "azd ") {
				continue // TestTutorialOnAzure
			}
			t.Run(line, func(t *testing.T) {
				command := exec.Command("sh", "-ec", "exec "+line)
				command.Dir = dir
				command.Env = append(os.Environ(), "CHATAPP="+root, "PORT=0", "DRAIN_TIMEOUT=0s", "LOG_FORMAT=json",
					"GOFLAGS=-trimpath", "CGO_ENABLED=0") // the compiled packages of imageWorker are in Go's cache
				if strings.HasPrefix(line, "go run ") {
					serveUntilInterrupted(t, command)
				} else if out, err := command.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			})
		}
	}
}

// failedRun matches the line that go run prints when its program fails.
var failedRun = regexp.MustCompile(`(?m)^(exit status|signal:)`)

// serveUntilInterrupted starts a command that serves the chat, opens the page, and ends it as Ctrl-C does.
func serveUntilInterrupted(t *testing.T, command *exec.Cmd) {
	t.Helper()
	address := regexp.MustCompile(`"addr":"[^"]*:(\d+)"|http://(?:localhost|127\.0\.0\.1):(\d+)`)
	output := &watched{pattern: address, found: make(chan string, 1)}
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what a terminal's Ctrl-C reaches
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		if command.ProcessState == nil {
			_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
			<-ended
		}
	})
	select {
	case port := <-output.found:
		workertest.WaitReady(t, "http://127.0.0.1:"+port)
		status, body := get(t, "http://127.0.0.1:"+port+"/")
		if status != http.StatusOK || !strings.Contains(body, "<html") {
			t.Errorf("GET / answers %d and %d bytes, want the page", status, len(body))
		}
		twoPeopleTalk(t, "ws://127.0.0.1:"+port+"/ws")
	case err := <-ended:
		t.Fatalf("it ended with %v before it served, and printed:\n%s", err, output)
	case <-time.After(5 * time.Minute):
		t.Fatalf("it printed no address, only:\n%s", output)
	}
	if err := syscall.Kill(-command.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		// An interrupted go run ends with 1 whatever its program's status is, and prints that where it is not 0.
		if printed := output.String(); err != nil && failedRun.MatchString(printed) {
			t.Errorf("after Ctrl-C it ended with %v, want exit status 0; it printed:\n%s", err, printed)
		}
	case <-time.After(time.Minute):
		t.Errorf("it goes on after Ctrl-C; it printed:\n%s", output)
	}
}

// frame is a message of the raw WebSocket at /ws.
type frame struct {
	Event string `json:"event,omitempty"`
	Args  []any  `json:"args"`
	ID    int    `json:"id,omitempty"`
	Ack   int    `json:"ack,omitempty"`
}

// twoPeopleTalk connects two clients that choose nicknames, and checks that one receives the other's message.
func twoPeopleTalk(t *testing.T, url string) {
	t.Helper()
	enter := func(nickname string) *websocket.Conn {
		conn, _, err := websocket.DefaultDialer.Dial(url, nil)
		if err != nil {
			t.Fatalf("dial %s: %v", url, err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if err := conn.WriteJSON(frame{Event: "nickname", Args: []any{nickname}, ID: 1}); err != nil {
			t.Fatal(err)
		}
		await(t, conn, nickname+" has a name", func(f frame) bool {
			return f.Ack == 1 && len(f.Args) > 0 && f.Args[0] == false
		})
		return conn
	}
	ann, bob := enter("ann"), enter("bob")
	defer leaveOpen(t, ann)
	defer leaveOpen(t, bob)
	if err := bob.WriteJSON(frame{Event: "user message", Args: []any{"hello"}}); err != nil {
		t.Fatal(err)
	}
	await(t, ann, "ann reads what bob says", func(f frame) bool {
		return f.Event == "user message" && len(f.Args) > 1 && f.Args[0] == "bob" && f.Args[1] == "hello"
	})
}

// leaveOpen goes on reading as an open window does, so that the server's close frame is answered.
func leaveOpen(t *testing.T, conn *websocket.Conn) {
	gone := make(chan struct{})
	t.Cleanup(func() { <-gone }) // before the connection is closed, and at its read deadline at the latest
	go func() {
		defer close(gone)
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				return
			}
		}
	}()
}

// await reads frames until one is the wanted one.
func await(t *testing.T, conn *websocket.Conn, what string, wanted func(frame) bool) {
	t.Helper()
	var all []frame
	for {
		var f frame
		if err := conn.ReadJSON(&f); err != nil {
			t.Fatalf("waiting until %s: %v; before it came %+v", what, err, all)
		}
		if wanted(f) {
			return
		}
		all = append(all, f)
	}
}

// watched collects output and reports the first match of a pattern.
type watched struct {
	pattern *regexp.Regexp
	found   chan string // receives the pattern's first group that matched, once

	mu    sync.Mutex // guards the fields below
	text  bytes.Buffer
	ready bool
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if match := w.pattern.FindStringSubmatch(w.text.String()); match != nil && !w.ready {
		w.ready = true
		w.found <- match[1] + match[2]
	}
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// azdOffline are the commands that need no subscription to succeed.
var azdOffline = []string{"azd env new", "azd env set"}

// TestTutorialOnAzure runs the tutorial's azd commands as far as that works without a subscription: it creates and sets
// environments; of the other commands it checks that they and their flags exist. Settings have to be ones that the
// deployment reads.
func TestTutorialOnAzure(t *testing.T) {
	var lines []string
	for _, block := range blocks(t, english, "sh") {
		for line := range strings.Lines(block) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "azd ") {
				lines = append(lines, line)
			}
		}
	}
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "azd env set "); ok {
			if name, _, _ := strings.Cut(rest, " "); !slices.Contains(settings(t), name) {
				t.Errorf("%q sets what the deployment does not read", line)
			}
		}
	}
	if _, err := exec.LookPath("azd"); err != nil {
		t.Skip("no azd: " + err.Error())
	}
	dir := t.TempDir()
	azd := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		command := exec.CommandContext(ctx, "azd", args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "AZD_CONFIG_DIR="+filepath.Join(dir, "config"),
			"AZURE_DEV_COLLECT_TELEMETRY=no", "AZD_SKIP_UPDATE_CHECK=true")
		out, err := command.CombinedOutput()
		return string(out), err
	}
	if err := os.CopyFS(filepath.Join(dir, "infra"), os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"azure.yaml", "Dockerfile"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(read(t, "../"+name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range lines {
		args := strings.Fields(line)[1:]
		if slices.ContainsFunc(azdOffline, func(prefix string) bool { return strings.HasPrefix(line, prefix) }) {
			if out, err := azd(append(args, "--no-prompt")...); err != nil {
				t.Errorf("%s: %v\n%s", line, err, out)
			}
			continue
		}
		subcommand := slices.DeleteFunc(slices.Clone(args), func(arg string) bool {
			return strings.HasPrefix(arg, "-") || strings.HasPrefix(arg, "mychatapp")
		})
		help, err := azd(append(subcommand, "--help")...)
		if err != nil {
			t.Errorf("%s: azd has no such command: %v\n%s", line, err, help)
		}
		for _, arg := range args {
			if strings.HasPrefix(arg, "-") && !strings.Contains(help, arg) {
				t.Errorf("%s: the command has no flag %s", line, arg)
			}
		}
	}
	// The last environment set is the one for App Service. azd has to accept the project with it.
	for _, args := range [][]string{{"show"}, {"restore", "chat-appservice"}, {"hooks", "run", "predeploy"}} {
		if out, err := azd(append(args, "--no-prompt")...); err != nil {
			t.Errorf("azd %v: %v\n%s", args, err, out)
		}
	}
	if out, err := azd("restore", "chat", "--no-prompt"); err == nil {
		t.Errorf("azd restore chat succeeds though the host is App Service:\n%s", out)
	}
}
