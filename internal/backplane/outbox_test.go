package backplane

import (
	"slices"
	"testing"
	"time"
)

var someTime = time.UnixMilli(1795305600000)

// testKept is how much of the accepted entries the outboxes of tests keep.
const testKept = 64 << 20

func testOutbox(bodies ...string) *outbox {
	o := newOutbox(testKept)
	for _, body := range bodies {
		o.append(entryBody, []byte(body), someTime)
	}
	return &o
}

func bodiesOf(items []item) []string {
	var bodies []string
	for _, it := range items {
		bodies = append(bodies, string(it.Body))
	}
	return bodies
}

func TestOutboxBatches(t *testing.T) {
	o := testOutbox("one", "two", "three", "four")
	room := 2 * (itemRoom + 5)
	items, begin := o.batch(nil, room)
	if got := bodiesOf(items); begin != 0 || !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("batch = %q from %d, want what fits", got, begin)
	}
	if again, _ := o.batch(nil, room); len(again) != 2 {
		t.Errorf("batch of what was not published = %q, want the same", bodiesOf(again))
	}
	o.published(2, 2, someTime)
	items, begin = o.batch(nil, 1)
	if got := bodiesOf(items); begin != 2 || !slices.Equal(got, []string{"three"}) {
		t.Errorf("batch = %q from %d, want one entry however little room there is", got, begin)
	}
	o.published(4, 1, someTime)
	o.published(5, 1, someTime)
	if items, _ := o.batch(nil, room); len(items) != 0 {
		t.Errorf("batch = %q, want nothing left", bodiesOf(items))
	}
	o.resendHead = true
	items, begin = o.batch(nil, room)
	if got := bodiesOf(items); begin != 0 || !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("batch = %q from %d, want the oldest again", got, begin)
	}
	if items, _ := o.batch(nil, room); len(items) != 0 {
		t.Errorf("batch = %q, want them again only once", bodiesOf(items))
	}
}

func TestOutboxComesBackBeforePublishReturns(t *testing.T) {
	o := testOutbox("one", "two")
	o.accepted(someTime)
	o.accepted(someTime)
	o.published(2, 2, someTime)
	if o.sent != 2 || o.waiting() != 0 || !o.headSent.IsZero() {
		t.Errorf("outbox is %+v, want nothing under way", o)
	}
}

func TestOutboxSentAgainWhileOneIsUnderWay(t *testing.T) {
	o := testOutbox("one", "two", "three")
	o.published(2, 2, someTime)
	_, begin := o.batch(nil, 1000)
	o.sent = o.head // a gap was found: all again
	o.published(o.first+uint64(begin), 1, someTime)
	if items, begin := o.batch(nil, 1000); begin != 0 || len(items) != 3 {
		t.Errorf("batch = %q from %d, want all again", bodiesOf(items), begin)
	}
}

func TestOutboxRenumbers(t *testing.T) {
	o := testOutbox("back", "back, but not contained", "contained", "waits")
	o.append(entryHeartbeat, nil, someTime)
	o.published(2, 5, someTime)
	o.accepted(someTime)
	o.accepted(someTime)
	committed := o.renumber(func(seq uint64) bool { return seq == 1 || seq == 3 })
	if len(committed) != 1 || string(committed[0].Body) != "contained" || committed[0].Seq != 3 {
		t.Errorf("committed = %+v, want the one not back that the cluster has", committed)
	}
	o.prepend(entryBody, [][]byte{[]byte("first")}, someTime)
	items, begin := o.batch(nil, 1000)
	want := []string{"first", "back, but not contained", "waits"}
	if got := bodiesOf(items); begin != 0 || o.first != 2 || !slices.Equal(got, want) {
		t.Errorf("batch = %q from number %d, want what the cluster lacks, behind what was put first", got, o.first)
	}
	if items[0].Kind != entryBody || items[1].Kind != entryAgain || items[2].Kind != entryBody {
		t.Errorf("kinds are %d, %d, %d, want the one that was back marked as published again",
			items[0].Kind, items[1].Kind, items[2].Kind)
	}
	if items[0].Seq != 6 || items[1].Seq != 2 {
		t.Errorf("names are %d and %d, want a new one and the old one", items[0].Seq, items[1].Seq)
	}
	if o.waitingCount != 3 || o.waitingBytes != len("first"+"back, but not contained"+"waits") {
		t.Errorf("%d entries of %d bytes wait, want those three", o.waitingCount, o.waitingBytes)
	}
}

// An instance joins the log that has all of its entries again, and then another one, which lacks them.
func TestOutboxKeepsForAnotherLogWhatTheLogHas(t *testing.T) {
	o := testOutbox("back", "contained", "waits")
	o.published(2, 3, someTime)
	o.accepted(someTime)
	o.renumber(func(seq uint64) bool { return seq <= 2 })
	o.published(2, 1, someTime)
	o.accepted(someTime)
	o.renumber(func(uint64) bool { return true })
	if o.waiting() != 0 || o.keptBytes != len("back"+"contained"+"waits")+3*entryRoom {
		t.Errorf("%d entries wait and %d bytes are kept, want none and all", o.waiting(), o.keptBytes)
	}
	o.drop()
	o.renumber(func(uint64) bool { return false })
	items, _ := o.batch(nil, 1000)
	if got, want := bodiesOf(items), []string{"contained", "waits"}; !slices.Equal(got, want) {
		t.Errorf("batch = %q, want what was acknowledged and is not dropped: %q", got, want)
	}
	for _, it := range items {
		if it.Kind != entryAgain {
			t.Errorf("%q has kind %d, want it marked as published again", it.Body, it.Kind)
		}
	}
	if o.keptBytes != 0 || o.waitingCount != 2 {
		t.Errorf("%d bytes are kept and %d entries wait, want none and two", o.keptBytes, o.waitingCount)
	}
}

func TestOutboxDropsOldEntries(t *testing.T) {
	const size = 60 << 10
	body, kept := make([]byte, size), testKept/(size+entryRoom)
	o := testOutbox()
	for n := range 6 * kept {
		o.append(entryBody, body, someTime)
		items, begin := o.batch(nil, 1000)
		if len(items) != 1 || o.first+uint64(begin) != uint64(n)+2 || items[0].Seq != uint64(n)+1 {
			t.Fatalf("batch has %d items from number %d, want entry %d", len(items), o.first+uint64(begin), n)
		}
		o.published(uint64(n)+2, 1, someTime)
		o.accepted(someTime)
		o.compact()
		if got := len(o.entries) - o.offset; got != min(n+1, kept) {
			t.Fatalf("%d entries are kept after %d, want %d, which fit", got, n+1, min(n+1, kept))
		}
	}
	if len(o.entries) > 4*kept || o.waitingCount != 0 || o.waitingBytes != 0 {
		t.Errorf("%d entries are kept, %d wait; want about %d and none", len(o.entries), o.waitingCount, kept)
	}
}

// An instance that keeps nothing keeps the entry that is back until the next one is.
func TestOutboxKeepsTheEntryThatIsBack(t *testing.T) {
	o := testOutbox("one", "two")
	o.maxKept = 1
	o.batch(nil, 1000)
	o.published(2, 2, someTime)
	for n, want := range []string{"one", "two"} {
		if e := o.accepted(someTime); string(e.Body) != want {
			t.Errorf("entry %d that is back is %q, want %q", n, e.Body, want)
		}
	}
	if o.keptBytes != len("two")+entryRoom {
		t.Errorf("%d bytes are kept, want the last entry alone", o.keptBytes)
	}
}
