package backplane

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func (o *outbox) appendOf(account, body string) {
	o.appendEntry(ownEntry{item: item{Kind: entryBody, Body: []byte(body)}, at: someTime, account: account})
}

// send takes a batch and has it published.
func (o *outbox) send(room int) []item {
	items, begin := o.batch(nil, room)
	o.published(o.first+uint64(begin), len(items), someTime)
	return items
}

// An account that appends a megabyte at once does not keep what another appends afterwards from the next batch.
func TestLargeBacklogOfOneAccountKeepsNobodyWaiting(t *testing.T) {
	const room = 16 * (1000 + itemRoom)
	o := testOutbox()
	text := strings.Repeat("x", 1000)
	for range 1000 {
		o.appendOf("hog", text)
	}
	o.send(room)
	for _, body := range []string{"first", "second"} {
		o.appendOf("other", body)
	}
	o.appendOf("third", "third's")
	o.appendOf("hog", "last")
	got := bodiesOf(o.send(room))
	for _, body := range []string{"first", "second", "third's"} {
		if !slices.Contains(got, body) {
			t.Errorf("the next batch lacks %q", body)
		}
	}
	if len(got) < 15 {
		t.Errorf("the next batch has %d entries, want it full", len(got))
	}
	for o.pending() {
		got = bodiesOf(o.send(room))
	}
	if got[len(got)-1] != "last" {
		t.Errorf("the last entry is %q, want the last of the account that has most", got[len(got)-1])
	}
}

// Two accounts that always have more waiting get like parts of each batch in bytes, not in entries.
func TestAccountsGetLikePartsInBytes(t *testing.T) {
	const room = 64 << 10
	o := testOutbox()
	for range 100 {
		o.appendOf("large", strings.Repeat("l", 8000))
	}
	for range 8000 {
		o.appendOf("small", strings.Repeat("s", 76))
	}
	for n := range 10 {
		bytes := map[byte]int{}
		for _, it := range o.send(room) {
			bytes[it.Body[0]] += len(it.Body) + itemRoom
		}
		if large := bytes['l']; large < room/2-8100 || large > room/2+8100 {
			t.Errorf("batch %d has %d bytes of the large entries and %d of the small ones, want like parts",
				n, large, bytes['s'])
		}
	}
}

// An entry that ends the instance's membership goes behind all that waits, also of accounts that have much.
func TestLeaveGoesBehindAllThatWaits(t *testing.T) {
	o := testOutbox()
	for range 20 {
		o.appendOf("hog", strings.Repeat("x", 1000))
	}
	o.appendOf("other", "hi")
	o.append(entryLeave, nil, someTime)
	var last item
	for o.pending() {
		items := o.send(3000)
		last = items[len(items)-1]
	}
	if last.Kind != entryLeave {
		t.Errorf("the last entry is of kind %d, want the leave entry", last.Kind)
	}
}

// A message that waits behind ones that were appended later is displayed as provisional in time all the same.
func TestEntryBehindLaterOnesIsProvisionalInTime(t *testing.T) {
	p := newProtocol(config{Timing: Timing{ProvisionalAfter: time.Second}})
	p.outbox.appendOf("hog", strings.Repeat("x", 2000))
	p.outbox.appendOf("hog", "late")
	p.outbox.appendEntry(ownEntry{
		item: item{Kind: entryBody, Body: []byte("young")}, at: someTime.Add(time.Second), account: "other",
	})
	if got := bodiesOf(p.outbox.send(2000 + 2*itemRoom + 5)); !slices.Equal(got[1:], []string{"young"}) {
		t.Fatalf("behind the first, the batch has %q", got[1:])
	}
	p.outbox.accepted(someTime)
	p.outboxTick(someTime.Add(time.Second + time.Millisecond))
	var notified []string
	for _, e := range p.effects {
		if e.kind == effectProvisional {
			notified = append(notified, string(e.entry.Body))
		}
	}
	if !slices.Equal(notified, []string{"late"}) {
		t.Errorf("provisional are %q, want the one that is late", notified)
	}
}

