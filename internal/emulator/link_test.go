package emulator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"chatapp/internal/emulator/broker"
	"chatapp/internal/emulator/emulatortest"
)

// wantCondition checks the AMQP condition of an error.
func wantCondition(tb testing.TB, what string, err error, want amqp.ErrCond) {
	tb.Helper()
	var got amqp.ErrCond
	if e, ok := errors.AsType[*amqp.Error](err); ok {
		got = e.Condition
	} else if e, ok := errors.AsType[*amqp.LinkError](err); ok && e.RemoteErr != nil {
		got = e.RemoteErr.Condition
	} else if e, ok := errors.AsType[*amqp.ConnError](err); ok && e.RemoteErr != nil {
		got = e.RemoteErr.Condition
	}
	if got != want {
		tb.Errorf("%s: %v, want condition %s", what, err, want)
	}
}

// TestLargeDeliveriesSpanFrames sends messages of many frames both ways, over small frames and a small window.
func TestLargeDeliveriesSpanFrames(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t, emulatortest.WithBroker(broker.Options{Tier: broker.Premium}))
	s.Queue("queue", func(d *broker.QueueDescription) { d.MaxMessageSizeInKilobytes = 20 << 10 })
	ctx := testContext(t)
	sender := authorized(t, s).sender("queue")
	if got, want := sender.MaxMessageSize(), uint64(20<<20); got != want {
		t.Errorf("max-message-size %d, want %d", got, want)
	}
	if got, want := sender.Properties()["com.microsoft:max-message-batch-size"], uint64(1<<20); got != want {
		t.Errorf("max-message-batch-size %v, want %d", got, want)
	}
	body := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	bodies := [][]byte{body, []byte("next")}
	for _, body := range bodies {
		if err := sender.Send(ctx, amqp.NewMessage(body), nil); err != nil {
			t.Fatalf("send %d bytes: %v", len(body), err)
		}
	}
	conn, err := amqp.Dial(ctx, "amqp://"+s.AMQPAddress(),
		&amqp.ConnOptions{SASLType: amqp.SASLTypePlain("RootManageSharedAccessKey", "SAS_KEY_VALUE"),
			MaxFrameSize: 512})
	if err != nil {
		t.Fatalf("dial with SASL PLAIN: %v", err)
	}
	defer conn.Close()
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := session.NewReceiver(ctx, "queue", &amqp.ReceiverOptions{Credit: 2})
	if err != nil {
		t.Fatalf("attach with the rights of SASL PLAIN: %v", err)
	}
	for i, body := range bodies { // the first has 7,000 frames, more than the window of 5,000 of the AMQP session
		m, err := receiver.Receive(ctx, nil)
		if err != nil || !bytes.Equal(m.GetData(), body) {
			t.Fatalf("message %d: %v", i, err)
		}
		if err := receiver.AcceptMessage(ctx, m); err != nil {
			t.Errorf("accept: %v", err)
		}
	}
}

func TestLinksAreRefusedWithTheirReason(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Topic("topic", "sub")
	s.Queue("sessions", func(d *broker.QueueDescription) { d.RequiresSession = true })
	s.Queue("disabled")
	if err := s.SetStatus("disabled", broker.StatusDisabled); err != nil {
		t.Fatal(err)
	}
	p := authorized(t, s)
	ctx := testContext(t)
	receive := func(source string) error {
		_, err := p.session.NewReceiver(ctx, source, nil)
		return err
	}
	wantCondition(t, "receiving from a topic", receive("topic"), amqp.ErrCondNotAllowed)
	wantCondition(t, "receiving from nothing", receive("nothing"), amqp.ErrCondNotFound)
	wantCondition(t, "receiving without a session", receive("sessions"), amqp.ErrCondNotAllowed)
	wantCondition(t, "receiving from a disabled queue", receive("disabled"), "com.microsoft:entity-disabled")
	_, err := p.session.NewSender(ctx, "nothing", nil)
	wantCondition(t, "sending to nothing", err, amqp.ErrCondNotFound)
	_, err = p.session.NewSender(ctx, "disabled", nil)
	wantCondition(t, "sending to a disabled queue", err, "com.microsoft:entity-disabled")
	if _, err := p.session.NewSender(ctx, "topic", nil); err != nil {
		t.Errorf("the session goes on after refusals: %v", err)
	}
	_, err = dial(t, s).session.NewReceiver(ctx, "topic/Subscriptions/sub", nil)
	wantCondition(t, "receiving without a token", err, amqp.ErrCondUnauthorizedAccess)
}

