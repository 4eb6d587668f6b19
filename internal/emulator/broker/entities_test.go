package broker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDescriptionsAreChecked(t *testing.T) {
	b := bench{t, New(Options{})}
	defer b.Close()
	for _, c := range []struct {
		what   string
		change func(*QueueDescription)
		text   string
	}{
		{"no name", func(d *QueueDescription) { d.Name = "" }, "name"},
		{"a long name", func(d *QueueDescription) { d.Name = strings.Repeat("x", 261) }, "260"},
		{"a name with a question mark", func(d *QueueDescription) { d.Name = "a?b" }, "not allowed"},
		{"a name with a line end", func(d *QueueDescription) { d.Name = "a\nb" }, "not allowed"},
		{"a name of the API", func(d *QueueDescription) { d.Name = "$x" }, "not allowed"},
		{"a space", func(d *QueueDescription) { d.Name = "a b" }, "not allowed"},
		{"a colon", func(d *QueueDescription) { d.Name = "a:b" }, "not allowed"},
		{"an at sign", func(d *QueueDescription) { d.Name = "a@b" }, "not allowed"},
		{"a letter beyond ASCII", func(d *QueueDescription) { d.Name = "été" }, "not allowed"},
		{"a hyphen at the start", func(d *QueueDescription) { d.Name = "-abc" }, "begin and end"},
		{"a period at the end", func(d *QueueDescription) { d.Name = "abc." }, "begin and end"},
		{"a size between", func(d *QueueDescription) { d.MaxSizeInMegabytes = 1500 }, "MaxSizeInMegabytes"},
		{"a small size", func(d *QueueDescription) { d.MaxSizeInMegabytes = 1 }, "MaxSizeInMegabytes"},
		{"a short window", func(d *QueueDescription) { d.DuplicateDetectionHistoryTimeWindow = 19 * time.Second },
			"DuplicateDetection"},
		{"a slash at the end", func(d *QueueDescription) { d.Name = "a/" }, "valid"},
		{"a subscription's name", func(d *QueueDescription) { d.Name = "a/subscriptions/b" }, "subscription"},
		{"a short lock", func(d *QueueDescription) { d.LockDuration = time.Second }, "LockDuration"},
		{"a long lock", func(d *QueueDescription) { d.LockDuration = 5*time.Minute + 1 }, "LockDuration"},
		{"negative time to live", func(d *QueueDescription) { d.DefaultMessageTimeToLive = -1 },
			"DefaultMessageTimeToLive"},
		{"a short idle time", func(d *QueueDescription) { d.AutoDeleteOnIdle = time.Minute }, "AutoDeleteOnIdle"},
		{"no deliveries", func(d *QueueDescription) { d.MaxDeliveryCount = -1 }, "MaxDeliveryCount"},
		{"a huge queue", func(d *QueueDescription) { d.MaxSizeInMegabytes = 5121 }, "MaxSizeInMegabytes"},
		{"a huge partitioned queue", func(d *QueueDescription) {
			d.EnablePartitioning, d.MaxSizeInMegabytes = true,
				5121
		}, "MaxSizeInMegabytes"},
		{"huge messages", func(d *QueueDescription) { d.MaxMessageSizeInKilobytes = 257 },
			"MaxMessageSizeInKilobytes"},
		{"a long window", func(d *QueueDescription) { d.DuplicateDetectionHistoryTimeWindow = 8 * day },
			"DuplicateDetection"},
		{"long metadata", func(d *QueueDescription) { d.UserMetadata = strings.Repeat("x", 1025) }, "UserMetadata"},
		{"forwarding to itself", func(d *QueueDescription) { d.ForwardTo = "Q" }, "does not exist"},
		{"forwarding to nothing", func(d *QueueDescription) { d.ForwardTo = "x" }, "does not exist"},
		{"forwarding of dead letters to nothing", func(d *QueueDescription) { d.ForwardDeadLetteredMessagesTo = "x" },
			"does not exist"},
		{"forwarding with sessions", func(d *QueueDescription) { d.ForwardTo, d.RequiresSession = "other", true },
			"session"},
	} {
		d := DefaultQueue("q")
		c.change(&d)
		err := b.CreateQueue(d)
		if code := CodeOf(err); err == nil || code != CodeInvalidArgument && code != CodeArgumentOutOfRange ||
			!strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want a bad argument with %q", c.what, err, c.text)
		}
	}
	b.refused("subscription", b.CreateSubscription(DefaultSubscription("t", strings.Repeat("x", 51))),
		CodeInvalidArgument, "50")
	b.refused("subscription", b.CreateSubscription(DefaultSubscription("t", "a/b")), CodeInvalidArgument, "slash")
	b.refused("subscription", b.CreateSubscription(DefaultSubscription("t", "a b")), CodeInvalidArgument,
		"not allowed")
	for _, name := range []string{"", "a b", "a/b", "$Other", "-a", strings.Repeat("x", 51)} {
		_, err := compileRule(RuleDescription{Name: name})
		b.refused("the rule "+name, err, CodeInvalidArgument, "")
	}
	for _, action := range []string{"SET sys.SequenceNumber = 1", "SET a = 1; REMOVE sys.EnqueuedTimeUtc",
		"SET sys.Size = 1"} {
		_, err := compileRule(RuleDescription{Name: "r", Action: action})
		b.refused(action, err, CodeInvalidArgument, "cannot be set")
	}
	if n := len(b.Queues()); n != 0 {
		t.Errorf("%d queues were made", n)
	}
	premium := bench{t, New(Options{Tier: Premium})}
	defer premium.Close()
	for _, name := range []string{"a~b", "a", "A/b_c-d.e", "0"} {
		premium.ok(premium.CreateTopic(DefaultTopic("topic-" + name)))
		premium.ok(premium.CreateQueue(DefaultQueue(name)))
	}
	premium.ok(premium.CreateQueue(QueueDescription{Name: "zero-values-are-defaults"}))
	small := DefaultQueue("small")
	small.MaxMessageSizeInKilobytes = 1023
	if err := premium.CreateQueue(small); err == nil || !strings.Contains(err.Error(),
		"value for 'MaxMessageSizeInKilobytes' must be between 1024 and 102400") {
		t.Errorf("messages of 1023 KB in Premium: %v", err)
	}
	if q, _ := premium.Queue("zero-values-are-defaults"); q.MaxMessageSizeInKilobytes != 1024 ||
		q.LockDuration != time.Minute || q.AutoDeleteOnIdle != Unlimited {
		t.Errorf("a Premium queue of defaults is %+v", q.QueueDescription)
	}
	premium.refused("partitions", premium.CreateQueue(QueueDescription{Name: "p", EnablePartitioning: true}),
		CodeInvalidArgument, "Premium")
}

