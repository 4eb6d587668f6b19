package backplane

import (
	"testing"
)

// While nothing leaves, accounts that append all they can leave room to others. They may append again when their own
// entries are back.
func TestAccountsLeaveRoomToOthers(t *testing.T) {
	for _, test := range []struct {
		name   string
		limits Limits
		size   int
	}{
		{"in bytes", Limits{MaxEntry: 1000, MaxWaiting: 1 << 20, MaxWaitingBytes: 600_000}, 1000},
		{"in number", Limits{MaxEntry: 1000, MaxWaiting: 600, MaxWaitingBytes: 1 << 30}, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newProtocol(config{Limits: test.limits})
			fill := func(account string) (appended int) {
				for p.append(someTime, make([]byte, test.size), account, "") == nil {
					appended++
				}
				return appended
			}
			if first, second := fill("first"), fill("second"); first != 300 || second != 150 {
				t.Errorf("accounts have appended %d and %d of 600, want half, and half of the rest", first, second)
			}
			if err := p.append(someTime, make([]byte, test.size), "third", ""); err != nil {
				t.Errorf("append of a third account = %v, want nil", err)
			}
			if again := fill("first"); again != 0 {
				t.Errorf("the first account has appended %d more, want none", again)
			}
			for range 300 {
				p.outbox.batch(nil, 1)
				p.outbox.published(p.outbox.next(), 1, someTime)
				p.outbox.accepted(someTime)
			}
			of := p.outbox.shares["first"].count
			if again := fill("first"); of+again < 200 {
				t.Errorf("with 300 entries back the first account has %d waiting, want a third of the room", of+again)
			}
			if err := p.append(someTime, make([]byte, test.size), "", ""); err != nil {
				t.Errorf("append without an account = %v, want nil", err)
			}
		})
	}
}
