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
