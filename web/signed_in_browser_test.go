package web_test

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// TestProxySignsPeopleIn has a proxy pass the name of a person, who is then never asked for one.
func TestProxySignsPeopleIn(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, "MESSAGE_RATE=0", "NICKNAME_HEADER=X-MS-CLIENT-PRINCIPAL-NAME", "TRUSTED_PROXIES=127.0.0.0/8")
	target, err := url.Parse(s.url(0))
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		r.Out.Header.Set("X-MS-CLIENT-PRINCIPAL-NAME", "ann@example.org")
		r.Out.Header.Set("X-MS-CLIENT-PRINCIPAL-ID", "4711")
	}})
	t.Cleanup(front.Close)
	w := openWindow(t, front.URL, windowOptions{})
	w.wait("the person is in the chat", `document.querySelector('#naming').hidden
		&& document.querySelector('#people .name')?.textContent === 'ann@example.org'`)
	w.send("signed in")
	w.waitForMessage("me", "signed in")
	w.run(`document.querySelector('.settings').open = true; await ` + nextFrames)
	if eval[bool](w, `document.querySelector('#rename').checkVisibility()`) {
		t.Error("the page offers to change a name that is fixed")
	}
	w.send("/nick Eve")
	w.wait("the page says why there is no other name",
		`document.querySelector('#hint').textContent.startsWith('You are signed in.')`)
	w.click("#leave")
	w.click("#leave-confirm")
	w.wait("the dialog asks for no name", `document.activeElement.id === 'nick-go'
		&& !document.querySelector('#nick').checkVisibility()
		&& !document.querySelector('[for=nick]').checkVisibility()`)
	w.press("Enter")
	w.wait("the person is in the chat again", `document.querySelector('#naming').hidden
		&& document.querySelector('#people .name')?.textContent === 'ann@example.org'`)
	w.send("back")
	w.waitForMessage("me", "back")
}
