package web_test

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestMessagesWrittenOfflineAreSent(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	ann, ben := openWindow(t, s.url(0), windowOptions{}), openWindow(t, s.url(1), windowOptions{})
	ann.enter("Ann")
	ben.enter("Ben")
	ann.send("before")
	ben.waitForMessage("Ann", "before")

	notices := eval[int](ben, `document.querySelectorAll('.notice').length`)
	s.proxies[0].cut()
	cut := time.Now()
	ann.wait("the banner says so",
		`!document.querySelector('#banner').hidden
			&& document.querySelector('#banner-text').textContent.includes('Trying again in')`)
	t.Logf("the banner shows %v after the cut", time.Since(cut).Round(10*time.Millisecond))
	want := []string{"before"}
	for i := range 3 {
		text := fmt.Sprint("written while offline, ", i)
		ann.send(text)
		ann.wait("the message waits for the connection", fmt.Sprintf(`
			document.querySelectorAll('.tail .pending').length === %d && [...document.querySelectorAll('.tail .why')]
				.every((e) => e.textContent === 'Waiting for the connection')`, i+1))
		want = append(want, text)
	}
	if !eval[bool](ann, `(() => {
		const [sent, waits] = ['.blocks .own', '.tail .own']
			.map((m) => document.querySelector(m).getBoundingClientRect())
		return sent.left === waits.left && sent.right === waits.right
	})()`) {
		t.Error("a message that waits does not stand where it will be")
	}
	ben.wait("Ann is shown as away", `document.querySelector('#people .away .name')?.textContent === 'Ann'`)
	ben.send("sent while Ann is offline")
	ben.waitForMessage("me", "sent while Ann is offline")
	want = slices.Insert(want, 1, "sent while Ann is offline")

	s.proxies[0].reopen(t)
	ann.run(`document.querySelector('#banner-action').click()`)
	ann.wait("the banner says that the connection is back",
		`document.querySelector('#banner-text').textContent === 'Reconnected to the server'`)
	for _, w := range []*window{ann, ben} {
		w.waitForCount(len(want))
		if got := w.texts(); !slices.Equal(got, want) {
			t.Errorf("messages are %q, want %q", got, want)
		}
	}
	ann.wait("the banner is hidden", `document.querySelector('#banner').hidden`)
	ben.wait("Ann is not away any more", `document.querySelector('#people .away') === null`)
	if got := eval[int](ben, `document.querySelectorAll('.notice').length`); got != notices {
		t.Errorf("Ben sees %d notices, want %d as before the cut", got, notices)
	}
}

func TestDraftsAndOutboxSurviveAReload(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	ann, ben := openWindow(t, s.url(0), windowOptions{}), openWindow(t, s.url(1), windowOptions{})
	ann.enter("Ann")
	ben.enter("Ben")
	ann.run(`location.hash = 'garden'`)
	ann.wait("the garden is shown",
		`document.querySelector('#title').textContent === '#garden'
			&& document.querySelector('#people .name')?.textContent === 'Ann'`)
	ann.write("a draft in the garden")
	ann.run(`location.hash = ''`)
	ann.wait("the lobby has no draft",
		`document.querySelector('#title').textContent === '#lobby' && document.querySelector('#message').value === ''`)
	ann.send("one")
	ben.waitForMessage("Ann", "one")

	s.proxies[0].cut()
	ann.wait("the connection is lost", `document.querySelector('#pulse').dataset.phase === 'waiting'`)
	ann.send("two")
	ann.send("three")
	ann.write("a draft in the lobby")
	ann.wait("both messages wait", `document.querySelectorAll('.tail .pending').length === 2`)
	s.proxies[0].reopen(t)
	ann.reload()
	ann.waitForMessage("me", "three")
	ben.waitForMessage("Ann", "three")
	want := []string{"one", "two", "three"}
	for _, w := range []*window{ann, ben} {
		if got := w.texts(); !slices.Equal(got, want) {
			t.Errorf("messages are %q, want %q: each once, in order", got, want)
		}
	}
	ann.wait("the lobby's draft is restored", `document.querySelector('#message').value === 'a draft in the lobby'`)
	ann.run(`location.hash = 'garden'`)
	ann.wait("the garden's draft is restored", `document.querySelector('#message').value === 'a draft in the garden'`)
	ann.run(`location.hash = ''`)
	ann.wait("own messages are recognised",
		`document.querySelectorAll('.blocks .own').length === 3
			&& document.querySelectorAll('.blocks .message').length === 3`)
	ann.reload()
	ann.waitForMessage("me", "three")
	if got := ann.texts(); !slices.Equal(got, want) {
		t.Errorf("after another reload messages are %q, want %q", got, want)
	}
}