func TestEntitiesAreFoundInAnyLetterCase(t *testing.T) {
	b := bench{t, New(Options{MaxEntities: 4, MaxSubscriptions: 1})}
	defer b.Close()
	b.ok(b.CreateQueue(DefaultQueue("Folder/Queue")))
	b.topic("topic", "Sub")
	b.refused("same name", b.CreateTopic(DefaultTopic("folder/QUEUE")), CodeAlreadyExists, "SubCode=40900")
	b.refused("same name", b.CreateQueue(DefaultQueue("TOPIC")), CodeAlreadyExists, "")
	b.refused("same subscription", b.CreateSubscription(DefaultSubscription("topic", "SUB")), CodeAlreadyExists, "")
	b.refused("too many subscriptions", b.CreateSubscription(DefaultSubscription("topic", "other")),
		CodeQuotaExceeded, "1")
	for address, want := range map[string]string{
		"folder/queue": "Folder/Queue", "/FOLDER/QUEUE/": "Folder/Queue",
		"folder/queue/$deadLetterQueue":                      "Folder/Queue/$DeadLetterQueue",
		"folder/queue/$Transfer/$deadletterqueue":            "Folder/Queue/$Transfer/$DeadLetterQueue",
		"TOPIC/subscriptions/sub":                            "topic/Subscriptions/Sub",
		"topic/Subscriptions/sub/$DeadLetterQueue":           "topic/Subscriptions/Sub/$DeadLetterQueue",
		"topic/Subscriptions/sub/$Transfer/$DeadLetterQueue": "topic/Subscriptions/Sub/$Transfer/$DeadLetterQueue",
	} {
		if s := b.source(address); s.Path() != want {
			t.Errorf("%s is %s, want %s", address, s.Path(), want)
		}
		if !b.Exists(address) {
			t.Errorf("%s does not exist", address)
		}
	}
	for _, address := range []string{"", "/", "queue", "folder", "topic/sub", "topic/Subscriptions/",
		"topic/Subscriptions/x", "x/Subscriptions/sub", "$DeadLetterQueue", "x/$DeadLetterQueue",
		"topic/$DeadLetterQueue", "İ/Subscriptions/sub"} {
		if _, err := b.Source(address); err == nil || b.Exists(address) {
			t.Errorf("%q is a source", address)
		}
	}
	if _, err := b.Target("topic/Subscriptions/sub"); CodeOf(err) != CodeNotFound {
		t.Errorf("a subscription is a target: %v", err)
	}
	b.queue("b", nil)
	b.queue("a", nil)
	b.refused("too many", b.CreateQueue(DefaultQueue("c")), CodeQuotaExceeded, "4")
	var names []string
	for _, q := range b.Queues() {
		names = append(names, q.Name)
	}
	if !slices.Equal(names, []string{"a", "b", "Folder/Queue"}) {
		t.Errorf("queues are listed as %q", names)
	}
	for what, err := range map[string]error{
		"queue": b.DeleteQueue("x"), "topic": b.DeleteTopic("a"), "subscription": b.DeleteSubscription("topic", "x"),
		"of nothing": b.DeleteSubscription("x", "x"),
		"update":     b.UpdateTopic(DefaultTopic("a")), "update queue": b.UpdateQueue(DefaultQueue("topic")),
		"update subscription": b.UpdateSubscription(DefaultSubscription("topic", "x")),
	} {
		b.refused(what, err, CodeNotFound, "could not be found")
	}
}

