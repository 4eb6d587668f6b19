package emulator_test

import (
	"bytes"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/emulatortest"
)

// wire is an AMQP client that sends exactly the frames of a test.
type wire struct {
	tb   testing.TB
	nc   net.Conn
	buf  []byte // not yet handled
	more []byte // one read
}

func dialWire(tb testing.TB, s *emulatortest.Server) *wire {
	tb.Helper()
	nc, err := net.Dial("tcp", s.AMQPAddress())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(testTimeout)); err != nil {
		tb.Fatal(err)
	}
	return &wire{tb: tb, nc: nc}
}

// opened returns a wire after SASL PLAIN, open and begin, with an AMQP session on channel 0.
// window is its incoming window.
func opened(tb testing.TB, s *emulatortest.Server, window uint32) *wire {
	tb.Helper()
	w := dialWire(tb, s)
	w.write(amqp.AppendProtocolHeader(nil, amqp.ProtocolSASL))
	w.wantHeader(amqp.ProtocolSASL)
	want[*amqp.SASLMechanisms](w)
	w.send(0, &amqp.SASLInit{Mechanism: "PLAIN",
		InitialResponse: []byte("\x00RootManageSharedAccessKey\x00SAS_KEY_VALUE")})
	if outcome := want[*amqp.SASLOutcome](w); outcome.Code != amqp.SASLOK {
		tb.Fatalf("SASL outcome %d", outcome.Code)
	}
	w.write(amqp.AppendProtocolHeader(nil, amqp.ProtocolAMQP))
	w.wantHeader(amqp.ProtocolAMQP)
	w.send(0, &amqp.Open{ContainerID: "test", MaxFrameSize: 65536, ChannelMax: 100})
	want[*amqp.Open](w)
	w.send(0, &amqp.Begin{IncomingWindow: window, OutgoingWindow: 100, HandleMax: 100})
	want[*amqp.Begin](w)
	return w
}

func (w *wire) write(b []byte) {
	w.tb.Helper()
	if _, err := w.nc.Write(b); err != nil {
		w.tb.Fatalf("write: %v", err)
	}
}

func (w *wire) send(channel uint16, p amqp.Performative) {
	w.tb.Helper()
	w.write(amqp.AppendFrame(nil, channel, p))
}

// transfer sends a transfer with a payload.
func (w *wire) transfer(t *amqp.Transfer) {
	w.tb.Helper()
	w.write(amqp.EndFrame(append(amqp.AppendFrame(nil, 0, t), t.Payload...), 0, 0))
}

func (w *wire) wantHeader(id amqp.ProtocolID) {
	w.tb.Helper()
	header := make([]byte, amqp.ProtocolHeaderSize)
	if _, err := io.ReadFull(w.nc, header); err != nil {
		w.tb.Fatalf("read a protocol header: %v", err)
	}
	if want := amqp.AppendProtocolHeader(nil, id); !bytes.Equal(header, want) {
		w.tb.Fatalf("protocol header %q, want %q", header, want)
	}
}

// next returns the next performative, nil at the end of the connection.
func (w *wire) next() amqp.Performative {
	w.tb.Helper()
	for {
		f, size, err := amqp.ParseFrame(w.buf, 1<<20)
		if err != nil {
			w.tb.Fatal(err)
		}
		if size == 0 {
			if w.more == nil {
				w.more = make([]byte, 64<<10)
			}
			n, err := w.nc.Read(w.more)
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				w.tb.Fatal("nothing comes")
			}
			if err != nil && n == 0 {
				return nil
			}
			w.buf = append(w.buf, w.more[:n]...)
			continue
		}
		w.buf = w.buf[size:]
		if len(f.Body) == 0 {
			continue
		}
		p, err := amqp.ParsePerformative(f.Type, bytes.Clone(f.Body))
		if err != nil {
			w.tb.Fatal(err)
		}
		return p
	}
}

// want returns the next performative, which must be a P.
func want[P amqp.Performative](w *wire) P {
	w.tb.Helper()
	p := w.next()
	wanted, ok := p.(P)
	if !ok {
		w.tb.Fatalf("%T %+v, want %v", p, p, reflect.TypeFor[P]())
	}
	return wanted
}

