package web_test

import (
	"slices"
	"testing"
)

// listenIn keeps what is put where screen readers read it out.
const listenIn = `globalThis.spoken = []; const a = document.querySelector('#announcer'); new MutationObserver(() => a.textContent && spoken.push(a.textContent)).observe(a, {childList: true})`

// hide makes the page believe that its tab is hidden, or is shown again.
func (w *window) hide(hidden bool) {
	w.t.Helper()
	w.run(`Object.defineProperty(document, 'hidden', {configurable: true, get: () => ` + encode(hidden) + `}); document.dispatchEvent(new Event('visibilitychange'))`)
}

func TestReadOutOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, "MESSAGE_RATE=0")
	ben := s.visit(t, 0, "Ben")
	ben.say("lobby", "before she came")
	ann := open(t, s.url(0), look{})
	ann.run(listenIn)
	ann.enter("Ann")
	ann.heard("Ben", "before she came")
	ben.say("lobby", "hello")
	ann.wait("it is read out", `spoken.length === 1`)
	ann.say("hello Ben")
	ann.heard("me", "hello Ben")
	ben.say("lobby", "bye")
	ann.wait("and the next", `spoken.length === 2`)
	if got, want := eval[[]string](ann, `spoken`), []string{"Ben: hello", "Ben: bye"}; !slices.Equal(got, want) {
		t.Errorf("read out is %q, want %q: no history, nothing of her own, everything else once", got, want)
	}
	for range 20 {
		ben.say("lobby", "flood")
	}
	ann.wait("of many messages only the number", `spoken.slice(2).every((s) => s.endsWith('new messages') || s.split('\n').length <= 3) && spoken.length > 2 && document.querySelectorAll('.blocks .message').length === 24`)
	ben.say("lobby", "hello again")
	ann.reload()
	ann.run(listenIn)
	ann.heard("Ben", "hello again")
	if got := eval[[]string](ann, `spoken`); len(got) > 0 {
		t.Errorf("after a reload the history is read out: %q", got)
	}
	// The conversation itself is silent: what is added to it would be read a second time.
	if got := eval[string](ann, `document.querySelector('#lines').getAttribute('role') + ' ' + document.querySelector('#lines').getAttribute('aria-live')`); got != "log off" {
		t.Errorf("the conversation is %q to a screen reader, want a log that is off", got)
	}
}

func TestHiddenTab(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, "MESSAGE_RATE=0")
	ben := s.visit(t, 0, "Ben")
	ann := open(t, s.url(0), look{})
	// What the browser would show can't be seen from here, so this stands in its place.
	ann.run(`globalThis.shown = []; globalThis.asked = 0
		globalThis.Notification = class { static permission = 'default'; static async requestPermission() { asked++; return this.permission = 'granted' } constructor(title, options) { this.title = title; this.body = options.body; shown.push(this) } close() { this.closed = true } }`)
	ann.enter("Ann")
	ann.wait("the title names the room", `document.title === '#lobby – chatapp'`)
	ann.hide(true)
	ben.say("lobby", "one")
	ben.say("lobby", "two")
	ann.wait("the title counts", `document.title === '(2) #lobby – chatapp'`)
	ann.hide(false)
	ann.wait("until she looks", `document.title === '#lobby – chatapp'`)
	if got := eval[int](ann, `asked + shown.length`); got != 0 {
		t.Errorf("she was asked for notifications, or shown some, without having asked for them")
	}
	ann.run(`document.querySelector('.settings').open = true; document.querySelector('#notify').click()`)
	ann.wait("she asks", `asked === 1 && document.querySelector('#notify').checked`)
	ben.say("lobby", "while she looks")
	ann.heard("Ben", "while she looks")
	ann.hide(true)
	ben.ask("join", "garden")
	ben.say("lobby", "three")
	ann.wait("she is told", `shown.length === 1 && shown[0].title === 'Ben' && shown[0].body === 'three'`)
	ann.run(`location.hash = 'elsewhere'`)
	ann.wait("in another room", `document.querySelector('#title').textContent === '#elsewhere'`)
	ann.run(`shown[0].onclick()`)
	ann.wait("it leads there", `document.querySelector('#title').textContent === '#lobby' && shown[0].closed`)
}
