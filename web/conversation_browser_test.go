package web_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// readingPosition evaluates to the distance of the line being read from the top of the window. The
// line is the first in view when globalThis.reading is undefined, and the same line from then on.
const readingPosition = `(() => {
	const topOf = (e) => e.querySelector('.text').getBoundingClientRect().top
	const edge = document.querySelector('#lines').getBoundingClientRect().top
	const first = [...document.querySelectorAll('.message[data-id]')].find((e) => topOf(e) >= edge)
	globalThis.reading ??= first.dataset.id
	return topOf(document.querySelector('[data-id="' + globalThis.reading + '"]'))
})()`

// atEnd evaluates to whether the end of the conversation is in view.
const atEnd = `(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight < 2)(
	document.querySelector('#lines'))`

// checkStays checks that the line being read is still at the same place.
func (w *window) checkStays(why string, at float64) {
	w.t.Helper()
	// After two frames the page has handled and laid out a change.
	w.run(`await ` + nextFrames)
	if now := eval[float64](w, readingPosition); math.Abs(now-at) >= 1 {
		w.t.Errorf("%s: the line being read moves from %.2f to %.2f px", why, at, now)
	}
}

// longConversation returns a site where Ben has sent 150 messages of different heights, so that no estimate of them is
// right. Ann's window shows their end.
func longConversation(t *testing.T) (s *site, ben *client, ann *window) {
	t.Helper()
	s = newSite(t, 1, "MESSAGE_RATE=0")
	ben = s.connect(t, 0, "Ben")
	for i := range 150 {
		ben.send("lobby", fmt.Sprint("line ", i, strings.Repeat(" word", i*i%97)))
	}

	ann = openWindow(t, s.url(0), windowOptions{})
	ann.enter("Ann")
	ann.wait("the end is in view",
		`(() => { const l = document.querySelector('#lines');
			return l.scrollHeight - l.scrollTop - l.clientHeight < 2
			&& document.querySelector('.blocks').textContent.includes('line 149') })()`)
	return s, ben, ann
}

func TestReadingPositionNeverJumps(t *testing.T) {
	t.Parallel()
	s, ben, ann := longConversation(t)
	ben.send("lobby", "followed")
	ann.waitForMessage("Ben", "followed")
	ann.wait("the end is still in view",
		atEnd+` && document.querySelector('#jump').hidden`)

	ann.run(`document.querySelector('#lines').scrollBy(0, -2300)`)
	ann.wait("the button to the end is shown", `!document.querySelector('#jump').hidden`)
	at := eval[float64](ann, readingPosition)
	ben.send("lobby", "not followed")
	ben.send("lobby", "nor this")
	ann.wait("the button counts new messages", `document.querySelector('#jump').textContent === '2 new messages'`)
	ann.checkStays("a message arrives", at)
	ann.run(`		const { addLine, roomNamed } = chatapp
		const { lines } = roomNamed('lobby')
		const late = { kind: 'message', id: 'late', time: lines[0].time, from: 'Ben', text: 'late' }
		addLine(roomNamed('lobby'), late, true)`)
	ann.checkStays("a late message is inserted far above", at)
	ann.resize(1100, 800)
	ann.wait("the conversation is narrower", `document.querySelector('#lines').clientWidth < 900`)
	ann.checkStays("the window becomes narrower", at)
	ann.send("her own")
	ann.waitForMessage("me", "her own")
	ann.checkStays("an own message is sent", at)
	ben.emit("typing", map[string]string{"room": "lobby"})
	ann.wait("Ben is typing", `document.querySelector('#typing').textContent !== ''`)
	ann.checkStays("somebody types", at)

	// Scroll to the very top while older lines are being loaded: no space is left above to make up for the note that
	// says so.
	s.proxies[0].pause()
	ann.wait("older lines are being loaded",
		`(() => { document.querySelector('#lines').scrollTop = 0;
			return document.querySelector('.older').textContent.startsWith('Loading') })()`)
	ann.run(`document.querySelector('#lines').scrollTop = 0; globalThis.reading = undefined`)
	at = eval[float64](ann, readingPosition)
	s.proxies[0].resume()
	ann.wait("older lines are drawn", `document.querySelector('.blocks').textContent.includes('line 1 word')`)
	ann.checkStays("older lines are drawn", at)

	// Scroll to the beginning. Older lines are drawn above the line being read.
	for range 60 {
		if eval[bool](ann, `document.querySelector('.older').textContent.startsWith('This is the beginning')`) {
			break
		}
		ann.run(`document.querySelector('#lines').scrollBy(0, -900); globalThis.reading = undefined`)
		at = eval[float64](ann, readingPosition)
		ann.checkStays("older lines are drawn", at)
	}
	ann.wait("the beginning is drawn",
		`document.querySelector('.older').textContent.startsWith('This is the beginning')
			&& document.querySelector('.blocks').textContent.includes("line 1 word")`)
	if n := eval[int](ann, `new Set([...document.querySelectorAll('.blocks .message .text')]
		.map((e) => e.textContent)).size`); n != 155 {
		t.Errorf("there are %d different messages, want 155", n)
	}
	ann.resize(700, 800)
	ann.wait("the window is narrow", `document.querySelector('#lines').clientWidth <= 700`)
	ann.click("#jump")
	ann.wait("the button leads to the end",
		atEnd+` && document.querySelector('#jump').hidden`)
	ann.resize(700, 400)
	ann.wait("the end stays in view",
		`(() => { const l = document.querySelector('#lines'); return l.clientHeight < 400
			&& l.scrollHeight - l.scrollTop - l.clientHeight < 2 })()`)

	// A hint goes away while the composer grows: the view becomes larger, which moves its lines down, then smaller.
	ann.resize(700, 800)
	ann.send("/help")
	ann.wait("the hint is shown", `!document.querySelector('#hint').hidden && `+atEnd)
	ann.write("a long message\n\n\n\n\nof some lines")
	ann.wait("the hint is hidden", `document.querySelector('#hint').hidden`)
	ann.run(`await ` + nextFrames)
	if !eval[bool](ann, atEnd+` && document.querySelector('#jump').hidden`) {
		t.Error("the end is out of view after the composer has grown")
	}
}

