package attacktest

import (
	"net/http"
	"strings"
	"testing"
)

// Nobody takes a name that people would take for another's, for the chat's own words, or for nothing.
func TestNamesDoNotMislead(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	a.join(newAddress(), "Bob")
	a.join(newAddress(), "Iris")
	for name, code := range map[string]string{
		"Вob": "name_taken", "Ｂｏｂ": "name_taken", "𝓑𝓸𝓫": "name_taken", "lris": "name_taken", "B\u200dob": "name_taken",
		"me": "name_invalid", "나": "name_invalid", "Bob is now Ann": "name_invalid", "Bob connected": "name_invalid",
		"\u3164": "name_invalid", "\u2800": "name_invalid", "\u0301a": "name_invalid",
		"Z\u0330\u0325\u0333\u0325": "name_invalid",
	} {
		m := message{Args: a.dial(newAddress()).request("nickname", name)}
		if m.Args[0] != true || m.object(1)["code"] != code {
			t.Errorf("nickname %q = %v, want %s", name, m.Args, code)
		}
	}
	a.join(newAddress(), "\U0001FAC6") // an emoji newer than Go's tables
	a.checkOthers()
}

// Where a proxy signs people in, its id of a person counts: not the name, and no header of anybody else.
func TestSignedInPeopleAreThemselves(t *testing.T) {
	t.Parallel()
	a := newArena(t, "NICKNAME_HEADER=X-MS-CLIENT-PRINCIPAL-NAME")
	signIn := func(name, id string) *client {
		return a.dial(newAddress(), "X-MS-CLIENT-PRINCIPAL-NAME", name, "X-MS-CLIENT-PRINCIPAL-ID", id)
	}
	named := func(c *client) string {
		c.t.Helper()
		m := c.await("a session with a name", func(m *message) bool {
			return m.Event == "session" && m.object(0)["name"] != nil
		})
		return m.object(0)["name"].(string)
	}
	long := strings.Repeat("long.name.", 10)
	one, other := signIn(long+"a@example.com", "1"), signIn(long+"b@example.com", "2")
	if names := named(one) + " " + named(other); names != long+"a@example.com "+long+"b@example.com" {
		t.Errorf("two people are called %s, want their full names", names)
	}
	user1 := signIn("user1", "3")
	if got := named(user1); got != "user1" {
		t.Errorf("user1 is called %q", got)
	}
	for _, wanted := range []string{"user12", "user1 2", "somebody"} {
		if m := (message{Args: user1.request("nickname", wanted)}); m.object(1)["code"] != "name_fixed" {
			t.Errorf("user1 asks for %q: %v, want name_fixed", wanted, m.Args)
		}
	}
	if got := named(signIn("user12", "4")); got != "user12" {
		t.Errorf("user12 is called %q", got)
	}
	for _, header := range []http.Header{
		{"X-Forwarded-For": {newAddress()}},
		{"X-Forwarded-For": {newAddress()}, "X-Ms-Client-Principal-Name": {"user1"}},
	} {
		for _, path := range []string{"/ws", "/socket.io/?EIO=4&transport=polling"} {
			request, _ := http.NewRequest("GET", a.URL+path, nil)
			request.Header = header.Clone()
			if path == "/ws" {
				request.Header.Set("Connection", "Upgrade")
				request.Header.Set("Upgrade", "websocket")
			}
			response, err := pollClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s without sign-in = %s, want 401", path, response.Status)
			}
		}
	}
}
