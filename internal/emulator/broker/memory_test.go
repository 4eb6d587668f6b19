package broker

import (
	"runtime"
	"testing"
)

// TestDeletedQueueReturnsMemory fills queues with payloads and looks at what the process keeps.
func TestDeletedQueueReturnsMemory(t *testing.T) {
	kept := func() int {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapInuse+m.HeapIdle-m.HeapReleased) >> 20
	}
	for name, empty := range map[string]func(b bench) error{
		"delete": func(b bench) error { return b.DeleteQueue("q") },
		"purge":  func(b bench) error { _, err := b.source("q").Purge(); return err },
		"reset":  func(b bench) error { b.Reset(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			b := bench{t, New(Options{})}
			defer b.Close()
			target, _ := b.queue("q", nil)
			for range 400 {
				b.ok(target.Send([]*Message{{Size: 256 << 10, Payload: make([]byte, 256<<10)}}))
			}
			full := kept()
			b.ok(empty(b))
			if now := kept(); full-now < 80 {
				t.Errorf("the process keeps %d MB of %d MB, want the 100 MB of the messages returned", now, full)
			}
		})
	}
}