func (w *wire) wantEnd() {
	w.tb.Helper()
	if p := w.next(); p != nil {
		w.tb.Fatalf("%T %+v, want the end of the connection", p, p)
	}
}

func (w *wire) attachSender(handle uint32, target string) *amqp.Attach {
	w.tb.Helper()
	w.send(0, &amqp.Attach{
		Name: "sender", Handle: handle, Role: amqp.RoleSender, SenderSettleMode: amqp.SenderMixed,
		InitialDeliveryCount: amqp.Some(uint32(0)),
		Source:               &amqp.Source{}, Target: &amqp.Target{Address: amqp.Some(target)},
	})
	return want[*amqp.Attach](w)
}

func (w *wire) attachReceiver(handle uint32, source string, settled amqp.SenderSettleMode) *amqp.Attach {
	w.tb.Helper()
	w.send(0, &amqp.Attach{
		Name: "receiver", Handle: handle, Role: amqp.RoleReceiver, SenderSettleMode: settled,
		ReceiverSettleMode: amqp.ReceiverSecond,
		Source:             &amqp.Source{Address: amqp.Some(source)}, Target: &amqp.Target{},
	})
	return want[*amqp.Attach](w)
}

func (w *wire) credit(handle, count, credit uint32, drain bool) {
	w.tb.Helper()
	w.send(0, &amqp.Flow{
		NextIncomingID: amqp.Some(uint32(0)), IncomingWindow: 1000, OutgoingWindow: 100,
		Handle: amqp.Some(handle), DeliveryCount: amqp.Some(count), LinkCredit: amqp.Some(credit), Drain: drain,
	})
}

// message returns a transfer with a small message.
func message(handle, id uint32, body string) *amqp.Transfer {
	return &amqp.Transfer{
		Handle: handle, DeliveryID: amqp.Some(id), DeliveryTag: []byte{byte(id)}, MessageFormat: amqp.Some(uint32(0)),
		Payload: amqp.AppendData(nil, []byte(body)),
	}
}

// body returns the data of a transferred message.
func body(t *amqp.Transfer) string {
	m, err := amqp.ParseMessage(t.Payload)
	if err != nil {
		return err.Error()
	}
	for data := range amqp.DataSections(m.Body) {
		return string(data)
	}
	return ""
}

func TestSettleModesAreEchoed(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	w := opened(t, s, 100)
	for handle, mode := range []amqp.SenderSettleMode{amqp.SenderUnsettled, amqp.SenderSettled, amqp.SenderMixed} {
		a := w.attachReceiver(uint32(handle), "queue", mode)
		if a.SenderSettleMode != mode || a.ReceiverSettleMode != amqp.ReceiverSecond || a.Role != amqp.RoleSender ||
			a.Source == nil || a.Target == nil {
			t.Errorf("a receiver with mode %d is answered %+v", mode, a)
		}
	}
	a := w.attachSender(5, "queue")
	if a.SenderSettleMode != amqp.SenderMixed || a.ReceiverSettleMode != amqp.ReceiverFirst ||
		a.MaxMessageSize != 256<<10 {
		t.Errorf("a sender is answered %+v", a)
	}
	flow := want[*amqp.Flow](w)
	if flow.LinkCredit.Value < 100 || !flow.NextIncomingID.Set || flow.Handle != amqp.Some(uint32(5)) {
		t.Errorf("credit for the sender: %+v", flow)
	}
}

// TestRefusalIsAttachThenDetach checks the form of a refusal: an attach without the server's
// terminus, then a detach with the error.
func TestRefusalIsAttachThenDetach(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	w := opened(t, s, 100)
	w.send(0, &amqp.Attach{Name: "temporary", Handle: 3, Role: amqp.RoleReceiver, Source: &amqp.Source{Dynamic: true},
		Target: &amqp.Target{}})
	want[*amqp.Attach](w)
	if d := want[*amqp.Detach](w); d.Error == nil || d.Error.Condition != amqp.CondNotImplemented {
		t.Errorf("a temporary queue is refused with %+v", d)
	}
	w.send(0, &amqp.Detach{Handle: 3, Closed: true})
	a := w.attachReceiver(3, "nothing", amqp.SenderUnsettled)
	d := want[*amqp.Detach](w)
	if a.Source != nil || a.Target == nil || a.Name != "receiver" || a.Handle != 3 || !d.Closed || d.Handle != 3 ||
		d.Error == nil || d.Error.Condition != amqp.CondNotFound {
		t.Errorf("a receiver is refused with %+v, %+v", a, d)
	}
	w.send(0, &amqp.Detach{Handle: 3, Closed: true})
	if a, d := w.attachSender(3, "nothing"), want[*amqp.Detach](w); a.Target != nil || a.Source == nil ||
		d.Error == nil {
		t.Errorf("a sender is refused with %+v, %+v", a, d)
	}
	w.send(0, &amqp.Detach{Handle: 3, Closed: true})
}

