package web_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"chatapp/internal/backplane/backplanetest"
)

// TestPictures takes pictures of the page's states into the folder named by CHATAPP_SCREENSHOTS, for people to look at.
func TestPictures(t *testing.T) {
	folder := os.Getenv("CHATAPP_SCREENSHOTS")
	if folder == "" {
		t.Skip("CHATAPP_SCREENSHOTS names no folder")
	}
	s := newSiteOnTopic(t, 3, "MESSAGE_RATE=0", "MAX_MESSAGE_LENGTH=200")
	// A bus as far away as one in the same region.
	s.topic.SetFaults(backplanetest.Faults{PublishTime: 12 * time.Millisecond, DeliverTime: 8 * time.Millisecond})
	mina, ben, chris := talk(t, s)
	for _, room := range []string{"garden", "요리", "release"} {
		ben.ask("join", room)
	}
	mina.ask("join", "garden")
	dora := s.visit(t, 1, "Dorothea")
	s.visit(t, 1, "Émile")

	ann := open(t, s.url(0), look{})
	take := func(name string) { ann.screenshot(folder + "/" + name + ".png") }
	ann.wait("the card is shown", `document.activeElement.id === 'nick' && !document.querySelector('#nick-go').disabled`)
	take("card")
	ann.write("Ben")
	ann.press("Enter")
	ann.wait("refused", `document.querySelector('#nickname-err').textContent !== ''`)
	take("refused")
	ann.enter("Ann")
	ann.say("So this is the whole conversation, from all three of them.")
	ann.wait("sent", `document.querySelector('.tail').childElementCount === 0`)
	chris.say("lobby", "In the same order for everybody.")
	mina.tell("typing", map[string]string{"room": "lobby"})
	ben.say("garden", "x")
	ann.wait("somebody types", `document.querySelector('#typing').textContent !== ''`)
	take("conversation")
	ann.run(`document.querySelector('#open-behind').click()`)
	ann.say("And I can watch every message take its way.")
	ann.wait("sent", `document.querySelector('.tail').childElementCount === 0`)
	mina.say("lobby", "저도 보여요. 로그를 거쳐 오네요 🙂")
	dora.say("lobby", "I came by the second one. Same conversation, same order.")
	ann.say("Mine are the ones in colour.")
	ann.wait("sent", `document.querySelector('.tail').childElementCount === 0`)
	dora.say("lobby", "Links, `code` and **bold** work too.")
	chris.say("lobby", "So do Korean and every emoji 🎉")
	ann.say("Good. Then we can begin.")
	ann.wait("sent", `document.querySelector('.tail').childElementCount === 0`)
	ann.wait("users are counted", `document.querySelector('.cluster').innerText.includes('this window · 2 users')`)
	ann.run(`document.querySelector('#message').focus()`)
	take("behind")
	ann.resize(900, 1100)
	take("behind-tablet")
	ann.press("Escape")
	ann.resize(3840, 2160)
	take("4k")
	ann.resize(1280, 800)
	ann.run(`location.hash = 'empty'`)
	ann.wait("an empty room", `document.querySelector('.empty h2') !== null`)
	ann.run(`document.querySelector('.settings').open = true`)
	take("empty-settings")
	ann.run(`document.querySelector('.settings').open = false; location.hash = 'x'.repeat(60)`)
	ann.wait("no room", `document.querySelector('.empty h2')?.textContent === 'This room is closed to you'`)
	take("no-room")
	ann.run(`location.hash = ''`)
	ann.wait("the lobby", `document.querySelectorAll('.message').length > 3`)
	ann.write("This one is almost as long as a message may be here. And it goes on" + strings.Repeat(", and on", 15) + ".")
	take("counter")
	s.buses[0].Stall(true)
	ann.run(`document.querySelector('#message').select()`)
	ann.write("Is anybody there?")
	ann.press("Enter")
	ann.wait("cut off", `document.querySelector('#banner-text').textContent.startsWith('This server') && !document.querySelector('#banner').hidden`)
	take("cut-off")
	s.buses[0].Stall(false)
	ann.wait("not any more", `document.querySelector('#banner').hidden`)
	s.front[0].cut()
	ann.say("Written while offline")
	ann.wait("offline", `document.querySelector('#banner-text').textContent.startsWith('Connection lost')`)
	take("offline")

	phone := open(t, s.url(1), look{width: 390, height: 844, dark: true, language: "ko-KR"})
	take = func(name string) { phone.screenshot(folder + "/" + name + ".png") }
	phone.wait("the card is shown", `document.activeElement.id === 'nick'`)
	take("phone-card")
	phone.enter("지민")
	phone.say("휴대폰에서도 잘 보여요 🙂")
	phone.wait("sent", `document.querySelector('.tail').childElementCount === 0`)
	mina.say("lobby", "반가워요, 지민 님!")
	phone.heard("민아", "반가워요, 지민 님!")
	take("phone")
	phone.click("#open-side")
	phone.wait("open", `document.querySelector('#side').getBoundingClientRect().left === 0`)
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
	phone.run(`(await import(performance.getEntriesByType('resource').find((e) => e.name.endsWith('/state.js')).name)).state.limits.message = 0`)
	phone.say(strings.Repeat("말", 201))
	phone.wait("refused", `document.querySelector('.tail .failed') !== null`)
	take("dark-ko-failed")
	phone.do("few colours", send(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}}}))
	take("forced-colours")
	phone.forgive()
	phone.navigate(s.url(1) + "/nothing")
	take("dark-not-found")
	phone.forgive()
}
