package web_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// seedConversation fills the lobby with messages of three clients on two instances.
func seedConversation(t *testing.T, s *site) (mina, ben, chris *client) {
	t.Helper()
	other := len(s.proxies) - 1
	mina, ben, chris = s.connect(t, other, "민아"), s.connect(t, 0, "Ben"), s.connect(t, other, "Chris")
	mina.send("lobby", "안녕하세요! 저는 다른 인스턴스에 있어요.")
	ben.send("lobby", "Hello Mina, I am on the first one and see you all the same.")
	ben.send("lobby", "The order is the log's: https://example.org/log, on every instance.")
	chris.send("lobby", "And if **one of them** goes down?")
	mina.send("lobby", "다른 인스턴스로 옮겨 가고, 놓친 메시지를 받아요.")
	mina.send("lobby", "👍")
	ben.send("lobby", "Try it: `go run ./cmd/emulator -instances 2 -launch`")
	return mina, ben, chris
}

// overflowing evaluates to the visible elements that reach beyond the window's sides, and to the
// composer if it is not in view.
const overflowing = `(() => {
	const controls = '#app > *, #app button, #app input, #app textarea, .card, .card *'
	const found = [...document.querySelectorAll(controls)].filter((e) => {
		if (!e.checkVisibility({visibilityProperty: true}) || e.closest('[hidden], .hidden')) return false
		const { left, right, width } = e.getBoundingClientRect()
		return width > 0 && (right > innerWidth + 0.5 || left < -0.5)
	}).map((e) => e.outerHTML.slice(0, 120))
	if (document.documentElement.scrollWidth > innerWidth) found.push('the document')
	const { top, bottom } = document.querySelector('#composer').getBoundingClientRect()
	if (bottom > innerHeight + 0.5 || top < 0) found.push('the composer')
	return found
})()`

func TestFitsEveryWindow(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, "MESSAGE_RATE=0")
	seedConversation(t, s)
	for _, language := range []string{"de-DE", "ko-KR"} { // the longest words, and the widest letters
		ann := openWindow(t, s.url(0), windowOptions{language: language})
		ann.wait("the dialog is open", `document.activeElement.id === 'nick'`)
		fits := func(state string) {
			t.Helper()
			// Desktops at 400 % and 200 %, phones, one of them turned. Only what fits these and has columns may not
			// fit larger ones: half a screen, a desktop, a large screen.
			sizes := [][2]int64{{320, 256}, {320, 568}, {568, 320}, {640, 400}}
			if state == "conversation" || state == "diagnostics" {
				sizes = append(sizes, [2]int64{960, 1080}, [2]int64{1280, 800}, [2]int64{3840, 2160})
			}
			for _, size := range sizes {
				ann.resizeWithoutDetail(size[0], size[1])
				for _, found := range eval[[]string](ann, nextFrames+`.then(() => `+overflowing+`)`) {
					t.Errorf("%s, %s, %d x %d: outside of the window: %s", language, state, size[0], size[1], found)
				}
			}
		}
		fits("nickname dialog")
		ann.enter("Ann" + language[:2])
		fits("conversation")
		small := eval[[]string](ann, `[...document.querySelectorAll('input:not([type=checkbox]), textarea, select')]
			.filter((e) => parseFloat(getComputedStyle(e).fontSize) < 16)
			.map((e) => e.id)`)
		if len(small) > 0 {
			t.Errorf("text in %s is smaller than 16 px, so phones enlarge the page", strings.Join(small, ", "))
		}
		ann.run(`document.querySelector('#open-behind').click()`)
		fits("diagnostics")
		ann.press("Escape")
		ann.resize(320, 568)
		ann.click("#open-side")
		ann.wait("the sidebar is open", `document.querySelector('#side').getBoundingClientRect().left === 0`)
		fits("sidebar")
	}
}

func TestLanguageFollowsTheBrowserUntilChosen(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann := openWindow(t, s.url(0), windowOptions{language: "ko-KR,en;q=0.5"})
	ann.wait("the page is in Korean, which the browser prefers",
		`document.documentElement.lang === 'ko'
			&& document.querySelector('label[for=nick]').textContent === '애칭을 입력하고 Enter 키를 누르세요.'`)
	s.connect(t, 0, "민아")
	ann.write("민아")
	ann.press("Enter")
	ann.wait("the refusal is in Korean", `document.querySelector('#nickname-err').textContent === '이미 사용 중인 애칭입니다'`)
	ann.click(`[data-language=en]`)
	ann.wait("the refusal is in English",
		`document.documentElement.lang === 'en'
			&& document.querySelector('#nickname-err').textContent === 'Nickname already in use'`)
	ann.click(`[data-language=ko]`)
	ann.focus("#nick")
	ann.enter("지민")
	ann.send("안녕")
	ann.waitForMessage("me", "안녕")
	ann.run(`document.querySelector('.settings').open = true; const l = document.querySelector('#language');
		l.value = 'en'; l.dispatchEvent(new Event('change'))`)
	ann.waitForMessage("me", "안녕")
	ann.wait("the page is in English",
		`document.querySelector('#send').innerText === 'Send'
			&& document.querySelector('.day').textContent === 'Today'
			&& document.querySelector('#subtitle').textContent === '2 people here'`)
	ann.reload()
	ann.wait("the page is in English after a reload",
		`document.documentElement.lang === 'en' && document.querySelector('#send').innerText === 'Send'`)
	if left := eval[string](ann, `document.body.innerText`); strings.Contains(left, "보내기") {
		t.Errorf("Korean is left in the English page:\n%s", left)
	}
}

