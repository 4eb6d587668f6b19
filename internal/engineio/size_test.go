package engineio

import (
	"testing"
	"unsafe"
)

// TestSessionsAreSmall holds what an idle session takes within the size classes of the allocator.
func TestSessionsAreSmall(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the sizes are those of 64-bit systems")
	}
	if size := unsafe.Sizeof(Session{}); size > 288 {
		t.Errorf("a Session has %d bytes, want at most 288", size)
	}
	if size := unsafe.Sizeof(conn{}); size > 176 {
		t.Errorf("a conn has %d bytes, want at most 176", size)
	}
}
