package timerheap_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/timerheap"
)

// owner is a heap with the lock and the wake function that every owner has.
type owner struct {
	mu    sync.Mutex
	heap  *timerheap.Heap[int]
	begin time.Time
	fired []int // values in the order in which they came
	late  time.Duration
	wakes int
}

func newOwner() *owner {
	o := &owner{begin: time.Now()}
	o.heap = timerheap.New[int](o.wake)
	return o
}

func (o *owner) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wakes++
	for {
		value, ok := o.heap.Pop(time.Now())
		if !ok {
			return
		}
		o.fired = append(o.fired, value)
		o.late = max(o.late, time.Since(o.begin)-time.Duration(value)*time.Second)
	}
}

// add adds a value that is due so many seconds after the beginning.
func (o *owner) add(seconds int) *timerheap.Entry[int] {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.heap.Add(o.begin.Add(time.Duration(seconds)*time.Second), seconds)
}

// pass lets virtual time pass, waits for all that it makes due, and returns the values that have fired so far.
func (o *owner) pass(d time.Duration) []int {
	time.Sleep(d)
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.fired)
}

func TestValuesFireInOrderAtTheirTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOwner()
		random := rand.New(rand.NewPCG(1, 2))
		want := random.Perm(500)
		for _, seconds := range want {
			o.add(seconds)
		}
		fired := o.pass(500 * time.Second)
		slices.Sort(want)
		if !slices.Equal(fired, want) || o.late != 0 {
			t.Errorf("fired %v, the last %v late; want %v, none late", fired, o.late, want)
		}
		if o.heap.Len() != 0 {
			t.Errorf("%d values are left", o.heap.Len())
		}
	})
}

func TestEarlierValueMovesTheTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOwner()
		o.add(60)
		o.add(1)
		if fired := o.pass(2 * time.Second); !slices.Equal(fired, []int{1}) {
			t.Fatalf("fired %v after 2 s, want [1]", fired)
		}
		if fired := o.pass(time.Minute); !slices.Equal(fired, []int{1, 60}) || o.late != 0 {
			t.Errorf("fired %v, %v late; want [1 60], none late", fired, o.late)
		}
	})
}

func TestRemovedValueNeverFires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOwner()
		first, second := o.add(1), o.add(2)
		o.add(3)
		o.mu.Lock()
		o.heap.Remove(second)
		o.heap.Remove(second)
		o.mu.Unlock()
		fired := o.pass(4 * time.Second)
		o.mu.Lock()
		o.heap.Remove(first) // it has fired
		o.mu.Unlock()
		if !slices.Equal(fired, []int{1, 3}) {
			t.Errorf("fired %v, want [1 3]", fired)
		}
	})
}

func TestStopEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOwner()
		pending := o.add(1)
		o.mu.Lock()
		o.heap.Stop()
		o.mu.Unlock()
		late := o.add(2)
		o.mu.Lock()
		o.heap.Remove(pending)
		o.heap.Remove(late)
		o.mu.Unlock()
		if fired := o.pass(3 * time.Second); len(fired) > 0 || o.wakes > 0 || o.heap.Len() != 0 {
			t.Errorf("after Stop: fired %v, %d wakes, %d values left", fired, o.wakes, o.heap.Len())
		}
	})
}