func TestUpdateDetachesLinksAndEndsLocks(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		b.ok(target.Send(msgs("a")))
		woken := 0
		sender, err := target.NewSender(func() { woken++ })
		b.ok(err)
		r, err := source.NewReceiver(ReceiverOptions{Wake: func() { woken++ }})
		b.ok(err)
		held := b.wantTake("before", r, 1, "a")
		woken = 0
		info, err := b.Queue("q")
		b.ok(err)
		wait(time.Second)
		b.ok(b.UpdateQueue(info.QueueDescription)) // without a change
		if woken != 2 || CodeOf(sender.Err()) != CodeDetached || CodeOf(r.Err()) != CodeDetached {
			t.Errorf("after an update: %d woken, sender %v, receiver %v", woken, sender.Err(), r.Err())
		}
		b.refused("sending on", sender.Send(msgs("b")), CodeDetached, "updated")
		b.refused("receiving on", r.SetCredit(1), CodeDetached, "updated")
		b.refused("the lock", source.Settle(held[0].LockToken, Settlement{}), CodeLockLost, "")
		now, err := b.Queue("q")
		b.ok(err)
		if !now.UpdatedAt.After(now.CreatedAt) {
			t.Errorf("updated at %v, created at %v", now.UpdatedAt, now.CreatedAt)
		}
		r = b.receiver(source, PeekLock)
		if d := b.wantTake("again", r, 1, "a"); d[0].DeliveryCount != 0 {
			t.Errorf("an update counted as a failed delivery")
		}
		b.ok(b.DeleteQueue("q"))
		b.refused("the receiver of a deleted queue", r.Err(), CodeDetached, "deleted")
		b.refused("sending to it", target.Send(msgs("c")), CodeNotFound, "could not be found")
		b.refused("settling in it", source.Settle(held[0].LockToken, Settlement{}), CodeNotFound, "")
		for what, call := range map[string]func() error{
			"peek":     func() error { _, err := source.Peek(0, 1, nil); return err },
			"deferred": func() error { _, err := source.ReceiveDeferred([]int64{1}, PeekLock, nil); return err },
			"sender":   func() error { _, err := target.NewSender(func() {}); return err },
			"receiver": func() error { _, err := source.NewReceiver(ReceiverOptions{}); return err },
			"cancel":   func() error { return target.Cancel([]int64{1}) },
			"sessions": func() error { _, err := source.Sessions(time.Time{}); return err },
			"delete":   func() error { _, err := source.DeleteMessages(1, time.Now()); return err },
		} {
			b.refused(what, call(), CodeNotFound, "")
		}
		_, source = b.queue("q", nil)
		b.wantPeek("a new queue of the same name is empty", source)
	})
}

