package chaostest

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/servicebus"
	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/workertest"
)

// A worker that receives what only a newer version understands ends, so that the platform starts it
// again with the newer image.
func TestNewerVersionEndsWorker(t *testing.T) {
	t.Parallel()
	c := newCluster(t, longHold)
	w := workertest.Start(t, nil, c.settings(t, "old", 0)...)
	publishNewer(t, c.emulator)
	goesOn := time.AfterFunc(patience, w.Drain)
	defer goesOn.Stop()
	if err := w.Wait(); !errors.Is(err, backplane.ErrVersion) {
		t.Errorf("Serve = %v, want %v", err, backplane.ErrVersion)
	}
}

// publishNewer publishes an envelope of a version far ahead: a CBOR map of its version, and of the
// least version that a reader must know.
func publishNewer(t *testing.T, e *emulatortest.Server) {
	t.Helper()
	_, port, err := net.SplitHostPort(e.HTTPAddress())
	if err != nil {
		t.Fatal(err)
	}
	management, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	bus, err := servicebus.New(servicebus.Options{
		ConnectionString: e.ConnectionString(), EmulatorHTTPPort: management, Name: "new",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := bus.Publish(ctx, backplane.Message{Body: []byte{0xa2, 1, 0x18, 250, 2, 0x18, 250}}); err != nil {
		t.Error(err)
	}
	if err := bus.Close(ctx); err != nil {
		t.Error(err)
	}
}
