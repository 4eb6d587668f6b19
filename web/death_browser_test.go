package web_test

import (
	"fmt"
	"slices"
	"testing"
)

// TestTwoPeopleOutliveAnInstance lets two people on two instances do everything there is to do, while the instance of
// one of them is killed. Nothing that either has said or done may be lost.
func TestTwoPeopleOutliveAnInstance(t *testing.T) {
	t.Parallel()
	s, kill := newSiteWithProcess(t, "MESSAGE_RATE=0")
	ann, ben := openWindow(t, s.url(0), windowOptions{}), openWindow(t, s.url(1), windowOptions{})
	ann.enter("Ann")
	ben.enter("Ben")
	ann.send("before it, see #garden")
	ben.waitForMessage("Ann", "before it, see #garden")
	ann.send("/join garden")
	ann.wait("Ann is in the garden", `document.querySelector('#title').textContent === '#garden'
		&& document.querySelector('#people .name')?.textContent === 'Ann'`)
	ann.send("in the garden")
	ann.waitForMessage("me", "in the garden")
	ann.write("a draft in the garden")

	kill()
	ann.run(`location.hash = ''`)
	ann.wait("the lobby is shown", `document.querySelector('#title').textContent === '#lobby'`)
	want := []string{"before it, see #garden"}
	for i := range 3 {
		for name, w := range map[string]*window{"Ann": ann, "Ben": ben} {
			text := fmt.Sprint(name, " while it dies, ", i)
			w.send(text)
			want = append(want, text)
		}
	}
	ann.wait("the loss is noticed", `document.querySelector('#pulse').dataset.phase === 'waiting'`)
	s.proxies[0].redirect(s.proxies[1])
	ann.run(`document.querySelector('#banner-action').click()`) // rather than wait
	ann.wait("Ann goes on at the other instance",
		`document.querySelector('#instance').textContent.startsWith('worker-2')
			&& document.querySelector('#pulse').dataset.phase === 'online'`)
	for _, w := range []*window{ann, ben} {
		w.waitForCount(len(want))
	}
	a, b := ann.texts(), ben.texts()
	if !slices.Equal(a, b) {
		t.Errorf("Ann sees %q, Ben sees %q, want the same order", a, b)
	}
	if slices.Sort(want); !slices.Equal(slices.Sorted(slices.Values(a)), want) {
		t.Errorf("messages are %q, want each of %q once", a, want)
	}

	ann.send("/nick Anna")
	ben.wait("Ben sees the new name",
		`[...document.querySelectorAll('#people .name')].some((e) => e.textContent === 'Anna')`)
	ben.run(`[...document.querySelectorAll('.text a')].find((a) => a.textContent === '#garden').click()`)
	ben.waitForMessage("Ann", "in the garden")
	ben.send("and Ben")
	ann.wait("the garden has an unread message", `document.querySelector('#rooms .badge.marked')?.textContent === '1'`)
	ann.run(`document.querySelector('#rooms a.unread').click()`)
	ann.waitForMessage("Ben", "and Ben")
	ann.wait("the draft is there", `document.querySelector('#message').value === 'a draft in the garden'`)

	ann.reload()
	ann.waitForMessage("Ben", "and Ben")
	ann.wait("the draft is there after a reload",
		`document.querySelector('#message').value === 'a draft in the garden'`)
	ann.run(`document.querySelector('#open-search').click(); document.querySelector('#search-all').checked = true`)
	ann.write("BEFORE it")
	ann.press("Enter")
	ann.wait("a search finds what was said before it died", `document.querySelectorAll('#found a').length === 1`)
	ann.run(`document.querySelector('#found a').click()`)
	ann.wait("and leads to it", `document.querySelector('.target')?.innerText.includes('before it')`)
	link := eval[string](ann, `document.querySelector('.target .at').href`)
	ben.run(`location.hash = new URL(` + encode(link) + `).hash`)
	ben.wait("the address of the message leads Ben to it",
		`document.querySelector('.target')?.innerText.includes('before it')`)

	ann.run(`document.querySelector('.settings').open = true`)
	ann.click("#leave")
	ann.click("#leave-confirm")
	ben.wait("Ben sees that Anna left",
		`[...document.querySelectorAll('.notice:not([hidden]) .what')].at(-1)?.textContent === 'Anna disconnected'`)
	ann.wait("the dialog is open", `!document.querySelector('#naming').hidden`)
}
