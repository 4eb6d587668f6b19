package chat

import (
	"testing"
	"testing/synctest"
)

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
		if address := ann.socket.Handshake().Counted; ann.account() != address || bob.account() != address {
			t.Errorf("accounts are %q and %q, want %q", ann.account(), bob.account(), address)
		}
		ann.socket.Handshake().Counted, bob.socket.Handshake().Counted = "", ""
		if ann.account() == "" || bob.account() == "" || ann.account() == bob.account() {
			t.Errorf("accounts are %q and %q, want one for each", ann.account(), bob.account())
		}
	})
}
