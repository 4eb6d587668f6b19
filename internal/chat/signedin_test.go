package chat

import (
	"strings"
	"testing"
	"testing/synctest"

	"chatapp/internal/socketio"
)

func signedInByQuery(s *socketio.Socket) Person {
	name := s.Handshake().Query().Get("person")
	if name == "" {
		return Person{} // nobody is signed in
	}
	return Person{Name: name, Subject: "id of " + name}
}

// A user that a proxy has signed in has its nickname at once, cannot choose another, and keeps it over a
// reload. A second window of the user receives a variant.
func TestSignedInUserHasAnAssignedName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{SignedIn: signedInByQuery})
		window := c.replicas[0].dial("&person=Ann")
		window.Connect("/", "")
		window.Want("nobody yet", `2["session",{"instance":"a","recovered":false,"signedIn":true,*`)
		token := tokenOf(t, until(window, `"session",{"instance":"a","name":"Ann"`))

		window.Send(`21["nickname","Bob"]`)
		if got := until(window, "31["); !strings.HasPrefix(got, `31[true,{"ok":false,"code":"name_fixed"`) {
			t.Errorf("another name is answered by %s", got)
		}
		window.Send(`22["rename","Bob"]`)
		if got := until(window, "32["); !strings.HasPrefix(got, `32[true,{"ok":false,"code":"name_fixed"`) {
			t.Errorf("renaming is answered by %s", got)
		}
		window.Send(`23["nickname","ann"]`)
		if got := until(window, "33["); !strings.HasPrefix(got, `33[false,{"ok":true`) {
			t.Errorf("the own name is answered by %s", got)
		}

		second := c.replicas[1].dial("&person=Ann")
		second.Connect("/", "")
		until(second, `"session",{"instance":"b","name":"Ann 2"`)

		window.Close()
		reloaded := c.replicas[1].dial("&person=Ann")
		reloaded.Connect("/", `{"token":"`+token+`"}`)
		until(reloaded, `"session",{"instance":"b","name":"Ann"`)

		// Somebody else signs in at the same computer: the token does not make Ann of that user.
		thief := c.replicas[0].dial("&person=Eve")
		thief.Connect("/", `{"token":"`+token+`"}`)
		until(thief, `"session",{"instance":"a","name":"Eve"`)

		stock := c.replicas[0].dial("&person=Zoe")
		stock.Connect("/", "")
		stock.Send(`2["add user","Somebody"]`)
		until(stock, `"login",{"numUsers":4,"username":"Zoe"`)
	})
}

// until reads until a packet contains a part, and returns it.
func until(u *testUser, part string) string {
	u.t.Helper()
	for {
		if got := u.Next("until " + part); strings.Contains(got, part) {
			return got
		}
	}
}

func tokenOf(t *testing.T, session string) string {
	t.Helper()
	_, after, found := strings.Cut(session, `"token":"`)
	token, _, _ := strings.Cut(after, `"`)
	if !found || token == "" {
		t.Fatalf("%s has no token", session)
	}
	return token
}
