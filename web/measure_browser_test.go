package web_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
)

// measures skips a test unless CHATAPP_MEASURE=1. Such tests print figures, which only a quiet machine makes true.
func measures(t *testing.T) {
	t.Helper()
	if os.Getenv("CHATAPP_MEASURE") != "1" {
		t.Skip("CHATAPP_MEASURE is not 1")
	}
}

// recordInteractive has a page note when a nickname can be typed, in ms since the navigation began.
const recordInteractive = `const look = () => {
	if (document.activeElement?.id === 'nick') globalThis.interactive ??= performance.now()
	else setTimeout(look, 1)
}
look()`

// TestMeasureLoading loads the page from cold, as a phone with 3G does: 1.6 Mbit/s down, 750 kbit/s up, and 150 ms
// until the first byte of each answer.
func TestMeasureLoading(t *testing.T) {
	measures(t)
	s := newSite(t, 1)
	var took []float64
	for range 9 {
		w := openWindow(t, "about:blank", windowOptions{width: 390, height: 844})
		w.do("enable the network domain", command(network.Enable, network.EnableParams{}))
		w.do("watch", command(page.AddScriptToEvaluateOnNewDocument,
			page.AddScriptToEvaluateOnNewDocumentParams{Source: recordInteractive}))
		throttle := cdp.Command[map[string]any, cdp.Empty]{Method: "Network.emulateNetworkConditions"}
		w.do("throttle", command(throttle, map[string]any{
			"offline": false, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 750e3 / 8,
		}))
		w.navigate(s.url(0))
		w.wait("a nickname can be typed", `globalThis.interactive > 0`)
		took = append(took, eval[float64](w, `globalThis.interactive`))
	}
	slices.Sort(took)
	t.Logf("interactive after %.0f ms, the median of %d; %.0f to %.0f ms", took[len(took)/2], len(took),
		took[0], took[len(took)-1])
}

// mainThread returns for how long the page's main thread has run, as processor time in seconds: TaskDuration is all of
// it, and contains ScriptDuration, RecalcStyleDuration and LayoutDuration.
func (w *window) mainThread() map[string]float64 {
	w.t.Helper()
	var got performance.GetMetricsResult
	w.do("read the metrics", chromedp.Func(func(ctx context.Context, target *chromedp.Target) (err error) {
		got, err = cdp.Call(ctx, target, performance.GetMetrics, cdp.Empty{})
		return err
	}))
	seconds := make(map[string]float64)
	for _, m := range got.Metrics {
		seconds[m.Name] = m.Value
	}
	return seconds
}

// TestMeasureMessages has a page follow a room with 50 messages a second.
func TestMeasureMessages(t *testing.T) {
	measures(t)
	const perSecond, seconds = 50, 20
	s := newSite(t, 1, "MESSAGE_RATE=0")
	ben := s.connect(t, 0, "Ben")
	ann := openWindow(t, s.url(0), windowOptions{})
	ann.enter("Ann")
	ann.do("measure processor time", command(performance.Enable,
		performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks}))
	ann.run(`globalThis.long = 0
		new PerformanceObserver((list) => { long += list.getEntries().length }).observe({ type: 'longtask' })`)
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	send := func(n int) {
		for i := range n {
			<-tick.C
			ben.send("lobby", fmt.Sprintf("message %d with **some** words, and https://example.org/%d", i, i))
		}
		ann.wait("the last message is shown", fmt.Sprintf(
			`[...document.querySelectorAll('.blocks .text')].at(-1)?.textContent.startsWith('message %d ')`, n-1))
	}
	send(200) // until the browser has compiled what it runs often
	before, began := ann.mainThread(), time.Now()
	send(perSecond * seconds)
	after, took := ann.mainThread(), time.Since(began)
	each := func(name string) float64 { return (after[name] - before[name]) * 1000 / (perSecond * seconds) }
	t.Logf("%.2f ms of the main thread a message, at %.0f a second: %.2f of scripts, %.2f of styles, %.2f of layout; "+
		"%d tasks of over 50 ms", each("TaskDuration"), perSecond*seconds/took.Seconds(), each("ScriptDuration"),
		each("RecalcStyleDuration"), each("LayoutDuration"), eval[int](ann, `long`))
}

// TestMeasureScrolling scrolls through 100,000 lines, from the end to the beginning.
func TestMeasureScrolling(t *testing.T) {
	measures(t)
	s := newSite(t, 1)
	ann := openWindow(t, s.url(0), windowOptions{})
	ann.enter("Ann")
	ann.run(`const { state, changed, addLine, roomNamed } = chatapp
		const room = roomNamed('lobby')
		room.reading = true
		const from = Date.now() - 100000 * 20000
		for (let i = 0; i < 100000; i++) addLine(room, { kind: 'message', id: '0.' + i, time: from + i * 20000,
			from: 'User ' + (i >> 2) % 40, text: 'line ' + i + ', ' + 'with some more words '.repeat(i % 7) })`)
	ann.wait("the last line is drawn", `document.querySelector('.blocks').textContent.includes('line 99999')`)
	type frames struct {
		Count, P50, P99, Longest, Over50, Lines float64
	}
	got := evalWithin[frames](ann, 10*time.Minute, `(async () => {
		const l = document.querySelector('#lines')
		const times = []
		let last = performance.now()
		while (!document.querySelector('.older').textContent.startsWith('This is the beginning')) {
			l.scrollTop -= 2000
			await new Promise(requestAnimationFrame)
			const now = performance.now()
			times.push(now - last)
			last = now
		}
		times.sort((a, b) => a - b)
		return { Count: times.length, P50: times[times.length >> 1], P99: times[Math.floor(times.length * 0.99)],
			Longest: times.at(-1), Over50: times.filter((t) => t > 50).length,
			Lines: document.querySelectorAll('.blocks .message').length }
	})()`)
	t.Logf("%.0f frames, half within %.1f ms, 99 of 100 within %.1f ms, the longest %.1f ms, %.0f over 50 ms; "+
		"%.0f lines are drawn at the end", got.Count, got.P50, got.P99, got.Longest, got.Over50, got.Lines)
}
