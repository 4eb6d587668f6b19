package emulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"chatapp/internal/emulator"
	codec "chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/waittest"
)

// quick makes the SDK retry almost at once.
var quick = &azservicebus.ClientOptions{RetryOptions: azservicebus.RetryOptions{MaxRetries: 5,
	RetryDelay: 10 * time.Millisecond, MaxRetryDelay: 50 * time.Millisecond}}

func TestReceiverSurvivesDroppedConnections(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	c := connect(t, s.ConnectionString(), quick)
	receiver := c.receiverOf("queue", nil)
	c.send("queue", text("before"))
	c.want("before the drop", receiver, "before")
	if n := s.DropConnections(); n == 0 {
		t.Error("no connection was dropped")
	}
	c.send("queue", text("after"))
	var got []*azservicebus.ReceivedMessage
	for len(got) == 0 { // the SDK reports a lost link by no messages and no error
		var err error
		if got, err = receiver.ReceiveMessages(c.ctx, 1, nil); err != nil {
			t.Fatalf("receive after the drop: %v", err)
		}
	}
	if string(got[0].Body) != "after" { // "before" is still locked
		t.Errorf("received %q after the drop", got[0].Body)
	}
}

// TestDropMidTransferLeavesMessageLocked breaks a delivery off in its middle. In PeekLock mode the
// message stays locked and can be peeked.
func TestDropMidTransferLeavesMessageLocked(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	w := opened(t, s, 100)
	w.attachReceiver(0, "queue", codec.SenderUnsettled)
	w.credit(0, 0, 1, false)
	s.DropMidTransfer(1)
	c := connect(t, s.ConnectionString(), nil)
	c.send("queue", text(strings.Repeat("x", 1000)))
	w.wantEnd()
	if len(w.buf) < 200 || len(w.buf) > 1000 {
		t.Errorf("%d bytes of the transfer arrived, want about half of it", len(w.buf))
	}
	peeked, err := c.receiverOf("queue", nil).PeekMessages(c.ctx, 1, nil)
	if err != nil || len(peeked) != 1 {
		t.Errorf("peek: %d messages, %v, want the one that was under way", len(peeked), err)
	}
}

