package infra

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/internal/backplane/inprocess"
	"chatapp/internal/waittest"
	"chatapp/internal/workertest"
)

// TestProxiesPassTheChat runs each proxy that is installed, with the configuration of this folder, in front of two
// workers. Through it a browser's WebSocket and a client that polls chat with each other.
func TestProxiesPassTheChat(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		command, file string
		args          []string
	}{
		{"nginx", "nginx.conf", []string{"-p", ".", "-c", "nginx.conf"}},
		{"haproxy", "haproxy.cfg", []string{"-f", "haproxy.cfg"}},
		{"caddy", "Caddyfile", []string{"run", "--config", "Caddyfile", "--adapter", "caddyfile"}},
	} {
		t.Run(row.command, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(row.command)
			if err != nil {
				if path = "/usr/sbin/" + row.command; exec.Command(path, "-v").Run() != nil {
					missing(t, row.command+" is not installed")
				}
			}
			hub := inprocess.NewHub(inprocess.Options{})
			a := workertest.Start(t, hub.Join("a"), "TRUSTED_PROXIES=127.0.0.0/8")
			b := workertest.Start(t, hub.Join("b"), "TRUSTED_PROXIES=127.0.0.0/8")
			address := startProxy(t, path, row.file, row.args, a.Address, b.Address)
			waittest.UntilNil(t, "the proxy serves the page", func() error {
				client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
				response, err := client.Get("http://" + address + "/readyz")
				if err != nil {
					return err
				}
				defer response.Body.Close()
				if response.StatusCode != http.StatusOK {
					return &net.AddrError{Err: response.Status, Addr: address}
				}
				return nil
			})
			chatThrough(t, address)
		})
	}
}

// startProxy starts a proxy with a configuration in which the addresses are replaced by those of the workers and a free
// one, and returns that.
func startProxy(t *testing.T, command, file string, args []string, workers ...string) (address string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = free.Addr().String()
	_ = free.Close()
	text := strings.NewReplacer("127.0.0.1:8080", address, "127.0.0.1:3001", workers[0], "127.0.0.1:3002", workers[1]).
		Replace(read(t, "proxies/"+file))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	proxy := exec.Command(command, args...)
	proxy.Dir = dir
	proxy.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	var output bytes.Buffer
	proxy.Stdout, proxy.Stderr = &output, &output
	proxy.WaitDelay = time.Second
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = proxy.Process.Signal(os.Interrupt)
		_ = proxy.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", command, output.String())
		}
	})
	return address
}

// chatThrough has Ann, whose browser opens a WebSocket, and Bob, who polls, write to each other.
func chatThrough(t *testing.T, address string) {
	t.Helper()
	ann, _, err := websocket.DefaultDialer.Dial("ws://"+address+"/ws", http.Header{"Origin": {"http://" + address}})
	if err != nil {
		t.Fatalf("open a WebSocket as a browser does: %v", err)
	}
	defer ann.Close()
	write := func(frame string) {
		t.Helper()
		if err := ann.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"event":"nickname","args":["Ann"],"id":1}`)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	bob := http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second}
	target := "http://" + address + "/socket.io/?EIO=4&transport=polling"
	request := func(method, body string) string {
		t.Helper()
		r, err := http.NewRequest(method, target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := bob.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s = %s %q, %v", method, response.Status, text, err)
		}
		return string(text)
	}
	poll := func(want string) {
		t.Helper()
		for range 100 {
			text := request("GET", "")
			if strings.Contains(text, want) {
				return
			}
			if text == "2" {
				request("POST", "3")
			}
		}
		t.Fatalf("no poll brought %q", want)
	}
	target += "&sid=" + find(t, request("GET", ""), `"sid":"([^"]+)"`)
	request("POST", "40")
	poll(`40{"sid":`)
	request("POST", `421["nickname","Bob"]`)
	poll(`431[false`)
	request("POST", `422["user message","from a client that polls"]`)
	_ = ann.SetReadDeadline(time.Now().Add(30 * time.Second))
	for {
		_, frame, err := ann.ReadMessage()
		if err != nil {
			t.Fatalf("Ann waits for Bob's message: %v", err)
		}
		if strings.Contains(string(frame), "from a client that polls") {
			break
		}
	}
	write(`{"event":"user message","args":["from a browser"],"id":2}`)
	poll("from a browser")
}
