package emulator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/Azure/go-amqp"

	"chatapp/internal/emulator/broker"
	"chatapp/internal/emulator/emulatortest"
)

// sdk is a client of the Go SDK.
type sdk struct {
	*azservicebus.Client
	tb  testing.TB
	ctx context.Context
}

func connect(tb testing.TB, connectionString string, options *azservicebus.ClientOptions) *sdk {
	tb.Helper()
	client, err := azservicebus.NewClientFromConnectionString(connectionString, options)
	if err != nil {
		tb.Fatalf("client for %q: %v", connectionString, err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = client.Close(ctx)
	})
	return &sdk{client, tb, testContext(tb)}
}

func (c *sdk) send(entity string, messages ...*azservicebus.Message) {
	c.tb.Helper()
	sender, err := c.NewSender(entity, nil)
	if err != nil {
		c.tb.Fatalf("sender to %s: %v", entity, err)
	}
	defer sender.Close(c.ctx)
	for _, m := range messages {
		if err := sender.SendMessage(c.ctx, m, nil); err != nil {
			c.tb.Fatalf("send to %s: %v", entity, err)
		}
	}
}

func text(body string) *azservicebus.Message { return &azservicebus.Message{Body: []byte(body)} }

func (c *sdk) receiverOf(queue string, options *azservicebus.ReceiverOptions) *azservicebus.Receiver {
	c.tb.Helper()
	receiver, err := c.NewReceiverForQueue(queue, options)
	if err != nil {
		c.tb.Fatalf("receiver of %s: %v", queue, err)
	}
	return receiver
}

// messageSource is the common interface of receivers with and without a session.
type messageSource interface {
	ReceiveMessages(context.Context, int, *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
}

// want receives exactly the given bodies, in order.
func (c *sdk) want(why string, from messageSource, bodies ...string) []*azservicebus.ReceivedMessage {
	c.tb.Helper()
	var got []*azservicebus.ReceivedMessage
	for len(got) < len(bodies) {
		more, err := from.ReceiveMessages(c.ctx, len(bodies)-len(got), nil)
		if err != nil {
			c.tb.Fatalf("%s: receive: %v, after %q", why, err, bodiesOf(got))
		}
		got = append(got, more...)
	}
	if !slices.Equal(bodiesOf(got), bodies) {
		c.tb.Fatalf("%s: received %q, want %q", why, bodiesOf(got), bodies)
	}
	return got
}

func bodiesOf(messages []*azservicebus.ReceivedMessage) (bodies []string) {
	for _, m := range messages {
		bodies = append(bodies, string(m.Body))
	}
	return bodies
}

func administer(tb testing.TB, s *emulatortest.Server) *admin.Client {
	tb.Helper()
	client, err := admin.NewClientFromConnectionString(s.AdminConnectionString(),
		&admin.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: s.AdminTransport()}})
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

func to[T any](v T) *T { return &v }

// wantCode checks the code of an error of the SDK.
func wantCode(tb testing.TB, what string, err error, want azservicebus.Code) {
	tb.Helper()
	if coded, ok := errors.AsType[*azservicebus.Error](err); !ok || coded.Code != want {
		tb.Errorf("%s: %v, want code %q", what, err, want)
	}
}

