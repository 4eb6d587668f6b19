// Package allowance limits how much clients use of a server, by keys that a client can't renew by connecting again: an
// address, or a user. Everything that one key opens shares one account.
//
// # Concurrency
//
// The package starts no goroutine. All methods may be called concurrently. Lock order: Table.mu, Account.mu.
package allowance

import (
	"math"
	"sync"
	"time"

	"chatapp/internal/tokenbucket"
)

// Kind is something that is counted.
type Kind uint8

const (
	Messages     Kind = iota // said in a room
	Requests                 // other events that ask for something
	Refusals                 // requests and packets that were refused
	Connects                 // sessions opened
	HTTPRequests             // of any route
	HTTPPace                 // the same, to be spread over time
	Kilobytes                // received
	Rooms                    // made
	Kinds
)

// Limits are the limits of an account, by Kind. A Limit whose Rate is not positive limits nothing.
type Limits [Kinds]tokenbucket.Limit

// maxIdle is how many accounts that nobody uses a Table keeps because something was taken from them lately. Above it,
// it keeps the half of that from which most was taken.
const maxIdle = 100_000

// Table holds accounts by key.
type Table struct {
	// Immutable.
	limits Limits
	slots  [Kinds]int8 // where an Account has the bucket of a kind; -1: the kind has no limit
	more   int         // how many buckets of an Account are in its rest
	start  time.Time   // origin of the buckets
	idle   int         // maxIdle, but in tests

	mu sync.Mutex
	// mu guards
	accounts map[string]*Account
	sweepAt  int // number of accounts at which those that are full and unused are forgotten
}

// Account is what one key has left. The nil *Account has no limits.
type Account struct {
	table *Table
	users int32 // guarded by Table.mu: Opens without a Close

	mu sync.Mutex
	// mu guards the buckets of the kinds that have a limit, by Table.slots: the first ones, and the others if there are
	// more. Users need few, and there may be very many users.
	first [3]tokenbucket.Bucket
	rest  []tokenbucket.Bucket
}

// bucketLocked returns the bucket of a kind that has a limit.
func (a *Account) bucketLocked(k Kind) *tokenbucket.Bucket {
	slot := int(a.table.slots[k])
	if slot < len(a.first) {
		return &a.first[slot]
	}
	return &a.rest[slot-len(a.first)]
}

const firstSweep = 1024

// NewTable returns a Table whose accounts have the limits.
func NewTable(limits Limits) *Table {
	t := &Table{
		limits: limits, start: time.Now(), idle: maxIdle, accounts: make(map[string]*Account), sweepAt: firstSweep,
	}
	limited := 0
	for k := range limits {
		t.slots[k] = -1
		if limits[k].Rate > 0 {
			t.slots[k] = int8(limited)
			limited++
		}
	}
	t.more = max(0, limited-len(Account{}.first))
	return t
}

// Open returns the account of a key, nil for the key "" or a nil Table. Close releases it.
func (t *Table) Open(key string) *Account {
	if t == nil || key == "" {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.accounts[key]
	if a == nil {
		a = t.addLocked(key)
	}
	a.users++
	return a
}

func (t *Table) addLocked(key string) *Account {
	if len(t.accounts) >= t.sweepAt {
		t.sweepLocked()
	}
	a := &Account{table: t}
	if t.more > 0 {
		a.rest = make([]tokenbucket.Bucket, t.more)
	}
	t.accounts[key] = a
	return a
}

// Close ends one Open. The account is kept until what was taken from it has come in again.
func (a *Account) Close() {
	if a == nil {
		return
	}
	a.table.mu.Lock()
	defer a.table.mu.Unlock()
	a.users--
}

// Take takes n of a kind from the account, or nothing and returns the time until there are as many.
func (a *Account) Take(k Kind, n float64) (wait time.Duration, ok bool) {
	if a == nil || a.table.slots[k] < 0 {
		return 0, true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bucketLocked(k).TakeN(a.table.limits[k], n, time.Since(a.table.start))
}

// PutBack puts back n of a kind that were taken from the account.
func (a *Account) PutBack(k Kind, n float64) {
	if a == nil || a.table.slots[k] < 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bucketLocked(k).PutBack(n)
}

// Take takes one of a kind from the account of a key.
func (t *Table) Take(key string, k Kind) (wait time.Duration, ok bool) {
	a := t.Open(key)
	defer a.Close()
	return a.Take(k, 1)
}

// Borrow takes one of a kind from the account of a key even if there is none, and returns how long the caller has to
// wait before it uses what it took: at most most.
func (t *Table) Borrow(key string, k Kind, most time.Duration) (wait time.Duration) {
	a := t.Open(key)
	defer a.Close()
	if a == nil || t.slots[k] < 0 {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bucketLocked(k).Borrow(t.limits[k], time.Since(t.start), most)
}

// TakeBytes takes one of a kind from the account of a key that is given as bytes; an empty key has no limits. It is for
// very many keys that are seldom used: no account stays open, so that one that is full may be forgotten.
func (t *Table) TakeBytes(key []byte, k Kind) (wait time.Duration, ok bool) {
	if len(key) == 0 {
		return 0, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.accounts[string(key)]
	if a == nil {
		a = t.addLocked(string(key))
	}
	return a.Take(k, 1)
}

// PutBackBytes puts back what TakeBytes took.
func (t *Table) PutBackBytes(key []byte, k Kind) {
	if len(key) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.accounts[string(key)]; a != nil { // else it is full
		a.PutBack(k, 1)
	}
}

// levels is how finely a sweep tells apart how much was taken from accounts.
const levels = 64

// sweepLocked forgets the accounts that nobody uses and that are full. If there are too many others that nobody uses,
// it forgets those from which least was taken. So a client can't have its account forgotten, and thereby renewed, but
// by using up very many others as well.
func (t *Table) sweepLocked() {
	now := time.Since(t.start)
	var idle [levels + 1]int // by level
	kept := 0
	for key, a := range t.accounts {
		if a.users > 0 {
			continue
		}
		level := a.level(now)
		if level == 0 {
			delete(t.accounts, key)
			continue
		}
		idle[level]++
		kept++
	}
	if kept > t.idle {
		t.forgetLocked(now, &idle, kept-t.idle/2)
	}
	t.sweepAt = max(firstSweep, 2*len(t.accounts))
}

// forgetLocked forgets n accounts that nobody uses, of which idle says how many there are by level.
func (t *Table) forgetLocked(now time.Duration, idle *[levels + 1]int, n int) {
	last := 0 // the level of which only some go
	for n > idle[last] {
		n -= idle[last]
		last++
	}
	for key, a := range t.accounts {
		if a.users > 0 {
			continue
		}
		switch level := a.level(now); {
		case level < last:
			delete(t.accounts, key)
		case level == last && n > 0:
			delete(t.accounts, key)
			n--
		}
	}
}

// level returns how much was taken from the account's emptiest bucket: from 0, nothing, to levels, everything.
func (a *Account) level(now time.Duration) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	used := 0.0
	for k := range Kinds {
		if a.table.slots[k] >= 0 {
			used = max(used, a.bucketLocked(k).Used(a.table.limits[k], now))
		}
	}
	return int(math.Ceil(used * levels))
}
