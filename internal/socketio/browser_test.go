//go:build unix

package socketio_test

import (
	"flag"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"chatapp/internal/engineio"
)

var casesFlag = flag.String("browser.cases", "", "the cases that TestOwnClientInABrowser runs, as a regular expression")

// TestOwnClientInABrowser runs cases of TestOwnClientDoesAsTheOfficialOne in Chromium, against this server.
func TestOwnClientInABrowser(t *testing.T) {
	t.Parallel()
	requireNode(t)
	if testing.Short() {
		t.Skip("browser tests are long")
	}
	var chromium string
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if chromium, _ = exec.LookPath(name); chromium != "" {
			break
		}
	}
	if chromium == "" {
		if os.Getenv("CHATAPP_REQUIRE_ALL") == "1" {
			t.Fatal("Chromium is missing")
		}
		t.Skip("Chromium is missing")
	}
	s := serve(t, "127.0.0.1:0", &newsLog{}, engineio.Options{AllowedOrigins: []string{"*"}})
	defer s.stop(t)
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(profile) }() // processes of the browser may write while they end
	var browser *exec.Cmd
	runClients(t, func(line map[string]string, _ io.Writer) {
		browser = exec.Command(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
			"--disable-quic", "--disable-background-networking", "--disable-component-update",
			"--remote-debugging-port=0", "--host-resolver-rules=MAP *.localhost 127.0.0.1",
			"--user-data-dir="+profile, line["page"])
		browser.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its processes end together
		if err := browser.Start(); err != nil {
			t.Fatal(err)
		}
	}, "browser.mjs", port, *casesFlag)
	if browser != nil {
		_ = syscall.Kill(-browser.Process.Pid, syscall.SIGKILL)
		_ = browser.Wait()
	}
}