// While entries are appended, refused by the bus, sent again and renumbered, each comes out once. Those of an account
// come in their order, and lasting names ascend.
func TestFairOutboxKeepsOrderOfAccounts(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		o := testOutbox()
		appended, came := map[string]int{}, map[string]int{}
		var seq uint64
		accept := func(n int) {
			for range min(n, o.sent-o.head) {
				e := *o.accepted(someTime)
				account, rest, _ := strings.Cut(string(e.Body), " ")
				var number int
				_, _ = fmt.Sscan(rest, &number)
				if came[account]++; number != came[account] {
					t.Fatalf("seed %d: entry %d of %s came, want %d", seed, number, account, came[account])
				}
				if e.Seq <= seq {
					t.Fatalf("seed %d: name %d came behind %d", seed, e.Seq, seq)
				}
				seq = e.Seq
			}
			o.compact()
		}
		o.shares = map[string]share{}
		check := func() {
			count := 0
			for _, of := range o.shares {
				count += of.count
			}
			if o.shares != nil && count != o.waitingCount {
				t.Fatalf("seed %d: accounts have %d entries waiting, want %d", seed, count, o.waitingCount)
			}
			room := 0
			for i := o.placed; i < len(o.entries); i++ {
				room += o.entries[i].room()
			}
			if room != o.unplaced || o.placed < o.sent {
				t.Fatalf("seed %d: %d bytes of room wait from %d on, want %d", seed, o.unplaced, o.placed, room)
			}
		}
		for range 300 {
			switch r.IntN(10) {
			default:
				for range r.IntN(20) {
					account := string(rune('a' + min(r.IntN(4), r.IntN(4))))
					appended[account]++
					o.appendOf(account, fmt.Sprintf("%s %d %s", account, appended[account],
						strings.Repeat("x", r.IntN(300)*(1+3*int('d'-account[0])))))
				}
			case 5:
				o.batch(nil, 4000) // the bus refuses it
			case 6, 7:
				o.send(r.IntN(8000))
			case 8:
				accept(r.IntN(30))
			case 9:
				switch r.IntN(3) {
				case 0:
					o.rewind()
				case 1:
					o.sendAgain()
				case 2:
					last := seq
					o.renumber(func(name uint64) bool { return name <= last })
				}
			}
			check()
		}
		for o.pending() {
			o.send(5000)
		}
		accept(len(o.entries))
		for account, n := range appended {
			if came[account] != n {
				t.Errorf("seed %d: %d of %s came, want %d", seed, came[account], account, n)
			}
		}
	}
}

// Entries that were accepted keep their lasting names in each log that lacks them, also if nothing was published in the
// log before: an instance that comes to a log that has them would take another entry for one of these.
func TestAcceptedEntriesKeepTheirLastingNames(t *testing.T) {
	o := testOutbox()
	for _, body := range []string{"one", "two"} {
		o.append(entryBody, []byte(strings.Repeat(body, 1000)), someTime)
	}
	o.send(10_000)
	o.accepted(someTime)
	o.accepted(someTime)
	o.renumber(func(uint64) bool { return true })
	o.appendOf("other", "three")
	o.renumber(func(uint64) bool { return false })
	var names []uint64
	for o.pending() {
		for _, it := range o.send(4000) {
			names = append(names, it.Seq)
			if last := it.Seq == 3; last != (string(it.Body) == "three") {
				t.Errorf("the entry with the name %d begins with %.5q", it.Seq, it.Body)
			}
		}
	}
	if !slices.Equal(names, []uint64{1, 2, 3}) {
		t.Errorf("names are %d, want those of all three", names)
	}
}

// A batch shows that the bus took it behind the youngest of its entries, wherever that is.
func TestBatchIsAsYoungAsItsYoungestEntry(t *testing.T) {
	o := testOutbox()
	for _, size := range []int{100, 2000, 2000, 2000} {
		o.appendOf("hog", strings.Repeat("x", size))
	}
	young := someTime.Add(time.Minute)
	o.appendEntry(ownEntry{item: item{Kind: entryBody, Body: []byte("young")}, at: young, account: "other"})
	items := o.send(5000)
	if last := items[len(items)-1]; string(last.Body) == "young" {
		t.Fatalf("the batch ends with the youngest entry of %d", len(items))
	}
	e := &envelope{First: 2, Items: items}
	if got := o.appendedAt(e); !got.Equal(young) {
		t.Errorf("a batch was appended at %v, want %v", got, young)
	}
	e.First += 100
	if got := o.appendedAt(e); !got.IsZero() {
		t.Errorf("a batch that is not kept was appended at %v", got)
	}
}

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

// BenchmarkOutbox measures what an entry costs in the outbox, with so many of so many accounts waiting.
func BenchmarkOutbox(b *testing.B) {
	for _, waiting := range []int{100, 60_000} {
		for _, accounts := range []int{1, 1000} {
			b.Run(fmt.Sprintf("waiting=%d/accounts=%d", waiting, accounts), func(b *testing.B) {
				o, names := testOutbox(), make([]string, accounts)
				for i := range names {
					names[i] = fmt.Sprint("account ", i)
				}
				body, items, n := strings.Repeat("x", 100), make([]item, 0, maxItems/2), 0
				for b.Loop() {
					o.appendOf(names[n%accounts], body)
					if n++; o.waiting() < waiting {
						continue
					}
					batch, begin := o.batch(items, 250_000)
					o.published(o.first+uint64(begin), len(batch), someTime)
					for range batch {
						o.accepted(someTime)
					}
					o.compact()
				}
			})
		}
	}
}
