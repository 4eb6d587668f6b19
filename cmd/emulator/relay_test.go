package main

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// wait is how long anything may take. After a fault of the bus, a send can run into its time-out of
// ten seconds, and the pauses between attempts double: that alone may take twenty seconds.
const wait = time.Minute

// startEcho serves a port that sends back what it gets.
func startEcho(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
	})
	return listener.Addr().String()
}

func startRelay(t *testing.T) (*relay, func() net.Conn) {
	t.Helper()
	r, err := newRelay(startEcho(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	return r, func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", r.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func wantEcho(t *testing.T, why string, c net.Conn, text string) {
	t.Helper()
	buf := make([]byte, len(text))
	_ = c.SetReadDeadline(time.Now().Add(wait))
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != text {
		t.Fatalf("%s: read %q, %v, want %q", why, buf, err, text)
	}
}

// wantSilence reads for a moment that is as short as a test may be and as long as an echo never takes.
func wantSilence(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v through a partition, want nothing", n, err)
	}
}

func TestRelayPartition(t *testing.T) {
	t.Parallel()
	r, dial := startRelay(t)
	c := dial()
	send(t, c, "before")
	wantEcho(t, "before the partition", c, "before")
	r.partition(0)
	if !r.partitioned() {
		t.Error("cut() = false in a partition")
	}
	send(t, c, "during")
	wantSilence(t, c)
	late := dial()
	send(t, late, "late")
	wantSilence(t, late)
	r.endPartition()
	wantEcho(t, "what was sent during the partition comes after it", c, "during")
	wantEcho(t, "so does a connection begun during it", late, "late")
	r.partition(time.Millisecond)
	send(t, c, "again")
	wantEcho(t, "a partition with an end ends", c, "again")
	if r.partitioned() {
		t.Error("cut() = true after a partition's end")
	}
}

func TestRelaySlow(t *testing.T) {
	t.Parallel()
	r, dial := startRelay(t)
	c := dial()
	const delay = 20 * time.Millisecond
	r.slow(delay)
	began := time.Now()
	send(t, c, "slow")
	wantEcho(t, "it comes in the end", c, "slow")
	if took := time.Since(began); took < 2*delay {
		t.Errorf("there and back took %v with a delay of %v each way", took, delay)
	}
}

func TestRelayDrop(t *testing.T) {
	t.Parallel()
	r, dial := startRelay(t)
	c := dial()
	send(t, c, "x")
	wantEcho(t, "the relay serves", c, "x")
	if n := r.drop(); n != 1 {
		t.Errorf("drop() = %d, want 1 connection", n)
	}
	_ = c.SetReadDeadline(time.Now().Add(wait))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read after the drop: %v, want the connection's end", err)
	}
	c = dial()
	send(t, c, "y")
	wantEcho(t, "a new connection is served", c, "y")
}

// TestRelayClose closes it with a connection in a partition: nothing may hang, as the leak check of TestMain sees.
func TestRelayClose(t *testing.T) {
	t.Parallel()
	r, dial := startRelay(t)
	c := dial()
	send(t, c, "x")
	wantEcho(t, "the relay serves", c, "x")
	r.partition(0)
	send(t, c, "y")
	late := dial()
	send(t, late, "z")
	r.close()
	_ = c.SetReadDeadline(time.Now().Add(wait))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read after the close: %v, want the connection's end", err)
	}
}
