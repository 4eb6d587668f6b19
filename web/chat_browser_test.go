package web_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestUsersOnTwoInstancesMeet(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2, "MESSAGE_RATE=0")
	ann, ben := openWindow(t, s.url(0), windowOptions{}), openWindow(t, s.url(1), windowOptions{})
	ann.enter("Ann")
	ben.enter("Ben")
	ann.wait("Ann sees that Ben connected", `document.querySelector('.notice')?.innerText.includes('Ben connected')`)
	ann.wait("the list of people begins with the user",
		`[...document.querySelectorAll('#people .name')].map((e) => e.textContent).join() === 'Ann,Ben'`)
	ben.wait("the number of people is right", `document.querySelector('#subtitle').textContent === '2 people here'`)

	ben.write("I am wri")
	ann.wait("Ann sees Ben typing", `document.querySelector('#typing').textContent === 'Ben is typing'`)
	ben.write("ting")
	ben.press("Enter")
	ann.waitForMessage("Ben", "I am writing")
	ben.waitForMessage("me", "I am writing")
	ann.wait("Ben has stopped typing", `document.querySelector('#typing').textContent === ''`)
	ben.wait("the message is marked as sent", `document.querySelector('.own .mark-sent') !== null`)
	ann.send("And I read")
	ben.waitForMessage("Ann", "And I read")
	ann.waitForMessage("me", "And I read")
	if a, b := ann.texts(), ben.texts(); !slices.Equal(a, b) {
		t.Errorf("Ann sees %q, Ben sees %q, want the same order", a, b)
	}

	ann.wait("the page names its instance",
		`document.querySelector('#instance').textContent === 'worker-1 · 2 instances'`)
	ben.wait("the page names its instance",
		`document.querySelector('#instance').textContent === 'worker-2 · 2 instances'`)
	ann.wait("the latency of the log is shown", `/\d ms$/.test(document.querySelector('#latency').textContent)`)
	ann.click("#open-behind")
	ann.wait("the panel lists both instances with their users",
		`[...document.querySelectorAll('.cluster li')].map((e) => e.innerText.replace(/\s+/g,
			' ').replace(/ · heard .*/,
			'').trim()).join('; ') === 'worker-1 this window · 1 user; worker-2 1 user'`)
	ann.wait("the panel shows the path of the last message",
		`document.querySelectorAll('.way .station').length === 5
			&& document.querySelectorAll('.bars rect.log').length === 1`)

	// Both send at the same time, and both windows show the order of the log.
	const each = 12
	for _, w := range []*window{ann, ben} {
		w.run(fmt.Sprintf(`
			globalThis.sending = (async () => {
				const field = document.querySelector('#message'),
					me = document.querySelector('#people .name').textContent
				for (let i = 0; i < %d; i++) {
					field.value = me + ' ' + i
					field.dispatchEvent(new Event('input'))
					field.form.requestSubmit()
					await new Promise((later) => setTimeout(later, i %% 7))
				}
			})()`, each))
	}
	for _, w := range []*window{ann, ben} {
		w.waitForCount(2*each + 2)
	}
	if a, b := ann.texts(), ben.texts(); !slices.Equal(a, b) {
		t.Errorf("Ann sees %q, Ben sees %q, want the same order", a, b)
	}
}

func TestNicknameIsRefusedAndChanged(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann, ben := openWindow(t, s.url(0), windowOptions{}), openWindow(t, s.url(0), windowOptions{})
	ann.enter("Ann")
	ben.wait("the dialog is open", `document.activeElement.id === 'nick'`)
	ben.press("Enter")
	if !eval[bool](ben, `(({ busy, refusal }) => !busy && !refusal)(chatapp.state.nicknameDialog)`) {
		t.Error("an empty nickname is sent")
	}
	ben.write("ANN")
	ben.press("Enter")
	ben.wait("the page says why", `document.querySelector('#nickname-err').textContent === 'Nickname already in use'`)
	ben.wait("the refused nickname can be edited",
		`document.querySelector('#nick').value === 'ANN' && document.activeElement.id === 'nick'`)
	ben.write("ie")
	ben.press("Enter")
	ben.wait("the other nickname is accepted", `document.querySelector('#naming').hidden`)
	ann.wait("Ann sees the other nickname",
		`[...document.querySelectorAll('#people .name')].map((e) => e.textContent).join() === 'Ann,ANNie'`)

	ben.run(`document.querySelector('.settings').open = true`)
	ben.click("#rename")
	ben.wait("the dialog shows the current nickname",
		`document.activeElement.id === 'nick' && document.querySelector('#nick').value === 'ANNie'`)
	ben.write("Ann")
	ben.press("Enter")
	ben.wait("the new nickname is refused",
		`document.querySelector('#nickname-err').textContent === 'Nickname already in use'`)
	ben.press("Escape")
	ben.wait("the nickname is unchanged",
		`document.querySelector('#naming').hidden && document.querySelector('#people .name').textContent === 'ANNie'`)
	ben.click("#rename")
	ben.wait("the dialog is open", `document.activeElement.id === 'nick'`)
	ben.write("Ben")
	ben.press("Enter")
	ann.wait("Ann sees the new nickname",
		`[...document.querySelectorAll('.notice:not([hidden]) .what')].at(-1)?.textContent === 'ANNie is now Ben'`)

	ben.reload()
	ben.wait("the nickname survives a reload",
		`document.querySelector('#people .name').textContent === 'Ben' && document.querySelector('#naming').hidden`)
	ben.run(`document.querySelector('.settings').open = true`)
	ben.click("#leave")
	ben.click("#leave-confirm")
	ann.wait("Ann sees that Ben left the chat",
		`[...document.querySelectorAll('.notice:not([hidden]) .what')].at(-1)?.textContent === 'Ben disconnected'`)
	ben.wait("the dialog is open", `!document.querySelector('#naming').hidden`)
}

