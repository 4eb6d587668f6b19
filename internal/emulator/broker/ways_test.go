package broker

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// The ways by which a message comes into a queue. Each reports whether the queue admitted the message, and the refusal
// or what the dead letter says.
var waysIn = map[string]func(b bench, to string, m *Message) (admitted bool, why string){
	"send": func(b bench, to string, m *Message) (bool, string) {
		return outcome(b.target(to).Send([]*Message{m}))
	},
	"send in the future": func(b bench, to string, m *Message) (bool, string) {
		c := *m
		c.ScheduledEnqueueTime = time.Now().Add(time.Minute)
		return outcome(b.target(to).Send([]*Message{&c}))
	},
	"schedule": func(b bench, to string, m *Message) (bool, string) {
		c := *m
		c.ScheduledEnqueueTime = time.Now().Add(time.Minute)
		_, err := b.target(to).Schedule([]*Message{&c})
		return outcome(err)
	},
	"forward": func(b bench, to string, m *Message) (bool, string) {
		if !b.Exists("from") {
			b.queue("from", func(d *QueueDescription) { d.ForwardTo = to })
		}
		if err := b.target("from").Send([]*Message{m}); err != nil {
			return false, err.Error() // the first entity checks the same
		}
		wait(0)
		return b.noDeadLetter(b.source("from/$Transfer/$DeadLetterQueue"))
	},
	// The action makes the message from a harmless one, and the subscription forwards it.
	"action": func(b bench, to string, m *Message) (bool, string) {
		if !b.Exists("hub") {
			b.topic("hub")
		}
		if info, err := b.Subscription("hub", "s"); err == nil {
			b.ok(b.DeleteSubscription("hub", info.Name))
		}
		d := DefaultSubscription("hub", "s")
		var action []string
		set := func(name string, is bool, value string) {
			if is {
				action = append(action, "SET "+name+" = @"+strings.TrimPrefix(name, "sys."))
				d.DefaultRule.ActionParameters[strings.TrimPrefix(name, "sys.")] = value
			}
		}
		d.ForwardTo, d.DefaultRule = to, &RuleDescription{Filter: TrueFilter{}, ActionParameters: map[string]any{}}
		set("sys.MessageId", true, m.ID)
		set("sys.SessionId", m.HasSession, m.SessionID)
		set("sys.PartitionKey", m.PartitionKey != "", m.PartitionKey)
		set("sys.ReplyToSessionId", m.ReplyToSessionID != "", m.ReplyToSessionID)
		harmless := Message{ID: "harmless", Size: m.Size, Properties: map[string]any{}}
		for _, name := range slices.Sorted(maps.Keys(m.Properties)) {
			text, _ := m.Properties[name].(string)
			harmless.Properties[name] = text[:len(text)/2]
			action = append(action, "SET "+name+" = "+name+" + "+name)
			if len(text)%2 == 1 {
				action = append(action, "SET "+name+" = "+name+" + 'x'")
			}
		}
		d.DefaultRule.Action = strings.Join(action, "; ")
		b.ok(b.CreateSubscription(d))
		if err := b.target("hub").Send([]*Message{&harmless}); err != nil {
			return false, err.Error()
		}
		wait(0)
		if admitted, why := b.noDeadLetter(b.source("hub/Subscriptions/s/$DeadLetterQueue")); !admitted {
			return false, why
		}
		return b.noDeadLetter(b.source("hub/Subscriptions/s/$Transfer/$DeadLetterQueue"))
	},
}

func outcome(err error) (bool, string) {
	if err != nil {
		return false, err.Error()
	}
	return true, ""
}

// noDeadLetter reports false, and why, if the queue of dead letters has a message.
func (b bench) noDeadLetter(s *Source) (bool, string) {
	found, err := s.Peek(0, 1, nil)
	b.ok(err)
	if len(found) == 0 {
		return true, ""
	}
	p := found[0].Message.Properties
	return false, p["DeadLetterReason"].(string) + " " + p["DeadLetterErrorDescription"].(string)
}