// TestSettlementOutcomesTakeEffect settles by every outcome and checks where the message is
// afterwards.
func TestSettlementOutcomesTakeEffect(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("Queue")
	c := connect(t, s.ConnectionString(), nil)
	receiver := c.receiverOf("queue", nil) // names compare without regard to case

	c.send("queue", text("complete"))
	m := c.want("a sent message arrives", receiver, "complete")[0]
	if *m.SequenceNumber != 1 || m.DeliveryCount != 1 || m.MessageID == "" || m.LockedUntil == nil ||
		m.EnqueuedTime == nil {
		t.Errorf("sequence number %d, delivery count %d, id %q, locked until %v, enqueued %v", *m.SequenceNumber,
			m.DeliveryCount, m.MessageID, m.LockedUntil, m.EnqueuedTime)
	}
	if err := receiver.CompleteMessage(c.ctx, m, nil); err != nil {
		t.Fatalf("complete: %v", err)
	}

	c.send("queue", text("abandon"))
	m = c.want("the next", receiver, "abandon")[0]
	if err := receiver.AbandonMessage(c.ctx, m,
		&azservicebus.AbandonMessageOptions{PropertiesToModify: map[string]any{"tried": int64(1)}}); err != nil {
		t.Fatalf("abandon: %v", err)
	}
	m = c.want("abandoned comes again", receiver, "abandon")[0]
	if m.DeliveryCount != 2 || m.ApplicationProperties["tried"] != int64(1) {
		t.Errorf("after abandon: delivery count %d, properties %v, want 2 and tried=1", m.DeliveryCount,
			m.ApplicationProperties)
	}
	if err := receiver.DeferMessage(c.ctx, m, nil); err != nil {
		t.Fatalf("defer: %v", err)
	}
	deferred, err := receiver.ReceiveDeferredMessages(c.ctx, []int64{*m.SequenceNumber}, nil)
	if err != nil || len(deferred) != 1 || deferred[0].State != azservicebus.MessageStateDeferred {
		t.Fatalf("receive deferred: %+v, %v", deferred, err)
	}
	if err := receiver.DeadLetterMessage(c.ctx, deferred[0],
		&azservicebus.DeadLetterOptions{Reason: to("why"), ErrorDescription: to("because")}); err != nil {
		t.Fatalf("dead-letter: %v", err)
	}
	dead := c.receiverOf("queue", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	m = c.want("dead letters are read", dead, "abandon")[0]
	if *m.DeadLetterReason != "why" || *m.DeadLetterErrorDescription != "because" {
		t.Errorf("dead letter: reason %q, description %q", *m.DeadLetterReason, *m.DeadLetterErrorDescription)
	}
	if err := dead.CompleteMessage(c.ctx, m, nil); err != nil {
		t.Fatalf("complete a dead letter: %v", err)
	}
}

// TestDeferralCountsAsDelivery settles by the link first and by management afterwards, as the SDK does with a message
// that was deferred.
func TestDeferralCountsAsDelivery(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue", func(d *broker.QueueDescription) { d.MaxDeliveryCount = 4 })
	c := connect(t, s.ConnectionString(), nil)
	c.send("queue", text("a"))
	receiver := c.receiverOf("queue", nil)
	m := c.want("new", receiver, "a")[0]
	for i, settle := range []func(context.Context, *azservicebus.ReceivedMessage) error{
		func(ctx context.Context, m *azservicebus.ReceivedMessage) error {
			return receiver.DeferMessage(ctx, m, nil)
		},
		func(ctx context.Context, m *azservicebus.ReceivedMessage) error {
			return receiver.AbandonMessage(ctx, m, nil)
		},
		func(ctx context.Context, m *azservicebus.ReceivedMessage) error {
			return receiver.DeferMessage(ctx, m, nil)
		},
	} {
		if err := settle(c.ctx, m); err != nil {
			t.Fatal(err)
		}
		again, err := receiver.ReceiveDeferredMessages(c.ctx, []int64{*m.SequenceNumber}, nil)
		if err != nil || len(again) != 1 {
			t.Fatalf("after %d outcomes: %d messages, %v", i+1, len(again), err)
		}
		m = again[0]
		if want := uint32(i + 2); m.DeliveryCount != want { // this SDK counts the present delivery as well
			t.Errorf("after %d outcomes the delivery count is %d, want %d", i+1, m.DeliveryCount, want)
		}
	}
	if err := receiver.AbandonMessage(c.ctx, m, nil); err != nil {
		t.Fatal(err)
	}
	dead := c.receiverOf("queue", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	if m := c.want("after the fourth", dead, "a")[0]; *m.DeadLetterReason != "MaxDeliveryCountExceeded" {
		t.Errorf("dead-letter reason %s", *m.DeadLetterReason)
	}
}

// TestSessionsAreListedInPages has as many sessions as make no page, a part of one, whole pages and one more.
func TestSessionsAreListedInPages(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue", func(d *broker.QueueDescription) { d.RequiresSession = true })
	c := connect(t, s.ConnectionString(), nil)
	target, err := s.Broker().Target("queue")
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for _, n := range []int{0, 1, 99, 100, 101, 200} {
		for ; sent < n; sent++ {
			if err := target.Send([]*broker.Message{{HasSession: true, SessionID: fmt.Sprint(sent)}}); err != nil {
				t.Fatal(err)
			}
		}
		found := map[string]bool{}
		for pager := c.NewListSessionsForQueuePager("queue", nil); pager.More(); {
			page, err := pager.NextPage(c.ctx)
			if err != nil {
				t.Fatalf("%d sessions: %v", n, err)
			}
			for _, id := range page.Sessions {
				found[id] = true
			}
		}
		if len(found) != n {
			t.Errorf("%d sessions are listed, want %d", len(found), n)
		}
	}
	empty := authorized(t, s)
	reply := empty.request(empty.session, "queue/$management", &amqp.Message{
		ApplicationProperties: map[string]any{"operation": "com.microsoft:get-message-sessions"},
		Value:                 map[string]any{"last-updated-time": time.Now(), "skip": int32(0), "top": int32(100)},
	})
	if got := reply.ApplicationProperties["statusCode"]; got != int32(204) {
		t.Errorf("an empty page has status %v, want 204", got)
	}
}

func TestReceiveAndDeleteLeavesNothing(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	c := connect(t, s.ConnectionString(), nil)
	var want []string
	sender, err := c.NewSender("queue", nil)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := sender.NewMessageBatch(c.ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		want = append(want, fmt.Sprint(i))
		if err := batch.AddMessage(text(want[i]), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := sender.SendMessageBatch(c.ctx, batch, nil); err != nil {
		t.Fatal(err)
	}
	receiver := c.receiverOf("queue",
		&azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	for i, m := range c.want("a batch keeps its order", receiver, want...) {
		if *m.SequenceNumber != int64(i+1) {
			t.Errorf("message %d has sequence number %d", i, *m.SequenceNumber)
		}
	}
	if info, err := s.Broker().Queue("queue"); err != nil || info.Total != 0 {
		t.Errorf("the queue holds %d messages, %v, want none", info.Total, err)
	}
}

func TestLocksRenewAndAreLost(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue", func(d *broker.QueueDescription) { d.LockDuration = 5 * time.Second })
	c := connect(t, s.ConnectionString(), nil)
	receiver := c.receiverOf("queue", nil)
	c.send("queue", text("a"), text("b"))
	got := c.want("both", receiver, "a", "b")
	before := *got[0].LockedUntil
	if err := receiver.RenewMessageLock(c.ctx, got[0], nil); err != nil || got[0].LockedUntil.Before(before) {
		t.Errorf("renew: %v, locked until %v, before %v", err, got[0].LockedUntil, before)
	}
	if n, err := s.LoseLocks("queue"); n != 2 || err != nil {
		t.Errorf("LoseLocks = %d, %v, want 2", n, err)
	}
	wantCode(t, "renewing a lost lock", receiver.RenewMessageLock(c.ctx, got[1], nil), azservicebus.CodeLockLost)
	wantCode(t, "completing after the lock was lost", receiver.CompleteMessage(c.ctx, got[0], nil),
		azservicebus.CodeLockLost)
	for _, m := range c.want("lost locks give back", receiver, "a", "b") {
		if m.DeliveryCount != 2 {
			t.Errorf("%s has delivery count %d after a lost lock, want 2", m.Body, m.DeliveryCount)
		}
	}
}

func TestScheduledMessagesArePeekedAndCancelled(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	c := connect(t, s.ConnectionString(), nil)
	sender, err := c.NewSender("queue", nil)
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := sender.ScheduleMessages(c.ctx, []*azservicebus.Message{text("never"), text("soon")},
		time.Now().Add(time.Hour), nil)
	if err != nil || len(numbers) != 2 {
		t.Fatalf("schedule: %v, %v", numbers, err)
	}
	receiver := c.receiverOf("queue", nil)
	peeked, err := receiver.PeekMessages(c.ctx, 10, nil)
	if err != nil || len(peeked) != 2 || peeked[0].State != azservicebus.MessageStateScheduled ||
		peeked[0].ScheduledEnqueueTime == nil {
		t.Fatalf("peek: %+v, %v", peeked, err)
	}
	if err := sender.CancelScheduledMessages(c.ctx, numbers, nil); err != nil {
		t.Fatalf("cancel: %v", err)
	}
	if peeked, err := receiver.PeekMessages(c.ctx, 10,
		&azservicebus.PeekMessagesOptions{FromSequenceNumber: to(int64(0))}); err != nil || len(peeked) != 0 {
		t.Errorf("peek of an empty queue: %d messages, %v", len(peeked), err)
	}
	if _, err := sender.ScheduleMessages(c.ctx, []*azservicebus.Message{text("now")},
		time.Now().Add(200*time.Millisecond), nil); err != nil {
		t.Fatal(err)
	}
	c.want("a scheduled message becomes active", receiver, "now")
}

func TestSubscriptionsGetWhatFiltersMatch(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Topic("chat", "everything")
	a := administer(t, s)
	c := connect(t, s.ConnectionString(), nil)
	_, err := a.CreateSubscription(c.ctx, "chat", "addressed",
		&admin.CreateSubscriptionOptions{Properties: &admin.SubscriptionProperties{
			DefaultRule: &admin.RuleProperties{Name: "mine",
				Filter: &admin.SQLFilter{Expression: `"to" IS NULL OR "to" = 'me'`}},
		}})
	if err != nil {
		t.Fatalf("create a subscription: %v", err)
	}
	named := func(body, to string) *azservicebus.Message {
		m := text(body)
		m.ApplicationProperties = map[string]any{"to": to}
		return m
	}
	c.send("chat", text("all"), named("yours", "you"), named("mine", "me"))
	all, err := c.NewReceiverForSubscription("chat", "everything", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := c.want("the default rule takes all", all, "all", "yours", "mine")
	mine, err := c.NewReceiverForSubscription("chat", "addressed", nil)
	if err != nil {
		t.Fatal(err)
	}
	filtered := c.want("the rule matches messages addressed to all or me", mine, "all", "mine")
	if *filtered[1].SequenceNumber != 2 || *got[2].SequenceNumber != 3 {
		t.Errorf("sequence numbers %d and %d, want 2 and 3: each subscription counts for itself",
			*filtered[1].SequenceNumber, *got[2].SequenceNumber)
	}
	if *filtered[1].EnqueuedSequenceNumber == *filtered[1].SequenceNumber {
		t.Errorf("the topic's number and the subscription's agree: %d", *filtered[1].SequenceNumber)
	}
}

func TestSessionsAreAcceptedWithState(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue", func(d *broker.QueueDescription) { d.RequiresSession = true })
	c := connect(t, s.ConnectionString(), nil)
	in := func(session, body string) *azservicebus.Message {
		m := text(body)
		m.SessionID = &session
		return m
	}
	c.send("queue", in("a", "a1"), in("b", "b1"), in("a", "a2"), in("", "empty"))
	a, err := c.AcceptSessionForQueue(c.ctx, "queue", "a", nil)
	if err != nil {
		t.Fatalf("accept session a: %v", err)
	}
	if until := time.Until(a.LockedUntil()); until < 50*time.Second || until > 70*time.Second {
		t.Errorf("the session is locked for %v, want about a minute", until)
	}
	for _, m := range c.want("only session a", a, "a1", "a2") {
		if err := a.CompleteMessage(c.ctx, m, nil); err != nil {
			t.Errorf("complete in a session: %v", err)
		}
	}
	if state, err := a.GetSessionState(c.ctx, nil); err != nil || state != nil {
		t.Errorf("a new session has state %q, %v", state, err)
	}
	if err := a.SetSessionState(c.ctx, []byte("state"), nil); err != nil {
		t.Errorf("set the state: %v", err)
	}
	if state, err := a.GetSessionState(c.ctx, nil); err != nil || string(state) != "state" {
		t.Errorf("the state is %q, %v", state, err)
	}
	if err := a.RenewSessionLock(c.ctx, nil); err != nil {
		t.Errorf("renew: %v", err)
	}
	if _, err := c.AcceptSessionForQueue(c.ctx, "queue", "a", nil); err == nil {
		t.Error("a session that is locked was accepted a second time")
	}
	for range 2 { // any free session with messages, the one with the empty name among them
		next, err := c.AcceptNextSessionForQueue(c.ctx, "queue", nil)
		if err != nil {
			t.Fatalf("accept the next session: %v", err)
		}
		want := map[string]string{"b": "b1", "": "empty"}[next.SessionID()]
		c.want("the message of session "+next.SessionID(), next, want)
	}
	if _, err := c.receiverOf("queue", nil).ReceiveMessages(c.ctx, 1, nil); err == nil {
		t.Error("a receiver without a session was let in")
	}
}

func TestMissingEntitiesAndRightsAreReported(t *testing.T) {
	t.Parallel()
	listener := broker.AuthorizationRule{KeyName: "listener", PrimaryKey: "k", Claims: broker.Listen}
	root := broker.AuthorizationRule{KeyName: "root", PrimaryKey: "r", Claims: broker.Manage}
	s := emulatortest.Start(t, emulatortest.WithBroker(broker.Options{Keys: []broker.AuthorizationRule{root,
		listener}}))
	s.Queue("queue")
	c := connect(t, s.ConnectionString(), nil)
	_, err := c.receiverOf("nothing", nil).ReceiveMessages(c.ctx, 1, nil)
	wantCode(t, "receiving from nothing", err, azservicebus.CodeNotFound)

	endpoint := "Endpoint=sb://" + s.AMQPAddress() + ";UseDevelopmentEmulator=true;"
	limited := connect(t, endpoint+"SharedAccessKeyName=listener;SharedAccessKey=k", nil)
	sender, err := limited.NewSender("queue", nil)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "sending with a key to listen", sender.SendMessage(limited.ctx, text("x"), nil),
		azservicebus.CodeUnauthorizedAccess)

	forged := connect(t, endpoint+"SharedAccessKeyName=root;SharedAccessKey=wrong", nil)
	_, err = forged.receiverOf("queue", nil).ReceiveMessages(forged.ctx, 1, nil)
	wantCode(t, "receiving with a wrong key", err, azservicebus.CodeUnauthorizedAccess)
}

func TestTooLargeMessagesAreRefused(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	c := connect(t, s.ConnectionString(), nil)
	sender, err := c.NewSender("queue", nil)
	if err != nil {
		t.Fatal(err)
	}
	large := &azservicebus.Message{Body: make([]byte, 200<<10)}
	if err := sender.SendMessage(c.ctx, large, nil); err != nil {
		t.Fatalf("200 KB, which take several frames: %v", err)
	}
	got, err := c.receiverOf("queue", nil).ReceiveMessages(c.ctx, 1, nil)
	if err != nil || len(got) != 1 || len(got[0].Body) != len(large.Body) {
		t.Fatalf("200 KB come back as %d messages, %v", len(got), err)
	}
	large.Body = make([]byte, 300<<10)
	if err := sender.SendMessage(c.ctx, large, nil); !errors.Is(err, azservicebus.ErrMessageTooLarge) {
		t.Errorf("300 KB: %v, want ErrMessageTooLarge", err)
	}
}

// TestReceiverSurvivesEntityChanges changes and deletes a queue under its receiver.
func TestReceiverSurvivesEntityChanges(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	s.Queue("queue")
	a, c := administer(t, s), connect(t, s.ConnectionString(), nil)
	receiver := c.receiverOf("queue", nil)
	c.send("queue", text("one"))
	c.want("before the change", receiver, "one")
	if _, err := a.UpdateQueue(c.ctx, "queue", admin.QueueProperties{MaxDeliveryCount: to(int32(5))}, nil); err != nil {
		t.Fatalf("update: %v", err)
	}
	c.send("queue", text("two"))
	c.want("the change ends the lock, and the receiver attaches again", receiver, "one", "two")
	if err := s.SetStatus("queue", broker.StatusReceiveDisabled); err != nil {
		t.Fatal(err)
	}
	for err := error(nil); err == nil; { // the SDK answers a detach with no messages and no error
		_, err = receiver.ReceiveMessages(c.ctx, 1, nil)
		if c.ctx.Err() != nil {
			t.Fatal("receiving from a queue that is disabled goes on")
		}
	}
	if _, err := a.DeleteQueue(c.ctx, "queue", nil); err != nil {
		t.Fatalf("delete: %v", err)
	}
	_, err := connect(t, s.ConnectionString(), nil).receiverOf("queue", nil).ReceiveMessages(c.ctx, 1, nil)
	wantCode(t, "receiving after the deletion", err, azservicebus.CodeNotFound)
}
