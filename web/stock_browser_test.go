package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// serveStock serves the pages of testdata/stock beside an instance, as one server of both would be, and
// returns its address.
func serveStock(t *testing.T, instance string) string {
	t.Helper()
	target, err := url.Parse(instance)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("testdata/stock")))
	mux.Handle("/socket.io/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // of which the browser's Origin is that of the server
	}})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// The pages of the 2017 tutorial and of Socket.IO's chat example load the client from the server. On two
// instances, they chat with each other.
func TestStockPagesChatWithEachOther(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	old := openWindow(t, serveStock(t, s.url(0))+"/tutorial.html", windowOptions{})
	today := openWindow(t, serveStock(t, s.url(1))+"/chat.html", windowOptions{})
	shows := func(w *window, text string) {
		t.Helper()
		w.wait("the page shows "+text, fmt.Sprintf(
			`[...document.querySelectorAll('#lines > *')].some((e) => e.textContent === %q)`, text))
	}

	old.wait("the page of 2017 is connected", `document.querySelector('#chat').classList.contains('connected')`)
	old.run(`setNickname('Ann')`)
	old.wait("the name is accepted", `document.querySelector('#chat').classList.contains('nickname-set')`)
	today.run(`setUsername('Ben')`)
	shows(today, "there are 2 participants")
	shows(old, "Ben connected")
	old.wait("both names are listed", `document.querySelector('#nicknames').textContent === 'Online: Ann Ben'`)

	old.run(`send('hello from 2017')`)
	shows(today, "Ann: hello from 2017")
	today.run(`sendMessage('hello from today')`)
	shows(old, "Ben: hello from today")
	old.run(`setNickname('Ben')`)
	old.wait("the name is refused", `document.querySelector('#chat').classList.contains('nickname-taken')`)

	today.run(`type()`)
	today.run(`socket.disconnect()`)
	shows(today, "you have been disconnected")
	shows(old, "Ben disconnected")
}
