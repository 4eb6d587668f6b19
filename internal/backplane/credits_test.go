package backplane

import "testing"

// Every subscription filters every message, that of the archive included.
func TestArchiveCostsCredits(t *testing.T) {
	for _, test := range []struct {
		archived       bool
		topic, unicast float64
	}{
		{false, 1 + 3*1, 1 + 1 + 2},
		{true, 1 + 3*2, 1 + 2 + 2},
	} {
		p := newProtocol(config{instance: "a", archived: test.archived})
		if topic, unicast := p.topicCost(), p.unicastCost(1); topic != test.topic || unicast != test.unicast {
			t.Errorf("archived %v: messages cost %v to all and %v to one, want %v and %v",
				test.archived, topic, unicast, test.topic, test.unicast)
		}
	}
}
