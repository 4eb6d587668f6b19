package web_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"

	"chatapp/internal/backplane/backplanetest"
)

// looks are the windows in which TestScreenshots takes its pictures. Each size, each theme and each of two languages
// meets the others at least once.
var looks = map[string]windowOptions{
	"desktop-light-en": {},
	"desktop-dark-ko":  {dark: true, language: "ko-KR"},
	"tablet-light-ko":  {width: 820, height: 1180, language: "ko-KR"},
	"tablet-dark-en":   {width: 820, height: 1180, dark: true},
	"phone-light-en":   {width: 390, height: 844},
	"phone-dark-ko":    {width: 390, height: 844, dark: true, language: "ko-KR"},
}

// TestScreenshots saves screenshots of the page's main states in the folder that CHATAPP_SCREENSHOTS names, each look
// in a folder of its own.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("CHATAPP_SCREENSHOTS")
	if folder == "" {
		t.Skip("CHATAPP_SCREENSHOTS names no folder")
	}
	for name, look := range looks {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(folder, name)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			s := newSiteOnTopic(t, 3, "MESSAGE_RATE=0", "MAX_MESSAGE_LENGTH=400")
			// The latency of Service Bus in the same region.
			const publish, deliver = 12 * time.Millisecond, 8 * time.Millisecond
			s.topic.SetFaults(backplanetest.Faults{PublishTime: publish, DeliverTime: deliver})
			n := 0
			ann := openWindow(t, s.url(0), look)
			a := album{t: t, s: s, ann: ann, narrow: look.width > 0, take: func(state string) {
				n++
				ann.run(`await ` + nextFrames)
				ann.screenshot(fmt.Sprintf("%s/%02d-%s.png", dir, n, state))
			}}
			a.mina, a.ben, a.chris = seedConversation(t, s)
			a.enter()
			a.converse()
			a.write()
			a.look()
			a.fail()
			a.end(look)
		})
	}
}

// album takes the pictures of one look.
type album struct {
	t                *testing.T
	s                *site
	ann              *window
	mina, ben, chris *client
	narrow           bool
	take             func(state string)
}

const inLog = `document.querySelector('.tail').childElementCount === 0`

func (a album) enter() {
	for _, room := range []string{"garden", "요리", "release"} {
		a.ben.call("join", room)
	}
	a.mina.call("join", "garden")
	a.ann.wait("the dialog is open", `document.activeElement.id === 'nick'
		&& !document.querySelector('#nick-go').disabled && document.querySelector('#naming-place').textContent !== ''`)
	a.take("card")
	a.ann.write("Ben")
	a.ann.press("Enter")
	a.ann.wait("the nickname is refused", `document.querySelector('#nickname-err').textContent !== ''`)
	a.take("card-refused")
	a.ann.enter("Ann")
}

func (a album) converse() {
	a.ann.send("So this is the whole conversation, from all three of them.")
	a.ann.wait("the message is in the log", inLog)
	dora := a.s.connect(a.t, 1, "Dorothea")
	a.chris.send("lobby", "In the same order for everybody.")
	a.ann.send("And I can watch every message take its way.")
	a.ann.send("Mine are the ones in colour.")
	a.ann.wait("the message is in the log", inLog)
	a.mina.send("lobby", "저도 보여요. 로그를 거쳐 오네요 🙂")
	dora.send("lobby", "I came by the second one. Same conversation, same order.")
	a.mina.emit("typing", map[string]string{"room": "lobby"})
	a.ann.wait("somebody types", `document.querySelector('#typing').textContent !== ''`)
	a.take("conversation")
	if !a.narrow {
		a.ann.run(`document.querySelector('#open-behind').click()`)
		a.take("conversation-and-panel")
		a.ann.run(`document.querySelector('#open-behind').click()`)
	}
	a.ben.send("lobby", "```go\nfunc main() {\n"+
		"\tfmt.Println(\"a line that is far too long for a phone, or for a bubble\")\n}\n```")
	a.chris.send("lobby", "/me likes **bold**, `code` and https://example.org/a_(b), see #garden")
	a.mina.send("lobby", "한국어와 이모지 🎉")
	a.ben.send("lobby", strings.Repeat("one of many lines\n", 18)+strings.Repeat("more\n", 8))
	a.ann.wait("the long message is folded", `document.querySelector('.text.folded') !== null`)
	a.take("markup")
	a.ann.run(`location.hash = 'garden'`)
	a.ann.wait("the garden is shown", `document.querySelector('#title').textContent === '#garden'
		&& document.querySelector('.notice') !== null`)
	for i := range 3 {
		a.ben.send("lobby", fmt.Sprint("new to Ann, number ", i+1))
	}
	a.ann.wait("messages are unread", `document.querySelector('#rooms .badge.marked')?.textContent === '3'`)
	a.take("unread")
	a.ann.run(`location.hash = ''`)
	a.ann.wait("what is new is marked", `document.querySelector('.new-since') !== null`)
	a.take("new-since")
}

func (a album) write() {
	a.ann.focus("#message")
	a.ann.write("@")
	a.ann.wait("names are offered", `!document.querySelector('#offers').hidden`)
	a.take("completion")
	a.ann.press("Escape")
	a.ann.run(`document.querySelector('#message').select()`)
	a.ann.send("/help")
	a.ann.wait("commands are listed", `!document.querySelector('#hint').hidden`)
	a.take("help")
	a.ann.run(`document.querySelector('#message').select()`)
	a.ann.write("This one is almost as long as a message may be here. " +
		"And it goes on" + strings.Repeat(", and on", 40) + ".")
	a.ann.wait("characters are counted", `!document.querySelector('#counter').hidden`)
	a.take("counter")
	a.ann.run(`document.querySelector('#message').select()`)
	a.ann.press("Backspace")
}

