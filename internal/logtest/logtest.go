// Package logtest keeps what is logged in a test.
package logtest

import (
	"bytes"
	"strings"
	"sync"
)

// Buffer is a log's destination that the test may read while others still write to it. The zero value
// is empty.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends to the buffer. It never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns all that has been written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Count returns how often a text occurs, for example how many lines have it.
func (b *Buffer) Count(text string) int { return strings.Count(b.String(), text) }