func TestDetachLinksDetachesOneEntity(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Topic("topic", "a", "b")
	p := authorized(t, s)
	ctx := testContext(t)
	a, b := p.receiver("topic/Subscriptions/a", nil), p.receiver("topic/subscriptions/b", nil)
	s.DetachLinks("Topic/Subscriptions/a", "amqp:link:detach-forced", "because")
	_, err := a.Receive(ctx, nil)
	wantCondition(t, "the link that was meant", err, amqp.ErrCondDetachForced)
	if err := p.sender("topic").Send(ctx, amqp.NewMessage([]byte("x")), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Receive(ctx, nil); err != nil {
		t.Errorf("the other link: %v", err)
	}
}

// TestDetachRefusesWaitingLink detaches a link whose attach is waiting for a session. The server
// refuses the attach.
func TestDetachRefusesWaitingLink(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue", func(d *broker.QueueDescription) { d.RequiresSession = true })
	w := opened(t, s, 100)
	w.send(0, &codec.Attach{
		Name: "waits", Handle: 2, Role: codec.RoleReceiver, Target: &codec.Target{},
		Source: &codec.Source{Address: codec.Some("queue"),
			Filter: codec.Map{{Key: codec.Symbol("com.microsoft:session-filter"), Value: nil}}},
	})
	w.send(0, &codec.Flow{IncomingWindow: 100, OutgoingWindow: 100, Echo: true})
	want[*codec.Flow](w) // the attach has been looked at
	s.DetachLinks("", "amqp:link:detach-forced", "because")
	a, d := want[*codec.Attach](w), want[*codec.Detach](w)
	if a.Source != nil || a.Handle != 2 || d.Handle != 2 || d.Error == nil ||
		d.Error.Condition != codec.CondDetachForced {
		t.Errorf("the waiting link receives %+v, %+v, want a refusal", a, d)
	}
}

// TestGoSilentStopsOpenConnectionsOnly checks that open connections receive nothing while new ones
// are served, and that the silence ends.
func TestGoSilentStopsOpenConnectionsOnly(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	old := authorized(t, s)
	receiver := old.receiver("queue", nil)
	s.GoSilent(300 * time.Millisecond)
	start := time.Now()
	if err := authorized(t, s).sender("queue").Send(testContext(t), amqp.NewMessage([]byte("x")), nil); err != nil {
		t.Fatalf("a new connection: %v", err)
	}
	if _, err := receiver.Receive(testContext(t), nil); err != nil || time.Since(start) < 250*time.Millisecond {
		t.Errorf("the silent connection received after %v, %v, want 300ms", time.Since(start), err)
	}
	s.GoSilent(0)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := old.NewSession(ctx, nil); err == nil {
		t.Error("a connection that is silent for ever has answered")
	}
}

func TestDelayDelaysAnswers(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	sender := authorized(t, s).sender("queue")
	s.Delay(emulator.Latency{Min: 50 * time.Millisecond, Max: 60 * time.Millisecond})
	start := time.Now()
	if err := sender.Send(testContext(t), amqp.NewMessage([]byte("x")), nil); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 50*time.Millisecond {
		t.Errorf("a send took %v, want at least the 50ms of the delay", took)
	}
	s.Delay(emulator.Latency{Min: time.Hour, SpikeChance: 1}) // a spike of no time, always
	if err := sender.Send(testContext(t), amqp.NewMessage([]byte("x")), nil); err != nil {
		t.Errorf("with spikes of 0: %v", err)
	}
}

func TestRefuseTokensRefusesLinks(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	s.RefuseTokens(time.Minute)
	c := connect(t, s.ConnectionString(), nil)
	_, err := c.receiverOf("queue", nil).ReceiveMessages(c.ctx, 1, nil)
	wantCode(t, "while tokens are refused", err, azservicebus.CodeUnauthorizedAccess)
	s.RefuseTokens(0)
	connect(t, s.ConnectionString(), nil).send("queue", text("x"))
}

func TestServerBusyRefusesSendsLinksAndRequests(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	p := authorized(t, s)
	sender := p.sender("queue")
	s.ServerBusy(time.Minute)
	wantCondition(t, "a send", sender.Send(testContext(t), amqp.NewMessage([]byte("x")), nil),
		"com.microsoft:server-busy")
	_, err := p.session.NewReceiver(testContext(t), "queue", nil)
	wantCondition(t, "an attach", err, "com.microsoft:server-busy")
	reply := p.request(p.session, "queue/$management", &amqp.Message{
		ApplicationProperties: map[string]any{"operation": "com.microsoft:peek-message"},
		Value:                 map[string]any{"x": "y"},
	})
	if status := reply.ApplicationProperties["statusCode"]; status != int32(503) {
		t.Errorf("a request is answered %v, want 503", status)
	}
	s.ServerBusy(0)
	if err := sender.Send(testContext(t), amqp.NewMessage([]byte("x")), nil); err != nil {
		t.Errorf("a send afterwards: %v", err)
	}
}

func TestThrottleRefusesSends(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	s.Broker().Throttle(10)
	sender := authorized(t, s).sender("queue")
	var refused error
	for range 100 {
		if refused = sender.Send(testContext(t), amqp.NewMessage([]byte("x")), nil); refused != nil {
			break
		}
	}
	wantCondition(t, "sending more than 10 messages a second", refused, "com.microsoft:server-busy")
}

func TestStallCreditTakesCreditAway(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	w := opened(t, s, 100)
	w.attachSender(0, "queue")
	want[*codec.Flow](w)
	s.StallCredit(200 * time.Millisecond)
	if f := want[*codec.Flow](w); f.LinkCredit.Value != 0 {
		t.Errorf("credit %d while stalled, want 0", f.LinkCredit.Value)
	}
	w.transfer(message(0, 0, "x"))
	if d := want[*codec.Disposition](w); d.State.Kind != codec.StateAccepted {
		t.Errorf("a message sent before the stall was known is answered %+v", d)
	}
	if f := want[*codec.Flow](w); f.LinkCredit.Value == 0 {
		t.Error("no credit when the stall is over")
	}
}

func TestStallDelaysAndDeliverTwiceRepeats(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	if err := s.Stall("queue", 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if err := s.DeliverTwice("queue", 1); err != nil {
		t.Fatal(err)
	}
	c := connect(t, s.ConnectionString(), nil)
	start := time.Now()
	c.send("queue", text("twice"), text("once"))
	got := c.want("the first comes twice", c.receiverOf("queue", nil), "twice", "twice", "once")
	if *got[0].SequenceNumber != *got[1].SequenceNumber {
		t.Errorf("sequence numbers %d and %d, want the same", *got[0].SequenceNumber, *got[1].SequenceNumber)
	}
	if took := time.Since(start); took < 50*time.Millisecond {
		t.Errorf("received after %v, want the stall first", took)
	}
	if err := s.Stall("nothing", time.Second); broker.CodeOf(err) != broker.CodeNotFound {
		t.Errorf("stalling nothing: %v", err)
	}
}

func TestDeleteDetachesLinks(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Topic("topic", "sub")
	p := authorized(t, s)
	receiver, sender := p.receiver("topic/Subscriptions/sub", nil), p.sender("topic")
	if err := s.Delete("topic/Subscriptions/sub"); err != nil {
		t.Fatal(err)
	}
	_, err := receiver.Receive(testContext(t), nil)
	wantCondition(t, "the receiver of a deleted subscription", err, amqp.ErrCondDetachForced)
	if err := sender.Send(testContext(t), amqp.NewMessage([]byte("x")), nil); err != nil {
		t.Errorf("the topic's sender: %v", err)
	}
	if err := s.Delete("topic"); err != nil {
		t.Fatal(err)
	}
	wantCondition(t, "the sender to a deleted topic", sender.Send(testContext(t), amqp.NewMessage([]byte("x")), nil),
		amqp.ErrCondDetachForced)
	if err := s.Delete("topic"); broker.CodeOf(err) != broker.CodeNotFound {
		t.Errorf("deleting twice: %v", err)
	}
}

func TestRestartKeepsMessagesAndRestartEmptyDoesNot(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	address := s.AMQPAddress()
	c := connect(t, s.ConnectionString(), quick)
	c.send("queue", text("kept"))
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if s.AMQPAddress() != address {
		t.Errorf("the address was %s and is %s", address, s.AMQPAddress())
	}
	receiver := c.receiverOf("queue",
		&azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	c.want("messages outlive a restart", receiver, "kept")
	a := administer(t, s)
	if _, err := a.GetQueueRuntimeProperties(c.ctx, "queue", nil); err != nil {
		t.Errorf("management after a restart: %v", err)
	}
	if err := s.RestartEmpty(); err != nil {
		t.Fatal(err)
	}
	if queue, err := a.GetQueue(c.ctx, "queue", nil); err != nil || queue != nil {
		t.Errorf("after an empty restart the queue is %+v, %v, want none", queue, err)
	}
}

// faultRequest sends a request to the fault endpoint.
func faultRequest(t *testing.T, s *emulatortest.Server, method, path, contentType, parameters string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(testContext(t), method, "http://"+s.HTTPAddress()+"/$emulator"+path,
		strings.NewReader(parameters))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestFaultEndpointActivatesFaults(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Topic("topic", "sub")
	p := authorized(t, s)
	sender := p.sender("topic")
	for _, tt := range []struct {
		fault, parameters string
		status            int
		text              string
	}{
		{"delay", `{"min": "1ms", "max": "2ms", "spikeChance": 0.1, "spike": "3ms"}`, 204, ""},
		{"delay", `{}`, 204, ""},
		{"delay", `{"min": "-1s"}`, 400, "negative"},
		{"refuse-tokens", `{"for": "0s"}`, 204, ""},
		{"server-busy", `{"for": "0s"}`, 204, ""},
		{"stall-credit", `{"for": "0s"}`, 204, ""},
		{"throttle", `{"creditsPerSecond": 0}`, 204, ""},
		{"stall", `{"path": "topic/Subscriptions/sub", "for": "0s"}`, 204, ""},
		{"deliver-twice", `{"path": "topic/Subscriptions/sub", "count": 0}`, 204, ""},
		{"lose-locks", `{"path": "topic/Subscriptions/sub"}`, 204, ""},
		{"lose-locks", `{"path": "nothing"}`, 404, "nothing"},
		{"set-status", `{"path": "topic", "status": "Asleep"}`, 400, "Asleep"},
		{"set-status", `{"path": "topic/Subscriptions/sub", "status": "Disabled"}`, 204, ""},
		{"detach-links", `{"path": "topic"}`, 400, "condition"},
		{"fly", ``, 404, "drop-connections"},
		{"delay", `{"wings": 2}`, 400, "wings"},
		{"delete", `{"path": "topic/Subscriptions/sub"}`, 204, ""},
		{"drop-mid-transfer", ``, 204, ""},
		{"go-silent", `{"for": "1ms"}`, 204, ""},
		{"detach-links", `{"path": "topic", "condition": "amqp:link:stolen"}`, 204, ""},
	} {
		if status, text := faultRequest(t, s, "POST", "/faults/"+tt.fault, "application/json",
			tt.parameters); status != tt.status || !strings.Contains(text, tt.text) {
			t.Errorf("%s %s: %d %s, want %d …%s…", tt.fault, tt.parameters, status, text, tt.status, tt.text)
		}
	}
	detached := error(nil)
	for ctx := testContext(t); detached == nil; { // the endpoint does not wait for the links
		detached = sender.Send(ctx, amqp.NewMessage([]byte("x")), nil)
	}
	wantCondition(t, "the sender, detached by the endpoint", detached, amqp.ErrCondStolen)
	if status, _ := faultRequest(t, s, "POST", "/faults/drop-connections", "text/plain", "{}"); status != 415 {
		t.Errorf("a fault asked for by a simple request of a web page: %d, want 415", status)
	}
	if err := p.sender("topic").Send(testContext(t), amqp.NewMessage([]byte("x")), nil); err != nil {
		t.Fatal(err)
	}
	status, text := faultRequest(t, s, "GET", "/usage", "", "")
	var usage broker.Usage
	if err := json.Unmarshal([]byte(text), &usage); status != 200 || err != nil || usage.Sent < 1 ||
		usage.Credits < usage.Sent {
		t.Errorf("usage: %d %s, %v, want messages sent and credits spent", status, text, err)
	}
	if status, text := faultRequest(t, s, "GET", "", "", ""); status != 200 ||
		!bytes.Contains([]byte(text), []byte(`"restart-empty"`)) {
		t.Errorf("overview: %d %s", status, text)
	}
	if status, _ := faultRequest(t, s, "POST", "/faults/restart-empty", "application/json", ""); status != 202 {
		t.Errorf("restart: %d, want 202", status)
	}
	waittest.Until(t, "the emulator has restarted empty", func() bool {
		return !s.Broker().Exists("topic") && listening(s)
	})
}

// listening reports whether the management port accepts connections, which it does not during a
// restart.
func listening(s *emulatortest.Server) bool {
	nc, err := net.Dial("tcp", s.HTTPAddress())
	if err != nil {
		return false
	}
	nc.Close()
	return true
}
