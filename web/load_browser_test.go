package web_test

import (
	"testing"

	"github.com/chromedp/cdproto/page"
)

// TestLoading tells how long a page takes until a name can be typed, and until it is connected, from an empty cache and
// from a full one. What it judges is that nothing is asked for twice, and nothing again that is kept.
func TestLoading(t *testing.T) {
	s := newSite(t, 1)
	w := open(t, s.url(0)+"/nothing", look{})
	w.forgive() // nothing is there
	w.do("watch", send(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
		globalThis.moments = {}
		const look = () => {
			const at = performance.now()
			if (document.activeElement?.id === 'nick') moments.interactive ??= at
			if (document.querySelector('#pulse')?.dataset.phase === 'online') moments.online ??= at
			if (!moments.online) setTimeout(look, 1)
		}
		look()
		globalThis.tasks = []
		new PerformanceObserver((l) => tasks.push(...l.getEntries().map((e) => e.duration))).observe({type: 'longtask', buffered: true})`}))
	for _, cache := range []string{"empty", "full"} {
		w.navigate(s.url(0))
		w.wait("it is connected", `moments.online > 0 && document.readyState === 'complete' && performance.getEntriesByName('first-contentful-paint').length > 0`)
		type facts struct {
			Paint, Interactive, Online, Blocked, Bytes float64
			Asked, Fetched                             int
		}
		f := eval[facts](w, `(() => {
			const all = [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')].filter((e) => !e.name.startsWith('ws'))
			return {
				Paint: performance.getEntriesByName('first-contentful-paint')[0].startTime, Interactive: moments.interactive, Online: moments.online,
				Blocked: tasks.reduce((sum, t) => sum + Math.max(0, t - 50), 0), Bytes: all.reduce((sum, e) => sum + e.transferSize, 0),
				Asked: all.length, Fetched: all.filter((e) => e.transferSize > 0).length,
			}
		})()`)
		t.Logf("cache %s: painted after %.0f ms, interactive after %.0f ms, connected after %.0f ms, blocked for %.0f ms; %d of %d files fetched, %.1f KB with headers", cache, f.Paint, f.Interactive, f.Online, f.Blocked, f.Fetched, f.Asked, f.Bytes/1024)
		if names := eval[[]string](w, `performance.getEntriesByType('resource').map((e) => e.name).filter((name, i, all) => all.indexOf(name) !== i)`); len(names) > 0 {
			t.Errorf("cache %s: asked for twice: %q", cache, names)
		}
		if cache == "full" && f.Fetched > 1 {
			t.Errorf("with a full cache %d files are fetched, want only the document to be asked for", f.Fetched)
		}
	}
}