// TestTooLargePropertiesAreRejectedWithoutDetach sends on after the rejections.
func TestTooLargePropertiesAreRejectedWithoutDetach(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	ctx := testContext(t)
	sender := authorized(t, s).sender("queue")
	large := strings.Repeat("x", 32<<10)
	for what, properties := range map[string]map[string]any{
		"all together": {"a": large, "b": large}, "one": {"a": large + "x"},
	} {
		err := sender.Send(ctx, &amqp.Message{ApplicationProperties: properties}, nil)
		if e, ok := errors.AsType[*amqp.Error](err); !ok || e.Condition != amqp.ErrCondMessageSizeExceeded {
			t.Errorf("%s: %v, want the delivery rejected as too large", what, err)
		}
	}
	err := sender.Send(ctx, &amqp.Message{ApplicationProperties: map[string]any{"a": []any{"list"}}}, nil)
	if e, ok := errors.AsType[*amqp.Error](err); !ok || e.Condition != "com.microsoft:argument-error" {
		t.Errorf("a list: %v, want the delivery rejected", err)
	}
	if err := sender.Send(ctx, &amqp.Message{ApplicationProperties: map[string]any{"a": large}}, nil); err != nil {
		t.Errorf("the link goes on: %v", err)
	}
}

func TestManagementOfMissingEntityIsRefused(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	p := authorized(t, s)
	for _, node := range []string{"missing/$management", "queue/$DeadLetterQueue/x/$management"} {
		_, err := p.session.NewSender(testContext(t), node, nil)
		wantCondition(t, "a sender to "+node, err, amqp.ErrCondNotFound)
		_, err = p.session.NewReceiver(testContext(t), node, nil)
		wantCondition(t, "a receiver of "+node, err, amqp.ErrCondNotFound)
	}
	p.sender("queue/$DeadLetterQueue/$management")
}

func TestSessionFilterSelectsSession(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue", func(d *broker.QueueDescription) { d.RequiresSession = true })
	p := authorized(t, s)
	filtered := func(value any, timeout uint32) (*amqp.Receiver, error) {
		return p.session.NewReceiver(testContext(t), "queue", &amqp.ReceiverOptions{
			Filters:    []amqp.LinkFilter{amqp.NewLinkFilter("com.microsoft:session-filter", 0x137000000C, value)},
			Properties: map[string]any{"com.microsoft:timeout": timeout},
		})
	}
	one, err := filtered("one", 1000)
	if err != nil {
		t.Fatal(err)
	}
	if got := one.LinkSourceFilterValue("com.microsoft:session-filter"); got != "one" {
		t.Errorf("the answer's filter holds %v, want one", got)
	}
	const epochTicks = 621355968000000000
	ticks, ok := one.Properties()["com.microsoft:locked-until-utc"].(int64)
	if until := time.Unix(0, (ticks-epochTicks)*100); !ok || time.Until(until) < 50*time.Second ||
		time.Until(until) > 70*time.Second {
		t.Errorf("locked-until-utc is %v, that is %v", one.Properties(), until)
	}
	_, err = filtered("one", 1000)
	wantCondition(t, "a session that is taken", err, "com.microsoft:session-cannot-be-locked")
	start := time.Now()
	_, err = filtered(nil, 100)
	wantCondition(t, "no session is free", err, "com.microsoft:timeout")
	t.Logf("given up after %v", time.Since(start))
	message := amqp.NewMessage([]byte("x"))
	message.Properties = &amqp.MessageProperties{GroupID: to("two")}
	sender, sent := p.sender("queue"), make(chan error)
	go func() { sent <- sender.Send(testContext(t), message, nil) }() // while the receiver below waits
	two, err := filtered(nil, 20000)
	if err != nil {
		t.Errorf("wait for a session: %v", err)
	}
	if err := <-sent; err != nil {
		t.Errorf("send: %v", err)
	}
	if two == nil {
		return
	}
	if got := two.LinkSourceFilterValue("com.microsoft:session-filter"); got != "two" {
		t.Errorf("the next session is %v, want two", got)
	}
}

// TestBatchIsAllOrNothing sends a batch with one invalid message.
func TestBatchIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	sender := authorized(t, s).sender("queue")
	batch := batchOf(t, 3, []byte("x"))
	bad, err := (&amqp.Message{Properties: &amqp.MessageProperties{MessageID: string(make([]byte, 129))},
		Data: [][]byte{nil}}).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	batch.Data = append(batch.Data, bad)
	wantCondition(t, "a message id of 129 characters", sender.Send(testContext(t), batch, nil),
		"com.microsoft:argument-error")
	if info, err := s.Broker().Queue("queue"); err != nil || info.Total != 0 {
		t.Errorf("the queue holds %d messages, %v, want none", info.Total, err)
	}
	batch.Data = batch.Data[:3]
	if err := sender.Send(testContext(t), batch, nil); err != nil {
		t.Errorf("without the bad message: %v", err)
	}
	if info, err := s.Broker().Queue("queue"); err != nil || info.Total != 3 {
		t.Errorf("the queue holds %d messages, %v, want 3", info.Total, err)
	}
}

