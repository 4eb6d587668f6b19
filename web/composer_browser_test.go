package web_test

import (
	"slices"
	"testing"

	"github.com/chromedp/cdproto/input"
)

// compose sets the text of a composition, as an input method does with every key.
func (w *window) compose(text string) {
	w.t.Helper()
	length := int64(len([]rune(text)))
	w.do("compose", command(input.ImeSetComposition, input.ImeSetCompositionParams{
		Text: text, SelectionStart: length, SelectionEnd: length,
	}))
}

// TestEnterDuringCompositionIsNotTheUsers replays how browsers report an Enter that ends a Korean
// syllable: as key code 229, and some browsers a second time as Enter after the end of the
// composition.
func TestEnterDuringCompositionIsNotTheUsers(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann := openWindow(t, s.url(0), windowOptions{language: "ko-KR"})
	ben := s.connect(t, 0, "Ben")
	ann.wait("the dialog asks for a nickname", `document.activeElement.id === 'nick'`)
	ann.compose("지")
	ann.run(`document.querySelector('#nick').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter',
		keyCode: 229, isComposing: true, bubbles: true, cancelable: true}))`)
	ann.write("지민")
	ann.keyUp("Enter")
	if !eval[bool](ann, `!document.querySelector('#naming').hidden && document.querySelector('#nick').value === '지민'`) {
		t.Errorf("Enter during a composition claimed or changed the nickname")
	}
	ann.press("Enter")
	ann.wait("the second Enter claims the nickname", `document.querySelector('#people .name')?.textContent === '지민'
		&& document.activeElement.id === 'message'`)

	ann.compose("안")
	ann.write("안") // ends the composition without a key
	ann.compose("ㄴ")
	ann.compose("녀")
	ann.compose("녕")
	ann.run(`
		globalThis.key = (more) => document.querySelector('#message').dispatchEvent(new KeyboardEvent('keydown',
			{key: 'Enter', code: 'Enter', bubbles: true, cancelable: true, ...more}))
		key({keyCode: 229, isComposing: true})`)
	ann.write("녕")
	ann.run(`
		key({keyCode: 229})
		key({keyCode: 13})
		const brk = new InputEvent('beforeinput', {inputType: 'insertLineBreak', bubbles: true, cancelable: true})
		document.querySelector('#message').dispatchEvent(brk)
		if (!brk.defaultPrevented) throw new Error('the default is not prevented')
		document.querySelector('#message').dispatchEvent(new KeyboardEvent('keyup', {key: 'Enter', bubbles: true}))`)
	if got := eval[string](ann, `document.querySelector('#message').value`); got != "안녕" {
		t.Errorf("after Enter ended a composition the field has %q, want 안녕", got)
	}
	ann.press("Enter")
	ann.waitForMessage("me", "안녕")
	ann.wait("the field is empty", `document.querySelector('#message').value === ''`)

	// A key that is held down repeats after the composition. It is still the same press.
	ann.compose("네")
	ann.run(`key({keyCode: 229, isComposing: true})`)
	ann.write("네")
	ann.run(`key({repeat: true}); key({repeat: true})`)
	ann.keyUp("Enter")
	ann.press("Enter")
	ann.waitForMessage("me", "네")

	// A phone's keyboard reports no key.
	ann.write("폰에서")
	ann.run(`document.querySelector('#message').dispatchEvent(new InputEvent('beforeinput',
		{inputType: 'insertLineBreak', bubbles: true, cancelable: true}))`)
	ann.waitForMessage("me", "폰에서")

	// Shift and Enter begin a line.
	ann.write("one")
	ann.press("Enter", shiftKey)
	ann.write("two")
	ann.press("Enter")
	ann.waitForMessage("me", "one\ntwo")
	ben.send("lobby", "end")
	ann.waitForMessage("Ben", "end")
	if got, want := ann.texts(), []string{"안녕", "네", "폰에서", "one\ntwo", "end"}; !slices.Equal(got, want) {
		t.Errorf("messages are %q, want %q", got, want)
	}
}
