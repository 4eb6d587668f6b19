package emulator_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"chatapp/internal/emulator"
	"chatapp/internal/emulator/emulatortest"
)

// TestWebPagesAreKeptOut asks as a browser does, for a page of another origin and after DNS rebinding.
func TestWebPagesAreKeptOut(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t, func(o *emulator.Options) {
		o.Hosts, o.Origins = []string{"bus.test"}, []string{"https://app.test"}
	})
	_, amqpPort, _ := strings.Cut(s.AMQPAddress(), ":")
	for _, test := range []struct {
		host, origin string
		admitted     bool
	}{
		{"localhost:" + amqpPort, "", true},
		{s.AMQPAddress(), "", true},
		{"[::1]:5672", "", true},
		{"LOCALHOST", "", true},
		{"bus.test:5672", "", true},
		{"localhost:" + amqpPort, "http://localhost:" + amqpPort, true},
		{"bus.test", "https://APP.test", true},
		{"evil.test:5672", "", false},
		{"evil.test:5672", "http://evil.test:5672", false},
		{"localhost.evil.test", "", false},
		{"localhost:" + amqpPort, "https://evil.test", false},
		{"localhost:" + amqpPort, "http://localhost:1", false},
		{"localhost:" + amqpPort, "https://app.test.evil.test", false},
		{"localhost:" + amqpPort, "null", false},
	} {
		for _, path := range []string{"/$servicebus/websocket", "/$servicebus/websocket/"} {
			header := http.Header{"Host": {test.host}}
			if test.origin != "" {
				header.Set("Origin", test.origin)
			}
			ws, response, err := websocket.DefaultDialer.DialContext(testContext(t), "ws://"+s.AMQPAddress()+path,
				header)
			if (err == nil) != test.admitted || err != nil && response.StatusCode != http.StatusForbidden {
				t.Errorf("WebSocket %s as %s from %q: %v", path, test.host, test.origin, err)
			}
			if err == nil {
				ws.Close()
			}
		}
		for _, path := range []string{"/", "/queue", "/$Resources/Queues", "/$emulator",
			"/$emulator/faults/restart"} {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
				if test.admitted && strings.Contains(path, "restart") {
					continue
				}
				r, err := http.NewRequestWithContext(testContext(t), method, "http://"+s.HTTPAddress()+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Host = test.host
				if test.origin != "" {
					r.Header.Set("Origin", test.origin)
				}
				response, err := http.DefaultTransport.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if (response.StatusCode != http.StatusForbidden) != test.admitted {
					t.Errorf("%s %s as %s from %q: %s", method, path, test.host, test.origin, response.Status)
				}
			}
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}
