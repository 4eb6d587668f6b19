package backplane

import (
	"fmt"
	"testing"
	"time"
)

// Behind a snapshot that was taken at an entry of its donor, the log is followed from the next entry on.
func TestLogBehindASnapshot(t *testing.T) {
	batch := func(from string, epoch, first uint64, items int) *envelope {
		e := &envelope{Kind: kindLog, From: from, Epoch: epoch, First: first}
		for i := range items {
			e.Items = append(e.Items, item{Seq: first + uint64(i)})
		}
		return e
	}
	buffered := []*envelope{
		batch("b", 7, 2, 3), batch("donor", 6, 4, 5), batch("donor", 7, 3, 1), batch("donor", 7, 4, 3),
		batch("b", 7, 5, 1),
	}
	for _, test := range []struct {
		number uint64
		want   string // sender, first number and count of each batch
	}{
		{0, "b 2+3, donor 4+5, donor 3+1, donor 4+3, b 5+1, "}, // taken at the join request
		{3, "donor 4+3, b 5+1, "},
		{4, "donor 5+2, b 5+1, "},
		{5, "donor 6+1, b 5+1, "},
		{6, "b 5+1, "},
		{7, "not there"},
	} {
		got := ""
		behind, ok := logBehind(buffered, &envelope{From: "donor", Epoch: 7}, test.number)
		for _, e := range behind {
			got += fmt.Sprintf("%s %d+%d, ", e.From, e.First, len(e.Items))
			if e.First != e.Items[0].Seq {
				t.Errorf("behind %d: a batch from %d on begins with item %d", test.number, e.First, e.Items[0].Seq)
			}
		}
		if !ok {
			got = "not there"
		}
		if got != test.want {
			t.Errorf("behind entry %d is %q, want %q", test.number, got, test.want)
		}
	}
	if len(buffered[3].Items) != 3 || buffered[3].First != 4 {
		t.Errorf("the buffered batch was changed: %+v", buffered[3])
	}
}

// On a bus that takes longer for a message than a donor waits between two words to those that wait for a snapshot,
// their snapshot is not kept waiting by these.
func TestWordsToWaitDoNotPileUp(t *testing.T) {
	p := testProtocol("a", "b")
	p.multicasts = true
	p.snapshotTaken(&snapshotRequest{receivers: []receiver{{Instance: "a", Epoch: 20}}}, []byte("snapshot"), nil)
	p.log.records["b"].InSync = false
	p.answer(someTime, receiver{Instance: "b", Epoch: p.log.records["b"].Epoch}, true)
	for n := range 10 {
		p.donatingTick(someTime.Add(time.Duration(n+1) * tellWaitingEvery))
	}
	words := 0
	for _, u := range p.outgoing.unicasts {
		if u.envelope.Kind == kindWait {
			words++
		}
	}
	if words != 1 {
		t.Errorf("%d words to wait are to be sent, want one", words)
	}
}

// An instance that is told to wait does not request a snapshot from another donor meanwhile.
func TestToldToWaitRequestsNoOtherSnapshot(t *testing.T) {
	for _, test := range []struct {
		name    string
		word    envelope
		attempt bool // another one is made
	}{
		{"told", envelope{Kind: kindWait, To: "me"}, false},
		{"told as the second of two", envelope{Kind: kindWait, To: "b"}, false},
		{"told of an earlier request", envelope{Kind: kindWait, To: "me", Epoch: 1}, true},
		{"the donor lives", envelope{Kind: kindSign}, true},
	} {
		p := rejoining()
		now := p.join.backAt
		for range 40 { // ten seconds
			now = now.Add(tickEvery)
			e := test.word
			e.Version, e.Needs, e.From = oldestVersion, oldestVersion, "a"
			if e.Kind == kindWait {
				e.Receivers = []receiver{{Instance: "b", Epoch: 7}, {Instance: "me", Epoch: p.epochs.current - e.Epoch}}
			}
			e.Epoch = p.log.records["a"].Epoch
			p.receive(now, &e, 100)
			p.tick(now)
			if p.join.attempt > 1 {
				break
			}
		}
		if got := p.join.attempt > 1; got != test.attempt {
			t.Errorf("%s: another attempt is made: %v, want %v", test.name, got, test.attempt)
		}
	}
}

// An entry has one time, also where it is published again after the clock of the bus has become known better.
func TestCopiesOfAnEntryHaveOneTime(t *testing.T) {
	p := testProtocol("a")
	p.clock = busClock{at: someTime, bus: someTime}
	if err := p.append(someTime, []byte("text"), "", ""); err != nil {
		t.Fatal(err)
	}
	first, _ := p.nextMessage(someTime, nil)
	p.published(someTime, &first, 100, nil)
	p.clock.bus = someTime.Add(time.Second)
	p.resendAll()
	second, ok := p.nextMessage(someTime.Add(time.Minute), nil)
	if !ok || len(second.envelope.Items) != 1 {
		t.Fatal("the entry is not published again")
	}
	if got, want := second.envelope.Items[0].Time, first.envelope.Items[0].Time; got != want || want == 0 {
		t.Errorf("the copies have the times %d and %d, want one time", want, got)
	}
}