func TestDrainUsesUpCredit(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	w := opened(t, s, 1000)
	w.attachReceiver(0, "queue", amqp.SenderSettled)
	w.credit(0, 0, 10, true)
	if f := want[*amqp.Flow](w); !f.Drain || f.LinkCredit.Value != 0 || f.DeliveryCount.Value != 10 {
		t.Errorf("the drain of an empty queue is answered %+v, want delivery-count 10 and no credit", f)
	}
	w.attachSender(1, "queue")
	want[*amqp.Flow](w)
	for id, body := range []string{"a", "b", "c"} {
		w.transfer(message(1, uint32(id), body))
	}
	for settled := uint32(0); settled < 3; {
		d := want[*amqp.Disposition](w)
		if d.Role != amqp.RoleReceiver || !d.Settled || d.State.Kind != amqp.StateAccepted {
			t.Fatalf("a message is answered %+v", d)
		}
		settled = d.Last + 1
	}
	w.credit(0, 10, 5, true)
	for _, want3 := range []string{"a", "b", "c"} {
		if tr := want[*amqp.Transfer](w); body(tr) != want3 || !tr.Settled.Value {
			t.Errorf("a drain delivers %q, settled %v, want %q", body(tr), tr.Settled, want3)
		}
	}
	if f := want[*amqp.Flow](w); !f.Drain || f.LinkCredit.Value != 0 || f.DeliveryCount.Value != 15 {
		t.Errorf("a drain after three messages is answered %+v, want delivery-count 15 and no credit", f)
	}
}

// TestCreditIsServedInOrder serves the unused credit of several links in the order in which it was given.
func TestCreditIsServedInOrder(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	w := opened(t, s, 1000)
	for _, handle := range []uint32{0, 1, 2} {
		w.attachReceiver(handle, "queue", amqp.SenderSettled)
	}
	for _, handle := range []uint32{2, 0, 1} {
		w.credit(handle, 0, 1, false)
	}
	w.attachSender(3, "queue")
	want[*amqp.Flow](w)
	for id := range uint32(3) {
		m := message(3, id, "x")
		m.Settled = amqp.Some(true)
		w.transfer(m)
	}
	for i, handle := range []uint32{2, 0, 1} {
		if tr := want[*amqp.Transfer](w); tr.Handle != handle {
			t.Errorf("message %d goes to link %d, want %d", i, tr.Handle, handle)
		}
	}
}

// TestTransfersKeepToWindow checks that the server sends no more transfers than the client's
// window allows, and resumes when the window opens.
func TestTransfersKeepToWindow(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	w := opened(t, s, 2)
	w.attachSender(0, "queue")
	want[*amqp.Flow](w)
	for id := range uint32(4) {
		m := message(0, id, strings.Repeat("x", int(id)))
		m.Settled = amqp.Some(true)
		w.transfer(m)
	}
	w.attachReceiver(1, "queue", amqp.SenderSettled)
	w.send(0, &amqp.Flow{
		NextIncomingID: amqp.Some(uint32(0)), IncomingWindow: 2, OutgoingWindow: 100,
		Handle: amqp.Some(uint32(1)), DeliveryCount: amqp.Some(uint32(0)), LinkCredit: amqp.Some(uint32(10)),
		Echo: true,
	})
	for i := range 2 {
		if tr := want[*amqp.Transfer](w); len(body(tr)) != i {
			t.Errorf("message %d is %q", i, body(tr))
		}
	}
	if f := want[*amqp.Flow](w); f.NextOutgoingID != 2 {
		t.Errorf("the echo %+v, want next-outgoing-id 2: nothing beyond the window", f)
	}
	w.send(0, &amqp.Flow{NextIncomingID: amqp.Some(uint32(2)), IncomingWindow: 2, OutgoingWindow: 100})
	for i := range 2 {
		if tr := want[*amqp.Transfer](w); len(body(tr)) != 2+i {
			t.Errorf("message %d is %q", 2+i, body(tr))
		}
	}
}

