package worker

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/store/azuretable"
	"chatapp/internal/store/azuretable/azuritetest"
	"chatapp/internal/waittest"
)

// tableBehindSwitch returns the connection string of a storage account that does not answer while down is set.
func tableBehindSwitch(t *testing.T) (connection string, down *atomic.Bool) {
	t.Helper()
	connection = azuritetest.Start(t)
	endpoint := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	target, err := url.Parse(endpoint.FindString(connection))
	if err != nil {
		t.Fatal(err)
	}
	down = new(atomic.Bool)
	transport := new(http.Transport)
	forward := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorLog:  log.New(io.Discard, "", 0), // of requests that a worker has given up
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			panic(http.ErrAbortHandler) // closes the connection
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		transport.CloseIdleConnections()
	})
	return endpoint.ReplaceAllString(connection, s.URL), down
}

// While the tables of a storage account are out of reach, the chat goes on and the worker is ready. Users and operators
// are told that messages wait on the bus. Once the tables answer again, they have what was said meanwhile.
func TestOutageOfTheTable(t *testing.T) {
	t.Parallel()
	connection, down := tableBehindSwitch(t)
	e := emulatortest.Start(t)
	_, port, err := net.SplitHostPort(e.HTTPAddress())
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, nil, "", "AZURE_SERVICEBUS_CONNECTIONSTRING", e.ConnectionString(), "EMULATOR_HTTP_PORT", port,
		"DRAIN_TIMEOUT", "0s", "STORE", "", "AZURE_STORAGETABLE_CONNECTIONSTRING", connection)
	ann := w.join("Ann")
	say := func(text string) {
		t.Helper()
		ann.send(`{"event":"user message","args":["` + text + `"],"id":2}`)
		if ack := ann.want(`{"ack":2,"args":[{"ok":true`); strings.Contains(ack, "unsaved") {
			t.Errorf("the answer is %s, though the bus keeps the message", ack)
		}
	}
	tells := func(path, has string) func() bool {
		return func() bool {
			response := w.get(path)
			text, err := io.ReadAll(response.Body)
			if path == "/readyz" && response.StatusCode != http.StatusOK {
				t.Errorf("the worker is not ready: %s", text)
			}
			return err == nil && strings.Contains(string(text), has)
		}
	}
	stored := func() (texts string) {
		s, err := azuretable.Open(azuretable.Options{ConnectionString: connection})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		page, err := s.Lines(t.Context(), "lobby", 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Lines {
			texts += string(l.Body)
		}
		return texts
	}
	say("said-before")
	waittest.Until(t, "the message is stored", func() bool { return strings.Contains(stored(), "said-before") })

	down.Store(true)
	say("said-meanwhile")
	waittest.Until(t, "/metrics tell that nothing is saved", tells("/metrics", "\nchat_store_saved 0\n"))
	waittest.Until(t, "/readyz tells why", tells("/readyz", "messages wait on the bus"))
	ann.send(`{"event":"status","args":[],"id":3}`)
	const why = `"unsaved":"the store does not work: messages wait on the bus meanwhile"`
	if status := ann.want(`{"ack":3,`); !strings.Contains(status, why) {
		t.Errorf("status is %s, want %s in it", status, why)
	}
	say("said-later")

	down.Store(false)
	waittest.Until(t, "/metrics tell that everything is saved", tells("/metrics", "\nchat_store_saved 1\n"))
	waittest.Until(t, "everything is stored", func() bool {
		texts := stored()
		return strings.Count(texts, "said-meanwhile") == 1 && strings.Count(texts, "said-later") == 1
	})
	ann.send(`{"event":"status","args":[],"id":4}`)
	if status := ann.want(`{"ack":4,`); strings.Contains(status, "unsaved") {
		t.Errorf("status is %s once everything is saved", status)
	}
}