// TestNextPersonFindsNothing leaves the chat with unsent messages and drafts, and enters it under another name.
func TestNextPersonFindsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	w := openWindow(t, s.url(0), windowOptions{})
	w.enter("Ann")
	s.proxies[0].cut()
	w.wait("the connection is lost", `document.querySelector('#pulse').dataset.phase === 'waiting'`)
	w.send("a secret of Ann's")
	w.write("a draft of Ann's")
	w.run(`document.querySelector('.settings').open = true`)
	w.click("#leave")
	w.wait("the page asks first", `document.activeElement.id === 'leave-confirm'`)
	w.press("Escape")
	w.wait("the draft is still there", `document.querySelector('#message').value === "a draft of Ann's"`)
	w.click("#leave")
	w.click("#leave-confirm")
	s.proxies[0].reopen(t)
	w.run(`dispatchEvent(new Event('online'))`)
	w.wait("the dialog proposes no name", `document.activeElement.id === 'nick' && document.activeElement.value === ''`)
	w.enter("Eve")
	w.send("first of Eve's")
	w.waitForMessage("me", "first of Eve's")
	if got := w.texts(); len(got) != 1 {
		t.Errorf("the next person sees %q, want only what they wrote", got)
	}
	if kept := eval[string](w, `JSON.stringify({...sessionStorage, ...localStorage})`); strings.Contains(kept, "Ann") {
		t.Errorf("the browser keeps %s of the person who left", kept)
	}
}

// TestLeavingEndsTheIdentityInEveryTab leaves the chat in a tab while another one rests, and while a third is asleep.
func TestLeavingEndsTheIdentityInEveryTab(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	w := openWindow(t, s.url(0), windowOptions{})
	w.enter("Ann")
	w.run(`location.hash = 'garden'`)
	w.wait("the garden is shown", `document.querySelector('#title').textContent === '#garden'
		&& document.querySelector('.notice') !== null`)
	w.write("a draft of Ann's")
	w.run(`globalThis.second = open(location.href)
		globalThis.there = (selector) => second.document.querySelector(selector)`)
	w.wait("a copy says that the first is in use", `there('#banner-text').textContent.startsWith('You chat as Ann')`)
	w.run(`there('#message').value = "another draft of Ann's"
		there('#message').dispatchEvent(new Event('input'))`)
	w.wait("its draft is saved", `second.sessionStorage.getItem('chatapp.drafts').includes('another')`)
	w.run(`globalThis.asleep = { ...second.sessionStorage }
		document.querySelector('.settings').open = true`)
	w.click("#leave")
	w.click("#leave-confirm")
	const asksWithoutAName = `second.document.activeElement.id === 'nick' && there('#nick').value === ''
		&& there('#title').textContent === '#lobby' && there('#banner').hidden && there('#message').value === ''
		&& !there('#banner-text').textContent.includes('Ann')
		&& there('#pulse').dataset.phase === 'online'
		&& !JSON.stringify({...second.sessionStorage, ...localStorage}).includes('Ann')`
	w.wait("the tab that rests asks for a name", asksWithoutAName)
	w.run(`for (const [key, value] of Object.entries(asleep)) second.sessionStorage.setItem(key, value)
		second.history.pushState({ seen: 0 }, '', '#garden')
		second.location.reload()`)
	w.wait("a tab that slept asks for a name as well",
		`second.performance.getEntriesByType('navigation')[0].type === 'reload' && `+asksWithoutAName)
	w.run(`second.close()`)
	w.wait("the lobby is shown", `location.hash === '' && document.activeElement.id === 'nick'`)
	w.run(`history.back(); await new Promise((done) => addEventListener('hashchange', done, { once: true }))`)
	w.wait("Back does not lead to a room of the person who left", `location.hash === ''
		&& document.querySelector('#title').textContent === '#lobby'`)
	w.enter("Eve")
	w.reload()
	w.wait("the next person stays after a reload", `document.querySelector('#people .name')?.textContent === 'Eve'
		&& document.querySelector('#title').textContent === '#lobby'`)
	if rooms := eval[string](w, `[...chatapp.state.rooms.keys()].join()`); rooms != "lobby" {
		t.Errorf("the next person is in %s, want lobby", rooms)
	}

	w.run(`let mark = 2166136261
		for (const c of chatapp.state.me.token) mark = Math.imul(mark ^ c.charCodeAt(0), 16777619)
		localStorage.setItem('chatapp.ended', JSON.stringify([mark >>> 0]))
		dispatchEvent(new Event('pageshow'))`)
	w.wait("a page that Back brings back asks for a name", `document.activeElement.id === 'nick'
		&& document.activeElement.value === ''`)
}

