package web_test

import (
	"slices"
	"testing"
)

// recordSpoken records the texts for screen readers in globalThis.spoken.
const recordSpoken = `globalThis.spoken = []; const a = document.querySelector('#announcer');
	new MutationObserver(() => a.textContent && spoken.push(a.textContent)).observe(a, {childList: true})`

// setHidden makes the page believe that its tab is hidden, or visible again.
func (w *window) setHidden(hidden bool) {
	w.t.Helper()
	w.run(`Object.defineProperty(document, 'hidden', {configurable: true, get: () => ` + encode(hidden) + `})
		document.dispatchEvent(new Event('visibilitychange'))`)
}

func TestMessagesAreReadOutAndNotified(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, "MESSAGE_RATE=0")
	ben := s.connect(t, 0, "Ben")
	ben.send("lobby", "before Ann entered")
	ann := openWindow(t, s.url(0), windowOptions{})
	ann.run(recordSpoken)
	ann.enter("Ann")
	ann.waitForMessage("Ben", "before Ann entered")
	ben.send("lobby", "hello")
	ann.wait("the message is read out", `spoken.length === 1`)
	ann.send("hello Ben")
	ann.waitForMessage("me", "hello Ben")
	ben.send("lobby", "bye")
	ann.wait("the next message is read out", `spoken.length === 2`)
	if got, want := eval[[]string](ann, `spoken`), []string{"Ben: hello", "Ben: bye"}; !slices.Equal(got, want) {
		t.Errorf("read out are %q, want %q: no history, no own messages, every other message once", got, want)
	}
	for range 20 {
		ben.send("lobby", "flood")
	}
	ann.wait("of many messages only the number is read out",
		`spoken.slice(2).every((s) => s.endsWith('new messages') || s.split('\n').length <= 3)
			&& spoken.length > 2 && document.querySelectorAll('.blocks .message').length === 24`)
	ann.wait("all of them are read out", `spoken.slice(2).reduce((sum, text) => sum
		+ (parseInt(text) || text.split('Ben: flood').length - 1), 0) === 20`)
	ann.run(`document.querySelector('#spoken').click()`)
	ben.send("lobby", "while quiet")
	ann.waitForMessage("Ben", "while quiet")
	ann.run(`document.querySelector('#spoken').click()`)
	ben.send("lobby", "aloud")
	ann.wait("what is said after a quiet time is read out", `spoken.includes('Ben: aloud')`)
	if eval[bool](ann, `spoken.some((text) => text.includes('quiet'))`) {
		t.Error("a message is read out although that is switched off")
	}
	ben.send("lobby", "hello again")
	ann.reload()
	ann.run(recordSpoken)
	ann.waitForMessage("Ben", "hello again")
	// A slow connection is spoken of.
	if got := eval[[]string](ann, `spoken.filter((text) => text.startsWith('Ben'))`); len(got) > 0 {
		t.Errorf("after a reload the history is read out: %q", got)
	}
	// The conversation itself is silent. Otherwise screen readers would read each message twice.
	if eval[bool](ann, `document.querySelector('#lines').closest('[role=log], [aria-live]') !== null`) {
		t.Errorf("the conversation is a live region")
	}

	// A test cannot see the system's notifications, so a fake records them.
	ann.run(`globalThis.shown = []; globalThis.requests = 0
		globalThis.Notification = class { static permission = 'default';
			static async requestPermission() { requests++; return this.permission = 'granted' } constructor(title,
			options) { this.title = title; this.body = options.body;
			shown.push(this) } close() { this.closed = true } }`)
	ann.wait("the title names the room", `document.title === '#lobby – chatapp'`)
	ann.setHidden(true)
	ben.send("lobby", "one")
	ben.send("lobby", "two")
	ann.wait("the title counts messages", `document.title === '(2) #lobby – chatapp'`)
	ann.setHidden(false)
	ann.wait("the title does not count any more", `document.title === '#lobby – chatapp'`)
	if got := eval[int](ann, `requests + shown.length`); got != 0 {
		t.Errorf("the page requested or showed notifications before they were switched on")
	}
	ann.run(`document.querySelector('.settings').open = true; document.querySelector('#notify').click()`)
	ann.wait("notifications are on", `requests === 1 && document.querySelector('#notify').checked`)
	ben.send("lobby", "while visible")
	ann.waitForMessage("Ben", "while visible")
	ann.run(`await ` + nextFrames)
	const unread = `document.querySelector('#rooms .badge.marked')?.textContent ?? ''`
	if got := eval[string](ann, unread); got != "" {
		t.Errorf("the room in view has %s unread messages, want none", got)
	}
	ann.setHidden(true)
	ben.call("join", "garden")
	ben.send("lobby", "three")
	ann.wait("a notification is shown", `shown.length === 1 && shown[0].title === 'Ben' && shown[0].body === 'three'`)
	ann.run(`location.hash = 'elsewhere'`)
	ann.wait("another room is shown", `document.querySelector('#title').textContent === '#elsewhere'`)
	ann.run(`shown[0].onclick()`)
	ann.wait("the notification leads to its room",
		`document.querySelector('#title').textContent === '#lobby' && shown[0].closed`)

	ann.run(`location.hash = ''`)
	ben.send("lobby", "four")
	ann.wait("another notification is shown", `shown.length === 2 && document.title.startsWith('(')`)
	ann.run(`document.querySelector('#leave').click(); document.querySelector('#leave-confirm').click()`)
	ann.wait("the next person sees nothing of it", `!document.querySelector('#naming').hidden && shown[1].closed
		&& document.title === '#lobby – chatapp'`)
}
