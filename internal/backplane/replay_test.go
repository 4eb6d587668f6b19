package backplane

import "testing"

// Instances that all have ended started again and asked for a snapshot several times, because the store could not be
// read. Their requests are in the archive.
func TestReplayFollowsRepeatedJoinRequests(t *testing.T) {
	n := &Node{protocol: newProtocol(config{instance: "c"})}
	r := n.newReplay()
	r.protocol.log = newLogState(clusterID{Stamp: 1, Founder: "a"}, 1)
	var bodies [][]byte
	for attempt, from := range []string{"a", "b", "a"} {
		request := control{Start: 5, Attempt: uint64(attempt) + 1, Reads: newestVersion, Rules: 1}
		e := &envelope{Version: oldestVersion, Needs: requestNeeds, Kind: kindLog, From: from,
			Epoch: 5 + uint64(attempt), First: 1, Items: []item{{Kind: entryJoinRequest, Body: request.encode()}}}
		body, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	useless, err := r.Messages(bodies)
	if err != nil || useless > 0 {
		t.Fatalf("Messages = %d, %v, want all of use", useless, err)
	}
	if at := r.Position().Last().Index; at != 3 {
		t.Errorf("log index is %d, want 3", at)
	}
}
