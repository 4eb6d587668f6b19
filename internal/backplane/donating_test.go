package backplane

import (
	"testing"
	"time"
)

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
