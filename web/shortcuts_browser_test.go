package web_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// focused evaluates to the id or text of the element that has the focus, marked if the focus is not
// visible.
const focused = `(() => { const e = document.activeElement; if (e === document.body) return '';
	const s = getComputedStyle(e); return (e.id
	|| e.localName + ' ' + e.textContent.trim()) + (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0
	|| s.borderBottomColor !== s.borderTopColor ? '' : ' (invisible)') })()`

func TestPageIsUsableByKeyboard(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, "MESSAGE_RATE=0")
	ben := s.connect(t, 0, "Ben")
	ben.call("join", "garden")
	for range 40 {
		ben.send("lobby", "a line")
	}
	ann := openWindow(t, s.url(0), windowOptions{})
	ann.enter("Ann")
	ann.wait("the other room is listed",
		`[...document.querySelectorAll('#rooms .name')].map((e) => e.textContent).join() === 'lobby,garden'`)

	lastTime := eval[string](ann, `[...document.querySelectorAll('.at')].at(-1).textContent`)
	// One round: every control has the focus in the order of the page, and shows it.
	var order []string
	for range 30 {
		ann.press("Tab")
		at := eval[string](ann, focused)
		if len(order) > 0 && at == order[0] {
			break
		}
		if at != "" { // empty: one of the browser's own controls
			order = append(order, at)
		}
	}
	want := []string{
		"a #lobby2", "a #garden1", "visit-name", "button ", "summary Settings", "copy", "open-search", "open-behind",
		"lines", "a " + lastTime, "message",
	}
	if !slices.Equal(order, want) {
		t.Errorf("Tab visits %q, want %q", order, want)
	}

	ann.focus("#rooms a")
	ann.press("ArrowDown")
	ann.press("Enter")
	ann.wait("Enter shows the room that the arrows selected",
		`document.querySelector('#title').textContent === '#garden'`)
	ann.press("Escape")
	ann.wait("Escape moves the focus to the message", `document.activeElement.id === 'message'`)
	ann.press("ArrowUp", altKey)
	ann.wait("Alt with an arrow shows the previous room", `document.querySelector('#title').textContent === '#lobby'`)
	ann.focus("#message")
	ann.press("PageUp")
	ann.wait("Page Up scrolls up", `!document.querySelector('#jump').hidden`)
	ann.press("PageDown")
	ann.wait("Page Down scrolls down", `document.querySelector('#jump').hidden`)

	ann.focus("#open-behind")
	ann.press("Enter")
	ann.wait("the panel is open and has the focus",
		`document.querySelector('#behind').contains(document.activeElement)`)
	ann.press("Escape")
	ann.wait("Escape closes the panel and returns the focus",
		`document.querySelector('#behind').hidden && document.activeElement.id === 'open-behind'`)

	ann.useMessagesByKeyboard()
	ann.useSettingsByKeyboard()
	ann.seeWithForcedColours()

	ann.resize(320, 568)
	ann.do("let things move", command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "no-preference"}},
	}))
	ann.wait("the sidebar is out of sight",
		`getComputedStyle(document.querySelector('#side')).visibility === 'hidden'`)
	ann.focus("#open-side")
	ann.press("Enter")
	ann.wait("the sidebar is open and has the focus",
		`document.querySelector('#side').contains(document.activeElement)
			&& document.querySelector('#open-side').getAttribute('aria-expanded') === 'true'`)
	ann.press("Escape")
	ann.wait("the sidebar is closed and the button has the focus",
		`document.activeElement.id === 'open-side'
			&& document.querySelector('#open-side').getAttribute('aria-expanded') === 'false'`)

	ann.run(`document.activeElement.blur()`)
	ann.press("x")
	ann.wait("text typed outside of fields goes into the message", `document.activeElement.id === 'message'`)
}

// tabTo presses Tab until an element has the focus, which must be visible wherever it goes.
func (w *window) tabTo(what, selector string) {
	w.t.Helper()
	for range 40 {
		w.press("Tab")
		if at := eval[string](w, focused); strings.HasSuffix(at, "(invisible)") {
			w.t.Errorf("the focus is at %s", at)
		}
		if eval[bool](w, `document.activeElement.matches('`+selector+`')`) {
			return
		}
	}
	w.t.Fatalf("Tab does not reach %s", what)
}

