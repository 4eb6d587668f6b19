package attacktest

import (
	"fmt"
	"net"
	"testing"

	"chatapp/internal/emulator/emulatortest"
)

// What is done to the state at one instance is done to all. Through Service Bus the others still get what is theirs.
func TestAttackOnOneInstanceLeavesTheOtherToOthers(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	_, port, err := net.SplitHostPort(e.HTTPAddress())
	if err != nil {
		t.Fatal(err)
	}
	settings := []string{"AZURE_SERVICEBUS_CONNECTIONSTRING=" + e.ConnectionString(), "EMULATOR_HTTP_PORT=" + port}
	attacked, other := newArena(t, settings...), newArena(t, settings...)
	ann := other.join(newAddress(), "Ann")
	for i := range 8 {
		mallory := attacked.join(newAddress(), fmt.Sprint("Mallory ", i))
		mallory.reply("join", fmt.Sprint("held ", i))
		for range 10 {
			mallory.emit("user message", combining(16_000))
		}
		mallory.reply("who")
	}
	other.checkOthers()
	attacked.checkOthers()
	if reply := ann.reply("user message", "still here"); reply["ok"] != true {
		t.Errorf("message of somebody who was there before = %v, want it sent", reply)
	}
}
