package web_test

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestOfflineAndBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	ann, ben := open(t, s.url(0), look{}), open(t, s.url(1), look{})
	ann.enter("Ann")
	ben.enter("Ben")
	ann.say("before")
	ben.heard("Ann", "before")

	notices := eval[int](ben, `document.querySelectorAll('.notice').length`)
	s.front[0].cut()
	cut := time.Now()
	ann.wait("she is told", `!document.querySelector('#banner').hidden && document.querySelector('#banner-text').textContent.startsWith('Connection lost. Trying again in')`)
	t.Logf("told %v after the cut", time.Since(cut).Round(10*time.Millisecond))
	want := []string{"before"}
	for i := range 3 {
		text := fmt.Sprint("written while offline, ", i)
		ann.say(text)
		ann.wait("it is shown as waiting", fmt.Sprintf(`document.querySelectorAll('.tail .pending').length === %d && [...document.querySelectorAll('.tail .why')].every((e) => e.textContent === 'Waiting for the connection')`, i+1))
		want = append(want, text)
	}
	ben.wait("he sees that she is cut off", `document.querySelector('#people .away .name')?.textContent === 'Ann'`)
	ben.say("said meanwhile")
	ben.heard("me", "said meanwhile")
	want = slices.Insert(want, 1, "said meanwhile")

	s.front[0].mend(t)
	ann.run(`document.querySelector('#banner-action').click()`)
	ann.wait("back, and told so", `document.querySelector('#banner-text').textContent === 'Reconnected to the server'`)
	for _, w := range []*window{ann, ben} {
		w.wait("everything is there", fmt.Sprintf(`document.querySelectorAll('.blocks .message').length === %d && document.querySelectorAll('.tail .message').length === 0`, len(want)))
		if got := w.texts(); !slices.Equal(got, want) {
			t.Errorf("shown are %q, want %q", got, want)
		}
	}
	ann.wait("the banner goes", `document.querySelector('#banner').hidden`)
	ben.wait("and she is here again", `document.querySelector('#people .away') === null`)
	if got := eval[int](ben, `document.querySelectorAll('.notice').length`); got != notices {
		t.Errorf("Ben is shown %d notices, want the %d from before: she has neither come nor gone", got, notices)
	}
}

func TestReloadKeepsDraftsAndOutbox(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	ann, ben := open(t, s.url(0), look{}), open(t, s.url(1), look{})
	ann.enter("Ann")
	ben.enter("Ben")
	ann.run(`location.hash = 'garden'`)
	ann.wait("in the garden", `document.querySelector('#title').textContent === '#garden' && document.querySelector('#people .name')?.textContent === 'Ann'`)
	ann.write("a draft in the garden")
	ann.run(`location.hash = ''`)
	ann.wait("in the lobby nothing is begun", `document.querySelector('#title').textContent === '#lobby' && document.querySelector('#message').value === ''`)
	ann.say("one")
	ben.heard("Ann", "one")

	s.front[0].cut()
	ann.wait("the connection is lost", `document.querySelector('#pulse').dataset.phase === 'waiting'`)
	ann.say("two")
	ann.say("three")
	ann.write("a draft in the lobby")
	ann.wait("both wait", `document.querySelectorAll('.tail .pending').length === 2`)
	s.front[0].mend(t)
	ann.reload()
	ann.heard("me", "three")
	ben.heard("Ann", "three")
	want := []string{"one", "two", "three"}
	for _, w := range []*window{ann, ben} {
		if got := w.texts(); !slices.Equal(got, want) {
			t.Errorf("shown are %q, want %q: each once, in order", got, want)
		}
	}
	ann.wait("the draft is there", `document.querySelector('#message').value === 'a draft in the lobby'`)
	ann.run(`location.hash = 'garden'`)
	ann.wait("and the other one", `document.querySelector('#message').value === 'a draft in the garden'`)
	ann.run(`location.hash = ''`)
	ann.wait("own lines are known as such", `[...document.querySelectorAll('.blocks .message')].every((m) => m.classList.contains('own'))`)
	ann.reload()
	ann.heard("me", "three")
	if got := ann.texts(); !slices.Equal(got, want) {
		t.Errorf("after another reload are shown %q, want %q", got, want)
	}
}

func TestSilentCutIsNoticed(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann := open(t, s.url(0), look{})
	ann.enter("Ann")
	s.front[0].freeze()
	cut := time.Now()
	ann.run(`dispatchEvent(new Event('offline'))`)
	ann.wait("she is told", `!document.querySelector('#banner').hidden && document.querySelector('#banner-text').textContent !== ''`)
	t.Logf("told %v after the cut", time.Since(cut).Round(10*time.Millisecond))
	s.front[0].cut()
	s.front[0].mend(t)
	ann.run(`dispatchEvent(new Event('online'))`)
	ann.wait("and comes back at once when the system is online", `document.querySelector('#pulse').dataset.phase === 'online' && document.querySelector('#banner').hidden`)

	// Without a word from the system either, a message that gets no answer tells.
	s.front[0].freeze()
	cut = time.Now()
	ann.say("anybody there?")
	ann.wait("she is told", `!document.querySelector('#banner').hidden && document.querySelector('.tail .why')?.textContent === 'Waiting for the connection'`)
	t.Logf("told %v after a message into a cut", time.Since(cut).Round(10*time.Millisecond))
	s.front[0].cut()
	s.front[0].mend(t)
	ann.run(`document.querySelector('#banner-action').click()`)
	ann.heard("me", "anybody there?")
	if got := ann.texts(); len(got) != 1 {
		t.Errorf("shown are %q, want the message once", got)
	}
}

func TestSameTabTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann := open(t, s.url(0), look{})
	ann.enter("Ann")
	kept := eval[map[string]string](ann, `({...sessionStorage})`)
	again := open(t, s.url(0)+"/nothing", look{})
	again.forgive() // nothing is there
	again.run(`for (const [key, value] of Object.entries(` + encode(kept) + `)) sessionStorage.setItem(key, value)`)
	again.navigate(s.url(0))
	again.wait("the second window is Ann", `document.querySelector('#people .name')?.textContent === 'Ann' && document.querySelector('#naming').hidden`)
	ann.wait("the first one says so, and rests", `document.querySelector('#banner-text').textContent === 'You went on in another window.'`)
	ann.click("#banner-action")
	ann.wait("until it is used again", `document.querySelector('#pulse').dataset.phase === 'online' && document.querySelector('#banner').hidden`)
	again.wait("which ends the other", `document.querySelector('#banner-text').textContent === 'You went on in another window.'`)
}