func TestUpdateRefusesFixedProperties(t *testing.T) {
	b := bench{t, New(Options{})}
	defer b.Close()
	b.queue("q", nil)
	b.topic("t", "s")
	queue := func(d QueueDescription) error { d.Name = "q"; return b.UpdateQueue(d) }
	topic := func(d TopicDescription) error { d.Name = "t"; return b.UpdateTopic(d) }
	subscription := func(d SubscriptionDescription) error {
		d.Topic, d.Name = "t", "s"
		return b.UpdateSubscription(d)
	}
	const fixed = "property of an existing "
	for _, tt := range []struct {
		text string
		err  error
	}{
		{"RequiresSession " + fixed + "Queue cannot be changed", queue(QueueDescription{RequiresSession: true})},
		{"RequiresDuplicateDetection " + fixed + "Queue", queue(QueueDescription{RequiresDuplicateDetection: true})},
		{"Partitioning cannot be changed for Queue. ", queue(QueueDescription{EnablePartitioning: true})},
		{"RequiresDuplicateDetection " + fixed + "Topic", topic(TopicDescription{RequiresDuplicateDetection: true})},
		{"Partitioning cannot be changed for Topic. ", topic(TopicDescription{EnablePartitioning: true})},
		{"RequiresSession " + fixed + "Subscription", subscription(SubscriptionDescription{RequiresSession: true})},
		{"does not exist", subscription(SubscriptionDescription{ForwardTo: "x"})},
	} {
		b.refused("update", tt.err, CodeInvalidArgument, tt.text)
	}
}

func TestStatusRefusesSendOrReceive(t *testing.T) {
	for _, c := range []struct {
		status        Status
		send, receive bool
	}{{StatusActive, true, true}, {StatusDisabled, false, false}, {StatusSendDisabled, false,
		true}, {StatusReceiveDisabled, true, false}} {
		t.Run(c.status.String(), func(t *testing.T) {
			inBubble(t, func(b bench) {
				target, source := b.queue("q", nil)
				b.ok(target.Send(msgs("before")))
				b.status("q", c.status)
				check := func(what string, err error, admitted bool) {
					t.Helper()
					if admitted && err != nil || !admitted && CodeOf(err) != CodeEntityDisabled {
						t.Errorf("%s: %v, admitted should be %t", what, err, admitted)
					}
				}
				check("send", target.Send(msgs("a")), c.send)
				_, err := target.NewSender(func() {})
				check("sender", err, c.send)
				r, err := source.NewReceiver(ReceiverOptions{Wake: func() {}})
				check("receiver", err, c.receive)
				if r != nil {
					b.take(r, 1)
				}
				_, err = source.ReceiveDeferred([]int64{99}, PeekLock, nil)
				if c.receive {
					b.refused("deferred", err, CodeMessageNotFound, "")
				} else {
					check("deferred", err, false)
				}
				if back, ok := ParseStatus(c.status.String()); !ok || back != c.status {
					t.Errorf("ParseStatus(%s) = %v, %t", c.status, back, ok)
				}
			})
		})
	}
	if _, ok := ParseStatus("active"); ok {
		t.Error("a status in lower case was taken")
	}
}

func TestMessagesBeyondLimitsAreRefused(t *testing.T) {
	b := bench{t, New(Options{})}
	defer b.Close()
	target, source := b.queue("q", nil)
	shrink(target)
	big := func(size int) *Message { return &Message{ID: fmt.Sprint(size), Size: size} }
	b.ok(target.Send([]*Message{big(256 << 10)}))
	b.refused("one byte more", target.Send([]*Message{big(1), big(256<<10 + 1)}), CodeMessageTooLarge,
		"exceeds the limit")
	long := strings.Repeat("x", 129)
	b.refused("a long id", target.Send([]*Message{{ID: long}}), CodeInvalidArgument, "128")
	b.refused("a long session", target.Send([]*Message{{SessionID: long, HasSession: true}}), CodeInvalidArgument,
		"128")
	b.refused("a long partition key", target.Send([]*Message{{PartitionKey: long}}), CodeInvalidArgument, "128")
	b.refused("keys that differ", target.Send([]*Message{{SessionID: "a", HasSession: true, PartitionKey: "b"}}),
		CodeInvalidArgument, "must match")
	b.ok(target.Send([]*Message{{HasSession: true, PartitionKey: "b"}})) // the session without a name
	b.ok(target.Send([]*Message{big(256 << 10), big(256 << 10)}))
	b.refused("a full queue", target.Send([]*Message{big(1), big(256 << 10)}), CodeQuotaExceeded,
		"The maximum entity size has been reached or exceeded for Queue: 'q'. Size of entity in bytes:1048577, "+
			"Max entity size in bytes:1048576.")
	b.ok(target.Send([]*Message{big(256 << 10)}))
	r := b.receiver(source, PeekLock)
	d := b.take(r, 1)[0]
	b.ok(source.Settle(d.LockToken, Settlement{Outcome: DeadLetter}))
	b.refused("dead letters count", target.Send([]*Message{big(1)}), CodeQuotaExceeded, "")
	dead := b.receiver(b.source("q/$DeadLetterQueue"), ReceiveAndDelete)
	b.take(dead, 1)
	b.ok(target.Send([]*Message{big(256 << 10)}))
	if got := target.MaxMessageSize(); got != 256<<10 || target.MaxBatchSize() != 256<<10 {
		t.Errorf("limits are %d and %d", got, target.MaxBatchSize())
	}
}

