package web_test

import (
	"fmt"
	"slices"
	"testing"
)

// watchBanner keeps what the banner shows.
const watchBanner = `globalThis.bannered = []; const b = document.querySelector('#banner'); new MutationObserver(() => b.hidden || bannered.push(b.innerText)).observe(b, {attributes: true, childList: true, subtree: true})`

// TestQuietMove: an instance that is replaced sends its users elsewhere, and they see nothing of it.
func TestQuietMove(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	ben := s.visit(t, 1, "Ben")
	ann := open(t, s.url(0), look{})
	ann.enter("Ann")
	ann.run(watchBanner)
	ann.say("on the first")
	ann.heard("me", "on the first")
	ann.write("a draft")
	notices := eval[int](ann, `document.querySelectorAll('.notice').length`)
	s.front[0].lead(s.front[1])
	s.front[0].drain()
	ben.say("lobby", "meanwhile")
	ann.wait("she is on the other", `document.querySelector('#instance').textContent.startsWith('worker-2') && document.querySelector('#pulse').dataset.phase === 'online'`)
	ann.heard("Ben", "meanwhile")
	ann.press("Enter")
	ann.heard("me", "a draft")
	if got := eval[[]string](ann, `bannered`); len(got) > 0 {
		t.Errorf("the banner showed %q, want nothing", got)
	}
	if got, want := ann.texts(), []string{"on the first", "meanwhile", "a draft"}; !slices.Equal(got, want) {
		t.Errorf("shown are %q, want %q", got, want)
	}
	if got := eval[int](ann, `document.querySelectorAll('.notice').length`); got != notices {
		t.Errorf("%d notices, want the %d from before: nobody has come or gone", got, notices)
	}
}

// TestInstanceCutOff: an instance that has lost the log says so, shows its own users what they say, and puts everything
// into the one order when the log is back.
func TestInstanceCutOff(t *testing.T) {
	t.Parallel()
	s := newSiteOnTopic(t, 2)
	ann, cleo := open(t, s.url(0), look{}), open(t, s.url(1), look{})
	ann.enter("Ann")
	cleo.enter("Cleo")
	ben := s.visit(t, 0, "Ben")
	ann.wait("all are here", `document.querySelector('#people-count').textContent === '3'`)
	s.buses[0].Stall(true)
	ann.say("is anybody there?")
	ann.wait("her line waits for the log", `document.querySelector('.tail .pending .why')?.textContent === 'Waiting for the log'`)
	ann.wait("she is told", `document.querySelector('#banner-text').textContent.startsWith('This server has lost touch with the others') && !document.querySelector('#banner').hidden`)
	ben.tell("user message", "I am")
	ann.wait("those on the same instance see each other, provisionally", `document.querySelector('.tail .provisional .text')?.textContent === 'I am'`)
	cleo.say("where are they?")
	cleo.heard("me", "where are they?")
	s.buses[0].Stall(false)
	want := []string{"is anybody there?", "I am", "where are they?"}
	for _, w := range []*window{ann, cleo} {
		w.wait("everything is there", fmt.Sprintf(`document.querySelectorAll('.blocks .message').length === %d && document.querySelector('.tail').childElementCount === 0`, len(want)))
	}
	if a, c := ann.texts(), cleo.texts(); !slices.Equal(a, c) || !slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(want))) {
		t.Errorf("Ann sees %q, Cleo sees %q, want %q in the same order", a, c, want)
	}
	ann.wait("and the banner goes", `document.querySelector('#banner').hidden`)
}
