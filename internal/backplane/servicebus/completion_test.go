package servicebus

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"chatapp/internal/backplane"
	"chatapp/internal/emulator"
	"chatapp/internal/emulator/broker"
	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/waittest"
)

// atBroker returns the broker's view of a bus's subscription.
func atBroker(t *testing.T, e *emulatortest.Server, b *Bus) broker.SubscriptionInfo {
	t.Helper()
	info, err := e.Broker().Subscription("chat", b.options.Subscription)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// The broker counts a locked message as active, so that the count reaches zero only by completion.
func TestDeliveredMessagesAreCompletedAtTheBroker(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	a, b := open(t, options(t, e, "a")), open(t, options(t, e, "b"))
	ra, rb := receive(t, a), receive(t, b)
	const count = 200
	for i := range count {
		publish(t, a, strconv.Itoa(i))
	}
	for _, bus := range []struct {
		*Bus
		*receiver
	}{{a, ra}, {b, rb}} {
		bus.want("all messages", count)
		waittest.Until(t, "the broker holds no message for "+bus.Instance(), func() bool {
			return atBroker(t, e, bus.Bus).Active == 0
		})
		if n := atBroker(t, e, bus.Bus).DeadLetter; n != 0 {
			t.Errorf("%d messages of %s are dead-lettered, want none", n, bus.Instance())
		}
		// At the end of a lock the broker delivers an uncompleted message again.
		if n, err := e.LoseLocks("chat/Subscriptions/" + bus.Instance()); n != 0 || err != nil {
			t.Errorf("%s held %d locks, %v, after all messages were completed", bus.Instance(), n, err)
		}
	}
	received := e.Broker().Usage().Received
	publish(t, a, "last")
	for _, r := range []*receiver{ra, rb} {
		if got := r.want("the last message", count+1); len(got) != count+1 || got[count] != "last" {
			t.Errorf("after the locks' end %d bodies arrived, want %d and the last one at the end", len(got), count+1)
		}
	}
	if n := e.Broker().Usage().Received - received; n != 2 {
		t.Errorf("the broker delivered %d messages after the locks' end, want 2", n)
	}
}

// A message that is delivered again is a repeat, which the bus drops and completes too.
func TestRepeatsAreCompletedAtTheBroker(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b := open(t, options(t, e, "b"))
	r := receive(t, b)
	if err := e.DeliverTwice("chat/Subscriptions/"+b.Instance(), 5); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		publish(t, b, strconv.Itoa(i))
	}
	if got := r.want("all messages", 10); len(got) != 10 {
		t.Errorf("%d bodies arrived, want 10: repeats are dropped", len(got))
	}
	waittest.Until(t, "the broker holds no message", func() bool { return atBroker(t, e, b).Active == 0 })
}

