package web_test

import (
	"slices"
	"strings"
	"testing"
)

// receiveEvents makes receive available, which applies events as if the server had sent them, without notifying.
const receiveEvents = `globalThis.receive = chatapp.createEvents(
	{ actions: {}, outbox: { markDelivered: () => false }, toLine: (line) => line, onMessage() {} })
`

// TestFormsOfLines checks what tells own lines, those of others and notices apart, how they are folded, and what
// stands between them.
func TestFormsOfLines(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, "MESSAGE_RATE=0")
	ann, ben := openWindow(t, s.url(0), windowOptions{}), s.connect(t, 0, "Ben")
	ann.enter("Ann")
	ann.send("mine")
	ann.waitForMessage("me", "mine")
	ben.send("lobby", "one of Ben's")
	ann.waitForMessage("Ben", "one of Ben's")
	if got := eval[string](ann, `[...document.querySelectorAll('.author')].map((e) => e.querySelector('bdi').textContent
		+ (e.closest('.own') ? ' (own)' : '')).join()`); got != "Ann (own),Ben" {
		t.Errorf("authors are %s, want the own name, marked by its form alone", got)
	}

	ann.run(receiveEvents + `
		const meta = (more) => ({ room: 'lobby', time: Date.now(), users: 3, ...more })
		for (let i = 0; i < 40; i++) {
			receive('announcement', ['', meta({ kind: 'join', name: 'guest ' + i, id: '0.1.' + i })])
		}
		receive('user message', ['Ben', 'another of Ben\'s', meta({}), '0.2.a'])
		receive('announcement', ['', meta({ kind: 'rename', was: 'עדה', name: 'נועה', id: '0.3.a' })])`)
	ann.waitForMessage("Ben", "another of Ben's")
	ann.wait("forty arrivals are one row", `[...document.querySelectorAll('.notice:not([hidden]) .what')].slice(-2)
		.map((e) => e.textContent).join('; ') === 'guest 0 and 39 others connected; עדה is now נועה'`)
	ann.wait("names are apart from words, each in its own direction",
		`[...[...document.querySelectorAll('.notice .what')].at(-1).childNodes].map((n) => n.localName ?? n.data).join()
			=== 'bdi, is now ,bdi'`)
	if eval[bool](ann, `[...document.querySelectorAll('.message')].at(-1).classList.contains('head')`) {
		t.Error("an arrival tears a group of messages apart")
	}
	ann.run(`document.querySelector('.settings').open = true; document.querySelector('#coming').click()`)
	ann.wait("coming and going is hidden, renaming is not",
		`[...document.querySelectorAll('.notice')].filter((e) => e.checkVisibility()).length === 1`)

	ben.send("lobby", "The author stands here.")
	ben.send("lobby", "שלום לכולם!\nIn English (too).")
	ann.waitForMessage("Ben", "שלום לכולם!\nIn English (too).")
	ann.send("שלום")
	ann.waitForMessage("me", "שלום")
	if !eval[bool](ann, `(() => {
		const rect = (selector) => document.querySelector(selector).getBoundingClientRect()
		return rect('.message.own:last-child .text').right <= rect('.message.own:last-child .mark-sent').left
	})()`) {
		t.Error("the mark of an own message lies over its text in Hebrew")
	}
	type places struct{ First, Second, Middle, Time float64 }
	if got := eval[places](ann, `(() => {
		const text = [...document.querySelectorAll('.text')].at(-2)
		const placeOf = (n) => {
			const range = document.createRange()
			range.setStart(text.firstChild, n)
			range.setEnd(text.firstChild, n + 1)
			return range.getBoundingClientRect().left
		}
		const { left, width } = text.getBoundingClientRect()
		const time = text.closest('.message').querySelector(':scope > .at').getBoundingClientRect().left
		return { First: placeOf(0), Second: placeOf(12), Middle: left + width / 2, Time: time }
	})()`); got.First < got.Middle || got.Second > got.Middle || got.Time > got.Middle {
		t.Errorf("a line in Hebrew begins at %.0f px, one in English at %.0f, the time at %.0f; "+
			"want right, left and left of %.0f", got.First, got.Second, got.Time, got.Middle)
	}
	for _, id := range []string{"message", "visit-name"} {
		ann.focus("#" + id)
		ann.write("שלום!")
		if got := eval[string](ann, `getComputedStyle(document.activeElement).direction`); got != "rtl" {
			t.Errorf("what is written in Hebrew in %s goes from %s, want rtl", id, got)
		}
		ann.run(`document.activeElement.value = ''`)
	}
	ben.send("lobby", "see "+s.url(0)+"/?from=mail#garden")
	ann.wait("an address of this page leads to its room, also with a query",
		`[...document.querySelectorAll('.text')].at(-1).querySelector('a')?.getAttribute('href') === '#garden'`)
	ben.send("lobby", "👍🏽 👩‍👩‍👧")
	ann.wait("a message of emoji is large",
		`[...document.querySelectorAll('.text')].at(-1).classList.contains('emoji')`)
	word := strings.Repeat("Donaudampfschifffahrtsgesellschaft", 8)
	ben.send("lobby", word)
	ann.waitForMessage("Ben", word)
	const wide = `document.querySelector('#lines').scrollWidth > document.querySelector('#lines').clientWidth`
	if eval[bool](ann, wide) {
		t.Errorf("a long word makes the conversation wider than the window")
	}
	ben.send("lobby", strings.Repeat("a\n", 60)+"end")
	ann.wait("a long message is folded", `document.querySelector('.text.folded')?.clientHeight < 600
		&& document.querySelector('.unfold').textContent === 'Show all of it'`)
	ann.run(`document.querySelector('.unfold').click()`)
	ann.wait("and unfolds", `document.querySelector('.text.folded') === null
		&& [...document.querySelectorAll('.text')].at(-1).clientHeight > 1000`)

	ann.run(`const { state, changed } = chatapp
		state.rooms.get('lobby').dropped = true
		changed('lines')
		document.querySelector('#lines').scrollTop = 0
		const now = Date.now
		Date.now = () => now() + 86400000
		document.dispatchEvent(new Event('visibilitychange'))`)
	ann.wait("the day has another name after midnight", `document.querySelector('.day').textContent === 'Yesterday'`)
	ann.run(`const now = Date.now
		Date.now = () => now() + 86400000
		receive('user message', ['Ben', 'of the next day', { room: 'lobby', time: Date.now() }, '0.zz.a'])`)
	ann.waitForMessage("Ben", "of the next day")
	days := eval[[]string](ann, `[...document.querySelectorAll('.day')].map((e) => e.textContent)`)
	if len(days) != 2 || days[0] == "Yesterday" || days[1] != "Today" {
		t.Errorf("two days after the first one, with a line of the last one, the days are %q", days)
	}
	ann.wait("no beginning is claimed where lines were dropped",
		`document.querySelector('.older').textContent === 'Older messages are not kept.'`)

	ann.run(`const text = [...document.querySelectorAll('.text')].at(-2)
		getSelection().selectAllChildren(text)`)
	ben.send("lobby", "while text is selected")
	ann.waitForMessage("Ben", "while text is selected")
	if got := eval[string](ann, `getSelection().toString()`); !strings.HasSuffix(got, "end") {
		t.Errorf("the selection is %q, want the long message", got)
	}
	ann.run(`getSelection().selectAllChildren(document.querySelector('.blocks'))`)
	if got := eval[string](ann, `getSelection().toString()`); strings.Contains(got, "Sent") {
		t.Errorf("what is copied has words that are not seen: %q", got)
	}
}

