package web_test

import (
	"slices"
	"testing"
)

// watchBanner records the texts of the banner in globalThis.bannerTexts.
const watchBanner = `globalThis.bannerTexts = []; const b = document.querySelector('#banner');
	new MutationObserver(() => b.hidden || bannerTexts.push(b.innerText)).observe(b, {attributes: true,
	childList: true, subtree: true})`

// TestDrainIsInvisible drains an instance. Its users go on at another one without a notice or a
// banner.
func TestDrainIsInvisible(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	ben := s.connect(t, 1, "Ben")
	ann := openWindow(t, s.url(0), windowOptions{})
	ann.enter("Ann")
	ann.run(watchBanner)
	ann.send("on the first")
	ann.waitForMessage("me", "on the first")
	ann.write("a draft")
	notices := eval[int](ann, `document.querySelectorAll('.notice').length`)
	// For the page no time passes until it is connected again, however long a busy machine takes.
	ann.run(`const at = performance.now(); performance.now = () => at`)
	s.proxies[0].redirect(s.proxies[1])
	s.proxies[0].drain()
	ben.send("lobby", "meanwhile")
	ann.wait("Ann is connected to the other instance",
		`document.querySelector('#instance').textContent.startsWith('worker-2')
			&& document.querySelector('#pulse').dataset.phase === 'online'`)
	ann.waitForMessage("Ben", "meanwhile")
	ann.press("Enter")
	ann.waitForMessage("me", "a draft")
	if !eval[bool](ann, `chatapp.state.link.quiet`) {
		t.Error("the page takes a move for a failure")
	}
	if got := eval[[]string](ann, `bannerTexts`); len(got) > 0 {
		t.Errorf("the banner showed %q, want nothing", got)
	}
	if got, want := ann.texts(), []string{"on the first", "meanwhile", "a draft"}; !slices.Equal(got, want) {
		t.Errorf("messages are %q, want %q", got, want)
	}
	if got := eval[int](ann, `document.querySelectorAll('.notice').length`); got != notices {
		t.Errorf("%d notices, want %d as before the drain", got, notices)
	}
}

// TestInstanceCutOff separates an instance from the log. Its page says so, its users see each
// other's messages as provisional, and all messages have one order once the log is back.
func TestInstanceCutOff(t *testing.T) {
	t.Parallel()
	s := newSiteOnTopic(t, 2)
	ann, cleo := openWindow(t, s.url(0), windowOptions{}), openWindow(t, s.url(1), windowOptions{})
	ann.enter("Ann")
	cleo.enter("Cleo")
	ben := s.connect(t, 0, "Ben")
	ann.wait("all three are listed", `document.querySelector('#people-count').textContent === '3'`)
	s.buses[0].Stall(true)
	ann.send("is anybody there?")
	ann.wait("the message waits for the log",
		`document.querySelector('.tail .pending .why')?.textContent === 'Waiting for the log'`)
	ann.wait("the banner says so",
		`!document.querySelector('#banner').hidden
			&& document.querySelector('#banner-text').textContent.startsWith('This server has lost touch')`)
	ben.emit("user message", "I am")
	ann.wait("a provisional message is shown",
		`document.querySelector('.tail .provisional .text')?.textContent === 'I am'`)
	cleo.send("where are they?")
	cleo.waitForMessage("me", "where are they?")
	s.buses[0].Stall(false)
	want := []string{"is anybody there?", "I am", "where are they?"}
	for _, w := range []*window{ann, cleo} {
		w.waitForCount(len(want))
	}
	a, c := ann.texts(), cleo.texts()
	sorted := slices.Sorted(slices.Values(a))
	if !slices.Equal(a, c) || !slices.Equal(sorted, slices.Sorted(slices.Values(want))) {
		t.Errorf("Ann sees %q, Cleo sees %q, want %q in the same order", a, c, want)
	}
	ann.wait("the banner is hidden", `document.querySelector('#banner').hidden`)
}