// TestProtocolViolationsAreAnswered violates the protocol, each time on a new connection, and
// checks the server's answer.
func TestProtocolViolationsAreAnswered(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	closed := func(condition amqp.Symbol) func(*wire) {
		return func(w *wire) {
			if c := want[*amqp.Close](w); c.Error == nil || c.Error.Condition != condition {
				w.tb.Errorf("closed with %v, want %s", c.Error, condition)
			}
			w.wantEnd()
		}
	}
	ended := func(condition amqp.Symbol) func(*wire) {
		return func(w *wire) {
			if e := want[*amqp.End](w); e.Error == nil || e.Error.Condition != condition {
				w.tb.Errorf("ended with %v, want %s", e.Error, condition)
			}
			w.send(0, &amqp.End{})
			w.send(0, &amqp.Begin{IncomingWindow: 1, OutgoingWindow: 1})
			want[*amqp.Begin](w) // the connection still works
		}
	}
	detached := func(condition amqp.Symbol) func(*wire) {
		return func(w *wire) {
			if d := want[*amqp.Detach](w); d.Error == nil || d.Error.Condition != condition || !d.Closed {
				w.tb.Errorf("detached with %+v, want %s", d, condition)
			}
			w.send(0, &amqp.Detach{Handle: 0, Closed: true})
			w.attachReceiver(0, "queue", amqp.SenderSettled) // the AMQP session still works
		}
	}
	rejected := func(condition amqp.Symbol) func(*wire) {
		return func(w *wire) {
			d := want[*amqp.Disposition](w)
			if !d.Settled || d.State.Kind != amqp.StateRejected || d.State.Error == nil ||
				d.State.Error.Condition != condition {
				w.tb.Errorf("answered with %+v, want settled as rejected for %s", d, condition)
			}
			detached(condition)(w)
		}
	}
	for _, tt := range []struct {
		name  string
		do    func(*wire)
		check func(*wire)
	}{
		{"a frame that is too large", func(w *wire) { w.write([]byte{0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0}) },
			closed(amqp.CondFramingError)},
		{"a frame that is too small", func(w *wire) { w.write([]byte{0, 0, 0, 4, 2, 0, 0, 0}) },
			closed(amqp.CondFramingError)},
		{"a body that is no performative", func(w *wire) { w.write([]byte{0, 0, 0, 9, 2, 0, 0, 0, 0x40}) },
			closed(amqp.CondDecodeError)},
		{"SASL again", func(w *wire) { w.send(0, &amqp.SASLInit{Mechanism: "PLAIN"}) }, closed(amqp.CondFramingError)},
		{"a second open", func(w *wire) { w.send(0, &amqp.Open{ContainerID: "x", MaxFrameSize: 512}) },
			closed(amqp.CondNotAllowed)},
		{"a channel without AMQP session", func(w *wire) { w.send(9, &amqp.Detach{}) }, closed(amqp.CondFramingError)},
		{"a channel above the limit", func(w *wire) { w.send(60000, &amqp.Begin{}) }, closed(amqp.CondNotAllowed)},
		{"a channel in use", func(w *wire) { w.send(0, &amqp.Begin{}) }, closed(amqp.CondNotAllowed)},
		{"a flow for no link", func(w *wire) { w.credit(7, 0, 1, false) }, ended(amqp.CondUnattachedHandle)},
		{"a transfer on no link", func(w *wire) { w.transfer(message(7, 0, "x")) }, ended(amqp.CondUnattachedHandle)},
		{"a detach of no link", func(w *wire) { w.send(0, &amqp.Detach{Handle: 7}) }, ended(amqp.CondUnattachedHandle)},
		{"a handle in use", func(w *wire) {
			w.attachReceiver(0, "queue", amqp.SenderSettled)
			w.send(0, &amqp.Attach{Name: "again", Handle: 0, Role: amqp.RoleReceiver})
		}, ended(amqp.CondHandleInUse)},
		{"a transfer on a link to receive", func(w *wire) {
			w.attachReceiver(0, "queue", amqp.SenderSettled)
			w.transfer(message(0, 0, "x"))
		}, ended(amqp.CondNotAllowed)},
		{"a delivery without id", func(w *wire) {
			w.attachSender(0, "queue")
			want[*amqp.Flow](w)
			w.transfer(&amqp.Transfer{Handle: 0, Payload: []byte{0}})
		}, ended(amqp.CondInvalidField)},
		{"a message that is no message", func(w *wire) {
			w.attachSender(0, "queue")
			want[*amqp.Flow](w)
			m := message(0, 0, "")
			m.Payload = []byte("garbage")
			w.transfer(m)
		}, detached(amqp.CondDecodeError)},
		{"a batch without messages", func(w *wire) {
			w.attachSender(0, "queue")
			want[*amqp.Flow](w)
			m := message(0, 0, "")
			m.MessageFormat, m.Payload = amqp.Some(uint32(amqp.BatchFormat)), nil
			w.transfer(m)
		}, detached(amqp.CondDecodeError)},
		{"a delivery that never ends", func(w *wire) {
			w.attachSender(0, "queue")
			want[*amqp.Flow](w)
			m := message(0, 0, strings.Repeat("x", 60000))
			m.More = true
			for range 5 {
				w.transfer(m)
			}
		}, rejected(amqp.CondMessageSizeExceeded)},
		{"a message that is too large", func(w *wire) {
			w.attachSender(0, "queue")
			want[*amqp.Flow](w)
			m := message(0, 0, strings.Repeat("x", 60000))
			m.More = true
			for range 4 {
				w.transfer(m)
			}
			m.More = false // too large only with this one
			w.transfer(m)
		}, rejected(amqp.CondMessageSizeExceeded)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := opened(t, s, 100)
			tt.do(w)
			tt.check(w)
		})
	}
}

