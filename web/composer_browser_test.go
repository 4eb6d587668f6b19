package web_test

import (
	"slices"
	"testing"

	"github.com/chromedp/cdproto/input"
)

// compose shows what an input method has made so far, as it does with every key.
func (w *window) compose(text string) {
	w.t.Helper()
	length := int64(len([]rune(text)))
	w.do("compose", send(input.ImeSetComposition, input.ImeSetCompositionParams{Text: text, SelectionStart: length, SelectionEnd: length}))
}

// TestComposition plays what browsers tell of Enter while a Korean syllable is being made: one key press that they
// report as code 229, some of them again as a plain Enter when the composition is over. None of it may send.
func TestComposition(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann := open(t, s.url(0), look{language: "ko-KR"})
	ben := s.visit(t, 0, "Ben")
	ann.enter("지민")

	ann.compose("안")
	ann.write("안") // an end of the composition that no key is told of
	ann.compose("ㄴ")
	ann.compose("녀")
	ann.compose("녕")
	ann.run(`
		globalThis.key = (more) => document.querySelector('#message').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', code: 'Enter', bubbles: true, cancelable: true, ...more}))
		key({keyCode: 229, isComposing: true})`)
	ann.write("녕")
	ann.run(`
		key({keyCode: 229})
		key({keyCode: 13})
		const brk = new InputEvent('beforeinput', {inputType: 'insertLineBreak', bubbles: true, cancelable: true})
		document.querySelector('#message').dispatchEvent(brk)
		if (!brk.defaultPrevented) throw new Error('the line would be broken')
		document.querySelector('#message').dispatchEvent(new KeyboardEvent('keyup', {key: 'Enter', bubbles: true}))`)
	if got := eval[string](ann, `document.querySelector('#message').value`); got != "안녕" {
		t.Errorf("after Enter ended a composition the field has %q, want 안녕", got)
	}
	ann.press("Enter")
	ann.heard("나", "안녕")
	ann.wait("it is taken out of the field", `document.querySelector('#message').value === ''`)

	// The key that is held down longer than the composition lasts repeats; it is still the same one.
	ann.compose("네")
	ann.run(`key({keyCode: 229, isComposing: true})`)
	ann.write("네")
	ann.run(`key({repeat: true}); key({repeat: true})`)
	ann.keyUp("Enter")
	ann.press("Enter")
	ann.heard("나", "네")

	// A phone's keyboard tells of no key.
	ann.write("폰에서")
	ann.run(`document.querySelector('#message').dispatchEvent(new InputEvent('beforeinput', {inputType: 'insertLineBreak', bubbles: true, cancelable: true}))`)
	ann.heard("나", "폰에서")

	// Shift and Enter begin a line.
	ann.write("one")
	ann.press("Enter", shiftKey)
	ann.write("two")
	ann.press("Enter")
	ann.heard("나", "one\ntwo")
	ben.say("lobby", "end")
	ann.heard("Ben", "end")
	if got, want := ann.texts(), []string{"안녕", "네", "폰에서", "one\ntwo", "end"}; !slices.Equal(got, want) {
		t.Errorf("said was %q, want %q", got, want)
	}
}

func TestCompositionOfANickname(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann := open(t, s.url(0), look{language: "ko-KR"})
	ann.wait("the card asks for a name", `document.activeElement.id === 'nick'`)
	ann.compose("지")
	ann.run(`document.querySelector('#nick').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', keyCode: 229, isComposing: true, bubbles: true, cancelable: true}))`)
	ann.write("지민")
	ann.keyUp("Enter")
	if !eval[bool](ann, `!document.querySelector('#naming').hidden && document.querySelector('#nick').value === '지민'`) {
		t.Errorf("Enter during a composition has sent the name, or changed it")
	}
	ann.press("Enter")
	ann.wait("a second Enter sends it", `document.querySelector('#people .name')?.textContent === '지민'`)
}

func TestLinksAndEmphasis(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, "MESSAGE_RATE=0")
	ann, ben := open(t, s.url(0), look{}), s.visit(t, 0, "Ben")
	ann.enter("Ann")
	for _, c := range []struct{ text, want string }{
		{"see https://example.org/a_(b)?c=d#e.", `see <a href="https://example.org/a_(b)?c=d#e">.`},
		{"(https://example.org/x)", `(<a href="https://example.org/x">)`},
		{"**bold** and `code **not bold**`", `<strong>bold</strong> and <code>code **not bold**</code>`},
		{"```\na < b\n```", `<pre>a < b</pre>`},
		{"2 ** 3 ** 4, a*b*c, `open", "2 <strong> 3 </strong> 4, a*b*c, `open"},
		{"http://", "http://"},
	} {
		ben.say("lobby", c.text)
		const inner = `[...[...document.querySelectorAll('.text')].at(-1)?.childNodes ?? []].map((n) => n.nodeType === 3 ? n.data : n.tagName === 'A' ? '<a href="' + n.getAttribute('href') + '">' : '<' + n.localName + '>' + n.textContent + '</' + n.localName + '>').join('')`
		ann.wait("it is drawn as "+c.want, inner+` === `+encode(c.want))
	}
	ben.say("lobby", "👍🏽 👩‍👩‍👧")
	ann.wait("emoji alone are large", `[...document.querySelectorAll('.text')].at(-1).classList.contains('emoji')`)
	long := "Donaudampfschifffahrtsgesellschaft"
	ben.say("lobby", long+long+long+long+long+long+long+long)
	ann.heard("Ben", long+long+long+long+long+long+long+long)
	if wide := eval[bool](ann, `document.querySelector('#lines').scrollWidth > document.querySelector('#lines').clientWidth`); wide {
		t.Errorf("a long word makes the conversation wider than its window")
	}
}
