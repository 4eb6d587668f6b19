package emulator

import (
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// bubble is a client of a server over a pipe, in virtual time. A pipe has no buffer, so that a
// goroutine reads all the time.
type bubble struct {
	t      *testing.T
	nc     net.Conn
	frames chan timed // frames of the server and their times
	start  time.Time
	server *Server
}

type timed struct {
	amqp.Performative // nil for an empty frame
	at                time.Duration
}

// inBubble opens a connection with an AMQP session and calls f. plainSASL authenticates by SASL
// PLAIN.
func inBubble(t *testing.T, idleTimeOut uint32, plainSASL bool, f func(*bubble)) {
	synctest.Test(t, func(t *testing.T) {
		b := broker.New(broker.Options{})
		defer b.Close()
		if err := b.CreateQueue(broker.DefaultQueue("queue")); err != nil {
			t.Fatal(err)
		}
		s := &Server{log: slog.New(slog.DiscardHandler), containerID: "server", broker: b,
			conns: make(map[*conn]struct{})}
		client, server := net.Pipe()
		s.serving.Go(func() { s.serveAMQP(server) })
		u := &bubble{t: t, nc: client, frames: make(chan timed, 1000), start: time.Now(), server: s}
		s.serving.Go(u.read)
		u.open(idleTimeOut, plainSASL)
		f(u)
		client.Close()
		s.serving.Wait()
	})
}

// open sends the client's part of the handshake at once. read skips the server's headers.
func (u *bubble) open(idleTimeOut uint32, plainSASL bool) {
	var b []byte
	if plainSASL {
		b = amqp.AppendProtocolHeader(b, amqp.ProtocolSASL)
		b = amqp.AppendFrame(b, 0, &amqp.SASLInit{Mechanism: "PLAIN",
			InitialResponse: []byte("\x00RootManageSharedAccessKey\x00SAS_KEY_VALUE")})
	}
	b = amqp.AppendProtocolHeader(b, amqp.ProtocolAMQP)
	b = amqp.AppendFrame(b, 0, &amqp.Open{ContainerID: "client", MaxFrameSize: 65536, IdleTimeOut: idleTimeOut})
	b = amqp.AppendFrame(b, 0, &amqp.Begin{IncomingWindow: 100, OutgoingWindow: 100})
	u.write(b)
	u.want(&amqp.Open{})
	u.want(&amqp.Begin{})
}

func (u *bubble) write(b []byte) {
	u.t.Helper()
	if _, err := u.nc.Write(b); err != nil {
		u.t.Fatalf("write: %v", err)
	}
}

func (u *bubble) send(p amqp.Performative) { u.write(amqp.AppendFrame(nil, 0, p)) }

func (u *bubble) read() {
	defer close(u.frames)
	var buf []byte
	for {
		more := make([]byte, 4096)
		n, err := u.nc.Read(more)
		buf = append(buf, more[:n]...)
		for {
			if len(buf) >= 8 && string(buf[:4]) == "AMQP" {
				buf = buf[8:]
				continue
			}
			f, size, err := amqp.ParseFrame(buf, 1<<20)
			if err != nil || size == 0 {
				break
			}
			buf = buf[size:]
			received := timed{at: time.Since(u.start)}
			if len(f.Body) > 0 {
				if received.Performative, err = amqp.ParsePerformative(f.Type, f.Body); err != nil {
					u.t.Errorf("parse: %v", err)
				}
			}
			if f.Type == amqp.FrameAMQP {
				u.frames <- received
			}
		}
		if err != nil {
			if err != io.EOF && err != io.ErrClosedPipe {
				u.t.Errorf("read: %v", err)
			}
			return
		}
	}
}

// want returns the next frame that is not empty, which must be of kind's type.
func (u *bubble) want(kind amqp.Performative) timed {
	u.t.Helper()
	for f := range u.frames {
		if f.Performative == nil {
			continue
		}
		if got, wanted := typeName(f.Performative), typeName(kind); got != wanted {
			u.t.Fatalf("after %v: %s, want %s", f.at, got, wanted)
		}
		return f
	}
	u.t.Fatalf("the connection ended, want %s", typeName(kind))
	return timed{}
}

func typeName(p amqp.Performative) string {
	switch p.(type) {
	case *amqp.Open:
		return "open"
	case *amqp.Begin:
		return "begin"
	case *amqp.Attach:
		return "attach"
	case *amqp.Flow:
		return "flow"
	case *amqp.Transfer:
		return "transfer"
	case *amqp.Disposition:
		return "disposition"
	case *amqp.Detach:
		return "detach"
	case *amqp.Close:
		return "close"
	}
	return "another performative"
}

func (u *bubble) wantClose(after time.Duration, text string) {
	u.t.Helper()
	f := u.want(&amqp.Close{})
	e := f.Performative.(*amqp.Close).Error
	if f.at != after || e == nil || e.Condition != amqp.CondConnectionForced {
		u.t.Errorf("closed after %v with %v, want %s after %v (%s)", f.at, e, amqp.CondConnectionForced, after, text)
	}
	if _, open := <-u.frames; open {
		u.t.Error("the connection goes on behind close")
	}
}

func TestConnectionWithoutTokenIsClosed(t *testing.T) {
	inBubble(t, 0, false, func(u *bubble) { u.wantClose(firstTokenTimeout, "no token") })
}

func TestConnectionWithoutLinksIsClosed(t *testing.T) {
	inBubble(t, 0, true, func(u *bubble) { u.wantClose(time.Minute, "never a link") })
	inBubble(t, 0, true, func(u *bubble) {
		time.Sleep(30 * time.Second)
		u.attach()
		time.Sleep(30 * time.Second)
		u.send(&amqp.Detach{Closed: true})
		u.want(&amqp.Detach{})
		u.wantClose(6*time.Minute, "no link for 5 minutes")
	})
}

func (u *bubble) attach() {
	u.send(&amqp.Attach{
		Name: "link", Role: amqp.RoleReceiver, SenderSettleMode: amqp.SenderSettled,
		Source: &amqp.Source{Address: amqp.Some("queue")}, Target: &amqp.Target{},
	})
	u.want(&amqp.Attach{})
}

// TestIdleLinkIsDetached checks that the server detaches a link after 10 minutes without use, and
// that a flow counts as use.
func TestIdleLinkIsDetached(t *testing.T) {
	inBubble(t, 60000, true, func(u *bubble) {
		u.attach()
		credit := &amqp.Flow{IncomingWindow: 100, OutgoingWindow: 100, Handle: amqp.Some(uint32(0)),
			DeliveryCount: amqp.Some(uint32(0)), LinkCredit: amqp.Some(uint32(1))}
		for range 2 { // the server, too, wants to hear something
			time.Sleep(3 * time.Minute)
			u.send(credit)
		}
		for range 4 {
			time.Sleep(3 * time.Minute)
			u.write(amqp.EndFrame(amqp.BeginFrame(nil, amqp.FrameAMQP, 0), 0, 0))
		}
		f := u.want(&amqp.Detach{})
		d := f.Performative.(*amqp.Detach)
		if f.at < 16*time.Minute || f.at > 16*time.Minute+sweepInterval || d.Error == nil ||
			d.Error.Condition != amqp.CondDetachForced {
			u.t.Errorf("detached after %v with %v, want %s 10 minutes after the last flow", f.at, d.Error,
				amqp.CondDetachForced)
		}
	})
}

// TestEmptyFramesKeepAliveAndSilenceCloses counts the empty frames that a client with a short
// idle-time-out receives. The client stays silent until the server closes the connection.
func TestEmptyFramesKeepAliveAndSilenceCloses(t *testing.T) {
	inBubble(t, 20000, true, func(u *bubble) {
		u.attach()
		var empty int
		for f := range u.frames {
			if f.Performative == nil {
				empty++
				continue
			}
			c, ok := f.Performative.(*amqp.Close)
			if !ok || f.at != 2*announcedIdle || c.Error == nil || c.Error.Condition != amqp.CondResourceLimitExceeded {
				u.t.Errorf("after %v: %+v, want close after %v", f.at, f.Performative, 2*announcedIdle)
			}
		}
		if want := int(2 * announcedIdle / (10 * time.Second)); empty < want-1 || empty > want {
			u.t.Errorf("%d empty frames, want one each 10s for %v", empty, 2*announcedIdle)
		}
	})
}

// TestDelayedFramesCountAsKeepAlive checks that delayed frames count as sent: a client receives
// six in a minute.
func TestDelayedFramesCountAsKeepAlive(t *testing.T) {
	inBubble(t, 20000, true, func(u *bubble) {
		u.attach()
		u.server.Delay(Latency{Min: 5 * time.Second})
		var empty int
		for f := range u.frames {
			if f.at > time.Minute {
				break
			}
			if f.Performative == nil {
				empty++
			}
		}
		if empty < 4 || empty > 6 {
			u.t.Errorf("%d empty frames in a minute, want about one each 10s", empty)
		}
	})
}

// TestLinksAreDetachedWhenTokenExpires checks that links are detached when their token expires.
func TestLinksAreDetachedWhenTokenExpires(t *testing.T) {
	inBubble(t, 60000, true, func(u *bubble) {
		u.attach()
		u.server.onEveryConn(func(c *conn) {
			c.grants[""] = tokenGrant{claims: broker.Manage,
				until: time.Now().Add(time.Minute)}
		})
		f := u.want(&amqp.Detach{})
		if e := f.Performative.(*amqp.Detach).Error; f.at < time.Minute || f.at > time.Minute+sweepInterval ||
			e == nil || e.Condition != amqp.CondUnauthorizedAccess {
			u.t.Errorf("detached after %v with %v, want %s after a minute", f.at, e, amqp.CondUnauthorizedAccess)
		}
	})
}
