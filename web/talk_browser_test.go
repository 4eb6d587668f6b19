package web_test

import (
	"fmt"
	"slices"
	"testing"
)

func TestTwoWindowsOnTwoInstances(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	ann, ben := open(t, s.url(0), look{}), open(t, s.url(1), look{})
	ann.enter("Ann")
	ben.enter("Ben")
	ann.wait("Ann is told that Ben came", `document.querySelector('.notice')?.innerText.includes('Ben connected')`)
	ann.wait("both are listed, oneself first", `[...document.querySelectorAll('#people .name')].map((e) => e.textContent).join() === 'Ann,Ben'`)
	ben.wait("the number of people is shown", `document.querySelector('#subtitle').textContent === '2 people here'`)

	ben.write("I am wri")
	ann.wait("Ann sees Ben typing", `document.querySelector('#typing').textContent === 'Ben is typing'`)
	ben.write("ting")
	ben.press("Enter")
	ann.heard("Ben", "I am writing")
	ben.heard("me", "I am writing")
	ann.wait("Ben has stopped typing", `document.querySelector('#typing').textContent === ''`)
	ben.wait("his message is marked as sent", `document.querySelector('.own .mark-sent') !== null`)
	ann.say("And I read")
	ben.heard("Ann", "And I read")
	ann.heard("me", "And I read")
	if a, b := ann.texts(), ben.texts(); !slices.Equal(a, b) {
		t.Errorf("Ann sees %q, Ben sees %q, want the same order", a, b)
	}

	ann.wait("each window tells its instance", `document.querySelector('#instance').textContent === 'worker-1 · 2 instances'`)
	ben.wait("each window tells its instance", `document.querySelector('#instance').textContent === 'worker-2 · 2 instances'`)
	ann.wait("the way through the log is measured", `/\d ms$/.test(document.querySelector('#latency').textContent)`)
	ann.click("#open-behind")
	ann.wait("the panel shows both instances and who is there", `[...document.querySelectorAll('.cluster li')].map((e) => e.innerText.replace(/\s+/g, ' ').replace(/ · heard .*/, '').trim()).join('; ') === 'worker-1 this window · 1 user; worker-2 1 user'`)
	ann.wait("and the way of the last message", `document.querySelectorAll('.way .station').length === 5 && document.querySelectorAll('.bars rect.log').length === 1`)
}

func TestNicknameRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann, ben := open(t, s.url(0), look{}), open(t, s.url(0), look{})
	ann.enter("Ann")
	ben.wait("the card asks", `document.activeElement.id === 'nick'`)
	ben.press("Enter")
	ben.wait("nothing asks for nothing", `document.querySelector('#nickname-err').textContent === ''`)
	ben.write("ANN")
	ben.press("Enter")
	ben.wait("he is told why", `document.querySelector('#nickname-err').textContent === 'Nickname already in use'`)
	ben.wait("what he wrote is kept, and can be mended at once", `document.querySelector('#nick').value === 'ANN' && document.activeElement.id === 'nick'`)
	ben.write("ie")
	ben.press("Enter")
	ben.wait("the other name is good", `document.querySelector('#naming').hidden`)
	ann.wait("and is the one he is known by", `[...document.querySelectorAll('#people .name')].map((e) => e.textContent).join() === 'Ann,ANNie'`)

	ben.run(`document.querySelector('.settings').open = true`)
	ben.click("#rename")
	ben.wait("the card shows the name", `document.activeElement.id === 'nick' && document.querySelector('#nick').value === 'ANNie'`)
	ben.write("Ann")
	ben.press("Enter")
	ben.wait("nor can he be renamed to hers", `document.querySelector('#nickname-err').textContent === 'Nickname already in use'`)
	ben.press("Escape")
	ben.wait("he stays who he is", `document.querySelector('#naming').hidden && document.querySelector('#people .name').textContent === 'ANNie'`)
	ben.click("#rename")
	ben.wait("the card asks again", `document.activeElement.id === 'nick'`)
	ben.write("Ben")
	ben.press("Enter")
	ann.wait("or becomes another", `[...document.querySelectorAll('.notice bdi')].at(-1)?.textContent === 'ANNie is now Ben'`)

	ben.reload()
	ben.wait("over a reload he is the same without being asked", `document.querySelector('#people .name').textContent === 'Ben' && document.querySelector('#naming').hidden`)
	ben.run(`document.querySelector('.settings').open = true`)
	ben.click("#leave")
	ann.wait("until he leaves", `[...document.querySelectorAll('.notice bdi')].at(-1)?.textContent === 'Ben disconnected'`)
	ben.wait("and is asked again", `!document.querySelector('#naming').hidden`)
}

