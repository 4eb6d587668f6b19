package web_test

import (
	"fmt"
	"strings"
	"testing"
)

// hostile are texts that have become markup, addresses or formatting somewhere. Each would set globalThis.owned.
var hostile = []string{
	`<script>owned=1</script>`,
	`<img src=x onerror=owned=1>`,
	`"><svg/onload=owned=1>`,
	`<iframe srcdoc="<script>parent.owned=1</script>">`,
	`javascript:owned=1`,
	`[x](javascript:owned=1)`,
	"`<b onmouseover=owned=1>`**<img src=x onerror=owned=1>**",
	"```\n</code></pre><script>owned=1</script>\n```",
	`https://example.org/"onmouseover="owned=1`,
	`https://example.org/<img/src=x/onerror=owned=1>`,
	`https://javascript:owned=1@example.org/`,
	`{{constructor.constructor('owned=1')()}} ${owned=1}`,
	`&lt;img src=x onerror=owned=1&gt;`,
	`<style>*{display:none}</style><base href=//example.org>`,
	"\u202Egnp.exe\u2066<a href=//x>",
	`__proto__`, `constructor`, `{was}{nick}{n}`,
	`<form action=//example.org><input name=q><button>x</button></form>`,
	`<math><mtext></form><form><mglyph><style></math><img src onerror=owned=1>`,
}

// plain takes away what formats a text.
var plain = strings.NewReplacer("```\n", "", "\n```", "", "**", "", "`", "")

// strange are elements that the page did not begin with, and that texts might have become.
const strange = `[...document.querySelectorAll('script, img, iframe, object, embed, base, form, style, link, meta, math, svg, a, [onerror], [onload], [onmouseover]')].filter((e) => !globalThis.atFirst.has(e))`

func TestHostileTextsStayText(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2, "MESSAGE_RATE=0")
	ann, ben := open(t, s.url(0), look{}), open(t, s.url(1), look{})
	for _, w := range []*window{ann, ben} {
		w.run(`globalThis.owned = 0; globalThis.asked = []; new PerformanceObserver((l) => asked.push(...l.getEntries().map((e) => e.name))).observe({type: 'resource'}); globalThis.atFirst = new Set(document.querySelectorAll('*'))`)
	}
	ann.enter("Ann")
	ben.enter("Ben")
	for _, text := range hostile {
		ben.say(text)
	}
	ann.heard("Ben", hostile[len(hostile)-1])
	shown := ann.texts()
	for i, text := range hostile {
		if want := plain.Replace(text); shown[i] != want {
			t.Errorf("message %q is shown as %q, want %q", text, shown[i], want)
		}
	}
	checkHarmless(ann)

	// As a nickname, in announcements and in the line of those typing.
	ben.run(`document.querySelector('.settings').open = true`)
	for i, text := range hostile {
		ben.click("#rename")
		ben.wait("the card asks", `document.activeElement.id === 'nick'`)
		ben.write(text)
		ben.press("Enter")
		ben.wait("the name is taken or refused", `document.querySelector('#naming').hidden || document.querySelector('#nickname-err').textContent !== ''`)
		if !eval[bool](ben, `document.querySelector('#naming').hidden`) {
			ben.press("Escape")
			ben.wait("the card closes", `document.querySelector('#naming').hidden`)
			continue
		}
		said := fmt.Sprint("as ", i)
		ben.say(said)
		ann.wait("a message under that name", fmt.Sprintf(`[...document.querySelectorAll('.text')].at(-1)?.textContent === %q`, said))
	}
	checkHarmless(ann)

	// As a room, which is seen in the address, the title, the lists and the history of another.
	rooms := 0
	for _, text := range hostile {
		ben.run(`location.hash = encodeURIComponent(` + encode(text) + `)`)
		ben.wait("the room is shown", `document.querySelector('#title').textContent !== '#lobby' && (document.querySelector('.empty') !== null)`)
		if eval[bool](ben, `!document.querySelector('#message').disabled`) {
			rooms++
			ben.say("said in " + text)
			ben.wait("it is said", `[...document.querySelectorAll('.blocks .text')].at(-1)?.textContent === `+encode(plain.Replace("said in "+text)))
		}
		ben.run(`location.hash = ''`)
		ben.wait("back", `document.querySelector('#title').textContent === '#lobby'`)
	}
	if rooms != 8 {
		t.Errorf("%d of the texts are let be rooms, want 8", rooms)
	}
	ann.run(`location.hash = encodeURIComponent(` + encode(hostile[1]) + `)`)
	ann.wait("its history is shown", `document.querySelectorAll('.message').length > 0`)
	checkHarmless(ann)
	checkHarmless(ben)
}

// checkHarmless tells of what hostile texts have become, besides text and links to where they say.
func checkHarmless(w *window) {
	w.t.Helper()
	if got := eval[int](w, `globalThis.owned`); got != 0 {
		w.t.Errorf("a text has run")
	}
	for _, found := range eval[[]string](w, strange+`.filter((e) => !(e.tagName === 'A' && e.target === '_blank' && e.rel.includes('noopener') && e.href.startsWith('https://') && e.href.includes('example.org')) && !(e.tagName === 'A' && e.getAttribute('href').startsWith('#'))).map((e) => e.outerHTML)`) {
		w.t.Errorf("a text has become %s", found)
	}
	for _, name := range eval[[]string](w, `globalThis.asked.filter((name) => new URL(name).origin !== location.origin)`) {
		w.t.Errorf("the page asked for %s", name)
	}
}
