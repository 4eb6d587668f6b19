package worker

import (
	"net"
	"strings"
	"testing"

	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/waittest"
)

// Two workers on Service Bus are one chat, settle all they receive, and remove their subscriptions when they end. The
// broker is asked, not the workers.
func TestWorkersOnServiceBusLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	_, port, err := net.SplitHostPort(e.HTTPAddress())
	if err != nil {
		t.Fatal(err)
	}
	settings := []string{"AZURE_SERVICEBUS_CONNECTIONSTRING", e.ConnectionString(), "EMULATOR_HTTP_PORT", port,
		"DRAIN_TIMEOUT", "0s"}
	first, second := start(t, nil, "", settings...), start(t, nil, "", settings...)
	ann, bob := first.join("Ann"), second.join("Bob")
	ann.send(`{"event":"user message","args":["hello"],"id":2}`)
	bob.want(`{"event":"user message","args":["Ann","hello",`)
	waittest.Until(t, "the broker has two subscriptions without a message", func() bool {
		subscriptions, err := e.Broker().Subscriptions("chat")
		if err != nil {
			t.Fatal(err)
		}
		var held int64
		for _, s := range subscriptions {
			held += s.Active + s.DeadLetter
		}
		return len(subscriptions) == 2 && held == 0
	})
	_, _ = ann.conn.Close(), bob.conn.Close()
	first.end()
	second.end()
	if left, err := e.Broker().Subscriptions("chat"); err != nil || len(left) != 0 {
		t.Errorf("%d subscriptions are left, %v, want none", len(left), err)
	}
	waittest.Until(t, "no connection to the broker is left", func() bool { return e.Connections() == 0 })
}

// Two instances that were given one subscription by mistake say so, at least the one that receives nothing.
func TestSharedSubscriptionIsNamed(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	e.Topic("chat", "given")
	_, port, err := net.SplitHostPort(e.HTTPAddress())
	if err != nil {
		t.Fatal(err)
	}
	settings := []string{"AZURE_SERVICEBUS_CONNECTIONSTRING", e.ConnectionString(), "EMULATOR_HTTP_PORT", port,
		"DRAIN_TIMEOUT", "0s", "SERVICEBUS_SUBSCRIPTION", "given"}
	first, second := serve(t, nil, "", settings...), serve(t, nil, "", settings...)
	waittest.Until(t, "one of them says why it is not ready", func() bool {
		return strings.Contains(text(first.get("/readyz"))+text(second.get("/readyz")),
			"give each instance a subscription of its own")
	})
}
