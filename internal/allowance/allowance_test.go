package allowance_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/allowance"
	"chatapp/internal/tokenbucket"
)

func newTable() *allowance.Table {
	return allowance.NewTable(allowance.Limits{allowance.Messages: tokenbucket.NewLimit(1, 5)})
}

func taken(a *allowance.Account) (n int) {
	for {
		if _, ok := a.Take(allowance.Messages, 1); !ok {
			return n
		}
		n++
	}
}

// An account outlives what opened it, however many others come meanwhile, and fills only with time.
func TestOpeningAgainRenewsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTable()
		first, second := table.Open("a"), table.Open("a")
		if n := taken(first); n != 5 {
			t.Errorf("took %d, want the burst of 5", n)
		}
		if n := taken(second); n != 0 {
			t.Errorf("took %d by a second connection, want none", n)
		}
		if _, ok := second.Take(allowance.Requests, 1e9); !ok {
			t.Error("a kind without a limit was refused")
		}
		first.Close()
		second.Close()
		for i := range 10_000 {
			table.Open(fmt.Sprint(i)).Close()
		}
		time.Sleep(2 * time.Second)
		again := table.Open("a")
		if n := taken(again); n != 2 {
			t.Errorf("took %d after two seconds, want 2", n)
		}
		again.Close()
		time.Sleep(5 * time.Second)
		for i := range 10_000 {
			table.Open(fmt.Sprint(i)).Close()
		}
		if n := taken(table.Open("a")); n != 5 {
			t.Errorf("took %d from an account that is full again, want 5", n)
		}
	})
}

func TestUnknownKeyHasNoLimits(t *testing.T) {
	for _, a := range []*allowance.Account{newTable().Open(""), (*allowance.Table)(nil).Open("a")} {
		for range 10 {
			if _, ok := a.Take(allowance.Messages, 1); !ok {
				t.Fatal("refused")
			}
		}
		a.Close()
	}
}

// Each kind has a bucket of its own, however many kinds have limits, and TakeBytes takes from those that Open returns.
func TestKindsAreCountedSeparately(t *testing.T) { synctest.Test(t, testKinds) }

func testKinds(t *testing.T) {
	var limits allowance.Limits
	for k := range allowance.Kinds {
		limits[k] = tokenbucket.NewLimit(1, float64(k)+1)
	}
	limits[allowance.Requests] = tokenbucket.Limit{}
	table := allowance.NewTable(limits)
	account := table.Open("a")
	defer account.Close()
	for k := range allowance.Kinds {
		for n := range int(k) + 1 {
			take := func() (time.Duration, bool) { return account.Take(k, 1) }
			if n%2 == 1 {
				take = func() (time.Duration, bool) { return table.TakeBytes([]byte("a"), k) }
			}
			if _, ok := take(); !ok {
				t.Errorf("number %d of kind %d was refused", n, k)
			}
		}
		if _, ok := table.TakeBytes([]byte("a"), k); ok != (k == allowance.Requests) {
			t.Errorf("one of kind %d behind its burst: %t", k, ok)
		}
		account.PutBack(k, 1)
		if _, ok := table.TakeBytes([]byte("a"), k); !ok {
			t.Errorf("one of kind %d that was put back is not there", k)
		}
		table.PutBackBytes([]byte("a"), k)
		if _, ok := account.Take(k, 1); !ok {
			t.Errorf("one of kind %d that was put back by the key is not there", k)
		}
	}
	if _, ok := table.TakeBytes(nil, allowance.Messages); !ok {
		t.Error("a key that is empty has a limit")
	}
	table.PutBackBytes(nil, allowance.Messages)
	table.PutBackBytes([]byte("never taken from"), allowance.Messages)
}

// Too many accounts that nobody uses make the table forget some: those that have most left, so that nobody renews an
// account that is used up by using others a little. Accounts in use stay in any case.
func TestManyAccountsRenewNoneThatIsUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTable()
		table.SetMaxIdle(1000)
		use := func(key string, n int) {
			for range n {
				table.TakeBytes([]byte(key), allowance.Messages)
			}
		}
		use("used up", 5)
		held := table.Open("in use")
		use("in use", 5)
		for i := range 4000 {
			use(fmt.Sprint(i), 1)
		}
		for _, key := range []string{"used up", "in use"} {
			if n := taken(table.Open(key)); n != 0 {
				t.Errorf("took %d from the account that is %s, want none", n, key)
			}
		}
		forgotten := 0
		for i := range 800 {
			if n := taken(table.Open(fmt.Sprint(i))); n == 5 {
				forgotten++
			}
		}
		if forgotten < 400 {
			t.Errorf("%d of the first 800 accounts were forgotten, want most, which bounds the memory", forgotten)
		}
		held.Close()
	})
}

// The table spreads over time what one key borrows, in the order of the calls.
func TestBorrowingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTable()
		for n, want := range []time.Duration{0, 0, 0, 0, 0, time.Second, 2 * time.Second} {
			if wait := table.Borrow("a", allowance.Messages, time.Minute).Round(time.Millisecond); wait != want {
				t.Errorf("number %d waits %v, want %v", n, wait, want)
			}
		}
		if wait := table.Borrow("b", allowance.Messages, time.Minute); wait != 0 {
			t.Errorf("another key waits %v", wait)
		}
		if wait := table.Borrow("", allowance.Messages, time.Minute); wait != 0 {
			t.Errorf("no key waits %v", wait)
		}
		if wait := table.Borrow("a", allowance.Rooms, time.Minute); wait != 0 {
			t.Errorf("a kind without a limit waits %v", wait)
		}
	})
}
