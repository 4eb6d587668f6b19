package backplane

import "testing"

// Every subscription filters every message, that of the archive included. An archive may use some credits more.
func TestArchiveCostsCredits(t *testing.T) {
	for _, test := range []struct {
		archived             bool
		topic, unicast, rate float64
	}{
		{false, 1 + 3*1, 1 + 1 + 2, 820 - 4},
		{true, 1 + 3*2, 1 + 2 + 2, 820 + archiveCredits - 7},
	} {
		p := newProtocol(config{instance: "a", archived: test.archived})
		p.Credits = 820
		if rate := p.topicRate(); rate != test.rate {
			t.Errorf("archived %v: %v credits a second, want %v", test.archived, rate, test.rate)
		}
		if topic, unicast := p.topicCost(), p.unicastCost(1); topic != test.topic || unicast != test.unicast {
			t.Errorf("archived %v: messages cost %v to all and %v to one, want %v and %v",
				test.archived, topic, unicast, test.topic, test.unicast)
		}
	}
}
