package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress redraws one line of a terminal. Its zero value shows nothing.
type progress struct {
	out io.Writer

	mu   sync.Mutex
	line func() string

	stop chan struct{}
	done chan struct{}
}

// startProgress writes to out, twice a second, until finish.
func startProgress(out io.Writer) *progress {
	p := &progress{out: out, stop: make(chan struct{}), done: make(chan struct{})}
	go p.run()
	return p
}

func (p *progress) run() {
	defer close(p.done)
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			fmt.Fprint(p.out, "\r\x1b[K")
			return
		case <-ticker.C:
			p.mu.Lock()
			line := p.line
			text := ""
			if line != nil {
				text = line()
			}
			p.mu.Unlock()
			fmt.Fprintf(p.out, "\r\x1b[K%.*s", maxLine, text)
		}
	}
}

// maxLine is the most characters of a progress line: a wrapped line could not be overwritten.
const maxLine = 100

// show makes line the source of what is shown from now on. Calls of line do not overlap.
func (p *progress) show(line func() string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line = line
}

// finish clears the line and waits for the goroutine.
func (p *progress) finish() {
	if p.stop == nil {
		return
	}
	close(p.stop)
	<-p.done
}