func TestRoomsHaveAddressesAndUnreadCounts(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	ann, ben := openWindow(t, s.url(0), windowOptions{}), openWindow(t, s.url(1)+"/#caf%C3%A9", windowOptions{})
	ann.enter("Ann")
	ben.enter("Ben")
	ben.wait("the room of the address is shown",
		`document.querySelector('#title').textContent === '#café'
			&& document.querySelector('.empty h2').textContent === 'Nobody has said anything yet'`)
	ben.send("first in here")
	ben.waitForMessage("me", "first in here")
	ben.wait("the room is listed",
		`[...document.querySelectorAll('#rooms .name')].map((e) => e.textContent).join() === 'lobby,café'`)

	ann.focus("#visit-name")
	ann.write("#café")
	ann.press("Enter")
	ann.waitForMessage("Ben", "first in here")
	if got := eval[string](ann, `location.hash`); got != "#caf%C3%A9" {
		t.Errorf("the address of the room is %q, want #caf%%C3%%A9", got)
	}
	ben.run(`location.hash = ''`)
	ben.wait("the lobby is shown", `document.querySelector('#title').textContent === '#lobby'`)
	ann.send("are you there?")
	ben.wait("the other room has an unread message",
		`document.querySelector('#rooms .badge.marked')?.getAttribute('aria-label') === '1 unread message'`)
	ben.run(`document.querySelector('#rooms a.unread').click()`)
	ben.waitForMessage("Ann", "are you there?")
	ben.wait("no room has unread messages", `document.querySelector('#rooms .badge.marked') === null`)
	ben.run(importState + `state.rooms.get('lobby').unread = 100; changed('rooms')`)
	ben.wait("the badge has no room for three digits",
		`document.querySelector('#rooms .badge.marked')?.textContent === '99+'`)

	ben.run(`history.back()`)
	ben.wait("the back button leads to the lobby", `document.querySelector('#title').textContent === '#lobby'`)
	ben.run(`history.forward()`)
	ben.wait("the forward button leads to the room", `document.querySelector('#title').textContent === '#café'`)
	ben.reload()
	ben.wait("a reload keeps the room", `document.querySelector('#title').textContent === '#café'`)
	ben.waitForMessage("Ann", "are you there?")
	ben.click("#leave-room")
	ben.wait("the lobby is shown after leaving",
		`document.querySelector('#title').textContent === '#lobby'
			&& document.querySelector('#rooms a.known .name').textContent === 'lobby'`)
	ann.wait("Ann sees that Ben left",
		`[...document.querySelectorAll('.notice:not([hidden]) .what')].at(-1)?.textContent === 'Ben left'`)

	ann.run(`location.hash = 'x'.repeat(60)`)
	ann.wait("an invalid room is explained",
		`document.querySelector('.empty h2')?.textContent === 'This room is closed to you'
			&& document.querySelector('#message').disabled`)
	ann.run(`location.hash = ''`)
	ann.wait("the invalid room is not in the list",
		`[...document.querySelectorAll('#rooms .name')].map((e) => e.textContent).join() === 'lobby,café'
			&& !document.querySelector('#message').disabled`)
}

