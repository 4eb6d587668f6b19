package web_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
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
	ann.run(`document.querySelector('#lines').scrollTop = 0; globalThis.reading = undefined
		globalThis.firstDrawn = document.querySelector('.blocks .message').dataset.id`)
	at = eval[float64](ann, readingPosition)
	s.proxies[0].resume()
	ann.wait("older lines are drawn", `document.querySelector('.blocks .message').dataset.id !== firstDrawn`)
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

// TestThousandsOfLines scrolls through a long conversation, to its beginning and back. Each step moves the lines by
// just as much, all lines come into view, in order, and at no time are more than a part of them drawn.
func TestThousandsOfLines(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann := openWindow(t, s.url(0), windowOptions{})
	ann.enter("Ann")
	ann.run(`
		const { addLine, roomNamed } = chatapp
		const room = roomNamed('lobby')
		const from = Date.now() - 1500 * 20000
		for (let i = 0; i < 1500; i++) addLine(room, {kind: 'message', id: 'made-' + i, time: from + i * 20000,
			from: 'User ' + (i >> 2) % 40,
			text: 'line ' + i + ' of many, ' + 'with some more words '.repeat(i % 7)
				+ (i % 11 ? '' : 'and https://example.org/' + i + ' and **bold**')})`)
	ann.wait("the last line is drawn",
		`document.querySelector('.blocks').lastElementChild?.textContent.includes('line 1499')`)
	if n := eval[int](ann, `document.querySelectorAll('.message').length`); n > 1000 {
		t.Errorf("%d lines are drawn while the page follows the end, want at most 1,000", n)
	}
	type journey struct {
		Most, Seen int
		Jumps      []string
		InOrder    bool
	}
	scroll := func(step int, until string) {
		t.Helper()
		got := eval[journey](ann, fmt.Sprintf(`(async () => {
			const l = document.querySelector('#lines')
			const edge = l.getBoundingClientRect().top
			const seen = new Set()
			const found = { Most: 0, Jumps: [], InOrder: true }
			const look = () => {
				const all = [...document.querySelectorAll('.blocks .message[data-id^=made]')]
				const numbers = all.map((e) => Number(e.dataset.id.slice('made-'.length)))
				found.Most = Math.max(found.Most, all.length)
				found.InOrder &&= numbers.every((n, at) => at === 0 || n === numbers[at - 1] + 1)
				for (const n of numbers) seen.add(n)
				return all
			}
			for (let i = 0; i < 500 && !(%s); i++) {
				const all = look()
				const topOf = (e) => e.querySelector('.text').getBoundingClientRect().top
				const reading = all.find((e) => topOf(e) >= edge)
				const from = topOf(reading)
				const room = %[2]d < 0 ? l.scrollTop : l.scrollHeight - l.clientHeight - l.scrollTop
				l.scrollTop += %[2]d
				await new Promise(requestAnimationFrame)
				const moved = from - topOf(reading)
				if (room > Math.abs(%[2]d) && !(Math.abs(moved - %[2]d) < 2))
					found.Jumps.push(reading.textContent.slice(0, 20) + ' by ' + moved)
			}
			look()
			return { ...found, Seen: seen.size }
		})()`, until, step))
		if got.Most > 1000 || got.Seen != 1500 || !got.InOrder || len(got.Jumps) > 0 {
			t.Errorf("scrolling by %d px: at most %d lines are drawn, %d are seen, in order: %v, jumps: %q; "+
				"want at most 1,000, 1,500, true and none", step, got.Most, got.Seen, got.InOrder, got.Jumps)
		}
	}
	ann.run(`const { state, changed } = chatapp
		const time = Date.now()
		state.outbox.push({ cid: 'failed', room: 'lobby', text: 'failed', time, status: 'failed', until: 0 })
		changed('outbox')`)
	ann.focus(".tail .line-actions button")
	scroll(-900, `document.querySelector('.older').textContent.startsWith('This is the beginning')`)
	if at := eval[string](ann, `document.activeElement.id`); at != "lines" {
		t.Errorf("the focus is at %q after scrolling far from what had it, want %q", at, "lines")
	}
	ann.run(`chatapp.state.outbox = []; chatapp.changed('outbox')`)
	ann.run(`document.querySelector('#lines').scrollTop = 0; await ` + nextFrames)
	if n := eval[int](ann, `document.querySelectorAll('.blocks .message').length`); n > 1000 {
		t.Errorf("%d lines are drawn at the beginning, want at most 1,000", n)
	}
	scroll(900, `document.querySelector('#jump').hidden`)
	ann.run(`document.querySelector('#lines').scrollTop -= 9000; await ` + nextFrames)
	if n := eval[int](ann, `(async () => {
		const { addLine, roomNamed } = chatapp
		for (let i = 1500; i < 3000; i++) {
			addLine(roomNamed('lobby'), {kind: 'message', id: 'made-' + i, time: Date.now(), from: 'Ben',
				text: 'line ' + i + ' with some more words'.repeat(20)})
			if (i % 100 === 99) await `+nextFrames+`
		}
		return document.querySelectorAll('.blocks .message').length
	})()`); n > 1000 {
		t.Errorf("%d lines are drawn after many have arrived below the reader's place, want at most 1,000", n)
	}
	ann.click("#jump")
	ann.wait("the end is in view",
		`document.querySelector('#jump').hidden && document.querySelectorAll('.message').length < 1000 && `+atEnd)

	// A scroll event comes while a line waits to be drawn with others.
	if !eval[bool](ann, `(async () => {
		const receive = chatapp.createEvents({ outbox: { markDelivered() {} }, onMessage() {} })
		const drawn = () => [...document.querySelectorAll('.blocks .message')]
		const arrive = (id) => receive('user message', ['Ben', id, { time: Date.now() }, id])
		arrive('first')
		await `+nextFrames+`
		const kept = drawn()
		arrive('second')
		document.querySelector('#lines').dispatchEvent(new Event('scroll'))
		while (drawn().length <= kept.length) await `+nextFrames+`
		return kept.every((e) => e.isConnected) && drawn().length === kept.length + 1 && `+atEnd+`
	})()`) {
		t.Error("an event draws lines again that are drawn, or leaves the end")
	}

	ann.do("emulate paper", command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"}))
	ann.wait("all lines that are drawn go onto paper, and no time lies over a text", `(() => {
		const message = document.querySelector('.blocks .message:not(.head)')
		return getComputedStyle(document.querySelector('#composer')).display === 'none'
			&& document.documentElement.scrollHeight > 3 * innerHeight
			&& message.querySelector('.text').getBoundingClientRect().right
				<= message.querySelector('.at').getBoundingClientRect().left
	})()`)
}