func TestRooms(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	ann, ben := open(t, s.url(0), look{}), open(t, s.url(1)+"/#caf%C3%A9", look{})
	ann.enter("Ann")
	ben.enter("Ben")
	ben.wait("the address names the room", `document.querySelector('#title').textContent === '#café' && document.querySelector('.empty h2').textContent === 'Nobody has said anything yet'`)
	ben.say("first in here")
	ben.heard("me", "first in here")
	ben.wait("the room is listed", `[...document.querySelectorAll('#rooms .name')].map((e) => e.textContent).join() === 'lobby,café'`)

	ann.run(`document.querySelector('#visit-name').focus()`)
	ann.write("#café")
	ann.press("Enter")
	ann.heard("Ben", "first in here")
	if got := eval[string](ann, `location.hash`); got != "#caf%C3%A9" {
		t.Errorf("the address of the room is %q, want #caf%%C3%%A9", got)
	}
	ben.run(`location.hash = ''`)
	ben.wait("back in the lobby", `document.querySelector('#title').textContent === '#lobby'`)
	ann.say("are you there?")
	ben.wait("the other room is marked", `document.querySelector('#rooms .badge.marked')?.getAttribute('aria-label') === '1 unread message'`)
	ben.run(`document.querySelector('#rooms a.unread').click()`)
	ben.heard("Ann", "are you there?")
	ben.wait("and no more when read", `document.querySelector('#rooms .badge.marked') === null`)

	ben.run(`history.back()`)
	ben.wait("the browser's way back is one", `document.querySelector('#title').textContent === '#lobby'`)
	ben.run(`history.forward()`)
	ben.wait("and forth", `document.querySelector('#title').textContent === '#café'`)
	ben.reload()
	ben.wait("a reload is in the same room", `document.querySelector('#title').textContent === '#café'`)
	ben.heard("Ann", "are you there?")
	ben.click("#leave-room")
	ben.wait("to leave is to be in the lobby", `document.querySelector('#title').textContent === '#lobby' && document.querySelector('#rooms a.known .name').textContent === 'lobby'`)
	ann.wait("which is told", `[...document.querySelectorAll('.notice bdi')].at(-1)?.textContent === 'Ben left'`)

	ann.run(`location.hash = 'x'.repeat(60)`)
	ann.wait("a name that is none is explained", `document.querySelector('.empty h2')?.textContent === 'This room is closed to you' && document.querySelector('#message').disabled`)
	ann.run(`location.hash = ''`)
	ann.wait("and is not kept in the list", `[...document.querySelectorAll('#rooms .name')].map((e) => e.textContent).join() === 'lobby,café' && !document.querySelector('#message').disabled`)
}

func TestRefusedMessages(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, "MAX_MESSAGE_LENGTH=20", "MESSAGE_RATE=2")
	ann, ben := open(t, s.url(0), look{}), open(t, s.url(0), look{})
	ann.enter("Ann")
	ben.enter("Ben")
	ann.write("👩‍👩‍👧‍👦👩‍👩‍👧‍👦 23456789012345678")
	ann.wait("the counter counts what a reader counts", `document.querySelector('#counter').textContent === '0 characters left'`)
	ann.write("!")
	ann.wait("and stops what is too long", `document.querySelector('#counter').textContent === '1 character too many' && document.querySelector('#send').disabled`)
	ann.press("Enter")
	ann.wait("without taking it away", `document.querySelector('#message').value.endsWith('!')`)
	ann.run(`document.querySelector('#message').value = ''`)

	want := []string{"0", "1", "2", "3", "4", "5", "6"}
	for _, text := range want {
		ann.say(text)
	}
	ann.wait("too fast, she is told how long", `/^Too fast: goes out in \d seconds?$/.test(document.querySelector('.tail .why')?.textContent)`)
	ben.heard("Ann", "6")
	if got := ben.texts(); !slices.Equal(got, want) {
		t.Errorf("Ben sees %q, want %q: all of them, once, in order", got, want)
	}
}

