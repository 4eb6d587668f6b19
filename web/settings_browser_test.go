package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestPageOfAnOperator serves a page with settings below a path, shows it in the page of another site, and opens it
// without a network.
func TestPageOfAnOperator(t *testing.T) {
	t.Parallel()
	browser(t)
	var address string // of the chat, known later than the origin of the other site
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><script src="%schat-room.js"></script>
			<script>addEventListener("ready", () => { globalThis.isReady = true }, true)</script>
			<chat-room room="garden" language="de"></chat-room>`, address)
	}))
	defer other.Close()
	s := newSite(t, 1, "BASE_PATH=/chat", "PAGE_TITLE=Tea House", "PAGE_ACCENT=#7a2e0e,#ffb38a", "PAGE_ROOM=garden",
		"PAGE_PARTS=rooms,instance", "EMBED_ORIGINS="+other.URL)
	address = s.url(0) + "/chat/"
	ann := openWindow(t, address, windowOptions{language: "de-DE"})
	ann.wait("the card names the place in the reader's language",
		`document.querySelector('#naming-place').textContent === 'Du betrittst #garden.'
			&& document.querySelector('#naming-title').textContent === 'Tea House'`)
	ann.enter("Ann")
	ann.send("hallo")
	ann.waitForMessage("me", "hallo")
	ann.wait("the settings are applied", `document.title === '#garden – Tea House'
		&& !document.querySelector('#people').checkVisibility() && document.querySelector('#rooms').checkVisibility()
		&& getComputedStyle(document.querySelector('#rooms [aria-current]')).color === 'rgb(122, 46, 14)'`)
	if outside := eval[[]string](ann, `performance.getEntriesByType('resource').map((e) => new URL(e.name).pathname)
		.filter((name) => !name.startsWith('/chat/'))`); len(outside) > 0 {
		t.Errorf("the page below /chat/ requests %q", outside)
	}

	elsewhere := openWindow(t, other.URL, windowOptions{})
	elsewhere.wait("the chat is shown in another site's page", `globalThis.isReady`)

	ann.wait("the shell is kept", `navigator.serviceWorker.controller !== null`)
	s.proxies[0].cut()
	ann.reload()
	ann.wait("the page opens without a network", `document.documentElement.dataset.ready === ''
		&& document.querySelector('#send').innerText === 'Senden'`)
	ann.wait("and says what is wrong", `document.querySelector('#banner-text').textContent
		.startsWith('Der Server ist nicht erreichbar.')`)
	ann.clearErrors()
}