func TestSilentCutIsNoticed(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann := openWindow(t, s.url(0), windowOptions{})
	ann.enter("Ann")
	s.proxies[0].discard()
	cut := time.Now()
	ann.run(`dispatchEvent(new Event('offline'))`)
	ann.wait("the banner is shown",
		`!document.querySelector('#banner').hidden && document.querySelector('#banner-text').textContent !== ''`)
	t.Logf("the banner shows %v after the cut", time.Since(cut).Round(10*time.Millisecond))
	s.proxies[0].cut()
	s.proxies[0].reopen(t)
	ann.run(`dispatchEvent(new Event('online'))`)
	ann.wait("the page reconnects when the system is online",
		`document.querySelector('#pulse').dataset.phase === 'online' && document.querySelector('#banner').hidden`)

	// The system reports nothing. A message without an answer reveals the cut.
	s.proxies[0].discard()
	cut = time.Now()
	ann.send("anybody there?")
	ann.wait("the banner is shown",
		`!document.querySelector('#banner').hidden
			&& document.querySelector('.tail .why')?.textContent === 'Waiting for the connection'`)
	t.Logf("the banner shows %v after a message into a cut", time.Since(cut).Round(10*time.Millisecond))
	s.proxies[0].cut()
	s.proxies[0].reopen(t)
	ann.run(`document.querySelector('#banner-action').click()`)
	ann.waitForMessage("me", "anybody there?")
	if got := ann.texts(); len(got) != 1 {
		t.Errorf("messages are %q, want the message once", got)
	}
}

// TestSecondTabOfTheBrowserAsks opens a copy of a tab, and then an empty one. Neither takes the chat from the first
// one by itself.
func TestSecondTabOfTheBrowserAsks(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann := openWindow(t, s.url(0), windowOptions{})
	ann.enter("Ann")
	ann.write("half a sentence")
	ann.run(`globalThis.second = open(location.href)
		globalThis.there = (selector) => second.document.querySelector(selector)`)
	ann.wait("a copy says that the first is in use",
		`there('#banner-text').textContent.startsWith('You chat as Ann in another tab.')
			&& document.querySelector('#pulse').dataset.phase === 'online'`)
	ann.run(`there('#banner-action').click()`)
	ann.wait("the first rests, and keeps what was typed", `there('#pulse').dataset.phase === 'online'
		&& document.querySelector('#banner-text').textContent.startsWith('You went on in another window.')
		&& document.querySelector('#message').value === 'half a sentence'`)
	ann.run(`const message = there('#message')
		message.value = 'from the second'
		there('#composer').requestSubmit()`)
	ann.wait("the second sends", `there('.blocks .own .text')?.textContent === 'from the second'`)
	ann.run(`second.close()`)
	ann.click("#banner-action")
	ann.wait("the first goes on, with what was said meanwhile as its own", `document.querySelector('#banner').hidden
		&& document.querySelector('.blocks .own .text')?.textContent === 'from the second'
		&& document.querySelector('#message').value === 'half a sentence'`)
	ann.run(`second = open('/nothing')
		while (second.document.readyState !== 'complete' || second.location.pathname !== '/nothing') {
			await new Promise((later) => setTimeout(later, 20))
		}
		second.sessionStorage.clear()
		second.location = location.href`)
	ann.wait("an empty tab offers to go on", `!there('#elsewhere').hidden
		&& there('#elsewhere').textContent.includes('You already chat as Ann')`)
	ann.run(`there('#go-on').click()`)
	ann.wait("it goes on as the same person", `there('#people .name').textContent === 'Ann' && there('#naming').hidden
		&& there('.blocks .own .text')?.textContent === 'from the second'`)
	ann.wait("the first rests again", `!document.querySelector('#banner').hidden`)
	ann.run(`second.close()`)
}