func (a album) look() {
	a.ann.run(`document.querySelector('#open-search').click()`)
	a.ann.write("order")
	a.ann.press("Enter")
	a.ann.wait("messages are found", `document.querySelectorAll('#found a').length > 1`)
	a.take("search")
	a.ann.run(`document.querySelector('#found li:last-child a').click()`)
	a.ann.wait("the message is shown", `document.querySelector('.target') !== null`)
	a.take("target")
	a.ann.press("Escape")
	a.ann.run(`document.querySelector('#jump').click()`)
	a.ann.run(`document.querySelector('#open-behind').click()`)
	a.ann.send("Good. Then we can begin.")
	a.ann.wait("the message is in the log", inLog)
	a.take("diagnostics")
	a.ann.run(`document.querySelector('#open-behind').click()`)
	if a.narrow {
		a.ann.run(`document.querySelector('#open-side').click()`)
		a.ann.wait("the sidebar is open", `document.querySelector('#side').getBoundingClientRect().left === 0`)
		a.take("sidebar")
	}
	a.ann.run(`document.querySelector('.settings').open = true; document.querySelector('#leave').click()`)
	a.take("settings-leave")
	a.ann.run(`document.querySelector('#leave-cancel').click(); document.querySelector('.settings').open = false`)
	a.ann.press("Escape")
	a.ann.run(`location.hash = 'empty'`)
	a.ann.wait("the empty room is shown", `document.querySelector('.empty h2') !== null`)
	a.take("empty")
	a.ann.run(`location.hash = 'x'.repeat(60)`)
	a.ann.wait("the room is refused", `document.querySelector('#message').disabled`)
	a.take("refused-room")
	a.ann.run(`location.hash = ''`)
	a.ann.wait("the lobby is shown", `document.querySelectorAll('.message').length > 3`)
}

func (a album) fail() {
	a.ann.run(importState + `globalThis.limit = state.limits.message; state.limits.message = 0`)
	a.ann.send(strings.Repeat("too long ", 60))
	a.ann.wait("the message is refused", `document.querySelector('.tail .failed') !== null`)
	a.take("failed")
	a.ann.run(`document.querySelector('.tail .line-actions button:last-child').click()
		document.querySelector('#message').select(); chatapp.state.limits.message = limit`)
	a.ann.press("Backspace")
	a.s.buses[0].Stall(true)
	a.ann.send("Is anybody there?")
	a.ann.wait("the banner says that the instance is cut off", `!document.querySelector('#banner').hidden
		&& document.querySelector('.tail .why').textContent !== ''`)
	a.take("cut-off")
	a.s.buses[0].Stall(false)
	a.ann.wait("the banner is hidden", `document.querySelector('#banner').hidden && `+inLog)
	a.s.proxies[0].cut()
	a.ann.send("Written while offline")
	a.ann.wait("the banner says that the connection is lost", `!document.querySelector('#banner').hidden
		&& document.querySelector('.tail .why').textContent !== ''`)
	a.take("offline")
	a.s.proxies[0].reopen(a.t)
	a.ann.run(`document.querySelector('#banner-action').click()`)
	a.ann.wait("the message is in the log", inLog+` && document.querySelector('#banner').hidden`)
	a.ann.run(`globalThis.second = open(location.href)`)
	a.ann.wait("a second tab says that the first is in use",
		`second.document.querySelector('#banner-action').textContent !== ''`)
	a.ann.run(`second.document.querySelector('#banner-action').click()`)
	a.ann.wait("the first rests", `!document.querySelector('#banner').hidden`)
	a.take("resting")
	a.ann.run(`second.close(); document.querySelector('#banner-action').click()`)
	a.ann.wait("the first goes on", `document.querySelector('#banner').hidden`)
}

func (a album) end(look windowOptions) {
	if look.width == 390 {
		a.ann.resize(320, 568)
		a.take("320-px")
		a.ann.resize(320, 256) // 1280 x 1024 at 400 %
		a.take("400-percent")
		a.ann.resize(844, 390)
		a.take("turned")
	} else if !a.narrow {
		a.ann.resize(3840, 2160)
		a.take("4k")
	}
	a.ann.resize(max(look.width, 390), max(look.height, 800))
	a.ann.do("force colours", command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}},
	}))
	a.take("forced-colours")
	a.ann.do("force no colours", command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: map[bool]string{true: "dark",
			false: "light"}[look.dark]}},
	}))
	a.ann.navigate(a.s.url(0) + "/nothing")
	a.take("not-found")
	a.ann.do("enable the network domain", command(network.Enable, network.EnableParams{}))
	a.ann.do("block a module", command(network.SetBlockedURLs, network.SetBlockedURLsParams{
		URLPatterns: []*network.BlockPattern{{URLPattern: "*://*:*/assets/*/js/main.js", Block: true}},
	}))
	a.ann.navigate(a.s.url(0) + "/?blocked")
	a.ann.wait("the failure is explained", `document.querySelector('#failure') !== null`)
	a.take("not-started")
	a.ann.clearErrors()
}
