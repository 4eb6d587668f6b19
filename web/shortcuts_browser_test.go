package web_test

import (
	"slices"
	"testing"
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
		"lines", "message",
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

	ann.resize(320, 568)
	ann.run(`document.querySelector('#open-side').focus()`)
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
