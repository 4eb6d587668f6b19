package chat

import (
	"slices"
	"testing"
	"testing/synctest"
)

// What windows of one person say goes to the log in the person's account, until they leave; what another says does not.
func TestClientsShareTheWayToTheLogByPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{SignedIn: signedInByQuery})
		a := c.replicas[0]
		said := func(person string) []string {
			window := a.dial("&person=" + person)
			window.Connect("/", "")
			until(window, `"session",{"instance":"a","name":"`+person)
			window.Send(`21["user message","hi"]`)
			until(window, "31[")
			window.Close()
			synctest.Wait()
			c.mu.Lock()
			defer c.mu.Unlock()
			accounts := a.accounts
			a.accounts = nil
			return accounts
		}
		for _, person := range []string{"Ann", "Bob", "Ann"} {
			id := "subject id of " + person
			if got := said(person); !slices.Equal(got, []string{id, id, id}) {
				t.Errorf("commands of %s have the accounts %q, want claim, message and end in %q", person, got, id)
			}
		}
	})
}

// Clients of one address share the way to the log. Those behind a proxy that hides their addresses do not.
func TestClientsShareTheWayToTheLogByAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		for range 2 {
			window := a.dial("")
			window.Connect("/", "")
			window.Want("nobody yet", `2["session",*`)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		clients := a.local.sorted()
		ann, bob := clients[0], clients[1]
		want := "address " + ann.socket.Handshake().Counted
		if ann.account() != want || bob.account() != want {
			t.Errorf("accounts are %q and %q, want %q", ann.account(), bob.account(), want)
		}
		ann.socket.Handshake().Counted, bob.socket.Handshake().Counted = "", ""
		if ann.account() == "" || bob.account() == "" || ann.account() == bob.account() {
			t.Errorf("accounts are %q and %q, want one for each", ann.account(), bob.account())
		}
	})
}

// A person whose id reads like the address, or the socket, of somebody else shares nothing with them.
func TestPersonNamedLikeAnAddressHasAnotherAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newCluster(t, 1, Options{}).replicas[0]
		a.visit("")
		a.mu.Lock()
		defer a.mu.Unlock()
		guest := a.local.sorted()[0]
		address := guest.socket.Handshake().Counted
		for _, id := range []string{address, "address " + address, guest.socket.ID(), "socket " + guest.socket.ID()} {
			person := &client{socket: guest.socket, assigned: &assigned{subject: id}}
			if person.account() == guest.account() {
				t.Errorf("the person %q has the account of a guest", id)
			}
			if a.nicknames.originLocked(person) == a.nicknames.originLocked(guest) {
				t.Errorf("the person %q has the share of a guest", id)
			}
			guest.socket.Handshake().Counted = ""
			if person.account() == guest.account() {
				t.Errorf("the person %q has the account of a socket", id)
			}
			guest.socket.Handshake().Counted = address
		}
	})
}