func TestRefusedMessagesAreDeadLetteredAtTheBroker(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b := open(t, options(t, e, "b"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	delivered := make(chan string, 3)
	go func() {
		ended <- b.Receive(ctx, func(body []byte, _ time.Time) error {
			delivered <- string(body)
			if string(body) == "poison" {
				return errors.New("it is poison")
			}
			return nil
		})
	}()
	defer func() {
		cancel()
		<-ended
	}()
	for _, body := range []string{"one", "poison", "two"} {
		publish(t, b, body)
		if got := <-delivered; got != body {
			t.Errorf("delivered %q, want %q", got, body)
		}
	}
	waittest.Until(t, "the broker holds the refused message alone, as a dead letter", func() bool {
		info := atBroker(t, e, b)
		return info.Active == 0 && info.DeadLetter == 1
	})
	client, err := b.newClient()
	if err != nil {
		t.Fatal(err)
	}
	defer b.discard(client)
	letters, err := client.NewReceiverForSubscription("chat", b.Instance(),
		&azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := letters.PeekMessages(t.Context(), 1, nil)
	if err != nil || len(messages) != 1 {
		t.Fatalf("PeekMessages = %d messages, %v, want one", len(messages), err)
	}
	m := messages[0]
	if string(m.Body) != "poison" || m.DeadLetterErrorDescription == nil ||
		*m.DeadLetterErrorDescription != "it is poison" {
		t.Errorf("the dead letter is %q, described as %v, want the refusal's text", m.Body,
			m.DeadLetterErrorDescription)
	}
}

func TestBusyServiceIsErrBusy(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b := open(t, options(t, e, "b"))
	e.ServerBusy(time.Hour)
	err := b.Publish(t.Context(), backplane.Message{Body: []byte("x")})
	if !errors.Is(err, backplane.ErrBusy) {
		t.Errorf("Publish to a busy service = %v, want %v", err, backplane.ErrBusy)
	}
	e.ServerBusy(0)
	if n := b.Counters().Rebuilds; n != 0 {
		t.Errorf("%d connections were rebuilt, want none: a busy service needs no new one", n)
	}
}

// The rule of an instance's subscription keeps out messages for others, which would each cost an operation.
func TestUnicastReachesOneSubscription(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	a, b := open(t, options(t, e, "a")), open(t, options(t, e, "b"))
	for _, to := range []string{a.Instance(), ""} {
		if err := a.Publish(t.Context(), backplane.Message{To: to, Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	if forA, forB := atBroker(t, e, a).Active, atBroker(t, e, b).Active; forA != 2 || forB != 1 {
		t.Errorf("the subscriptions hold %d and %d messages, want 2 and 1", forA, forB)
	}
}

// An existing subscription has the service's default rule, which lets everything through.
func TestUnicastToOthersIsNotDelivered(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	e.Topic("chat", "existing")
	o := options(t, e, "b")
	o.Subscription = "existing"
	b := open(t, o)
	r := receive(t, b)
	for _, m := range []backplane.Message{
		{To: "another", Body: []byte("not mine")}, {To: b.Instance(), Body: []byte("mine")},
		{Body: []byte("everybody's")},
	} {
		if err := b.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(r.want("two messages", 2), ","); got != "mine,everybody's" {
		t.Errorf("delivered %s, want only messages for this instance", got)
	}
	waittest.Until(t, "the broker holds no message", func() bool { return atBroker(t, e, b).Active == 0 })
}

// A subscription of an instance that was killed must vanish soon, and must not move messages to its dead letters.
func TestSubscriptionProperties(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	info := atBroker(t, e, open(t, options(t, e, "b")))
	d := info.SubscriptionDescription
	if d.LockDuration != 30*time.Second || d.DefaultMessageTimeToLive != 10*time.Minute ||
		d.AutoDeleteOnIdle != 5*time.Minute || d.MaxDeliveryCount != maxDeliveryCount ||
		d.UserMetadata != metadata || d.DeadLetteringOnMessageExpiration {
		t.Errorf("the subscription is %+v", d)
	}
	topic, err := e.Broker().Topic("chat")
	if err != nil || !topic.SupportOrdering || topic.EnablePartitioning || topic.RequiresDuplicateDetection {
		t.Errorf("the topic is %+v, %v, want one that keeps order", topic, err)
	}
}

func TestSendsAreCountedAsBilled(t *testing.T) {
	var m meter
	for _, size := range []int{0, 1, billedSize, billedSize + 1} {
		m.sent(size)
	}
	if got := m.sends.Load(); got != 5 {
		t.Errorf("four messages of 0, 1, 64 KiB and one byte more count as %d operations, want 5", got)
	}
}

// Peeking has a deadline. Without one, a service that is silent holds up Receive for as long as the SDK waits, which is
// about five times as long.
func TestReceiveFromSilentServiceFails(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b := open(t, options(t, e, "b"))
	e.Delay(emulator.Latency{Min: time.Hour, Max: time.Hour})
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { ended <- b.Receive(ctx, func([]byte, time.Time) error { return nil }) }()
	select {
	case err := <-ended:
		if err == nil || ctx.Err() != nil {
			t.Errorf("Receive from a silent service = %v, want the error of its deadline", err)
		}
	case <-time.After(4 * peekTimeout):
		t.Errorf("Receive waits for a silent service after %v", 4*peekTimeout)
		cancel()
		<-ended
	}
	e.Delay(emulator.Latency{})
}

// A link that has carried messages and goes silent is given up long before the caller's deadline.
func TestSilentSendLinkIsReplacedSoon(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b := open(t, options(t, e, "b"))
	publish(t, b, "first")
	e.GoSilent(0)
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if err := b.Publish(ctx, backplane.Message{Body: []byte("into the silence")}); err == nil {
		t.Error("a message was published on a silent link")
	}
	if err := b.Publish(ctx, backplane.Message{Body: []byte("on a new link")}); err != nil {
		t.Errorf("Publish on a new link = %v", err)
	}
	if took := time.Since(began); took > 5*silentSend {
		t.Errorf("the silent link was used for %v, want about %v", took, silentSend)
	}
}
