package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// screen is where everything is printed, line by line, from any goroutine: what the instances log, each line after the instance's name, and
// what there is to say about them. On a terminal it has colours, unless NO_COLOR is set, and keeps its last row for the status.
type screen struct {
	// immutable
	out      io.Writer
	terminal bool
	colour   bool

	mu sync.Mutex
	// mu guards
	rows, columns int // of the terminal, as last set up
	closed        bool
}

// newScreen takes the last row of the terminal that out is, if it is one.
func newScreen(out io.Writer, getenv func(string) string) *screen {
	s := &screen{out: out}
	_, _, s.terminal = terminalSize(out)
	s.terminal = s.terminal && getenv("TERM") != "dumb"
	s.colour = s.terminal && getenv("NO_COLOR") == ""
	return s
}

// The sequences of terminals: ECMA-48, and DEC's for saving the cursor and for the rows that scroll.
const (
	saveCursor    = "\x1b7"
	restoreCursor = "\x1b8"
	clearRow      = "\x1b[2K"
	colourOff     = "\x1b[0m"
	dim           = "\x1b[2m"
	reverse       = "\x1b[7m"
)

// colours of instances, by number: cyan, green, yellow, magenta, blue.
var colours = []string{"\x1b[36m", "\x1b[32m", "\x1b[33m", "\x1b[35m", "\x1b[34m"}

// printf prints what the local cloud itself has to say.
func (s *screen) printf(format string, args ...any) {
	s.print(fmt.Sprintf(format, args...) + "\n")
}

func (s *screen) print(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.WriteString(s.out, text) // a terminal that is gone must not stop the chat
}

// setStatus shows a line in the last row, and nowhere else than on a terminal.
func (s *screen) setStatus(text string) {
	if !s.terminal {
		return
	}
	rows, columns, ok := terminalSize(s.out)
	if !ok || rows < 3 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	var b strings.Builder
	if rows != s.rows || columns != s.columns {
		// The new line makes room where the cursor is in the last row. Setting the rows that scroll moves the cursor.
		fmt.Fprintf(&b, "\n\x1b[1A%s\x1b[1;%dr%s", saveCursor, rows-1, restoreCursor)
		s.rows, s.columns = rows, columns
	}
	if utf8.RuneCountInString(text) > columns {
		text = string([]rune(text)[:columns])
	}
	on, off := "", ""
	if s.colour {
		on, off = reverse, colourOff
	}
	fmt.Fprintf(&b, "%s\x1b[%d;1H%s%s%s%s%s", saveCursor, rows, clearRow, on, text, off, restoreCursor)
	_, _ = io.WriteString(s.out, b.String())
}

// close gives the last row back, for good.
func (s *screen) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.rows > 0 {
		fmt.Fprintf(s.out, "%s\x1b[r\x1b[%d;1H%s%s", saveCursor, s.rows, clearRow, restoreCursor)
		s.rows = 0
	}
}

// name is an instance's name as it stands before its lines.
func (s *screen) name(number int) string {
	name := fmt.Sprintf("%2d | ", number)
	if s.colour {
		return colours[(number-1)%len(colours)] + name + colourOff
	}
	return name
}

// busName stands before the lines of the bus.
func (s *screen) busName() string {
	if s.colour {
		return dim + "bus| " + colourOff
	}
	return "bus| "
}

// lines returns a writer that prints whole lines after a prefix. It is for one goroutine; Close prints what has no line end.
func (s *screen) lines(prefix string) *lineWriter { return &lineWriter{screen: s, prefix: prefix} }

type lineWriter struct {
	screen *screen
	prefix string
	rest   []byte // of a line that has not ended
}

// maxLine is how long a line may get before it is broken.
const maxLine = 64 << 10

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	var text strings.Builder
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 && len(w.rest) < maxLine {
			break
		}
		if i < 0 {
			i = maxLine - 1
		}
		text.WriteString(w.prefix)
		text.Write(bytes.TrimRight(w.rest[:i+1], "\r\n"))
		text.WriteByte('\n')
		w.rest = w.rest[i+1:]
	}
	if text.Len() > 0 {
		w.screen.print(text.String())
	}
	return len(p), nil
}

func (w *lineWriter) Close() error {
	if len(w.rest) > 0 {
		w.screen.printf("%s%s", w.prefix, w.rest)
		w.rest = nil
	}
	return nil
}
