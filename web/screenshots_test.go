package web_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"chatapp/internal/backplane/backplanetest"
)

// TestScreenshots saves screenshots of the page's states in the folder that CHATAPP_SCREENSHOTS
// names.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("CHATAPP_SCREENSHOTS")
	if folder == "" {
		t.Skip("CHATAPP_SCREENSHOTS names no folder")
	}
	s := newSiteOnTopic(t, 3, "MESSAGE_RATE=0", "MAX_MESSAGE_LENGTH=200")
	// The latency of Service Bus in the same region.
	s.topic.SetFaults(backplanetest.Faults{PublishTime: 12 * time.Millisecond, DeliverTime: 8 * time.Millisecond})
	mina, ben, chris := seedConversation(t, s)
	for _, room := range []string{"garden", "요리", "release"} {
		ben.call("join", room)
	}
	mina.call("join", "garden")
	dora := s.connect(t, 1, "Dorothea")
	s.connect(t, 1, "Émile")

	ann := openWindow(t, s.url(0), windowOptions{})
	take := func(name string) { ann.screenshot(folder + "/" + name + ".png") }
	ann.wait("the dialog is open",
		`document.activeElement.id === 'nick' && !document.querySelector('#nick-go').disabled`)
	take("card")
	ann.write("Ben")
	ann.press("Enter")
	ann.wait("the nickname is refused", `document.querySelector('#nickname-err').textContent !== ''`)
	take("refused")
	ann.enter("Ann")
	ann.send("So this is the whole conversation, from all three of them.")
	ann.wait("the message is in the log", `document.querySelector('.tail').childElementCount === 0`)
	chris.send("lobby", "In the same order for everybody.")
	mina.emit("typing", map[string]string{"room": "lobby"})
	ben.send("garden", "x")
	ann.wait("somebody types", `document.querySelector('#typing').textContent !== ''`)
	take("conversation")
	ann.run(`document.querySelector('#open-behind').click()`)
	ann.send("And I can watch every message take its way.")
	ann.wait("the message is in the log", `document.querySelector('.tail').childElementCount === 0`)
	mina.send("lobby", "저도 보여요. 로그를 거쳐 오네요 🙂")
	dora.send("lobby", "I came by the second one. Same conversation, same order.")
	ann.send("Mine are the ones in colour.")
	ann.wait("the message is in the log", `document.querySelector('.tail').childElementCount === 0`)
	dora.send("lobby", "Links, `code` and **bold** work too.")
	chris.send("lobby", "So do Korean and every emoji 🎉")
	ann.send("Good. Then we can begin.")
	ann.wait("the message is in the log", `document.querySelector('.tail').childElementCount === 0`)
	ann.wait("the panel counts users", `document.querySelector('.cluster').innerText.includes('this window · 2 users')`)
	ann.run(`document.querySelector('#message').focus()`)
	take("behind")
	ann.resize(900, 1100)
	take("behind-tablet")
	ann.press("Escape")
	ann.resize(3840, 2160)
	take("4k")
	ann.resize(1280, 800)
	ann.run(`location.hash = 'empty'`)
	ann.wait("the empty room is shown", `document.querySelector('.empty h2') !== null`)
	ann.run(`document.querySelector('.settings').open = true`)
	take("empty-settings")
	ann.run(`document.querySelector('.settings').open = false; location.hash = 'x'.repeat(60)`)
	ann.wait("the invalid room is explained",
		`document.querySelector('.empty h2')?.textContent === 'This room is closed to you'`)
	take("no-room")
	ann.run(`location.hash = ''`)
	ann.wait("the lobby is shown", `document.querySelectorAll('.message').length > 3`)
	ann.write("This one is almost as long as a message may be here. " +
		"And it goes on" + strings.Repeat(", and on", 15) + ".")
	take("counter")
	s.buses[0].Stall(true)
	ann.run(`document.querySelector('#message').select()`)
	ann.write("Is anybody there?")
	ann.press("Enter")
	ann.wait("the banner says that the instance is cut off",
		`document.querySelector('#banner-text').textContent.startsWith('This server')
			&& !document.querySelector('#banner').hidden`)
	take("cut-off")
	s.buses[0].Stall(false)
	ann.wait("the banner is hidden", `document.querySelector('#banner').hidden`)
	s.proxies[0].cut()
	ann.send("Written while offline")
	ann.wait("the banner says that the connection is lost",
		`document.querySelector('#banner-text').textContent.includes('Trying again')`)
	take("offline")

	phone := openWindow(t, s.url(1), windowOptions{width: 390, height: 844, dark: true, language: "ko-KR"})
	take = func(name string) { phone.screenshot(folder + "/" + name + ".png") }
	phone.wait("the dialog is open", `document.activeElement.id === 'nick'`)
	take("phone-card")
	phone.enter("지민")
	phone.send("휴대폰에서도 잘 보여요 🙂")
	phone.wait("the message is in the log", `document.querySelector('.tail').childElementCount === 0`)
	mina.send("lobby", "반가워요, 지민 님!")
	phone.waitForMessage("민아", "반가워요, 지민 님!")
	take("phone")
	phone.click("#open-side")
	phone.wait("the sidebar is open", `document.querySelector('#side').getBoundingClientRect().left === 0`)
	phone.run(`document.querySelector('.settings').open = true`)
	take("phone-side")
	phone.press("Escape")
	phone.resize(320, 568)
	take("phone-320")
	phone.run(`document.querySelector('#open-behind').click()`)
	take("phone-behind")
	phone.press("Escape")
	phone.resize(1280, 800)
	phone.run(`document.querySelector('#open-behind').click()`)
	take("dark-ko-behind")
	phone.run(importState + `state.limits.message = 0`)
	phone.send(strings.Repeat("말", 201))
	phone.wait("the message is refused", `document.querySelector('.tail .failed') !== null`)
	take("dark-ko-failed")
	phone.do("force colours", command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}},
	}))
	take("forced-colours")
	phone.clearErrors()
	phone.navigate(s.url(1) + "/nothing")
	take("dark-not-found")
	phone.clearErrors()
}
