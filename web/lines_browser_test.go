package web_test

import (
	"fmt"
	"math"
	"testing"
)

// theLine is where the text of a line is that the reader looks at.
const theLine = `(() => { const edge = document.querySelector('#lines').getBoundingClientRect().top; for (const e of document.querySelectorAll('.message[data-id]')) { const at = e.querySelector('.text').getBoundingClientRect().top; if (at >= edge) { globalThis.reading ??= e.dataset.id; break } } return document.querySelector('[data-id="' + globalThis.reading + '"] .text').getBoundingClientRect().top })()`

func (w *window) staysAt(why string, at float64) {
	w.t.Helper()
	// Two frames later everything that one change brings has been laid out.
	w.run(`await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))`)
	if now := eval[float64](w, theLine); math.Abs(now-at) >= 1 {
		w.t.Errorf("%s: what is read moves from %.2f to %.2f px", why, at, now)
	}
}

// sayLines says so many lines of many heights, so that no estimate of them is right, and waits until they are said.
func (w *window) sayLines(n int) {
	w.t.Helper()
	for i := range n {
		w.run(fmt.Sprintf(`const f = document.querySelector('#message'); f.value = 'line %d ' + 'word '.repeat(%d); f.dispatchEvent(new Event('input')); f.form.requestSubmit()`, i, i*i%97))
	}
	w.wait("all are said", fmt.Sprintf(`document.querySelectorAll('.blocks .message').length >= %d && document.querySelector('.tail').childElementCount === 0`, n))
}

// longTalk is a site where Ben has said 150 lines and Ann, who came afterwards, is at their end.
func longTalk(t *testing.T) (s *site, ben, ann *window) {
	t.Helper()
	s = newSite(t, 1, "MESSAGE_RATE=0")
	ben = open(t, s.url(0), look{})
	ben.enter("Ben")
	ben.sayLines(150)

	ann = open(t, s.url(0), look{})
	ann.enter("Ann")
	ann.wait("she is at the end", `(() => { const l = document.querySelector('#lines'); return l.scrollHeight - l.scrollTop - l.clientHeight < 2 && document.querySelector('.blocks').textContent.includes('line 149') })()`)
	return s, ben, ann
}

func TestListNeverJumps(t *testing.T) {
	t.Parallel()
	_, ben, ann := longTalk(t)
	ben.say("followed")
	ann.heard("Ben", "followed")
	ann.wait("still at the end", `(() => { const l = document.querySelector('#lines'); return l.scrollHeight - l.scrollTop - l.clientHeight < 2 && document.querySelector('#jump').hidden })()`)

	ann.run(`document.querySelector('#lines').scrollBy(0, -2300)`)
	ann.wait("scrolled up", `!document.querySelector('#jump').hidden`)
	at := eval[float64](ann, theLine)
	ben.say("not followed")
	ben.say("nor this")
	ann.wait("she is told of news", `document.querySelector('#jump').textContent === '2 new messages'`)
	ann.staysAt("a message comes", at)
	ann.say("her own")
	ann.heard("me", "her own")
	ann.staysAt("she says something", at)
	ben.write("typing")
	ann.wait("typing", `document.querySelector('#typing').textContent !== ''`)
	ann.staysAt("somebody types", at)

	// Up to the beginning: older lines are drawn, and asked for, above what is read.
	for range 60 {
		if eval[bool](ann, `document.querySelector('.older').textContent.startsWith('This is the beginning')`) {
			break
		}
		ann.run(`document.querySelector('#lines').scrollBy(0, -900); globalThis.reading = undefined`)
		at = eval[float64](ann, theLine)
		ann.staysAt("older lines are drawn", at)
	}
	ann.wait("she comes to the beginning", `document.querySelector('.older').textContent.startsWith('This is the beginning') && document.querySelector('.blocks').textContent.includes("line 1 word")`)
	if n := eval[int](ann, `new Set([...document.querySelectorAll('.blocks .message .text')].map((e) => e.textContent)).size`); n != 154 {
		t.Errorf("she has %d different messages, want 154", n)
	}
	ann.resize(700, 800)
	ann.wait("laid out anew", `document.querySelector('#lines').clientWidth <= 700`)
	ann.click("#jump")
	ann.wait("the button leads to the end", `(() => { const l = document.querySelector('#lines'); return l.scrollHeight - l.scrollTop - l.clientHeight < 2 && document.querySelector('#jump').hidden })()`)
	ann.resize(700, 400)
	ann.wait("which stays in sight", `(() => { const l = document.querySelector('#lines'); return l.clientHeight < 400 && l.scrollHeight - l.scrollTop - l.clientHeight < 2 })()`)
}

