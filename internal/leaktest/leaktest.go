// Package leaktest fails the tests of a package that leave goroutines behind.
package leaktest

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"
)

// lingering is how net/http waits half a second before it closes a connection whose handler left a
// part of the request unread. No server waits for that goroutine, and nothing can end it sooner.
const lingering = "net/http.(*conn).closeWriteAndWait"

// Main runs a package's tests and exits with their status, or with a failure if goroutines remain
// that the tests have started. It is the whole body of a TestMain. Idle connections of
// http.DefaultClient don't count: Main closes them.
func Main(m *testing.M) {
	goleak.VerifyTestMain(closingIdle{m}, goleak.IgnoreAnyFunction(lingering))
}

type closingIdle struct{ *testing.M }

func (m closingIdle) Run() int {
	status := m.M.Run()
	http.DefaultClient.CloseIdleConnections()
	return status
}
