package socketio_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
	"chatapp/internal/socketio/socketiotest"
)

func TestEvents(t *testing.T) {
	server := newEcho(socketio.Options{})
	c := socketiotest.Serve(t, server, engineio.Options{}).Dial("")
	c.Connect("/", "")
	c.Want("joined", `2["auth",{}]`)

	c.Send(`2["message",1,"2",{"3":[true]}]`)
	c.Want("arguments come back", `2["message-back",1,"2",{"3":[true]}]`)
	c.Send(`2["message",1.0,1e2, "\u00e9\/" ,{ "a" : 1, "a" : 2 },12345678901234567890]`)
	c.Want("as the same text", `2["message-back",1.0,1e2,"\u00e9\/",{ "a" : 1, "a" : 2 },12345678901234567890]`)
	c.Send(`2["message"]`)
	c.Want("none is fine", `2["message-back"]`)
	c.Send(`2["\u006dessage","x"]`)
	c.Want("the name may be escaped", `2["message-back","x"]`)

	c.Send(`2456["message-with-ack",1,"2",{"3":[false]}]`)
	c.Want("acknowledged", `3456[1,"2",{"3":[false]}]`)
	c.Send(`20["message-with-ack"]`)
	c.Want("0 is an id", `30[]`)
	c.Send(`2["message-with-ack","no id"]`)
	c.Send(`29007199254740991["message-with-ack"]`)
	c.Want("ids are as large as JavaScript's", `39007199254740991[]`)

	c.Send(`52-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
	c.SendBinary([]byte{1, 2, 3})
	c.SendBinary([]byte{4, 5, 6})
	c.Want("attachments come back", `52-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
	c.WantBinary("in order", []byte{1, 2, 3})
	c.WantBinary("in order", []byte{4, 5, 6})
	c.Send(`52-789["message-with-ack",{"_placeholder":true,"num":1},{"in":[{"num":0,"_placeholder":true}]}]`)
	c.SendBinary([]byte{1})
	c.SendBinary(nil)
	c.Want("numbered as the official encoder does",
		`62-789[{"_placeholder":true,"num":0},{"in":[{"_placeholder":true,"num":1}]}]`)
	c.WantBinary("in order", nil)
	c.WantBinary("in order", []byte{1})
	c.Send(`2["message",{"_placeholder":true,"num":7}]`)
	c.Want("in an event without attachments it is an object like any other",
		`2["message-back",{"_placeholder":true,"num":7}]`)
	c.Send(`50-["message","no attachment after all"]`)
	c.Want("which is allowed", `2["message-back","no attachment after all"]`)

	c.Send(`2["unknown"]`)
	c.Send(`2["message","still here"]`)
	c.Want("unknown events are ignored", `2["message-back","still here"]`)
	if got := server.Stats(); got.Events == 0 || got.ProtocolErrors != 0 || got.Sockets != 1 {
		t.Errorf("Stats() = %+v, want events, no errors and a socket", got)
	}
}

func TestMalformedPacketsClose(t *testing.T) {
	t.Parallel()
	server := newEcho(socketio.Options{})
	host := socketiotest.Serve(t, server, engineio.Options{})
	bystander := host.Dial("")
	bystander.Connect("/", "")
	bystander.Want("joined", `2["auth",{}]`)
	for _, packets := range [][]string{
		{``}, {`abc`}, {`9`}, {`2{}`}, {`2`}, {`2[]`}, {`2["disconnect"]`}, {`2abc["message"]`}, {`2["message"`},
		{`2["message"]["message"]`},
		{`2["message"] x`}, {`31`}, {`3[]`}, {`51["message"]`}, {`511-["message"]`},
		{`51-["message",{"_placeholder":true,"num":1}]`},
		{`51-["message",{"_placeholder":true,"num":0}]`, `2["message"]`},
		{`2["message",` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `]`},
		{`2["message",` + strings.Repeat(`{"a":`, 100_000) + `1` + strings.Repeat("}", 100_000) + `]`},
		{`2["message"` + strings.Repeat(",0", 100_000) + `]`},
		{`31[` + strings.Repeat("0,", 100_000) + `0]`},
		{`0/` + strings.Repeat("n", 100_000)},
		{`29007199254740992["message-with-ack"]`},
		{"2[\"message\",\"\x00\"]"},
	} {
		c := host.Dial("")
		c.Connect("/", "")
		c.Want("joined", `2["auth",{}]`)
		for _, packet := range packets {
			c.Send(packet)
		}
		c.WantClose("the packet is malformed", 1008)
	}
	t.Run("attachment that was not announced", func(t *testing.T) {
		c := host.Dial("")
		c.Connect("/", "")
		c.SendBinary([]byte{1})
		c.WantClose("no attachment is due", 1008)
	})
	t.Run("attachments too large together", func(t *testing.T) {
		c := host.Dial("")
		c.Connect("/", "")
		c.Send(`56-["message",{"_placeholder":true,"num":0}]`)
		for range 5 {
			_ = c.TrySendBinary(make([]byte, 900_000))
		}
		c.WantClose("five times 900,000 bytes are more than 4,000,000", 1008)
	})
	bystander.Send(`2["message","unharmed"]`)
	bystander.Want("other clients are unaffected", `2["message-back","unharmed"]`)
}

func TestHandlersAreFoundByName(t *testing.T) {
	server := socketio.NewServer(socketio.Options{})
	ns := server.Of("/")
	ns.On(`what "ever"`, func(s *socketio.Socket, e *socketio.Event) { _ = e.Ack("quoted", e.WantsAck()) })
	ns.On("42", func(s *socketio.Socket, e *socketio.Event) { _ = s.Emit("number", e.WantsAck()) })
	ns.On("sum", func(s *socketio.Socket, e *socketio.Event) {
		var a int
		var b struct{ B int }
		if e.Decode(0, &a) != nil || e.Decode(1, &b) != nil {
			_ = e.Ack("bad arguments")
			return
		}
		_ = e.Ack(nil, a+b.B)
		if err := e.Ack("again"); !errors.Is(err, socketio.ErrAcked) {
			t.Errorf("second Ack = %v, want %v", err, socketio.ErrAcked)
		}
	})
	c := socketiotest.Serve(t, server, engineio.Options{}).Dial("")
	c.Connect("/", "")
	c.Send(`25["what \"ever\"",1,2]`)
	c.Want("a name with escapes", `35["quoted",true]`)
	c.Send(`2[42]`)
	c.Want("a number names an event, too", `2["number",false]`)
	c.Send(`21["sum",40,{"b":2}]`)
	c.Want("decoded arguments", `31[null,42]`)
	c.Send(`22["sum","x",{}]`)
	c.Want("arguments of another type", `32["bad arguments"]`)
	ns.On("sum", func(_ *socketio.Socket, e *socketio.Event) { _ = e.Ack("replaced") })
	c.Send(`23["sum"]`)
	c.Want("the second handler replaces the first", `33["replaced"]`)
}

func TestDeferredAck(t *testing.T) {
	server := socketio.NewServer(socketio.Options{})
	acks := make(chan socketio.Ack, 2) // more than the test sends
	server.Of("/").On("later", func(_ *socketio.Socket, e *socketio.Event) {
		acks <- e.Deferred()
		if err := e.Ack(); !errors.Is(err, socketio.ErrAcked) {
			t.Errorf("Ack after Deferred = %v, want %v", err, socketio.ErrAcked)
		}
	})
	host := socketiotest.Serve(t, server, engineio.Options{})
	c := host.Dial("")
	c.Connect("/", "")
	c.Send(`27["later"]`)
	first := <-acks
	c.Send(`2["later"]`)
	second := <-acks
	if !first.Wanted() || second.Wanted() {
		t.Errorf("wanted: %v, %v, want true, false", first.Wanted(), second.Wanted())
	}
	if err := second.Send(1); err != nil {
		t.Errorf("an acknowledgement that no client wants: %v", err)
	}
	if err := first.Send(true, []byte{9}); err != nil {
		t.Errorf("Send = %v", err)
	}
	c.Want("the acknowledgement comes after the handler has returned", `61-7[true,{"_placeholder":true,"num":0}]`)
	c.WantBinary("with its attachment", []byte{9})
	c.Send(`28["later"]`)
	third := <-acks
	c.Send(`1`)
	c.Connect("/", "")
	if err := third.Send(); !errors.Is(err, socketio.ErrDisconnected) {
		t.Errorf("Send after the socket has gone = %v, want %v", err, socketio.ErrDisconnected)
	}
}

// TestPanicClosesOneClient panics in every kind of handler.
func TestPanicClosesOneClient(t *testing.T) {
	var log bytes.Buffer
	server := newEcho(socketio.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	reasons := make(chan error, 8) // so that handlers return
	server.Of("/").OnDisconnect(func(_ *socketio.Socket, err error) { reasons <- err })
	server.Of("/").On("panic", func(*socketio.Socket, *socketio.Event) { panic("the answer is 42") })
	server.Of("connect").OnConnect(func(*socketio.Socket) { panic("in OnConnect") })
	server.Of("leave").OnDisconnect(func(*socketio.Socket, error) { panic("in OnDisconnect") })
	host := socketiotest.Serve(t, server, engineio.Options{})
	bystander := host.Dial("")
	bystander.Connect("/", "")
	bystander.Want("joined", `2["auth",{}]`)
	for _, packets := range [][]string{
		{`2["panic"]`}, {`0/connect`}, {`0/leave`, `1/leave`},
	} {
		c := host.Dial("")
		c.Connect("/", "")
		c.Want("joined", `2["auth",{}]`)
		for _, packet := range packets {
			c.Send(packet)
		}
		c.WantClose("its handler panicked", 1011)
		if err := <-reasons; !errors.Is(err, socketio.ErrPanic) || socketio.Lost(err) {
			t.Errorf("%q: reason %v, want %v", packets, err, socketio.ErrPanic)
		}
	}
	bystander.Send(`2["message","unharmed"]`)
	bystander.Want("other clients are unaffected", `2["message-back","unharmed"]`)
	if n := server.Stats().Panics; n != 3 {
		t.Errorf("%d panics counted, want 3", n)
	}
	bystander.Close()
	_ = host.Engine.Shutdown(t.Context()) // ends all writers of the log
	if text := log.String(); !strings.Contains(text, "the answer is 42") || !strings.Contains(text, "event_test.go") {
		t.Errorf("the log lacks the panic or its stack:\n%s", text)
	}
}