func TestSmallMessagesCountWithOverhead(t *testing.T) {
	b := bench{t, New(Options{})}
	defer b.Close()
	target, source := b.queue("q", nil)
	shrink(target)
	sent := 0
	for target.Send(msgs(numbers(0, 64)...)) == nil {
		sent += 64
	}
	if sent != 4096 {
		t.Errorf("a queue of 1 MB took %d messages of 100 bytes, want 4096 of 256 each", sent)
	}
	b.take(b.receiver(source, ReceiveAndDelete), 64)
	b.ok(target.Send(msgs(numbers(0, 64)...)))
}

func TestPropertiesAreBounded(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		b.ok(target.Send(msgs("a")))
		r := b.receiver(source, PeekLock)
		large := map[string]any{"x": strings.Repeat("x", 32<<10)}
		d := b.take(r, 1)[0]
		b.ok(source.Settle(d.LockToken, Settlement{Outcome: Abandon, Properties: large}))
		d = b.take(r, 1)[0]
		b.refused("as much again", source.Settle(d.LockToken,
			Settlement{Outcome: Defer, Properties: map[string]any{"y": make([]byte, 32<<10)}}),
			CodePropertiesTooLarge, "65536")
		b.refused("one property above the limit", source.Settle(d.LockToken,
			Settlement{Outcome: Defer, Properties: map[string]any{"y": make([]byte, 32<<10+1)}}),
			CodePropertiesTooLarge, "32768")
		b.refused("a long reason", source.Settle(d.LockToken,
			Settlement{Outcome: DeadLetter, Reason: strings.Repeat("x", 4097)}), CodeInvalidArgument, "4096")
		b.settle(source, d, Complete)
	})
}

func TestReceiversAreLimited(t *testing.T) {
	b := bench{t, New(Options{MaxReceivers: 2})}
	defer b.Close()
	_, source := b.queue("q", nil)
	b.receiver(source, PeekLock)
	last := b.receiver(source, PeekLock)
	_, err := source.NewReceiver(ReceiverOptions{Wake: func() {}})
	b.refused("one more", err, CodeServerBusy, "2")
	last.Close()
	b.receiver(source, PeekLock)
}

func TestSendersEndWithTheirEntity(t *testing.T) {
	b := bench{t, New(Options{Tier: Premium, Namespace: "mine"})}
	defer b.Close()
	target, source := b.queue("q", nil)
	sender, err := target.NewSender(func() { t.Error("woken by its own closing") })
	b.ok(err)
	b.ok(sender.Err())
	b.ok(sender.Send(msgs("a")))
	sender.Close()
	sender.Close()
	b.refused("after closing", sender.Send(msgs("b")), CodeDetached, "closed")
	b.wantPeek("one", source, "a")
	if target.MaxBatchSize() != 1<<20 || target.MaxMessageSize() != 1<<20 || target.Path() != "q" ||
		b.Namespace() != "mine" || b.Tier().String() != "Premium" || b.CreatedAt().IsZero() {
		t.Errorf("Premium: batch %d, message %d, path %q", target.MaxBatchSize(), target.MaxMessageSize(),
			target.Path())
	}
	if code := CodeOf(fmt.Errorf("send: %w", errBusy())); code != CodeServerBusy {
		t.Errorf("CodeOf a wrapped error = %d", code)
	}
	if code := CodeOf(fmt.Errorf("other")); code != CodeInternal {
		t.Errorf("CodeOf another error = %d", code)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	b := bench{t, New(Options{})}
	target, source := b.queue("q", nil)
	b.topic("t", "s")
	r := b.receiver(source, PeekLock)
	b.Close()
	b.refused("receiver", r.Err(), CodeDetached, "")
	b.refused("send", target.Send(msgs("a")), CodeNotFound, "")
	b.refused("create", b.CreateQueue(DefaultQueue("x")), CodeInternal, "closed")
	b.refused("create", b.CreateTopic(DefaultTopic("x")), CodeInternal, "closed")
	b.Close()
}