// TestTransferWithoutCreditDetaches sends on a link to which the server has given no credit.
func TestTransferWithoutCreditDetaches(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	s.StallCredit(time.Minute)
	w := opened(t, s, 100)
	w.attachSender(0, "queue")
	if f := want[*amqp.Flow](w); f.LinkCredit.Value != 0 {
		t.Fatalf("credit %d while credit is stalled, want 0", f.LinkCredit.Value)
	}
	w.transfer(message(0, 0, "x"))
	if d := want[*amqp.Detach](w); d.Error == nil || d.Error.Condition != amqp.CondTransferLimitExceeded {
		t.Errorf("detached with %+v, want %s", d, amqp.CondTransferLimitExceeded)
	}
	if info, err := s.Broker().Queue("queue"); err != nil || info.Active != 0 {
		t.Errorf("the queue holds %d messages, %v, want none", info.Active, err)
	}
}

// TestOtherProtocolsAreAnsweredWithHeader sends headers of other protocols and versions, and
// invalid handshakes.
func TestOtherProtocolsAreAnsweredWithHeader(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	for _, first := range []string{"AMQP\x02\x01\x00\x00", "AMQP\x00\x00\x09\x01", "AMQP\x03\x02\x00\x00"} {
		w := dialWire(t, s)
		w.write([]byte(first))
		w.wantHeader(amqp.ProtocolSASL) // the supported protocol
		w.wantEnd()
	}
	w := dialWire(t, s)
	w.write(amqp.AppendProtocolHeader(nil, amqp.ProtocolSASL))
	w.wantHeader(amqp.ProtocolSASL)
	mechanisms := want[*amqp.SASLMechanisms](w).Mechanisms
	if len(mechanisms) != 3 || mechanisms[0] != "MSSBCBS" {
		t.Errorf("mechanisms %q, want MSSBCBS first", mechanisms)
	}
	w.send(0, &amqp.SASLInit{Mechanism: "PLAIN", InitialResponse: []byte("\x00RootManageSharedAccessKey\x00wrong")})
	if outcome := want[*amqp.SASLOutcome](w); outcome.Code != amqp.SASLAuth {
		t.Errorf("a wrong key is answered %d, want %d", outcome.Code, amqp.SASLAuth)
	}
	w.wantEnd()

	w = dialWire(t, s) // without SASL, everything in one go
	first := amqp.AppendProtocolHeader(nil, amqp.ProtocolAMQP)
	first = amqp.AppendFrame(first, 0, &amqp.Open{ContainerID: "x", MaxFrameSize: 512})
	w.write(amqp.AppendFrame(first, 0, &amqp.Close{}))
	w.wantHeader(amqp.ProtocolAMQP)
	if open := want[*amqp.Open](w); open.ContainerID == "" || open.ChannelMax < 1000 || open.MaxFrameSize != 65536 ||
		open.IdleTimeOut == 0 {
		t.Errorf("open is answered %+v", open)
	}
	want[*amqp.Close](w)
	w.wantEnd()
}

