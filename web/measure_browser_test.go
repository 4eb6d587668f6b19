package web_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
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

// TestMeasureScrolling scrolls back through 100,000 lines that are in the store, a screen and a half each frame, and
// then forward again.
func TestMeasureScrolling(t *testing.T) {
	measures(t)
	const lines = 100_000
	s := newSite(t, 1, "MESSAGE_RATE=0", "STORE="+t.TempDir())
	var users []*client
	for i := range 8 {
		users = append(users, s.connect(t, 0, fmt.Sprint("User ", i)))
	}
	for i := range lines {
		user, text := users[i>>2%len(users)], fmt.Sprint("line ", i, ", ", strings.Repeat("with some more words ", i%7))
		if i%500 == 499 {
			user.send("lobby", text) // the log keeps pace
		} else {
			user.emit("user message", text)
		}
	}
	users[0].send("lobby", "done")
	ann := openWindow(t, s.url(0), windowOptions{})
	ann.enter("Ann")
	ann.wait("the end is shown", `document.querySelector('.blocks').textContent.includes('done')`)
	ann.do("measure processor time", command(performance.Enable,
		performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks}))
	type frames struct {
		Count, Waiting, P50, P95, P99, Longest, Over50, Drawn, Seconds float64
	}
	scroll := func(step int, until string) frames {
		return evalWithin[frames](ann, 8*time.Minute, fmt.Sprintf(`(async () => {
			const l = document.querySelector('#lines')
			const times = []
			let last = performance.now()
			const began = last
			let waiting = 0
			let drawn = 0
			while (!(%s)) {
				const before = l.scrollTop
				l.scrollTop += %d
				if (l.scrollTop === before) waiting++
				await new Promise(requestAnimationFrame)
				const now = performance.now()
				times.push(now - last)
				last = now
				drawn = Math.max(drawn, document.querySelectorAll('.blocks .message').length)
			}
			times.sort((a, b) => a - b)
			const part = (p) => times[Math.floor(times.length * p)]
			return { Count: times.length, Waiting: waiting, P50: part(0.5), P95: part(0.95), P99: part(0.99),
				Longest: times.at(-1), Over50: times.filter((t) => t > 50).length, Drawn: drawn,
				Seconds: (last - began) / 1000 }
		})()`, until, step))
	}
	ways := []struct {
		name, until string
		step        int
	}{
		{"back", `document.querySelector('.older').textContent.startsWith('This is the beginning')`, -1200},
		{"forward", `document.querySelector('#jump').hidden`, 1200},
	}
	for _, way := range ways {
		before := ann.mainThread()["TaskDuration"]
		got := scroll(way.step, way.until)
		each := (ann.mainThread()["TaskDuration"] - before) * 1000 / got.Count
		t.Logf("%s: %.0f frames in %.0f s, half within %.1f ms, 95 of 100 within %.1f, 99 within %.1f, longest %.1f, "+
			"%.0f over 50 ms", way.name, got.Count, got.Seconds, got.P50, got.P95, got.P99, got.Longest, got.Over50)
		t.Logf("%.1f ms of the main thread a frame", each)
		t.Logf("%.0f of the frames wait for lines; at most %.0f lines are drawn; the page has %.0f", got.Waiting,
			got.Drawn, eval[float64](ann, `chatapp.state.rooms.get('lobby').lines.length`))
	}
}
