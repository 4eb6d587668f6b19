package web_test

import (
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
)

// TestFailureToStartIsExplained loads the page without one of its parts, in a browser without a feature, and with
// values in the storage that no page has written.
func TestFailureToStartIsExplained(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	w := openWindow(t, s.url(0)+"/nothing", windowOptions{language: "ko-KR"})
	block := func(names ...string) {
		var patterns []*network.BlockPattern
		for _, name := range names {
			patterns = append(patterns, &network.BlockPattern{URLPattern: "*://*:*/assets/*/js/" + name, Block: true})
		}
		w.do("block", command(network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: patterns}))
	}
	const reason = `document.querySelector('#failure')?.dataset.reason`
	w.do("enable the network domain", command(network.Enable, network.EnableParams{}))

	block("main.js")
	w.navigate(s.url(0))
	w.wait("a lost module is explained in the reader's language", reason+` === 'load'
		&& document.querySelector('#failure h1').textContent === '채팅을 시작하지 못했습니다'`)
	w.navigate(s.url(0) + "/?language=de")
	w.wait("a lost module is explained in the language that the address names", reason+` === 'load'
		&& document.querySelector('#failure').lang === 'de'
		&& document.querySelector('#failure h1').textContent === 'Der Chat konnte nicht starten'`)
	w.navigate(s.url(0))
	w.wait("a lost module is explained again", reason+` === 'load'`)
	block()
	w.click("#failure button")
	w.wait("trying again starts the page",
		`document.activeElement.id === 'nick' && !document.querySelector('#failure')`)

	block("languages/ko.js")
	w.navigate(s.url(0) + "/?lost")
	w.wait("another dictionary is used", `document.activeElement.id === 'nick'
		&& document.querySelector('#nick-go').textContent === 'Enter'`)
	block()

	w.run(`for (const key of ['outbox', 'cids', 'rooms', 'drafts', 'token', 'requested-name', 'nickname', 'language',
			'theme', 'notify', 'behind']) {
			for (const area of [sessionStorage, localStorage]) area.setItem('chatapp.' + key, '{"a":[1]}')
		}`)
	w.navigate(s.url(0) + "/?shape")
	w.wait("values of another shape are not read", `document.activeElement.id === 'nick'`)

	w.do("forbid what a browser without cookies forbids", command(page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: `
			const forbid = () => { throw new DOMException('', 'SecurityError') }
			globalThis.BroadcastChannel = class { constructor() { forbid() } }
			for (const name of ['localStorage', 'sessionStorage', 'caches']) {
				Object.defineProperty(globalThis, name, { get: forbid })
			}`}))
	w.navigate(s.url(0) + "/?forbidden")
	w.enter("Ann")
	w.send("without cookies")
	w.waitForMessage("me", "without cookies")

	w.expectErrors()
	w.do("remove a feature", command(page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: `delete Intl.Segmenter`}))
	w.navigate(s.url(0) + "/?old")
	w.wait("the page names the browsers that it supports", reason+` === 'old'
		&& document.querySelector('#failure p').textContent.includes('Safari')`)
}
