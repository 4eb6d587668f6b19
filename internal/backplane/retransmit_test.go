package backplane

import (
	"testing"
	"time"
)

// earlyEntry is an entry of a, whose predecessor has not come.
func earlyEntry() *envelope {
	return &envelope{
		Version: 2, Kind: kindLog, From: "a", Epoch: 10, First: 3, Items: []item{{Kind: entryBody, Seq: 2}},
	}
}

func TestMissingEntriesAreRequestedOnceASecond(t *testing.T) {
	p := testProtocol("a")
	for i, test := range []struct {
		after time.Duration
		want  int
	}{
		{0, 1}, {500 * time.Millisecond, 1}, {time.Second, 2},
	} {
		p.receive(someTime.Add(test.after), earlyEntry(), 0)
		if got := len(p.outgoing.unicasts); got != test.want {
			t.Fatalf("%d unicasts after entry %d, want %d", got, i, test.want)
		}
	}
	u := p.outgoing.unicasts[0]
	if u.to != "a" || u.envelope.Kind != kindMissing || u.envelope.First != 2 {
		t.Errorf("unicast is %+v, want a to be asked for entry 2", u)
	}
}

func TestInstanceWithGapDonatesNoSnapshot(t *testing.T) {
	for _, gap := range []bool{false, true} {
		p := testProtocol("a")
		if gap {
			p.receive(someTime, earlyEntry(), 0)
		}
		request := control{Start: 20, Attempt: 1, Reads: 1}
		p.receive(someTime, &envelope{
			Version: 2,
			Kind:    kindLog, From: "new", Epoch: 20, First: 1,
			Items: []item{{Kind: entryJoinRequest, Body: request.encode()}},
		}, 0)
		donates := len(p.effects) == 1 && p.effects[0].kind == effectTakeSnapshot
		if donates == gap {
			t.Errorf("with a gap: %v, donates a snapshot: %v", gap, donates)
		}
	}
}

func TestBatchOfFormerEpochCountsNoMore(t *testing.T) {
	p := testProtocol()
	if err := p.append(someTime, []byte("x"), "", ""); err != nil {
		t.Fatal(err)
	}
	m, ok := p.nextMessage(someTime, nil)
	if !ok || m.count != 1 {
		t.Fatalf("nextMessage = %+v, %v, want the entry", m, ok)
	}
	p.epochs.current = 11
	p.enterSync(someTime, p.log.records["me"], nil, false)
	p.joined(someTime, nil)
	p.published(someTime, &m, 100, nil)
	if again, ok := p.nextMessage(someTime, nil); !ok || again.count != 1 || again.envelope.Epoch != 11 {
		t.Errorf("nextMessage = %+v, %v, want the entry again in epoch 11", again, ok)
	}
}
