package attacktest

import (
	"fmt"
	"testing"
)

// A hundred messages of the greatest length fill the lobby's history. Newcomers still get in, receive what fits at
// once, and the rest page by page.
func TestLargestMessagesDoNotLockOutNewcomers(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	attackers := make([]*client, 10)
	for i := range attackers {
		attackers[i] = a.join(newAddress(), fmt.Sprint("Mallory ", i))
		limits, _ := attackers[i].want("session").object(0)["limits"].(map[string]any)
		largest, _ := limits["messageBytes"].(float64)
		if largest < 1000 {
			t.Fatalf("session.limits = %v, want messageBytes", limits)
		}
		for range 10 {
			if reply := attackers[i].reply("user message", combining(int(largest))); reply["ok"] != true {
				t.Fatalf("message of the greatest length = %v, want it sent", reply)
			}
		}
		if reply := attackers[i].reply("user message", combining(int(largest)+2)); reply["code"] != "too_long" {
			t.Errorf("longer message = %v, want too_long", reply)
		}
	}
	a.checkOthers()
	newcomer := a.dial(newAddress())
	h := newcomer.want("history").object(1)
	seen, more := 0, h["more"]
	for {
		lines, _ := h["messages"].([]any)
		if len(lines) == 0 || len(lines) > 20 {
			t.Fatalf("%d lines in a page of history, want some that fit", len(lines))
		}
		for _, line := range lines {
			if line.(map[string]any)["kind"] == "message" {
				seen++
			}
		}
		if more != true {
			break
		}
		before := map[string]any{"before": lines[0].(map[string]any)["id"], "limit": 20}
		if h = newcomer.reply("history", before); h["code"] == "too_fast" {
			newcomer = a.dial(newAddress())
			h = newcomer.reply("history", before)
		}
		more = h["more"]
	}
	if seen < 100 {
		t.Errorf("%d messages in all pages, want all 100", seen)
	}
}