func TestMessagesBeyondTheLimits(t *testing.T) {
	t.Parallel()
	// The server takes one message in two seconds, which is less than even a very busy machine can send.
	s := newSite(t, 1, "MAX_MESSAGE_LENGTH=20", "MESSAGE_RATE=0.5")
	ann, ben := openWindow(t, s.url(0), windowOptions{}), openWindow(t, s.url(0), windowOptions{})
	ann.enter("Ann")
	ben.enter("Ben")
	ann.write("👩‍👩‍👧‍👦👩‍👩‍👧‍👦 23456789012345678")
	ann.wait("the counter counts grapheme clusters",
		`document.querySelector('#counter').textContent === '0 characters left'`)
	ann.write("!")
	ann.wait("a message that is too long cannot be sent",
		`document.querySelector('#counter').textContent === '1 character too many'
			&& document.querySelector('#send').disabled`)
	ann.press("Enter")
	if !eval[bool](ann, `document.querySelector('#message').value.endsWith('!') && chatapp.state.outbox.length === 0`) {
		t.Error("Enter sends a message that is too long, or removes it from the field")
	}
	ann.run(`document.querySelector('#message').value = ''`)

	want := []string{"0", "1", "2"}
	ann.run(`
		globalThis.reasons = []
		const tail = document.querySelector('.tail')
		new MutationObserver(() => reasons.push(tail.querySelector('.why')?.textContent))
			.observe(tail, {childList: true, subtree: true, characterData: true})
		const field = document.querySelector('#message')
		for (const text of ` + encode(want) + `) {
			field.value = text
			field.form.requestSubmit()
		}`)
	ann.wait("the page says how long the message waits",
		`reasons.some((reason) => /^Too fast: goes out in \d seconds?$/.test(reason))`)
	ben.waitForMessage("Ann", "2")
	if got := ben.texts(); !slices.Equal(got, want) {
		t.Errorf("Ben sees %q, want %q: all of them, once, in order", got, want)
	}
}

// TestRefusedMessageCanBeEdited removes the page's own limit, so that the server refuses a message.
func TestRefusedMessageCanBeEdited(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, "MAX_MESSAGE_LENGTH=20")
	ann := openWindow(t, s.url(0), windowOptions{})
	ann.enter("Ann")
	ann.run(importState + `state.limits.message = 0`)
	const long = "longer than it may be here"
	ann.send(long)
	ann.wait("the page says why the message is not sent",
		`document.querySelector('.tail .failed .why')?.textContent === 'Not sent: The message is too long.'`)
	ann.send("short")
	ann.waitForMessage("me", "short")
	ann.reload()
	ann.wait("the failed message survives a reload",
		`document.querySelector('.tail .failed .why')?.textContent === 'Not sent: The message is too long.'`)
	ann.wait("the failed message follows the other in its group, and begins no second day",
		`document.querySelectorAll('#lines .day').length === 1
			&& !document.querySelector('.tail .head')`)
	// From here on by keyboard alone: the buttons stand before the field.
	ann.press("Escape")
	ann.press("Tab", shiftKey)
	ann.press("Tab", shiftKey)
	ann.wait("the button to send again has the focus",
		`document.activeElement.matches('.tail .line-actions button:first-child:focus-visible')`)
	ben := openWindow(t, s.url(0), windowOptions{})
	ben.enter("Ben")
	ben.send("hello")
	ann.wait("below Ben's message the failed one begins a group, and its button keeps the focus",
		`document.querySelector('.tail .head')
			&& document.activeElement.matches('.tail .line-actions button:first-child')`)
	ann.run(importState + `globalThis.outbox = () => state.outbox`)
	ann.press("Enter")
	ann.wait("the second attempt is refused, too",
		`document.activeElement.id === 'message' && outbox()[0].status === 'failed'
			&& document.querySelector('.tail .failed .why')?.textContent === 'Not sent: The message is too long.'`)
	ann.press("Tab", shiftKey)
	ann.wait("the button to take it back has the focus",
		`document.activeElement.matches('.tail .line-actions button:last-child:focus-visible')`)
	ann.press("Enter")
	ann.wait("the text is back in the field",
		`document.querySelector('#message').value === `+encode(long)+`
			&& document.querySelector('.tail').childElementCount === 0 && document.activeElement.id === 'message'`)
	ann.run(`document.querySelector('#message').setSelectionRange(6, 26)`)
	ann.write(" no more")
	ann.press("Enter")
	ann.waitForMessage("me", "longer no more")
}

// TestQuicklyVisitedRoomsAreAllJoined visits rooms faster than the server's rate limit allows.
func TestQuicklyVisitedRoomsAreAllJoined(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann := openWindow(t, s.url(0), windowOptions{})
	ann.enter("Ann")
	ann.run(`
		for (let i = 0; i < 15; i++) {
			const shown = new Promise((done) => addEventListener('hashchange', done, { once: true }))
			location.hash = 'room-' + i
			await shown
		}
		` + importState + `globalThis.state = state`)
	ann.wait("all rooms are joined",
		`[...state.rooms.values()].filter((room) => room.joined && !room.refusal).length === 16`)
	ann.send("here at last")
	ann.waitForMessage("me", "here at last")
}
