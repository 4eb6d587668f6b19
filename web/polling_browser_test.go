package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
)

// withoutWebSockets serves an instance as a proxy does that lets no WebSocket through, and returns its
// address. It counts the polls.
func withoutWebSockets(t *testing.T, instance string) (address string, polls *atomic.Int64) {
	t.Helper()
	target, err := url.Parse(instance)
	if err != nil {
		t.Fatal(err)
	}
	polls = new(atomic.Int64)
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			http.Error(w, "no WebSockets here", http.StatusForbidden)
			return
		}
		if r.URL.Query().Get("transport") == "polling" {
			polls.Add(1)
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, polls
}

// Where a proxy refuses WebSockets, people chat over long polling, across instances, and a connection that
// is lost is made again.
func TestChatGoesOnWithoutWebSockets(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	address, polls := withoutWebSockets(t, s.url(0))
	ann, ben := openWindow(t, address, windowOptions{}), openWindow(t, s.url(1), windowOptions{})
	ann.enter("Ann")
	ben.enter("Ben")
	ann.send("by polling")
	ben.waitForMessage("Ann", "by polling")
	ben.send("by WebSocket")
	ann.waitForMessage("Ben", "by WebSocket")
	if polls.Load() == 0 {
		t.Error("nothing was polled")
	}

	s.proxies[0].cut()
	ann.wait("the loss is noticed", `document.querySelector('#pulse').dataset.phase !== 'online'`)
	ann.send("written meanwhile")
	s.proxies[0].reopen(t)
	ben.waitForMessage("Ann", "written meanwhile")
	ben.send("after the loss")
	ann.waitForMessage("Ben", "after the loss")
	ann.clearErrors() // of polls that the proxy could not pass on
}