// useMessagesByKeyboard goes to a message and back to the end, and searches, with no other keys than a keyboard has.
func (w *window) useMessagesByKeyboard() {
	w.t.Helper()
	w.send(strings.Repeat("a long message\n", 40))
	w.wait("the message is folded", `document.querySelector('.blocks .own .unfold') !== null`)
	w.tabTo("the button of a folded message", ".unfold")
	w.press("Enter")
	w.wait("it is unfolded", `document.querySelector('.text.folded') === null`)
	w.focus("#open-behind")
	w.tabTo("the address of a message", ".at")
	for range 30 {
		w.press("ArrowUp")
	}
	w.press("ArrowDown")
	w.wait("the arrows move along the messages",
		`[...document.querySelectorAll('.at')].at(-30) === document.activeElement`)
	w.press("Enter")
	w.wait("Enter goes to the message, and the focus stays there",
		`document.activeElement.matches('.target .at') && location.hash.length > 1`)
	w.press("Escape")
	w.press("Tab", shiftKey)
	w.wait("the button to the end is reached", `document.activeElement.id === 'jump'`)
	w.press("Enter")
	w.wait("the end is shown", `document.querySelector('#jump').hidden && document.activeElement.id === 'message'`)

	w.tabTo("the search", "#open-search")
	w.press("Enter")
	w.write("LONG")
	w.press("Enter")
	w.wait("messages are found", `document.querySelector('#found a') !== null`)
	w.tabTo("a message that was found", "#found a")
	w.press("Enter")
	w.wait("it is shown", `document.querySelector('.target .text')?.textContent.startsWith('a long message')`)
	w.tabTo("the button that closes the search", "#close-search")
	w.press("Enter")
	w.wait("the search is closed", `document.querySelector('#search').hidden`)

	w.run(`const { state, changed } = chatapp
		Object.assign(state.rooms.get('lobby'), { more: true, olderRefusal: { code: 'bad_argument' } })
		changed('lines')`)
	w.focus(".older-again")
	w.press("Enter")
	w.wait("the button that asks for older lines again leaves the focus in the conversation",
		`document.activeElement.id === 'lines' && !document.querySelector('.older-again')`)
}

// useSettingsByKeyboard changes settings, and begins to change the name and to leave.
func (w *window) useSettingsByKeyboard() {
	w.t.Helper()
	w.tabTo("the settings", "summary")
	w.press("Enter")
	for _, id := range []string{"language", "theme", "notify", "coming"} {
		w.tabTo(id, "#"+id)
	}
	w.press("Space")
	w.wait("Space hides who comes and goes", `document.documentElement.dataset.coming === 'hidden'`)
	w.press("Space")
	w.tabTo("reading out", "#spoken")
	w.tabTo("the name", "#rename")
	w.press("Enter")
	w.wait("another name can be typed", `document.activeElement.id === 'nick'`)
	w.tabTo("the button that keeps the name", "#nick-cancel")
	w.press("Enter")
	w.wait("the dialog is closed", `document.querySelector('#naming').hidden`)
	w.focus("#rename")
	w.tabTo("leaving", "#leave")
	w.press("Enter")
	w.wait("the page asks first", `document.activeElement.id === 'leave-confirm'`)
	w.tabTo("staying", "#leave-cancel")
	w.press("Enter")
	w.wait("nobody leaves", `document.querySelector('#leave-question').hidden`)
	w.focus("summary")
	w.press("Enter")
}

// seeWithForcedColours has the system choose all colours: backgrounds and shadows say nothing any more.
func (w *window) seeWithForcedColours() {
	w.t.Helper()
	set := func(value string) {
		w.do("force colours", command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: value}},
		}))
	}
	set("active")
	type seen struct{ Own, Others, Room, Elsewhere, Send, Text string }
	got := eval[seen](w, `(() => {
		const style = (selector) => getComputedStyle(document.querySelector(selector))
		return { Own: style('.blocks .own').borderInlineStartStyle,
			Others: style('.blocks .message:not(.own)').borderInlineStartStyle,
			Room: style('#rooms [aria-current]').outlineStyle,
			Elsewhere: style('#rooms a:not([aria-current])').outlineStyle,
			Send: style('#send').borderTopStyle, Text: style('.blocks .text').forcedColorAdjust }
	})()`)
	if want := (seen{"solid", "none", "solid", "none", "solid", "auto"}); got != want {
		w.t.Errorf("with forced colours borders and outlines are %+v, want %+v", got, want)
	}
	w.focus("#lines")
	w.tabTo("the message", "#message")
	set("none")
}
