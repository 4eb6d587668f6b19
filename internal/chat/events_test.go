package chat

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestV09Protocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		ann := c.replicas[0].join("Ann")
		bob := c.replicas[1].visit("")
		bob.Send(`21["nickname","ann"]`)
		bob.Want("a taken name is refused",
			`31[true,{"ok":false,"code":"name_taken","message":"Nickname already in use"}]`)
		bob.Send(`22["nickname","Bob"]`)
		bob.Want("another is granted",
			`32[false,{"ok":true,"name":"Bob","token":"*","room":"lobby","rooms":["lobby"]}]`)
		bob.Want("session",
			`2["session",{"instance":"b","name":"Bob","rooms":["lobby"],"recovered":false,"limits":{*}},"*"]`)
		bob.Want("roster for the joiner", `2["nicknames",{"Ann":"Ann","Bob":"Bob"},{"room":"lobby","users":2}]`)
		ann.Want("announced to the others",
			`2["announcement","Bob connected",{"kind":"join","name":"Bob","room":"lobby","users":2,"time":*,`+
				`"id":"*"},"*"]`)
		ann.Want("with the roster", `2["nicknames",{"Ann":"Ann","Bob":"Bob"},{"room":"lobby","users":2}]`)

		bob.Send(`2["user message","hello"]`)
		ann.Want("a message has author, text, particulars and offset",
			`2["user message","Bob","hello",{"id":"*","time":*,"room":"lobby","instance":"b","cid":"*"},"*"]`)
		bob.WantNothing("the sender does not receive its own message", time.Second)
		bob.Send(`23["user message","<b>é\u2028</b>",{"cid":"m1"}]`)
		bob.Want("but that it is in the log", `33[{"ok":true,"id":"*","time":*,"room":"lobby","cid":"m1","latency":*}]`)
		ann.Want("text is passed on as it is", `2["user message","Bob","<b>é*</b>",{*"cid":"m1"},"*"]`)
		bob.Send(`24["user message","<b>é\u2028</b>",{"cid":"m1"}]`)
		bob.Want("sent again it is there already", `34[{"ok":true,"id":"*","cid":"m1","duplicate":true,*}]`)
		ann.WantNothing("and shown once", time.Second)

		bob.Send(`25["rename","Bobby"]`)
		bob.Want("renamed", `35[false,{"ok":true,"name":"Bobby",*}]`)
		bob.Want("the list", `2["nicknames",{"Ann":"Ann","Bobby":"Bobby"},*]`)
		ann.Want("announced",
			`2["announcement","Bob is now called Bobby",{"kind":"rename","name":"Bobby","was":"Bob",*},"*"]`)
		ann.Want("the list", `2["nicknames",{"Ann":"Ann","Bobby":"Bobby"},*]`)

		bob.Send(`1`)
		ann.Want("a disconnect frees at once",
			`2["announcement","Bobby disconnected",{"kind":"leave",*"users":1,*},"*"]`)
		ann.Want("the list", `2["nicknames",{"Ann":"Ann"},{"room":"lobby","users":1}]`)
		c.replicas[1].join("Bobby")
		c.agree()
	})
}

func TestV4Protocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		ann := c.replicas[0].join("Ann")
		bob := c.replicas[1].visit("")
		bob.Send(`2["add user","ann"]`)
		bob.Want("a taken name is varied", `2["login",{"numUsers":2,"username":"ann 2","token":"*"},"*"]`)
		ann.Want("announced to the 0.9 page", `2["announcement","ann 2 connected",*]`)
		ann.Want("in the list", `2["nicknames",{"Ann":"Ann","ann 2":"ann 2"},*]`)
		ann.sent("hi")
		bob.Want("a message in the 4.x protocol",
			`2["new message",{"username":"Ann","message":"hi","time":*,"id":"*"},"*"]`)
		bob.Send(`2["new message","hello"]`)
		ann.Want("and in the 0.9 protocol", `2["user message","ann 2","hello",*]`)
		synctest.Wait() // typing is volatile: it goes only where nothing waits
		bob.Send(`2["typing"]`)
		ann.Want("typing", `2["typing",{"username":"ann 2","room":"lobby"}]`)
		synctest.Wait()
		bob.Send(`2["stop typing"]`)
		ann.Want("stopped", `2["stop typing",{"username":"ann 2","room":"lobby"}]`)
		ann.Send(`2["rename","Anna"]`)
		bob.Want("a rename is a leaving", `2["user left",{"username":"Ann","numUsers":1}]`)
		bob.Want("and a joining", `2["user joined",{"username":"Anna","numUsers":2},"*"]`)
		bob.Send(`2["add user","whatever"]`)
		bob.Want("a named socket keeps its name", `2["login",{"numUsers":2,"username":"ann 2"},"*"]`)
		ann.Send(`1`)
		bob.Want("leaving", `2["user left",{"username":"Anna","numUsers":1},"*"]`)
		c.agree()
	})
}

func TestRawWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		ann := c.replicas[0].join("Ann")
		bob := c.replicas[0].host.DialRaw("")
		bob.Want("session", `{"event":"session","args":[{"instance":"a","recovered":false,"limits":{*}}]}`)
		bob.Want("what was said",
			`{"event":"history","args":["lobby",{"messages":[{"kind":"join","id":"*","from":"Ann",`+
				`"text":"Ann connected"}],"more":false},"*"]}`)
		bob.Want("status", `{"event":"status","args":[*]}`)
		ann.sent("to an unnamed client")
		bob.Want("an unnamed client listens", `{"event":"user message","args":["Ann","to an unnamed client",{*},"*"]}`)
		bob.Send(`{"event":"nickname","args":["Bob"],"id":1}`)
		bob.Want("named", `{"ack":1,"args":[false,{"ok":true,"name":"Bob",*}]}`)
		ann.Want("both endpoints share a room", `2["announcement","Bob connected",*]`)
	})
}

func TestRefusalsNameTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{MaxMessageLength: 5, MaxNicknameLength: 8, MaxRooms: 2})
		u := c.replicas[0].visit("")
		for _, test := range []struct{ event, want string }{
			{`["user message","hi"]`, `[{"ok":false,"code":"no_name","message":"Choose a nickname first."}]`},
			{`["join","go"]`, `[{"ok":false,"code":"no_name",*}]`},
			{`["leave"]`, `[{"ok":false,"code":"no_name",*}]`},
			{`["rename","x"]`, `[true,{"ok":false,"code":"no_name",*}]`},
			{`["nickname"]`, `[true,{"ok":false,"code":"bad_argument",*}]`},
			{`["nickname",{"a":1}]`, `[true,{"ok":false,"code":"bad_argument",*}]`},
			{`["nickname","  "]`, `[true,{"ok":false,"code":"name_invalid",*}]`},
			{`["nickname","Ann\u202e"]`, `[true,{"ok":false,"code":"name_invalid",*}]`},
			{`["nickname","Annabella"]`, `[true,{"ok":false,"code":"name_too_long",*}]`},
			{`["history",{"room":"go"}]`, `[{"ok":false,"code":"not_in_room",*}]`},
			{`["history",{"before":"x"}]`, `[{"ok":false,"code":"bad_argument",*}]`},
			{`["who","go"]`, `[{"ok":false,"code":"unknown_room",*}]`},
			{`["nickname","Ann"]`, `[false,{"ok":true,*}]`},
		} {
			u.Send("27" + test.event)
			u.Want(test.event, "37"+test.want)
			time.Sleep(time.Second)
		}
		u.Want("session", `2["session",*`)
		u.Want("list", `2["nicknames",*`)
		for _, test := range []struct{ event, want string }{
			{`["user message","  \n"]`, `[{"ok":false,"code":"empty",*}]`},
			{`["user message","123456"]`, `[{"ok":false,"code":"too_long",*}]`},
			{`["user message"]`, `[{"ok":false,"code":"bad_argument",*}]`},
			{`["user message","hi",{"room":"go"}]`, `[{"ok":false,"code":"not_in_room",*}]`},
			{`["user message","hi",{"cid":"` + strings.Repeat("x", 65) + `"}]`, `[{"ok":false,` +
				`"code":"bad_argument",*}]`},
			{`["join","\u0000"]`, `[{"ok":false,"code":"room_invalid",*}]`},
			{`["join"]`, `[{"ok":false,"code":"room_invalid",*}]`},
			{`["leave","go"]`, `[{"ok":false,"code":"not_in_room",*}]`},
		} {
			u.Send("28" + test.event)
			u.Want(test.event, "38"+test.want)
			time.Sleep(time.Second)
		}
		u.Send(`2["user message","too long"]`)
		u.Want("without an answer wanted",
			`2["refused",{"ok":false,"code":"too_long","message":"*","event":"user message"}]`)
		u.Want("an old page displays it as well",
			`2["announcement","This message is too long.",{"kind":"refused","code":"too_long"}]`)
		c.replicas[0].set(func(r *replica) { r.full = true })
		u.Send(`29["user message","hi"]`)
		u.Want("the log takes nothing", `39[{"ok":false,"code":"overloaded","message":"*","wait":2000}]`)
		c.replicas[0].Close()
		u.Send(`29["user message","hi"]`)
		u.Want("closed", `39[{"ok":false,"code":"unavailable",*}]`)
	})
}

func TestMessagesAreLimitedByRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{MessageRate: 2})
		ann, bob := c.replicas[0].join("Ann"), c.replicas[0].join("Bob")
		ann.Want("bob", `2["announcement",*`)
		ann.Want("list", `2["nicknames",*`)
		for i := range 4 {
			ann.sent(fmt.Sprint("burst ", i))
			bob.Want("in the burst", fmt.Sprintf(`2["user message","Ann","burst %d",*`, i))
		}
		ann.Send(`21["user message","one too many"]`)
		ann.Want("refused with how long to wait", `31[{"ok":false,"code":"too_fast","message":"*","wait":500}]`)
		time.Sleep(500 * time.Millisecond)
		ann.sent("after the wait")
		bob.Want("nothing else is harmed", `2["user message","Ann","after the wait",*`)
		if n := c.replicas[0].Counters(); n.Refusals["too_fast"] != 1 || n.Messages != 5 {
			t.Errorf("Counters() = %d refused, %d said, want 1, 5", n.Refusals["too_fast"], n.Messages)
		}
	})
}

// A name in letters that look like those of a room's name means that room, in every request.
func TestLookAlikeOfARoomIsThatRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		ann := c.replicas[0].join("Ann")
		ann.Send(`21["join","Peace"]`)
		ann.Want("history", `2["history","peace",*`)
		ann.Want("answer", `31[{"ok":true,"room":"peace","users":1}]`)
		ann.Want("roster", `2["nicknames",*`)
		ann.Want("and to all", `2["nicknames",*`)
		bob := c.replicas[1].join("Bob")
		bob.Send(`21["join","ρеаcе"]`)
		bob.Want("history", `2["history","peace",*`)
		bob.Want("the room", `31[{"ok":true,"room":"peace","users":2}]`)
		bob.Want("roster", `2["nicknames",{"Ann":"Ann","Bob":"Bob"},{"room":"peace",*`)
		bob.Want("and to all", `2["nicknames",*`)
		for i, request := range []string{`"user message","hi",{"room":"ρеаcе"}`, `"who","ρеаcе"`,
			`"history",{"room":"ρеаcе"}`, `"typing",{"room":"ρеаcе"}`, `"join","lоbby"`, `"leave","ρеаcе"`} {
			bob.Send(fmt.Sprintf(`2%d[%s]`, 2+i, request))
			if i == 4 {
				bob.Want("a look-alike of the lobby", `2["history","lobby",*`)
			}
			bob.Want(request, fmt.Sprintf(`3%d[{"ok":true*`, 2+i))
			if i == 4 {
				bob.Want("its roster", `2["nicknames",*`)
			}
		}
		bob.Send(`29["rooms"]`)
		bob.Want("no other room", `39[{"ok":true,"rooms":[{"name":"lobby","users":2,"joined":true},{"name":"peace",*}],`+
			`"mine":[*]}]`)
		c.agree()
	})
}

func TestRoomsAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{MaxRooms: 2})
		ann := c.replicas[0].join("Ann")
		ann.Send(`21["join","Go"]`)
		ann.Want("history first",
			`2["history","go",{"messages":[{"kind":"join","id":"*","text":"Ann joined go"}],"more":false},"*"]`)
		ann.Want("answer", `31[{"ok":true,"room":"go","users":1}]`)
		ann.Want("roster", `2["nicknames",{"Ann":"Ann"},{"room":"go","users":1}]`)
		ann.Want("and to all", `2["nicknames",{"Ann":"Ann"},{"room":"go","users":1}]`)
		ann.Send(`22["join","c"]`)
		ann.Want("one too many", `32[{"ok":false,"code":"too_many_rooms",*}]`)
		ann.Send(`23["user message","in go",{"room":"GO"}]`)
		ann.Want("said", `33[{"ok":true,*"room":"go",*}]`)

		bob := c.replicas[1].join("Bob")
		ann.Want("bob", `2["announcement","Bob connected",*`)
		ann.Want("list", `2["nicknames",*`)
		bob.Send(`21["rooms"]`)
		bob.Want("rooms", `31[{"ok":true,"rooms":[{"name":"go","users":1,"joined":false},`+
			`{"name":"lobby","users":2,"joined":true}],"mine":["lobby"]}]`)
		bob.Send(`22["join","go"]`)
		bob.Want("what was said before",
			`2["history","go",{"messages":[*{"kind":"message",*"from":"Ann","text":"in go","cid":"*",`+
				`"instance":"a"},{"kind":"join",*"text":"Bob joined go"}],"more":false},"*"]`)
		bob.Want("answer", `32[{"ok":true,"room":"go","users":2}]`)
		bob.Want("roster", `2["nicknames",{"Ann":"Ann","Bob":"Bob"},{"room":"go","users":2}]`)
		bob.Want("roster", `2["nicknames",{"Ann":"Ann","Bob":"Bob"},{"room":"go","users":2}]`)
		ann.Want("joined", `2["announcement","Bob joined go",{"kind":"join","name":"Bob","room":"go","users":2,*`)
		ann.Want("list", `2["nicknames",*"room":"go"*`)
		cid := c.replicas[1].visit("")
		ann.Send(`24["user message","only there",{"room":"go"}]`)
		ann.Want("said", `34[{"ok":true,*`)
		bob.Want("heard", `2["user message","Ann","only there",{*"room":"go"*},"*"]`)
		cid.WantNothing("not heard outside", time.Second)
		bob.Send(`23["history",{"room":"go","limit":1}]`)
		bob.Want("last line", `33[{"ok":true,"room":"go","messages":[{*"text":"only there"*}],"more":true}]`)
		bob.Send(`24["who","go"]`)
		bob.Want("who", `34[{"ok":true,"room":"go","users":[{"name":"Ann"},{"name":"Bob"}]}]`)
		bob.Send(`25["leave","go"]`)
		bob.Want("left", `35[{"ok":true}]`)
		ann.Want("announced", `2["announcement","Bob left go",{"kind":"leave",*`)
		bob.Send(`26["leave"]`)
		bob.Want("left the chat", `36[{"ok":true}]`)
		bob.Want("hears on", `2["nicknames",{"Ann":"Ann"},*`)
		bob.Send(`27["user message","x"]`)
		bob.Want("but says nothing", `37[{"ok":false,"code":"no_name",*`)
		bob.Send(`28["nickname","Bob"]`)
		bob.Want("and may come again", `38[false,{"ok":true,*`)
		c.agree()
	})
}

func TestTypingExpiresAndIsNotSentTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		ann, bob := c.replicas[0].join("Ann"), c.replicas[1].join("Bob")
		ann.Want("bob", `2["announcement",*`)
		ann.Want("list", `2["nicknames",*`)
		before := len(c.entries)
		for range 50 {
			ann.Send(`2["typing"]`)
		}
		bob.Want("typing", `2["typing",{"username":"Ann","room":"lobby"}]`)
		synctest.Wait()
		if n := len(c.entries) - before; n != 1 {
			t.Errorf("50 typing events made %d entries, want 1", n)
		}
		time.Sleep(7 * time.Second)
		bob.Want("it ends by itself", `2["stop typing",{"username":"Ann","room":"lobby"}]`)
		synctest.Wait()
		ann.Send(`2["typing"]`)
		bob.Want("typing", `2["typing",*`)
		synctest.Wait()
		ann.sent("done")
		bob.Want("what is said ends it", `2["stop typing",*`)
		bob.Want("said", `2["user message",*`)
		ann.WantNothing("the typing user receives nothing", 10*time.Second)
		bob.WantNothing("nothing is left", 10*time.Second)
		c.agree()
	})
}