// TestEveryWayInChecksTheSame sends messages that a queue refuses by every way in.
func TestEveryWayInChecksTheSame(t *testing.T) {
	long := strings.Repeat("x", 129)
	for _, test := range []struct {
		name    string
		message Message
		queue   func(*QueueDescription)
		spoil   func(b bench)
		want    string
	}{
		{name: "nothing wrong", message: Message{ID: "m", Size: 10}},
		{name: "size", message: Message{ID: "m", Size: 200 << 10},
			queue: func(d *QueueDescription) { d.MaxMessageSizeInKilobytes = 100 }, want: "exceeds the limit"},
		{name: "message id", message: Message{ID: long}, want: "message id"},
		{name: "session id", message: Message{ID: "m", HasSession: true, SessionID: long}, want: "session id"},
		{name: "partition key", message: Message{ID: "m", PartitionKey: long}, want: "partition key"},
		{name: "reply-to session id", message: Message{ID: "m", ReplyToSessionID: long}, want: "session id"},
		{name: "session and partition", message: Message{ID: "m", HasSession: true, SessionID: "a",
			PartitionKey: "b"},
			want: "must match"},
		{name: "no session", message: Message{ID: "m"}, queue: func(d *QueueDescription) { d.RequiresSession = true },
			want: "ession"},
		{name: "one property", message: Message{ID: "m",
			Properties: map[string]any{"p": strings.Repeat("x", 32<<10+1)}}, want: "32768"},
		{name: "all properties", message: Message{ID: "m", Properties: map[string]any{
			"p": strings.Repeat("x", 32<<10), "q": strings.Repeat("x", 32<<10)}}, want: "65536"},
		{name: "disabled", message: Message{ID: "m"}, spoil: func(b bench) { b.status("to", StatusSendDisabled) },
			want: "disabled"},
		{name: "full", message: Message{ID: "m", Size: 200}, spoil: func(b bench) {
			shrink(b.target("to"))
			for range 8 {
				b.ok(b.target("to").Send([]*Message{{ID: "big", Size: 128 << 10}}))
			}
		}, want: "maximum entity size"},
		{name: "busy", message: Message{ID: "m"}, spoil: func(b bench) { b.ServerBusy(time.Hour) },
			want: "throttled"},
	} {
		for way, in := range waysIn {
			t.Run(test.name+" by "+way, func(t *testing.T) {
				inBubble(t, func(b bench) {
					b.queue("to", test.queue)
					if test.spoil != nil {
						test.spoil(b)
					}
					m := test.message
					if admitted, why := in(b, "to", &m); admitted != (test.want == "") || !strings.Contains(why,
						test.want) {
						t.Errorf("admitted %t: %q, want %q", admitted, why, test.want)
					} else if way == "action" && test.spoil == nil && test.queue == nil && !admitted &&
						!strings.Contains(why, "FilterEvaluationException") {
						t.Errorf("%q: the copy came into the subscription, want the original as a dead letter", why)
					}
				})
			})
		}
	}
}

// TestEveryWayInFindsDuplicates sends a message by one way and its duplicate by another.
func TestEveryWayInFindsDuplicates(t *testing.T) {
	for first, in := range waysIn {
		for second, again := range waysIn {
			t.Run(first+", "+second, func(t *testing.T) {
				inBubble(t, func(b bench) {
					_, source := b.queue("to", func(d *QueueDescription) { d.RequiresDuplicateDetection = true })
					for _, way := range []func(bench, string, *Message) (bool, string){in, again} {
						if admitted, why := way(b, "to", msg("m")); !admitted {
							t.Fatal(why)
						}
					}
					wait(2 * time.Minute)
					b.wantPeek("once", source, "m")
				})
			})
		}
	}
}

func TestDuplicateOfScheduledMessageGetsNumber(t *testing.T) {
	for _, kind := range []string{"queue", "topic"} {
		t.Run(kind, func(t *testing.T) {
			inBubble(t, func(b bench) {
				name := "to"
				if kind == "queue" {
					b.queue(name, func(d *QueueDescription) { d.RequiresDuplicateDetection = true })
				} else {
					d := DefaultTopic(name)
					d.RequiresDuplicateDetection = true
					b.ok(b.CreateTopic(d))
				}
				m := msg("m")
				m.ScheduledEnqueueTime = time.Now().Add(time.Minute)
				numbers, err := b.target(name).Schedule([]*Message{m, m})
				b.ok(err)
				if len(numbers) != 2 || numbers[0] == numbers[1] {
					t.Errorf("numbers %v, want two that differ", numbers)
				}
				b.refused("cancel the duplicate", b.target(name).Cancel(numbers[1:]), CodeMessageNotFound, "")
				b.ok(b.target(name).Cancel(numbers[:1]))
			})
		})
	}
}