// TestNotSent has the server refuse what the page would not have sent.
func TestNotSent(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, "MAX_MESSAGE_LENGTH=20")
	ann := open(t, s.url(0), look{})
	ann.enter("Ann")
	ann.run(`(await import(performance.getEntriesByType('resource').find((e) => e.name.endsWith('/state.js')).name)).state.limits.message = 0`)
	const long = "longer than it may be here"
	ann.say(long)
	ann.wait("she is told that it is not sent, and why", `document.querySelector('.tail .failed .why')?.textContent === 'Not sent: The message is too long.'`)
	ann.say("short")
	ann.heard("me", "short")
	ann.reload()
	ann.wait("it is still there when the page is loaded again", `document.querySelector('.tail .failed .why')?.textContent === 'Not sent: The message is too long.'`)
	ann.run(`document.querySelector('.tail .line-actions button').click()`)
	ann.wait("to try again does not help", `document.querySelector('.tail .failed .why')?.textContent === 'Not sent: The message is too long.'`)
	ann.run(`document.querySelector('.tail .line-actions button:last-child').click()`)
	ann.wait("taken back, it can be mended", `document.querySelector('#message').value === `+encode(long)+` && document.querySelector('.tail').childElementCount === 0 && document.activeElement.id === 'message'`)
	ann.run(`document.querySelector('#message').setSelectionRange(6, 26)`)
	ann.write(" no more")
	ann.press("Enter")
	ann.heard("me", "longer no more")
}

// TestOneOrder has two people talk at the same time, on two instances: both see the one order of the log, their own
// messages among the other's.
func TestOneOrder(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2, "MESSAGE_RATE=0")
	ann, ben := open(t, s.url(0), look{}), open(t, s.url(1), look{})
	ann.enter("Ann")
	ben.enter("Ben")
	const each = 40
	for _, w := range []*window{ann, ben} {
		w.run(fmt.Sprintf(`
			globalThis.talking = (async () => {
				const field = document.querySelector('#message'), me = document.querySelector('#people .name').textContent
				for (let i = 0; i < %d; i++) {
					field.value = me + ' ' + i
					field.dispatchEvent(new Event('input'))
					field.form.requestSubmit()
					await new Promise((later) => setTimeout(later, i %% 7))
				}
			})()`, each))
	}
	for _, w := range []*window{ann, ben} {
		w.wait("everything is there", fmt.Sprintf(`document.querySelectorAll('.blocks .message').length === %d && document.querySelector('.tail').childElementCount === 0`, 2*each))
	}
	if a, b := ann.texts(), ben.texts(); !slices.Equal(a, b) {
		t.Errorf("Ann sees %q, Ben sees %q, want the same order", a, b)
	}
}

// Who looks through rooms faster than the server answers requests gets into all of them, a moment later.
func TestRoomsVisitedFast(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann := open(t, s.url(0), look{})
	ann.enter("Ann")
	ann.run(`
		for (let i = 0; i < 15; i++) {
			const shown = new Promise((done) => addEventListener('hashchange', done, { once: true }))
			location.hash = 'room-' + i
			await shown
		}
		globalThis.state = (await import(performance.getEntriesByType('resource').find((e) => e.name.endsWith('/state.js')).name)).state`)
	ann.wait("she is in all of them", `[...state.rooms.values()].filter((room) => room.joined && !room.refusal).length === 16`)
	ann.say("here at last")
	ann.heard("me", "here at last")
}