// TestFlowAfterDetachIsIgnored sends a flow for a link that was just detached, as go-amqp may do.
func TestFlowAfterDetachIsIgnored(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	w := opened(t, s, 100)
	w.attachReceiver(0, "queue", amqp.SenderSettled)
	w.send(0, &amqp.Detach{Closed: true})
	w.credit(0, 0, 1, false)
	want[*amqp.Detach](w)
	w.attachReceiver(0, "queue", amqp.SenderSettled) // the AMQP session still works
}

func TestDetachIsAnsweredAlike(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	w := opened(t, s, 100)
	for _, closed := range []bool{false, true} {
		w.attachReceiver(0, "queue", amqp.SenderSettled)
		w.send(0, &amqp.Detach{Closed: closed})
		if answer := want[*amqp.Detach](w); answer.Closed != closed {
			t.Errorf("a detach with closed %t is answered with %t", closed, answer.Closed)
		}
	}
}

// TestAbortedDeliveryIsDiscarded sends half a message, aborts it, and sends another.
func TestAbortedDeliveryIsDiscarded(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	w := opened(t, s, 100)
	w.attachSender(0, "queue")
	want[*amqp.Flow](w)
	half := message(0, 0, "half")
	half.More, half.Payload = true, half.Payload[:3]
	w.transfer(half)
	w.transfer(&amqp.Transfer{Handle: 0, Aborted: true})
	w.transfer(message(0, 1, "whole"))
	if d := want[*amqp.Disposition](w); d.First != 1 || d.State.Kind != amqp.StateAccepted {
		t.Errorf("the second delivery is answered %+v", d)
	}
	if info, err := s.Broker().Queue("queue"); err != nil || info.Active != 1 {
		t.Errorf("the queue holds %d messages, %v, want 1", info.Active, err)
	}
}

// TestUnsettledAreBounded gives unlimited credit and settles nothing, then settles everything at
// once.
func TestUnsettledAreBounded(t *testing.T) {
	t.Parallel()
	const limit, messages = 20000, 20100
	s := emulatortest.Start(t)
	s.Queue("queue")
	p := authorized(t, s)
	sender := p.sender("queue")
	for range messages / 300 {
		if err := sender.Send(testContext(t), batchOf(t, 300, nil), nil); err != nil {
			t.Fatal(err)
		}
	}
	w := opened(t, s, 1<<30)
	w.attachReceiver(0, "queue", amqp.SenderUnsettled)
	w.send(0, &amqp.Flow{
		NextIncomingID: amqp.Some(uint32(0)), IncomingWindow: 1 << 30, OutgoingWindow: 1,
		Handle: amqp.Some(uint32(0)), DeliveryCount: amqp.Some(uint32(0)), LinkCredit: amqp.Some(uint32(1 << 30)),
	})
	for range limit {
		want[*amqp.Transfer](w)
	}
	w.send(0, &amqp.Flow{NextIncomingID: amqp.Some(uint32(limit)), IncomingWindow: 1 << 30, OutgoingWindow: 1,
		Echo: true})
	want[*amqp.Flow](w) // and no transfer before it
	w.send(0, &amqp.Disposition{Role: amqp.RoleReceiver, First: 0, Last: limit + 5, State: amqp.Accepted})
	for range messages - limit {
		for {
			if _, settled := w.next().(*amqp.Disposition); !settled {
				break
			}
		}
	}
	if info, err := s.Broker().Queue("queue"); err != nil || info.Total != messages-limit {
		t.Errorf("the queue holds %d messages, %v, want the %d that are not settled", info.Total, err, messages-limit)
	}
}