// TestSlowOlderLines has the reader scroll to the very top and wait there for older lines: no space is left above to make up
// for what the note about their coming takes.
func TestSlowOlderLines(t *testing.T) {
	t.Parallel()
	s, _, ann := longTalk(t)

	s.front[0].hold()
	ann.wait("older lines are asked for", `(() => { document.querySelector('#lines').scrollTop = 0; return document.querySelector('.older').textContent.startsWith('Loading') })()`)
	ann.run(`document.querySelector('#lines').scrollTop = 0`)
	at := eval[float64](ann, theLine)
	s.front[0].release()
	ann.wait("they come", `document.querySelector('.blocks').textContent.includes('line 1 word')`)
	ann.staysAt("older lines are drawn", at)
}

// TestTenThousandLines puts a long conversation into the state, as a day in a busy room does, and scrolls through it.
// What it measures is told, not judged; that the page holds only a part as elements is.
func TestTenThousandLines(t *testing.T) {
	s := newSite(t, 1)
	ann := open(t, s.url(0), look{})
	ann.enter("Ann")
	ann.run(`
		const asset = (name) => performance.getEntriesByType('resource').find((e) => e.name.endsWith(name)).name
		const { state } = await import(asset('/state.js'))
		const { addLine, roomNamed } = await import(asset('/rooms.js'))
		const room = roomNamed('lobby')
		const from = Date.now() - 10000 * 20000
		globalThis.began = performance.now()
		for (let i = 0; i < 10000; i++) addLine(room, {kind: 'message', id: 'made-' + i, time: from + i * 20000, from: 'User ' + (i >> 2) % 40, text: 'line ' + i + ' of many, ' + 'with some more words '.repeat(i % 7) + (i % 11 ? '' : 'and https://example.org/' + i + ' and **bold**')})`)
	ann.wait("all are there", `document.querySelector('.blocks').lastElementChild?.textContent.includes('line 9999')`)
	drawn := eval[float64](ann, `performance.now() - began`)
	if n := eval[int](ann, `document.querySelectorAll('.message').length`); n > 1000 {
		t.Errorf("%d lines are elements while the end is followed, want a part of the 10,000", n)
	}
	type frames struct{ Count, Longest, P50, P99, Over50 float64 }
	scroll := func(step int, until string) frames {
		t.Helper()
		return evalWithin[frames](ann, 4*patience, fmt.Sprintf(`(async () => {
			const l = document.querySelector('#lines')
			const times = []
			let last = performance.now()
			for (let i = 0; i < 5000 && !(%s); i++) {
				l.scrollTop += %d
				await new Promise(requestAnimationFrame)
				const now = performance.now()
				times.push(now - last)
				last = now
			}
			times.sort((a, b) => a - b)
			return {Count: times.length, Longest: times.at(-1), P50: times[times.length >> 1], P99: times[Math.floor(times.length * 0.99)], Over50: times.filter((t) => t > 50).length}
		})()`, until, step))
	}
	up := scroll(-1500, `document.querySelector('.older').textContent.startsWith('This is the beginning')`)
	if n := eval[int](ann, `document.querySelectorAll('.message').length`); n < 10000 {
		t.Errorf("scrolled to the beginning there are %d lines, want all", n)
	}
	down := scroll(1500, `i === 150`)
	t.Logf("10,000 lines come in %.0f ms", drawn)
	for name, f := range map[string]frames{"up, drawing": up, "down, drawn": down} {
		t.Logf("%s: %.0f frames, half within %.1f ms, 99 of 100 within %.1f ms, longest %.1f ms, %.0f over 50 ms", name, f.Count, f.P50, f.P99, f.Longest, f.Over50)
	}
	ann.click("#jump")
	ann.wait("to the end", `document.querySelector('#jump').hidden && document.querySelectorAll('.message').length < 1000`)
}