// TestThousandsOfLines scrolls through a long conversation in a busy room. It logs the times,
// and checks that the page draws only a part of the lines while it follows the end.
func TestThousandsOfLines(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann := openWindow(t, s.url(0), windowOptions{})
	ann.enter("Ann")
	ann.run(`
		const { addLine, roomNamed } = chatapp
		const room = roomNamed('lobby')
		const from = Date.now() - 1500 * 20000
		globalThis.began = performance.now()
		for (let i = 0; i < 1500; i++) addLine(room, {kind: 'message', id: 'made-' + i, time: from + i * 20000,
			from: 'User ' + (i >> 2) % 40,
			text: 'line ' + i + ' of many, ' + 'with some more words '.repeat(i % 7)
				+ (i % 11 ? '' : 'and https://example.org/' + i + ' and **bold**')})`)
	ann.wait("the last line is drawn",
		`document.querySelector('.blocks').lastElementChild?.textContent.includes('line 1499')`)
	drawn := eval[float64](ann, `performance.now() - began`)
	if n := eval[int](ann, `document.querySelectorAll('.message').length`); n > 1000 {
		t.Errorf("%d lines are drawn while the page follows the end, want at most 1,000", n)
	}
	type frames struct{ Count, Longest, P50, P99, Over50 float64 }
	scroll := func(step int, until string) frames {
		t.Helper()
		return evalWithin[frames](ann, 4*timeout, fmt.Sprintf(`(async () => {
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
			return {Count: times.length, Longest: times.at(-1), P50: times[times.length >> 1],
				P99: times[Math.floor(times.length * 0.99)], Over50: times.filter((t) => t > 50).length}
		})()`, until, step))
	}
	up := scroll(-2500, `document.querySelector('.older').textContent.startsWith('This is the beginning')`)
	if n := eval[int](ann, `document.querySelectorAll('.message').length`); n < 1500 {
		t.Errorf("after scrolling to the beginning %d lines are drawn, want all", n)
	}
	down := scroll(2500, `i === 10`)
	t.Logf("1,500 lines are added and drawn in %.0f ms", drawn)
	for name, f := range map[string]frames{"up, drawing": up, "down": down} {
		t.Logf("%s: %.0f frames, half within %.1f ms, 99 of 100 within %.1f ms, longest %.1f ms, %.0f over 50 ms",
			name, f.Count, f.P50, f.P99, f.Longest, f.Over50)
	}
	ann.click("#jump")
	ann.wait("the end is in view",
		`document.querySelector('#jump').hidden && document.querySelectorAll('.message').length < 1000`)
}
