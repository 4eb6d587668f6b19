package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// console prints lines from any goroutine: the logs of the instances, each line after the
// instance's name, and messages of the local cluster. On a terminal it uses colours, unless
// NO_COLOR is set, and reserves the last row for the status.
type console struct {
	// immutable
	out      io.Writer
	terminal bool
	colour   bool

	mu sync.Mutex
	// mu guards
	rows, columns int // of the terminal, as last set up
	closed        bool
}

// newConsole returns a console that prints to out, with colours and a status row if out is a
// terminal.
func newConsole(out io.Writer, getenv func(string) string) *console {
	s := &console{out: out}
	_, _, s.terminal = terminalSize(out)
	s.terminal = s.terminal && getenv("TERM") != "dumb"
	s.colour = s.terminal && getenv("NO_COLOR") == ""
	return s
}

// Escape sequences of ECMA-48, and of DEC terminals for saving the cursor and for the scrolling region.
const (
	saveCursor    = "\x1b7"
	restoreCursor = "\x1b8"
	clearRow      = "\x1b[2K"
	colourOff     = "\x1b[0m"
	dim           = "\x1b[2m"
	reverse       = "\x1b[7m"
)

// colours of instances in turn: cyan, green, yellow, magenta, blue.
var colours = []string{"\x1b[36m", "\x1b[32m", "\x1b[33m", "\x1b[35m", "\x1b[34m"}

// printf prints a message of the local cluster itself.
func (s *console) printf(format string, args ...any) {
	s.print(fmt.Sprintf(format, args...) + "\n")
}

func (s *console) print(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.WriteString(s.out, text) // the chat goes on without its terminal
}

// setStatus shows a line in the last row of a terminal. Without a terminal it does nothing.
func (s *console) setStatus(text string) {
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
		// The new line makes room if the cursor is in the last row. Setting the scrolling region moves the cursor.
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

// close returns the last row to the terminal for good.
func (s *console) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.rows > 0 {
		fmt.Fprintf(s.out, "%s\x1b[r\x1b[%d;1H%s%s", saveCursor, s.rows, clearRow, restoreCursor)
		s.rows = 0
	}
}

// name returns the prefix of an instance's lines.
func (s *console) name(number int) string {
	name := fmt.Sprintf("%2d | ", number)
	if s.colour {
		return colours[(number-1)%len(colours)] + name + colourOff
	}
	return name
}

// busName returns the prefix of the emulator's lines.
func (s *console) busName() string {
	if s.colour {
		return dim + "bus| " + colourOff
	}
	return "bus| "
}

// lines returns a writer that prints whole lines after a prefix, for one goroutine, which calls
// finish at the end.
func (s *console) lines(prefix string) *lineWriter { return &lineWriter{console: s, prefix: prefix} }

type lineWriter struct {
	console *console
	prefix  string
	rest    []byte // an unfinished line
}

// maxLine is the length in bytes at which a line is broken.
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
		w.console.print(text.String())
	}
	return len(p), nil
}

// finish prints an unfinished line.
func (w *lineWriter) finish() {
	if len(w.rest) > 0 {
		w.console.printf("%s%s", w.prefix, w.rest)
		w.rest = nil
	}
}