// TestThemes follows the system's theme until another one is chosen. In both it measures every colour of a name on
// every background of names: WCAG 2.2, 1.4.3.
func TestThemes(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann := openWindow(t, s.url(0), windowOptions{dark: true})
	const light = `(() => { const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g)
		.map(Number); return r + g + b > 382 })()`
	ann.wait("the theme is dark", `!`+light)
	ann.enter("Ann")
	ann.send("hello")
	ann.waitForMessage("me", "hello")
	choose := func(theme string) {
		ann.run(`const c = document.querySelector('#theme')
			c.value = ` + encode(theme) + `
			c.dispatchEvent(new Event('change'))`)
	}
	choose("light")
	ann.wait("the theme is light", light)
	ann.reload()
	ann.wait("the theme is light after a reload", light)
	ann.waitForMessage("me", "hello")
	for _, dark := range []bool{false, true} {
		if dark {
			choose("auto")
			ann.wait("the theme is dark again", `!`+light)
		}
		type measure struct {
			Hue      int
			On       string
			Contrast float64
		}
		measured := eval[[]measure](ann, `(() => {
			const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true})
			const light = (...layers) => {
				for (const colour of layers) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1) }
				const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
					.map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
				return 0.2126 * r + 0.7152 * g + 0.0722 * b
			}
			const message = document.querySelector('.message.head')
			const name = message.querySelector('.author .who'), avatar = message.querySelector('.avatar')
			const ground = getComputedStyle(document.body).backgroundColor,
				side = getComputedStyle(document.querySelector('#side')).backgroundColor
			const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
			const all = []
			for (let hue = 0; hue < 360; hue += 15) {
				message.style.setProperty('--hue', hue)
				message.classList.add('own')
				const own = getComputedStyle(message).backgroundColor
				all.push({Hue: hue, On: 'an own avatar', Contrast: contrast(
					light(getComputedStyle(avatar).backgroundColor), light(getComputedStyle(avatar).color))})
				message.classList.remove('own')
				const colour = getComputedStyle(name).color, tint = getComputedStyle(avatar).backgroundColor
				for (const [On, ...layers] of [['the ground', ground], ['an own message', own], ['the side', side],
					['an avatar', ground, tint], ['an avatar aside', side, tint]]) all.push({Hue: hue, On,
					Contrast: contrast(light(...layers, colour), light(...layers))})
			}
			return all
		})()`)
		if len(measured) != 24*6 {
			t.Fatalf("%d measures, want %d", len(measured), 24*6)
		}
		for _, m := range measured {
			if m.Contrast < 4.5 {
				t.Errorf("dark %v: a name of hue %d on %s has a contrast of %.2f, want 4.5",
					dark, m.Hue, m.On, m.Contrast)
			}
		}
	}
}

// TestAxeFindsNothing runs axe-core on the page's main states, in both themes and languages.
func TestAxeFindsNothing(t *testing.T) {
	t.Parallel()
	axe, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		browser(t)
		missing(t, "axe-core (npm ci in web)")
	}
	s := newSite(t, 2, "MESSAGE_RATE=0")
	mina, _, _ := seedConversation(t, s)
	for i, l := range []windowOptions{{}, {dark: true, language: "ko-KR"}, {width: 320, height: 640}} {
		name := fmt.Sprintf("%+v", l)
		ann := openWindow(t, s.url(0), l)
		// The page's policy forbids code made of text, but does not bind the DevTools protocol.
		ann.do("load axe-core", evaluate(string(axe)))
		check := func(state string) {
			t.Helper()
			type violation struct{ ID, Impact, Help, Where string }
			found := evalWithin[[]violation](ann, 2*timeout,
				`axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations.map((v) => ({ID: v.id,
					Impact: v.impact, Help: v.help, Where: v.nodes.map((n) => n.html + ' ' + n.any
					.map((a) => a.message).join()).join('\n').slice(0, 1500)})))`)
			for _, v := range found {
				t.Errorf("%s, %s: %s (%s, %s)\n%s", name, state, v.Help, v.ID, v.Impact, v.Where)
			}
		}
		ann.wait("the dialog is open", `document.activeElement.id === 'nick'`)
		check("nickname dialog")
		ann.write("민아")
		ann.press("Enter")
		ann.wait("the nickname is refused", `document.querySelector('#nickname-err').textContent !== ''`)
		check("refused nickname")
		ann.enter(fmt.Sprint("Ann", i))
		long := strings.Repeat(strings.Repeat("x ", 60)+"\n", 30)
		ann.send("`code`, **bold**, https://example.org\n```go\n" + long + "```")
		ann.wait("the message is in the log", `document.querySelector('.blocks .own pre') !== null`)
		mina.send("lobby", "그래요")
		if l.width == 320 {
			ann.click("#open-side")
			ann.wait("the sidebar is open", `document.querySelector('#side').getBoundingClientRect().left === 0`)
			ann.run(`document.querySelector('.settings').open = true`)
			check("sidebar")
			ann.press("Escape")
		} else {
			ann.run(`document.querySelector('.settings').open = true; document.querySelector('#open-behind').click()`)
		}
		check("conversation")
	}
}
