package chat

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// eventArguments has the arguments that each event takes: each form has one wrong thing in the place of X.
var eventArguments = []struct {
	event   string
	strings []string // X must be a string, and null is refused because the argument is needed
	options []string // X must be a string, or null, which counts as not given
	numbers []string // X must be a number, or null
	objects []string // X must be an object, or null
	rooms   []string // X must be a string, an object or null
}{
	{event: "user message", strings: []string{`X`}, objects: []string{`"hi",X`},
		options: []string{`"hi",{"room":X}`, `"hi",{"cid":X}`}},
	{event: "new message", strings: []string{`X`}},
	{event: "nickname", strings: []string{`X`}, objects: []string{`"Ann",X`},
		options: []string{`"Ann",{"token":X}`}},
	{event: "rename", strings: []string{`X`}, objects: []string{`"Ann",X`}},
	{event: "add user", strings: []string{`X`}},
	{event: "join", rooms: []string{`X`}, options: []string{`{"room":X}`}},
	{event: "leave", rooms: []string{`X`}, options: []string{`{"room":X}`}},
	{event: "typing", rooms: []string{`X`}, options: []string{`{"room":X}`}},
	{event: "stop typing", rooms: []string{`X`}, options: []string{`{"room":X}`}},
	{event: "who", rooms: []string{`X`}, options: []string{`{"room":X}`, `{"after":X}`}},
	{event: "rooms", objects: []string{`X`}, options: []string{`{"after":X}`}},
	{event: "history", rooms: []string{`X`}, options: []string{`{"room":X}`, `{"before":X}`},
		numbers: []string{`{"limit":X}`}},
	{event: "status"},
}

// A wrong type must not count as "not given": the default is mostly the lobby, where everybody reads it.
func TestArgumentOfAWrongTypeIsRefused(t *testing.T) {
	kinds := map[string][]string{
		"string": {`"x"`}, "number": {`42`, `-1`}, "object": {`{}`}, "other": {`true`, `[]`, `["lobby"]`, `false`},
		"fraction": {`1.5`, `1e99`},
	}
	wrong := func(allowed ...string) (values []string) {
		for kind, some := range kinds {
			if !strings.Contains(strings.Join(allowed, " "), kind) {
				values = append(values, some...)
			}
		}
		return values
	}
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		ann, bob := c.replicas[0].join("Ann"), c.replicas[0].join("Bob")
		ann.drain()
		refused := func(event, args string) {
			t.Helper()
			ann.Send(`21["` + event + `",` + args + `]`)
			want := `31[{"ok":false,"code":"bad_argument",*}]`
			if event == "nickname" || event == "rename" {
				want = `31[true,{"ok":false,"code":"bad_argument",*}]`
			}
			ann.Want(event+" "+args, want)
			time.Sleep(time.Second) // refusals have an allowance, too
		}
		for _, e := range eventArguments {
			for _, group := range []struct{ forms, wrong []string }{
				{e.strings, append(wrong("string"), "null")}, {e.options, wrong("string")},
				{e.numbers, wrong("number")}, {e.objects, wrong("object")}, {e.rooms, wrong("string", "object")},
			} {
				for _, form := range group.forms {
					for _, value := range group.wrong {
						refused(e.event, strings.ReplaceAll(form, "X", value))
					}
				}
			}
		}
		if got := strings.Join(bob.drain(), "; "); got != "" {
			t.Errorf("others have received %q, want nothing", got)
		}
	})
}

// JavaScript sends undefined as null.
func TestNullCountsAsNotGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		for _, e := range eventArguments {
			forms := append(append(append(e.options, e.numbers...), e.objects...), e.rooms...)
			for _, form := range forms {
				if e.event == "join" { // it needs a room
					continue
				}
				u := c.replicas[0].join("Ann")
				args := strings.ReplaceAll(form, "X", "null")
				u.Send(`21["` + e.event + `",` + args + `]`)
				if got := u.nextLike(e.event+" "+args, `31[`); !strings.Contains(got, `"ok":true`) {
					t.Errorf("%s with %s is answered by %s, want as without", e.event, args, got)
				}
				u.Send(`1`)
				synctest.Wait()
			}
		}
	})
}

func TestEmptyRoomIsNotTheLobby(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann := newCluster(t, 1, Options{}).replicas[0].join("Ann")
		for _, event := range []string{`["user message","hi",{"room":""}]`, `["leave",""]`, `["leave",{"room":""}]`,
			`["who",""]`, `["typing",{"room":""}]`} {
			ann.Send("21" + event)
			ann.Want(event, `31[{"ok":false,"code":"room_invalid",*}]`)
		}
	})
}

// A 4.x client with retries sends nothing more until its event is answered.
func TestEveryEventThatAsksForAnAnswerGetsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		u := c.replicas[0].visit("")
		asks := func(event, want string) {
			t.Helper()
			u.Send("21" + event)
			if got := u.nextLike(event, "31["); !strings.HasPrefix(got, "31["+want) {
				t.Errorf("%s is answered by %s, want %s", event, got, want)
			}
			time.Sleep(time.Second)
		}
		asks(`["typing"]`, `{"ok":false,"code":"no_name"`)
		asks(`["stop typing"]`, `{"ok":false,"code":"no_name"`)
		asks(`["unknown",1]`, `{"ok":false,"code":"unknown_event"`)
		asks(`[7]`, `{"ok":false,"code":"unknown_event"`)
		asks(`["add user","  "]`, `{"ok":false,"code":"name_invalid"`)
		asks(`["add user","Ann"]`, `{"ok":true}`)
		asks(`["add user","Ann"]`, `{"ok":true}`)
		for _, event := range []string{`["typing"]`, `["typing"]`, `["stop typing"]`, `["stop typing"]`} {
			asks(event, `{"ok":true}`)
		}
		asks(`["typing",{"room":"go"}]`, `{"ok":false,"code":"not_in_room"`)
		u.Send(`2["unknown"]`)
		u.WantNothing("others are ignored", time.Second)

		raw := c.replicas[0].host.DialRaw("")
		for range 3 {
			raw.Next("greeting")
		}
		raw.Send(`{"event":"unknown","id":7}`)
		raw.Want("on the raw WebSocket as well", `{"ack":7,"args":[{"ok":false,"code":"unknown_event",*}]}`)

		c.replicas[0].Close()
		asks(`["typing"]`, `{"ok":false,"code":"unavailable"`)
	})
}

// Names that are requested while a claim is on its way are claimed when it is decided.
func TestNamesRequestedMeanwhileAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, first := range []string{`["nickname","Bob"]`, `["nickname","Ann"]`, `["add user","Bob"]`} {
			c := newCluster(t, 1, Options{})
			c.replicas[0].join("Ann")
			u := c.replicas[0].visit("")
			c.replicas[0].set(func(r *replica) { r.paused = true })
			u.Send("21" + first)
			u.Send(`22["add user","Cid"]`)
			u.Send(`23["add user","Dan"]`)
			synctest.Wait()
			c.replicas[0].set(func(r *replica) { r.paused = false })
			answered := map[string]bool{}
			for len(answered) < 3 {
				if text := u.Next(first); text[0] == '3' {
					answered[text[:2]] = true
				}
			}
			u.Send("1")
			synctest.Wait()
		}
	})
}
