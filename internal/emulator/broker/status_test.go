package broker

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// operations are what clients do with an entity. Each returns the refusal. source is the queue, or the subscription of
// the topic, and has one message that is deferred and one that is scheduled.
var operations = map[string]func(b bench, target *Target, source *Source) error{
	"send": func(_ bench, target *Target, _ *Source) error { return target.Send(msgs("new")) },
	"attach a sender": func(_ bench, target *Target, _ *Source) error {
		s, err := target.NewSender(func() {})
		if err == nil {
			s.Close()
		}
		return err
	},
	"schedule": func(_ bench, target *Target, _ *Source) error {
		_, err := target.Schedule(msgs("new"))
		return err
	},
	"cancel": func(_ bench, target *Target, _ *Source) error {
		return ignore(target.Cancel([]int64{9}), CodeMessageNotFound)
	},
	"attach a receiver": func(_ bench, _ *Target, source *Source) error {
		r, err := source.NewReceiver(ReceiverOptions{Wake: func() {}})
		if err == nil {
			r.Close()
		}
		return err
	},
	"receive deferred": func(_ bench, _ *Target, source *Source) error {
		_, err := source.ReceiveDeferred([]int64{9}, PeekLock, nil)
		return ignore(err, CodeMessageNotFound)
	},
	"settle": func(_ bench, _ *Target, source *Source) error {
		return ignore(source.Settle(UUID{1}, Settlement{}), CodeLockLost)
	},
	"renew": func(_ bench, _ *Target, source *Source) error {
		_, err := source.Renew([]UUID{{1}})
		return ignore(err, CodeLockLost)
	},
	"renew a session": func(_ bench, _ *Target, source *Source) error {
		_, err := source.RenewSession("s")
		return ignore(err, CodeNotAllowed)
	},
	"delete messages": func(_ bench, _ *Target, source *Source) error {
		_, err := source.DeleteMessages(1, time.Now())
		return err
	},
	"peek": func(_ bench, _ *Target, source *Source) error {
		_, err := source.Peek(0, 1, nil)
		return err
	},
	"list sessions": func(_ bench, _ *Target, source *Source) error {
		_, err := source.Sessions(time.Time{})
		return err
	},
	"add a rule": func(b bench, target *Target, _ *Source) error {
		return b.CreateRule(target.Path(), "s", RuleDescription{Name: "r"})
	},
	"update a rule": func(b bench, target *Target, _ *Source) error {
		return b.UpdateRule(target.Path(), "s", RuleDescription{Name: DefaultRuleName})
	},
	"remove a rule": func(b bench, target *Target, _ *Source) error {
		return b.DeleteRule(target.Path(), "s", DefaultRuleName)
	},
	"create a subscription": func(b bench, target *Target, _ *Source) error {
		d := DefaultSubscription(target.Path(), "another")
		d.DefaultRule = &RuleDescription{Filter: SQLFilter{Expression: "a = 1"}}
		return b.CreateSubscription(d)
	},
}

func ignore(err error, code Code) error {
	if CodeOf(err) == code {
		return nil
	}
	return err
}

// TestStatusDecidesOperations goes through all statuses and operations. The refusals follow "EntityStatus
// Enumeration" and "Suspend and reactivate messaging entities (disable)".
func TestStatusDecidesOperations(t *testing.T) {
	sends := []string{"send", "attach a sender", "schedule", "cancel"}
	receives := []string{"attach a receiver", "receive deferred", "settle", "renew", "renew a session",
		"delete messages"}
	browses := []string{"peek", "list sessions"}
	rules := []string{"add a rule", "update a rule", "remove a rule"}
	for _, test := range []struct {
		queue, topic, subscription Status
		kind                       string
		refused                    []string
	}{
		{kind: "queue"},
		{kind: "queue", queue: StatusSendDisabled, refused: sends},
		{kind: "queue", queue: StatusReceiveDisabled, refused: receives},
		{kind: "queue", queue: StatusDisabled, refused: slices.Concat(sends, receives, browses)},
		{kind: "topic"},
		{kind: "topic", topic: StatusSendDisabled, refused: sends},
		{kind: "topic", topic: StatusReceiveDisabled, refused: slices.Concat(receives, rules)},
		{kind: "topic", topic: StatusDisabled, refused: slices.Concat(sends, receives, browses, rules)},
		{kind: "topic", subscription: StatusReceiveDisabled, refused: slices.Concat(receives, rules)},
		{kind: "topic", subscription: StatusDisabled, refused: slices.Concat(receives, browses, rules)},
		{kind: "topic", topic: StatusReceiveDisabled, subscription: StatusDisabled,
			refused: slices.Concat(receives, browses, rules)},
	} {
		for name, operation := range operations {
			ofTopic := strings.HasSuffix(name, "rule") || name == "create a subscription"
			if ofTopic && test.kind == "queue" {
				continue
			}
			inBubble(t, func(b bench) {
				var target *Target
				var source *Source
				if test.kind == "queue" {
					target, source = b.queue("q", func(d *QueueDescription) { d.Status = test.queue })
				} else {
					target, source = b.topic("q", "s"), b.source("q/Subscriptions/s")
					d := DefaultTopic("q")
					d.Status = test.topic
					b.ok(b.UpdateTopic(d))
					s := DefaultSubscription("q", "s")
					s.Status = test.subscription
					b.ok(b.UpdateSubscription(s))
				}
				err := operation(b, target, source)
				if refused := slices.Contains(test.refused, name); refused != (err != nil) ||
					refused && CodeOf(err) != CodeEntityDisabled {
					t.Errorf("%s: queue %s, topic %s, subscription %s: %v, want a refusal: %t", name, test.queue,
						test.topic, test.subscription, err, refused)
				}
			})
		}
	}
}

// TestDisabledTopicStopsItsReceivers also checks what goes on while topic and subscription are disabled.
func TestDisabledTopicStopsItsReceivers(t *testing.T) {
	inBubble(t, func(b bench) {
		topic := b.topic("t", "s", "off")
		off := DefaultSubscription("t", "off")
		off.Status = StatusDisabled
		b.ok(b.UpdateSubscription(off))
		r := b.receiver(b.source("t/Subscriptions/s"), PeekLock)
		m := msg("later")
		m.ScheduledEnqueueTime = time.Now().Add(time.Minute)
		b.ok(topic.Send([]*Message{m, msg("now")}))
		b.ok(r.SetCredit(1))
		d := DefaultTopic("t")
		d.Status = StatusDisabled
		b.ok(b.UpdateTopic(d))
		b.refused("the receiver of its subscription", r.Err(), CodeDetached, "updated")
		wait(time.Minute)
		d.Status = StatusActive
		b.ok(b.UpdateTopic(d))
		off.Status = StatusActive
		b.ok(b.UpdateSubscription(off))
		for _, name := range []string{"s", "off"} {
			r := b.receiver(b.source("t/Subscriptions/"+name), PeekLock)
			b.wantTake("a scheduled message came when it was due, into "+name, r, 3, "now", "later")
		}
	})
}
