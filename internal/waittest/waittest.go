// Package waittest waits in tests for a condition that nothing announces.
package waittest

import (
	"errors"
	"testing"
	"time"
)

const (
	// limit is far longer than any condition takes on an idle machine, so that a busy one does not
	// fail a test.
	limit = 90 * time.Second

	// Polling starts fast, because most conditions hold within a millisecond or two, and slows down
	// to spare the machine what is being waited for.
	firstPause = time.Millisecond
	maxPause   = 25 * time.Millisecond
)

var errNotYet = errors.New("condition is false")

// Until returns as soon as condition reports true, and fails the test with what ("both instances
// are ready") if that takes longer than 90 seconds. It polls on the caller's goroutine, which must
// be the test's own. Within a bubble of testing/synctest the pauses between two polls take virtual
// time.
func Until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	UntilNil(t, what, func() error {
		if condition() {
			return nil
		}
		return errNotYet
	})
}

// UntilNil is Until for a condition that explains itself: it returns as soon as condition returns
// nil, and reports the last error if that takes too long.
func UntilNil(t testing.TB, what string, condition func() error) {
	t.Helper()
	start, pause := time.Now(), firstPause
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Since(start) > limit {
			t.Fatalf("waited %v in vain until %s: %v", limit, what, err)
		}
		time.Sleep(pause)
		pause = min(2*pause, maxPause)
	}
}
