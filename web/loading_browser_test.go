package web_test

import (
	"testing"

	"github.com/chromedp/cdproto/page"
)

// TestLoadingRequestsNothingTwice loads the page with an empty and with a full cache. It logs how
// long the page takes until a nickname can be typed and until it is connected.
func TestLoadingRequestsNothingTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	w := openWindow(t, s.url(0)+"/nothing", windowOptions{})
	w.clearErrors() // that the page was not found
	w.do("measure", command(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
		globalThis.times = {}
		const look = () => {
			const at = performance.now()
			if (document.activeElement?.id === 'nick') times.interactive ??= at
			if (document.querySelector('#pulse')?.dataset.phase === 'online') times.online ??= at
			if (!times.online) setTimeout(look, 1)
		}
		look()
		globalThis.tasks = []
		new PerformanceObserver((l) => tasks.push(...l.getEntries()
			.map((e) => e.duration))).observe({type: 'longtask', buffered: true})`}))
	for _, cache := range []string{"empty", "full"} {
		w.navigate(s.url(0))
		w.wait("the page is connected",
			`times.online > 0 && document.readyState === 'complete'
				&& performance.getEntriesByName('first-contentful-paint').length > 0`)
		type facts struct {
			Paint, Interactive, Online, Blocked, Bytes float64
			Requested, Fetched                         int
		}
		f := eval[facts](w, `(() => {
			const all = [...performance.getEntriesByType('resource'),
				...performance.getEntriesByType('navigation')].filter((e) => !e.name.startsWith('ws'))
			return {
				Paint: performance.getEntriesByName('first-contentful-paint')[0].startTime,
					Interactive: times.interactive, Online: times.online,
				Blocked: tasks.reduce((sum, t) => sum + Math.max(0, t - 50), 0), Bytes: all.reduce((sum,
					e) => sum + e.transferSize, 0),
				Requested: all.length, Fetched: all.filter((e) => e.transferSize > 0).length,
			}
		})()`)
		t.Logf("cache %s: painted after %.0f ms, interactive after %.0f ms, connected after %.0f ms, "+
			"blocked for %.0f ms; %d of %d files fetched, %.1f KB with headers", cache,
			f.Paint, f.Interactive, f.Online, f.Blocked, f.Fetched, f.Requested, f.Bytes/1024)
		if names := eval[[]string](w, `performance.getEntriesByType('resource').map((e) => e.name).filter((name,
			i, all) => all.indexOf(name) !== i)`); len(names) > 0 {
			t.Errorf("cache %s: requested twice: %q", cache, names)
		}
		if cache == "full" && f.Fetched > 1 {
			t.Errorf("with a full cache %d files are fetched, want only the document", f.Fetched)
		}
	}
}
