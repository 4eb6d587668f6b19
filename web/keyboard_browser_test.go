package web_test

import (
	"slices"
	"testing"
)

// focused describes what has the focus, and whether that can be seen.
const focused = `(() => { const e = document.activeElement; if (e === document.body) return ''; const s = getComputedStyle(e); return (e.id || e.localName + ' ' + e.textContent.trim()) + (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0 || s.borderBottomColor !== s.borderTopColor ? '' : ' (unseen)') })()`

func TestKeyboardAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, "MESSAGE_RATE=0")
	ben := s.visit(t, 0, "Ben")
	ben.ask("join", "garden")
	for range 40 {
		ben.say("lobby", "a line")
	}
	ann := open(t, s.url(0), look{})
	ann.enter("Ann")
	ann.wait("the other room is listed", `[...document.querySelectorAll('#rooms .name')].map((e) => e.textContent).join() === 'lobby,garden'`)

	// Once round: every control has its turn, in the order of the page, and is seen to have it.
	var order []string
	for range 30 {
		ann.press("Tab")
		at := eval[string](ann, focused)
		if len(order) > 0 && at == order[0] {
			break
		}
		if at != "" { // else the browser's own controls
			order = append(order, at)
		}
	}
	want := []string{"a #lobby2", "a #garden1", "visit-name", "button ", "summary Settings", "copy", "open-behind", "lines", "message"}
	if !slices.Equal(order, want) {
		t.Errorf("Tab comes to %q, want %q", order, want)
	}

	ann.run(`document.querySelector('#rooms a').focus()`)
	ann.press("ArrowDown")
	ann.press("Enter")
	ann.wait("the arrows lead through the rooms, Enter goes there", `document.querySelector('#title').textContent === '#garden'`)
	ann.press("Escape")
	ann.wait("Escape leads back to the message", `document.activeElement.id === 'message'`)
	ann.press("ArrowUp", altKey)
	ann.wait("Alt and the arrows go from room to room", `document.querySelector('#title').textContent === '#lobby'`)
	ann.run(`document.querySelector('#message').focus()`)
	ann.press("PageUp")
	ann.wait("Page Up scrolls the conversation", `!document.querySelector('#jump').hidden`)
	ann.press("PageDown")
	ann.wait("and Page Down back", `document.querySelector('#jump').hidden`)

	ann.run(`document.querySelector('#open-behind').focus()`)
	ann.press("Enter")
	ann.wait("behind the scenes opens, and has the focus", `document.querySelector('#behind').contains(document.activeElement)`)
	ann.press("Escape")
	ann.wait("Escape closes it, the focus goes back", `document.querySelector('#behind').hidden && document.activeElement.id === 'open-behind'`)

	ann.resize(320, 568)
	ann.run(`document.querySelector('#open-side').focus()`)
	ann.press("Enter")
	ann.wait("the side opens, and has the focus", `document.querySelector('#side').contains(document.activeElement) && document.querySelector('#open-side').getAttribute('aria-expanded') === 'true'`)
	ann.press("Escape")
	ann.wait("and closes", `document.activeElement.id === 'open-side' && document.querySelector('#open-side').getAttribute('aria-expanded') === 'false'`)

	ann.run(`document.activeElement.blur()`)
	ann.press("x")
	ann.wait("what is typed nowhere goes into the message", `document.activeElement.id === 'message'`)
}
