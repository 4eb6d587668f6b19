package engineio

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"chatapp/internal/waittest"
)

// An idle raw client sends nothing but pongs. They must not leave a reader waiting for a message.
func TestPongsOccupyNoReaders(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("on other systems every session reads on its own goroutine")
	}
	h := serve(t, Options{})
	var sockets []*socket
	for range 20 {
		s := h.webSocket("/ws")
		s.send("hello")
		s.want("a message", "hello")
		parts := clientFrame(framePing, []byte("in parts"))
		s.write(parts[:1])
		s.write(parts[1:7])
		s.write(parts[7:])
		if first, payload, err := s.readFrame(); err != nil || first != framePong || string(payload) != "in parts" {
			t.Errorf("answer to a ping = %#x %q, %v, want %q", first, payload, err, "in parts")
		}
		s.write(clientFrame(framePong, nil))
		s.write(slices.Concat(clientFrame(framePing, []byte("one")), clientFrame(framePing, []byte("two"))))
		for _, want := range []string{"one", "two"} {
			if first, payload, err := s.readFrame(); err != nil || first != framePong || string(payload) != want {
				t.Errorf("answer to a ping = %#x %q, %v, want %q", first, payload, err, want)
			}
		}
		sockets = append(sockets, s)
	}
	waittest.Until(h.t, "no reader is at work", func() bool { return !stackHas("engineio.(*Session).read(") })
	for i, s := range sockets {
		s.write(slices.Concat(clientFrame(frameText, []byte("a")), clientFrame(framePing, []byte("b")),
			clientFrame(frameText, []byte("c"))))
		s.want("messages go on", "a")
		if first, payload, err := s.readFrame(); err != nil || first != framePong || string(payload) != "b" {
			t.Errorf("client %d: answer to a ping between messages = %#x %q, %v", i, first, payload, err)
		}
		s.want("behind a ping, too", "c")
		s.hangUp()
	}
}

// stackHas reports whether some goroutine is within the function.
func stackHas(function string) bool {
	stacks := make([]byte, 1<<20)
	return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte(function))
}

// After many sessions had input at once, only some of the readers stay.
func TestFewReadersStayIdle(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("on other systems every session reads on its own goroutine")
	}
	h := serve(t, Options{})
	const sessions = maxIdleReaders + 20
	var busy sync.WaitGroup
	busy.Add(sessions)
	h.received = func(*Session, Message) {
		busy.Done()
		busy.Wait()
	}
	var sockets []*socket
	for range sessions {
		sockets = append(sockets, h.webSocket(webSocketURL))
	}
	for _, s := range sockets {
		s.send("4x")
	}
	busy.Wait()
	waittest.Until(t, "no more than the idle readers are left", func() bool {
		stacks := make([]byte, 4<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		readers := bytes.Count(stacks, []byte("engineio.(*reader).run("))
		return readers > 0 && readers <= maxIdleReaders
	})
	for _, s := range sockets {
		s.hangUp()
	}
}

// Every frame that is not a whole ping or pong of a client is left to gorilla.
func TestCutControlTakesWholePingsAndPongs(t *testing.T) {
	long := clientFrame(framePing, bytes.Repeat([]byte("x"), 125))
	for _, row := range []struct {
		name    string
		in      []byte
		payload string
		size    int
	}{
		{"ping", clientFrame(framePing, []byte("hello")), "hello", 11},
		{"empty pong", clientFrame(framePong, nil), "", 6},
		{"longest", long, strings.Repeat("x", 125), 131},
		{"with more behind", append(clientFrame(framePong, []byte("p")), 1, 2, 3), "p", 7},
		{"nothing", nil, "", 0},
		{"cut short", long[:130], "", 0},
		{"header cut short", long[:5], "", 0},
		{"text", clientFrame(frameText, []byte("hello")), "", 0},
		{"close", clientFrame(frameClose, nil), "", 0},
		{"not masked", []byte{framePing, 4, 1, 2, 3, 4}, "", 0},
		{"fragmented", clientFrame(framePing&^0x80, nil), "", 0},
		{"reserved bit", clientFrame(framePing|0x40, nil), "", 0},
		{"too long", clientFrame(framePing, make([]byte, 126)), "", 0},
	} {
		if payload, size := cutControl(row.in); payload != row.payload || size != row.size {
			t.Errorf("%s: cutControl(%x) = %q, %d, want %q, %d", row.name, row.in, payload, size, row.payload, row.size)
		}
	}
}

func FuzzControl(f *testing.F) {
	f.Add(clientFrame(framePing, []byte("hello")))
	f.Add(append(clientFrame(framePong, nil), clientFrame(frameText, []byte("x"))...))
	f.Add([]byte{framePing, 4, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		payload, size := cutControl(b)
		if size == 0 {
			return
		}
		same := clientFrame(b[0], []byte(payload)) // but for the mask
		if size != len(same) || !bytes.Equal(same[:2], b[:2]) {
			t.Fatalf("cutControl(%x) = %q, %d, which encodes to %x", b, payload, size, same)
		}
		for i, c := range []byte(payload) {
			if c^b[2+i%4] != b[6+i] {
				t.Fatalf("cutControl(%x) = %q: byte %d is wrong", b, payload, i)
			}
		}
	})
}
