package backplane

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestPackedSnapshotIsSmallAndComplete(t *testing.T) {
	var state bytes.Buffer
	for i := range 20_000 {
		fmt.Fprintf(&state, "user %d says something in room %d; ", i, i%17)
	}
	s := newLogState(clusterID{Stamp: 3, Founder: "a"}, 1).snapshot()
	s.State = state.Bytes()
	packed, err := s.pack(newCompressor())
	if err != nil {
		t.Fatal(err)
	}
	if len(packed) > state.Len()/3 {
		t.Errorf("%d bytes of state are packed into %d, want less than a third", state.Len(), len(packed))
	}
	parts := slices.Collect(slices.Chunk(packed, 1000))
	got, err := unpackSnapshot(parts, state.Len())
	if err != nil || got.Cluster != s.Cluster || !bytes.Equal(got.State, s.State) {
		t.Errorf("unpacked %d bytes of state of cluster %v, %v, want what was packed", len(got.State), got.Cluster, err)
	}
	if _, err := unpackSnapshot(parts, state.Len()-1); !errors.Is(err, errLarge) {
		t.Errorf("unpacking more than the limit = %v, want %v", err, errLarge)
	}
	for _, broken := range [][][]byte{nil, parts[:len(parts)/2], {[]byte("no snapshot")}} {
		if _, err := unpackSnapshot(broken, 1<<20); !errors.Is(err, errMalformed) {
			t.Errorf("unpacking %d broken parts = %v, want %v", len(broken), err, errMalformed)
		}
	}
}
