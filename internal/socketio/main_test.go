package socketio

import (
	"testing"

	"go.uber.org/goleak"
)

// A handler that leaves a request unread has net/http keep the connection half open for a moment, which
// no server waits for.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}