// TestWaysOfTheComposer uses commands, completions, the addresses of messages, and the mark before new ones.
func TestWaysOfTheComposer(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, "MESSAGE_RATE=0")
	ben := s.connect(t, 0, "Ben")
	ann := openWindow(t, s.url(0), windowOptions{})
	ann.wait("the card says who is there", `document.querySelector('#naming-place').textContent
		=== 'You enter #lobby, where Ben is.'`)
	ann.enter("Ann")
	ann.write("/me likes @b")
	ann.wait("a name is offered", `document.querySelector('#offers').innerText === 'Ben'`)
	ann.press("Enter")
	ann.write("and :thumbs")
	ann.press("Tab")
	ann.press("Enter")
	ann.waitForMessage("me", "Ann likes @Ben and 👍")
	ann.send("/hlep")
	ann.wait("an unknown command is not sent", `document.querySelector('#hint').textContent.includes('/hlep')
		&& document.querySelector('#message').value === '/hlep'`)
	ann.run(`document.querySelector('#message').select()`)
	ann.send("/nick Anna")
	ann.wait("a command changes the name", `document.querySelector('#people .name').textContent === 'Anna'
		&& document.querySelector('#naming').hidden`)
	ann.run(`const files = new DataTransfer()
		files.items.add(new File(['x'], 'x.png', { type: 'image/png' }))
		document.querySelector('#message').dispatchEvent(
			new ClipboardEvent('paste', { clipboardData: files, bubbles: true, cancelable: true }))`)
	ann.wait("a picture gets a word", `document.querySelector('#hint').textContent.startsWith('Pictures and files')`)

	ann.send("/join #garden")
	ann.wait("a command joins a room", `document.querySelector('#title').textContent === '#garden'`)
	ann.focus("#visit-name")
	ann.press("Escape")
	ann.wait("Escape leaves the focus where one types", `document.activeElement.id === 'visit-name'`)
	ann.click("#leave-room")
	ann.wait("the room is left", `document.querySelector('#title').textContent === '#lobby'`)
	ann.run(`history.back(); await new Promise((done) => addEventListener('hashchange', done, { once: true }))`)
	ann.wait("Back does not return to it", `document.querySelector('#title').textContent === '#lobby'
		&& ![...document.querySelectorAll('#rooms .known .name')].some((e) => e.textContent === 'garden')`)

	ann.run(`location.hash = 'elsewhere'`)
	ann.wait("another room is shown", `document.querySelector('#title').textContent === '#elsewhere'`)
	for _, text := range []string{"first new", "second new"} {
		ben.send("lobby", text)
	}
	const unread = `document.querySelector('#rooms .badge.marked')?.textContent`
	ann.wait("two messages are unread", unread+` === '2'`)
	ann.reload()
	ann.wait("they are unread after a reload", unread+` === '2'`)
	ann.run(`document.querySelector('#rooms a.unread').click()`)
	ann.waitForMessage("Ben", "second new")
	ann.wait("the first of them is marked",
		`document.querySelector('.new-since + .message .text').textContent === 'first new'`)

	ann.click("#open-search")
	ann.write("FIRST")
	ann.press("Enter")
	ann.wait("a search finds the message", `document.querySelectorAll('#found a').length === 1
		&& document.querySelector('#found .found-text').textContent === 'first new'`)
	ann.run(`document.querySelector('#found a').click()`)
	ann.wait("and leads to it", `document.querySelector('.target')?.innerText.includes('first new')`)
	ann.press("Escape")
	ann.wait("Escape closes the search", `document.querySelector('#search').hidden`)
	ann.wait("a message has an address", `document.querySelector('.at') !== null`)
	link := eval[string](ann, `[...document.querySelectorAll('.message')].find((m) => m.innerText.includes('first new'))
		.querySelector('.at').href`)
	for range 120 {
		ben.send("lobby", "more")
	}
	max := openWindow(t, link, windowOptions{})
	max.enter("Max")
	max.wait("the address of a message leads to it, though it must be loaded",
		`document.querySelector('.target')?.innerText.includes('first new')
			&& !document.querySelector('#jump').hidden`)
	if got := max.texts(); !slices.Contains(got, "second new") {
		t.Errorf("around the message there are %q", got)
	}

	nina := openWindow(t, s.url(0), windowOptions{})
	nina.enter("Nina")
	nina.waitForMessage("Ben", "more")
	s.proxies[0].pause()
	nina.run(`location.hash = ` + encode(link[strings.Index(link, "#"):]))
	nina.wait("the page says that it goes back to a message",
		`document.querySelector('#jump').textContent === 'Loading older messages · Cancel'`)
	nina.click("#jump")
	nina.wait("it goes back no more",
		`document.querySelector('#jump').hidden && document.activeElement.id === 'message'`)
	s.proxies[0].resume()
	nina.wait("the end stays in view", `document.querySelector('#pulse').dataset.phase === 'online'
		&& !chatapp.state.rooms.get('lobby').loading && !document.querySelector('.target') && `+atEnd)
}
