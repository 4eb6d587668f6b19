package attacktest

import (
	"fmt"
	"testing"
)

// Connections of one address make rooms and stay in them. Others keep theirs, with history, and make new ones.
func TestRoomsOfOneAddressLeaveSpaceForOthers(t *testing.T) {
	t.Parallel()
	a := newArena(t, "ROOM_RATE_PER_ADDRESS=0")
	ann := a.join(newAddress(), "Ann")
	if reply := ann.reply("join", "quiet"); reply["ok"] != true {
		t.Fatalf("join = %v", reply)
	}
	ann.reply("user message", "kept", map[string]any{"room": "quiet"})
	address, refused := newAddress(), 0
	for i := range 4 {
		mallory := a.join(address, fmt.Sprint("Mallory ", i))
		for n := range 14 {
			if reply := mallory.reply("join", fmt.Sprintf("held %d %d", i, n)); reply["ok"] != true {
				refused++
			}
		}
		for range 10 {
			mallory.emit("user message", combining(16_000), map[string]any{"room": fmt.Sprintf("held %d 1", i)})
		}
	}
	if refused > 0 {
		t.Errorf("%d rooms were refused to a client that makes fewer than 20", refused)
	}
	bob := a.join(newAddress(), "Bob")
	for _, room := range []string{"quiet", "a new one"} {
		if reply := bob.reply("join", room); reply["ok"] != true {
			t.Errorf("join of %s = %v, want it granted", room, reply)
		}
	}
	lines, _ := bob.reply("history", map[string]any{"room": "quiet"})["messages"].([]any)
	kept := false
	for _, line := range lines {
		kept = kept || line.(map[string]any)["text"] == "kept"
	}
	if !kept {
		t.Errorf("history of the quiet room = %v, want what was said there", lines)
	}
	a.checkOthers()
}

// Making rooms has a rate by user and by address.
func TestRoomsAreMadeAtARate(t *testing.T) {
	t.Parallel()
	a := newArena(t, "ROOM_RATE_PER_ADDRESS=0.5")
	address, made := newAddress(), 0
	for i := range 6 {
		mallory := a.join(address, fmt.Sprint("Mallory ", i))
		for n := range 8 {
			if reply := mallory.reply("join", fmt.Sprintf("r%d %d", i, n)); reply["ok"] == true {
				made++
			} else if reply["code"] != "too_fast" {
				t.Fatalf("join = %v, want too_fast", reply)
			}
		}
	}
	if made < 10 || made > 40 {
		t.Errorf("%d rooms were made, want the burst of 10 and what comes in", made)
	}
	if reply := a.join(newAddress(), "Ann").reply("join", "mine"); reply["ok"] != true {
		t.Errorf("join of somebody else = %v, want it granted", reply)
	}
}
