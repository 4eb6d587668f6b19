package web_test

import (
	"fmt"
	"strings"
	"testing"
)

// hostile are texts that could become markup, addresses or formatting. Each would set
// globalThis.owned.
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

// unformat removes the marks that format a text.
var unformat = strings.NewReplacer("```\n", "", "\n```", "", "**", "", "`", "")

// added evaluates to the elements that were added since the page was loaded, and that texts might
// have become.
const added = `[...document.querySelectorAll('script, img, iframe, object, embed, base, form, style, ' +
	'link, meta, math, svg, a, [onerror], [onload], [onmouseover]')].filter((e) => !globalThis.atFirst.has(e))`

// lastText evaluates to the text of the last message that is in the log.
const lastText = `[...document.querySelectorAll('.blocks .text')].at(-1)?.textContent`

func TestHostileTextStaysText(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2, "MESSAGE_RATE=0")
	eve := s.connect(t, 1, "Eve")
	ann := openWindow(t, s.url(0), windowOptions{})
	ann.run(`globalThis.owned = 0
		globalThis.requested = []
		const record = (list) => requested.push(...list.getEntries().map((e) => e.name))
		new PerformanceObserver(record).observe({type: 'resource'})
		globalThis.atFirst = new Set(document.querySelectorAll('*'))`)
	ann.enter("Ann")
	for _, text := range hostile {
		eve.send("lobby", text)
	}
	ann.waitForMessage("Eve", hostile[len(hostile)-1])
	shown := ann.texts()
	for i, text := range hostile {
		if want := unformat.Replace(text); shown[i] != want {
			t.Errorf("message %q is shown as %q, want %q", text, shown[i], want)
		}
	}
	checkHarmless(ann)

	// As a nickname, which notices, the list of people and the authors of messages contain.
	var last string
	for i, text := range hostile {
		if answer := eve.call("rename", text); string(answer[0]) != "false" {
			continue // it is too long, or has characters that no name may have
		}
		last = fmt.Sprint("as ", i)
		eve.send("lobby", last)
		if last == "as 0" {
			ann.wait("the author has that nickname",
				`[...document.querySelectorAll('.author .who')].at(-1).textContent === `+encode(text))
		}
	}
	ann.wait("the messages under these nicknames are shown", lastText+` === `+encode(last))
	checkHarmless(ann)

	// As one's own nickname, and in a refusal.
	ann.run(`document.querySelector('.settings').open = true`)
	ann.click("#rename")
	ann.wait("the dialog is open", `document.activeElement.id === 'nick'`)
	ann.write(hostile[1])
	ann.press("Enter")
	ann.wait("the nickname is accepted", `document.querySelector('#people .name').textContent === `+encode(hostile[1]))
	checkHarmless(ann)

	// As a room, which the address, the title, the lists and the history contain.
	rooms := 0
	for _, text := range hostile {
		ann.run(`location.hash = encodeURIComponent(` + encode(text) + `)`)
		ann.wait("the room is shown", `document.querySelector('#title').textContent === `+encode("#"+text)+`
			&& document.querySelector('.empty') !== null`)
		if eval[bool](ann, `!document.querySelector('#message').disabled`) {
			rooms++
			ann.send("sent to " + text)
			ann.wait("the message is in the log", lastText+` === `+encode(unformat.Replace("sent to "+text)))
		}
	}
	if rooms != 8 {
		t.Errorf("%d of the texts are accepted as rooms, want 8", rooms)
	}
	checkHarmless(ann)
}

// checkHarmless checks that hostile texts have become nothing but text and links to the addresses
// they show.
func checkHarmless(w *window) {
	w.t.Helper()
	if got := eval[int](w, `globalThis.owned`); got != 0 {
		w.t.Errorf("a text was executed")
	}
	const harmless = `((e) => e.tagName === 'A' && (e.getAttribute('href').startsWith('#')
		|| e.target === '_blank' && e.rel.includes('noopener')
		&& e.href.startsWith('https://') && e.href.includes('example.org')))`
	for _, found := range eval[[]string](w, added+`.filter((e) => !`+harmless+`(e)).map((e) => e.outerHTML)`) {
		w.t.Errorf("a text has become %s", found)
	}
	const elsewhere = `globalThis.requested.filter((name) => new URL(name).origin !== location.origin)`
	for _, name := range eval[[]string](w, elsewhere) {
		w.t.Errorf("the page requested %s", name)
	}
}
