package socketio_test

import (
	"net"
	"testing"

	"chatapp/internal/engineio"
)

// TestOwnClientDoesAsTheOfficialOne runs the same cases with the client of web/client and with the
// official one, against this server and against the official one.
func TestOwnClientDoesAsTheOfficialOne(t *testing.T) {
	t.Parallel()
	requireNode(t)
	s := serve(t, "127.0.0.1:0", &newsLog{}, engineio.Options{})
	defer s.stop(t)
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	runClients(t, nil, "compare.mjs", port)
}