func TestCBSChecksTokens(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	const sas = "servicebus.windows.net:sastoken"
	hour := time.Now().Add(time.Hour)
	good := sasToken("sb://localhost/queue", "RootManageSharedAccessKey", "SAS_KEY_VALUE", hour)
	for _, tt := range []struct {
		name, kind, audience, token string
		status                      int32
	}{
		{"a good token", sas, "amqp://localhost:5672/queue", good, 202},
		{"for the management node", sas, "amqps://elsewhere/QUEUE/$management", good, 202},
		{"for nothing", sas, "sb://localhost/nothing",
			sasToken("sb://localhost/", "RootManageSharedAccessKey", "SAS_KEY_VALUE", hour), 404},
		{"with a wrong key", sas, "sb://localhost/queue",
			sasToken("sb://localhost/queue", "RootManageSharedAccessKey", "wrong", hour), 401},
		{"with an unknown key", sas, "sb://localhost/queue",
			sasToken("sb://localhost/queue", "nobody", "SAS_KEY_VALUE", hour), 401},
		{"for another entity", sas, "sb://localhost/queue",
			sasToken("sb://localhost/other", "RootManageSharedAccessKey", "SAS_KEY_VALUE", hour), 401},
		{"that has expired", sas, "sb://localhost/queue",
			sasToken("sb://localhost/queue", "RootManageSharedAccessKey", "SAS_KEY_VALUE",
				time.Now().Add(-time.Minute)), 401},
		{"that is a SAS and called a JWT, as in the Python SDK", "jwt", "sb://localhost/queue", good, 202},
		{"of an unknown type", "kerberos", "sb://localhost/queue", good, 400},
		{"that is no JWT", "jwt", "sb://localhost/queue", "a.b", 401},
	} {
		p := dial(t, s)
		if status, text := p.putToken(tt.kind, tt.audience, tt.token); status != tt.status {
			t.Errorf("a token %s: %d %s, want %d", tt.name, status, text, tt.status)
		}
	}
	p := dial(t, s)
	if status, _ := p.putToken(sas, "sb://localhost/queue", good); status != 202 {
		t.Fatal("the token is refused")
	}
	session, err := p.NewSession(p.tb.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.NewSender(testContext(t), "$cbs", nil); err != nil {
		t.Fatalf("the first link to $cbs: %v", err)
	}
	_, err = session.NewSender(testContext(t), "$cbs", nil)
	wantCondition(t, "a second link to $cbs", err, amqp.ErrCondNotAllowed)
}

func TestManagementRefusesBadRequests(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	p := authorized(t, s)
	for _, tt := range []struct {
		name, operation string
		body            any
		status          int32
	}{
		{"an unknown operation", "com.microsoft:fly", map[string]any{"x": "y"}, 501},
		{"no map", "com.microsoft:peek-message", "text", 400},
		{"a missing field", "com.microsoft:peek-message", map[string]any{"message-count": int32(1)}, 400},
		{"a field of another type", "com.microsoft:renew-lock", map[string]any{"lock-tokens": "x"}, 400},
		{"a lock nobody holds", "com.microsoft:renew-lock", map[string]any{"lock-tokens": []amqp.UUID{{1}}}, 410},
		{"nothing to peek", "com.microsoft:peek-message",
			map[string]any{"from-sequence-number": int64(1), "message-count": int32(1)}, 204},
		{"a deferred message that is not there", "com.microsoft:receive-by-sequence-number",
			map[string]any{"sequence-numbers": []int64{7}, "receiver-settle-mode": uint32(1)}, 404},
		{"rules of a queue", "com.microsoft:enumerate-rules", map[string]any{"top": int32(1), "skip": int32(0)}, 400},
		{"a session of a queue without", "com.microsoft:get-session-state", map[string]any{"session-id": "x"}, 400},
	} {
		reply := p.request(p.session, "queue/$management",
			&amqp.Message{ApplicationProperties: map[string]any{"operation": tt.operation}, Value: tt.body})
		if got := reply.ApplicationProperties["statusCode"]; got != tt.status {
			t.Errorf("%s: %v %v, want %d", tt.name, got, reply.ApplicationProperties["statusDescription"], tt.status)
		}
	}
}

func TestPeekingWithoutBody(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	p := authorized(t, s)
	sent := amqp.NewMessage([]byte("a body"))
	sent.ApplicationProperties = map[string]any{"p": "v"}
	if err := p.sender("queue").Send(testContext(t), sent, nil); err != nil {
		t.Fatal(err)
	}
	for _, omit := range []bool{false, true} {
		reply := p.request(p.session, "queue/$management", &amqp.Message{
			ApplicationProperties: map[string]any{"operation": "com.microsoft:peek-message"},
			Value: map[string]any{"from-sequence-number": int64(1), "message-count": int32(1),
				"omit-message-body": omit},
		})
		var peeked amqp.Message
		messages := reply.Value.(map[string]any)["messages"].([]any)
		if err := peeked.UnmarshalBinary(messages[0].(map[string]any)["message"].([]byte)); err != nil {
			t.Fatal(err)
		}
		if got := len(peeked.Data) == 0; got != omit || peeked.ApplicationProperties["p"] != "v" {
			t.Errorf("omit-message-body %t: body %q, properties %v", omit, peeked.Data, peeked.ApplicationProperties)
		}
	}
}

// TestManyConnectionsAreServed has two hundred connections, and a topic with two thousand
// subscriptions, each of which gets every message.
func TestManyConnectionsAreServed(t *testing.T) {
	t.Parallel()
	const connections, subscriptions = 200, 2000
	s := emulatortest.Start(t)
	s.Topic("topic")
	for i := range subscriptions {
		s.Subscription("topic", fmt.Sprint("s", i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var receivers []*amqp.Receiver
	for i := range connections {
		conn, err := amqp.Dial(ctx, "amqp://"+s.AMQPAddress(),
			&amqp.ConnOptions{SASLType: amqp.SASLTypePlain("RootManageSharedAccessKey", "SAS_KEY_VALUE")})
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer conn.Close()
		session, err := conn.NewSession(ctx, nil)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		receiver, err := session.NewReceiver(ctx, fmt.Sprintf("topic/Subscriptions/s%d", i), nil)
		if err != nil {
			t.Fatalf("subscription %d: %v", i, err)
		}
		receivers = append(receivers, receiver)
	}
	if err := authorized(t, s).sender("topic").Send(ctx, amqp.NewMessage([]byte("to all")), nil); err != nil {
		t.Fatal(err)
	}
	for i, receiver := range receivers {
		if m, err := receiver.Receive(ctx, nil); err != nil || string(m.GetData()) != "to all" {
			t.Fatalf("subscription %d: %v", i, err)
		}
	}
	for i := connections; i < subscriptions; i++ {
		if info, err := s.Broker().Subscription("topic", fmt.Sprint("s", i)); err != nil || info.Active != 1 {
			t.Fatalf("subscription %d has %d messages, %v, want 1", i, info.Active, err)
		}
	}
}

// TestDeleteMessagesRequestDeletesOldest uses an operation that neither the Go SDK nor the tested
// JavaScript SDK has.
func TestDeleteMessagesRequestDeletesOldest(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	p := authorized(t, s)
	if err := p.sender("queue").Send(testContext(t), batchOf(t, 5, []byte("x")), nil); err != nil {
		t.Fatal(err)
	}
	remove := func(count int32) *amqp.Message {
		return p.request(p.session, "queue/$management", &amqp.Message{
			ApplicationProperties: map[string]any{"operation": "com.microsoft:batch-delete-messages"},
			Value: map[string]any{"message-count": count,
				"enqueued-time-utc": time.Now().Add(time.Minute)},
		})
	}
	for _, tt := range []struct{ asked, status, deleted int32 }{{3, 200, 3}, {3, 200, 2}, {3, 204, 0}, {0, 400, 0}} {
		reply := remove(tt.asked)
		if got := reply.ApplicationProperties["statusCode"]; got != tt.status {
			t.Errorf("deleting %d: %v %v, want %d", tt.asked, got, reply.ApplicationProperties["statusDescription"],
				tt.status)
		}
		if body, ok := reply.Value.(map[string]any); tt.deleted > 0 && (!ok || body["message-count"] != tt.deleted) {
			t.Errorf("deleting %d is answered %v, want %d deleted", tt.asked, reply.Value, tt.deleted)
		}
	}
}

func TestLostSessionLockDetaches(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue", func(d *broker.QueueDescription) { d.RequiresSession = true })
	receiver := authorized(t, s).receiver("queue", &amqp.ReceiverOptions{
		Filters: []amqp.LinkFilter{amqp.NewLinkFilter("com.microsoft:session-filter", 0x137000000C, "one")},
	})
	if n, err := s.LoseLocks("queue"); n != 1 || err != nil {
		t.Errorf("LoseLocks = %d, %v, want the session's", n, err)
	}
	_, err := receiver.Receive(testContext(t), nil)
	wantCondition(t, "a receiver that lost its session", err, "com.microsoft:session-lock-lost")
}

// TestUnknownSourceFilterIsRefused attaches with a filter that Service Bus does not have.
func TestUnknownSourceFilterIsRefused(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	_, err := authorized(t, s).session.NewReceiver(testContext(t), "queue", &amqp.ReceiverOptions{
		Filters: []amqp.LinkFilter{amqp.NewSelectorFilter("color = 'red'")},
	})
	wantCondition(t, "a selector filter", err, amqp.ErrCondNotImplemented)
}
