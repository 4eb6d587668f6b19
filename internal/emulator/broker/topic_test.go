package broker

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestSubscriptionsGetCopies(t *testing.T) {
	inBubble(t, func(b bench) {
		target := b.topic("t", "first")
		b.ok(target.Send(msgs("a")))
		b.ok(b.CreateSubscription(DefaultSubscription("T", "Second")))
		b.ok(target.Send(msgs("b", "c")))
		first := b.wantPeek("first", b.source("t/Subscriptions/first"), "a", "b", "c")
		second := b.wantPeek("second, made later", b.source("T/subscriptions/second"), "b", "c")
		for i, d := range second {
			if d.SequenceNumber != int64(i+1) || d.EnqueuedSequenceNumber != first[i+1].EnqueuedSequenceNumber ||
				d.Message != first[i+1].Message {
				t.Errorf("second's %s has numbers %d and %d, want %d and first's %d, and the same message",
					d.Message.ID, d.SequenceNumber, d.EnqueuedSequenceNumber, i+1, first[i+1].EnqueuedSequenceNumber)
			}
		}
		for _, d := range first {
			if d.EnqueuedSequenceNumber <= 1000 {
				t.Errorf("the topic's number %d could be mistaken for a subscription's", d.EnqueuedSequenceNumber)
			}
		}
		if got := b.source("t/subscriptions/SECOND").Path(); got != "t/Subscriptions/Second" {
			t.Errorf("path %q, want the names as created", got)
		}
		_, err := b.Source("t")
		b.refused("receiving from a topic", err, CodeNotAllowed, "topic")
		info, err := b.Topic("t")
		b.ok(err)
		if info.Bytes != 300 || info.Counts.Active != 0 || info.Subscriptions != 2 {
			t.Errorf("topic: %d bytes, %+v, %d subscriptions; want 300, counted once, and 2", info.Bytes, info.Counts,
				info.Subscriptions)
		}
		r := b.receiver(b.source("t/Subscriptions/first"), ReceiveAndDelete)
		b.wantTake("first", r, 3, "a", "b", "c")
		b.ok(b.DeleteSubscription("t", "second"))
		if info, _ = b.Topic("t"); info.Bytes != 0 {
			t.Errorf("%d bytes are left, want 0", info.Bytes)
		}
		b.ok(target.Send(msgs("nobody takes it")))
		b.ok(b.DeleteSubscription("t", "first"))
		b.ok(target.Send(msgs("into the void")))
	})
}

func TestTopicTimeToLiveIsACeiling(t *testing.T) {
	inBubble(t, func(b bench) {
		d := DefaultTopic("t")
		d.DefaultMessageTimeToLive = time.Minute
		b.ok(b.CreateTopic(d))
		b.ok(b.CreateSubscription(DefaultSubscription("t", "s")))
		b.ok(b.target("t").Send(msgs("a")))
		source := b.source("t/Subscriptions/s")
		b.wantPeek("now", source, "a")
		wait(time.Minute)
		b.wantPeek("later", source)
	})
}

func TestRulesSelectMessages(t *testing.T) {
	red := func() *Message {
		return &Message{ID: "red", Size: 1, Subject: "paint", CorrelationID: "c",
			Properties: map[string]any{"color": "red", "quantity": int32(10)}}
	}
	blue := func() *Message { return &Message{ID: "blue", Size: 1, Properties: map[string]any{"color": "blue"}} }
	for _, c := range []struct {
		name  string
		rules []RuleDescription
		want  []string
	}{
		{"none", nil, nil},
		{"true", []RuleDescription{{Name: "r", Filter: TrueFilter{}}}, []string{"red", "blue"}},
		{"no filter", []RuleDescription{{Name: "r"}}, []string{"red", "blue"}},
		{"false", []RuleDescription{{Name: "r", Filter: FalseFilter{}}}, nil},
		{"two that match give one copy", []RuleDescription{{Name: "r"},
			{Name: "s", Filter: SQLFilter{Expression: "1=1"}}}, []string{"red", "blue"}},
		{"sql", []RuleDescription{{Name: "r",
			Filter: SQLFilter{Expression: "COLOR = 'red' AND sys.Label = 'paint'"}}}, []string{"red"}},
		{"sql parameter", []RuleDescription{{Name: "r",
			Filter: SQLFilter{Expression: "color = @c", Parameters: map[string]any{"@c": "blue"}}}}, []string{"blue"}},
		{"unknown is not true", []RuleDescription{{Name: "r", Filter: SQLFilter{Expression: "quantity <> 5"}}},
			[]string{"red"}},
		{"correlation", []RuleDescription{{Name: "r", Filter: CorrelationFilter{CorrelationID: "c",
			Subject: "paint"}}}, []string{"red"}},
		{"correlation is AND", []RuleDescription{{Name: "r",
			Filter: CorrelationFilter{CorrelationID: "c", Subject: "other"}}}, nil},
		{"correlation of properties", []RuleDescription{{Name: "r",
			Filter: CorrelationFilter{Properties: map[string]any{"quantity": int64(10)}}}}, []string{"red"}},
		{"correlation minds letter case", []RuleDescription{{Name: "r",
			Filter: CorrelationFilter{Properties: map[string]any{"color": "Red"}}}}, nil},
		{"an action gives a copy of its own", []RuleDescription{{Name: "r"},
			{Name: "s", Filter: SQLFilter{Expression: "color='red'"}, Action: "SET sys.MessageId = 'changed'"}},
			[]string{"red", "changed", "blue"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(b bench) {
				target := b.topic("t", "s")
				b.ok(b.DeleteRule("t", "s", "$default"))
				for _, r := range c.rules {
					b.ok(b.CreateRule("t", "s", r))
				}
				b.ok(target.Send([]*Message{red(), blue()}))
				b.wantPeek("taken", b.source("t/Subscriptions/s"), c.want...)
			})
		})
	}
}

func TestActionsAreAppliedToACopy(t *testing.T) {
	inBubble(t, func(b bench) {
		target := b.topic("t", "s")
		b.ok(b.CreateSubscription(SubscriptionDescription{Topic: "t", Name: "changed", DefaultRule: &RuleDescription{
			Action: "SET Quantity = quantity / 2; REMOVE color; SET sys.CorrelationId = 'low'; SET " +
				"sys.To = 'x'; SET sys.TimeToLive = @ttl; SET n = sys.SessionId",
			ActionParameters: map[string]any{"ttl": time.Minute},
		}}))
		sent := &Message{ID: "a", Size: 1, Properties: map[string]any{"color": "red", "quantity": int32(10)}}
		b.ok(target.Send([]*Message{sent}))
		m := b.wantPeek("changed", b.source("t/Subscriptions/changed"), "a")[0].Message
		if got := fmt.Sprint(m.Properties); got != "map[RuleName:$Default n:<nil> quantity:5]" ||
			m.CorrelationID != "low" || m.To != "x" || m.TTL != time.Minute || !m.Modified {
			t.Errorf("the copy is %+v", m)
		}
		if m := b.wantPeek("other", b.source("t/Subscriptions/s"), "a")[0].Message; m != sent || m.Modified ||
			len(m.Properties) != 2 {
			t.Errorf("the other subscription has %+v", m)
		}
	})
}

func TestRuleFailuresAreDeadLettered(t *testing.T) {
	for _, keep := range []bool{true, false} {
		inBubble(t, func(b bench) {
			target := b.topic("t")
			d := DefaultSubscription("t", "s")
			d.DeadLetteringOnFilterEvaluationExceptions = keep
			d.DefaultRule = &RuleDescription{Name: "r", Filter: SQLFilter{Expression: "sys.nothing = 1"}}
			b.ok(b.CreateSubscription(d))
			b.ok(b.CreateRule("t", "s", RuleDescription{Name: "a", Filter: SQLFilter{Expression: "x = 1"},
				Action: "SET y = x / 0"}))
			b.ok(target.Send([]*Message{{ID: "m", Size: 1, Properties: map[string]any{"x": 1}}}))
			b.wantPeek("nothing passes", b.source("t/Subscriptions/s"))
			dead := b.source("t/Subscriptions/s/$DeadLetterQueue")
			if !keep {
				b.wantPeek("nothing is kept", dead)
				return
			}
			found := b.wantPeek("both failures are kept", dead, "m", "m")
			if text := fmt.Sprint(found[0].Message.Properties); !strings.Contains(text, "sys.nothing") {
				t.Errorf("the first says %s", text)
			}
		})
	}
}

func TestRulesAreCreatedUpdatedDeleted(t *testing.T) {
	inBubble(t, func(b bench) {
		b.topic("t", "s")
		counts := func(what string, sql, correlation int) {
			t.Helper()
			info, err := b.Topic("t")
			b.ok(err)
			if info.SQLFilters != sql || info.CorrelationFilters != correlation {
				t.Errorf("%s: %d SQL and %d correlation filters, want %d and %d", what, info.SQLFilters,
					info.CorrelationFilters, sql, correlation)
			}
		}
		counts("default", 1, 0)
		b.refused("bad SQL", b.CreateRule("t", "s", RuleDescription{Name: "x", Filter: SQLFilter{Expression: "a ="}}),
			CodeInvalidArgument, "There was an error parsing the SQL expression")
		b.refused("bad action", b.CreateRule("t", "s", RuleDescription{Name: "x", Action: "a"}), CodeInvalidArgument,
			"expecting SET, or REMOVE")
		b.refused("no name", b.CreateRule("t", "s", RuleDescription{}), CodeInvalidArgument, "")
		b.refused("long name", b.CreateRule("t", "s", RuleDescription{Name: strings.Repeat("x", 51)}),
			CodeInvalidArgument, "50")
		b.refused("no topic", b.CreateRule("u", "s", RuleDescription{Name: "x"}), CodeNotFound, "u")
		b.refused("no subscription", b.CreateRule("t", "u", RuleDescription{Name: "x"}), CodeNotFound, "u")
		b.ok(b.CreateRule("t", "s", RuleDescription{Name: "X", Filter: CorrelationFilter{Subject: "a"}}))
		b.refused("twice", b.CreateRule("t", "s", RuleDescription{Name: "x"}), CodeAlreadyExists, "SubCode=40900")
		counts("two", 1, 1)
		b.refused("updating nothing", b.UpdateRule("t", "s", RuleDescription{Name: "y"}), CodeNotFound, "y")
		b.ok(b.UpdateRule("t", "s", RuleDescription{Name: "x", Filter: SQLFilter{Expression: "1=1"}}))
		counts("updated", 2, 0)
		b.ok(b.DeleteRule("t", "s", "$Default"))
		b.refused("deleting twice", b.DeleteRule("t", "s", "$Default"), CodeNotFound, "$Default")
		rules, err := b.Rules("t", "s")
		b.ok(err)
		if len(rules) != 1 || rules[0].Name != "X" || rules[0].CreatedAt.IsZero() {
			t.Errorf("rules %+v, want X alone", rules)
		}
		b.ok(b.DeleteSubscription("t", "s"))
		counts("none", 0, 0)
	})
}

func TestRulesAreLimited(t *testing.T) {
	b := bench{t, New(Options{})}
	defer b.Close()
	b.topic("t", "s")
	made := 0
	for made < 3000 && b.CreateRule("t", "s", RuleDescription{Name: fmt.Sprint(made),
		Filter: SQLFilter{Expression: "a=1"}}) == nil {
		made++
	}
	if made != 2000 {
		t.Errorf("made %d SQL filters beside the default one, want 2000", made)
	}
	b.refused("one more", b.CreateRule("t", "s", RuleDescription{Name: "x", Filter: FalseFilter{}}),
		CodeQuotaExceeded, "2000")
	b.ok(b.CreateRule("t", "s", RuleDescription{Name: "c", Filter: CorrelationFilter{To: "x"}}))
	b.refused("a change of kind", b.UpdateRule("t", "s", RuleDescription{Name: "c"}), CodeQuotaExceeded, "2000")
	b.ok(b.UpdateRule("t", "s", RuleDescription{Name: "0", Filter: CorrelationFilter{To: "x"}}))
	b.ok(b.UpdateRule("t", "s", RuleDescription{Name: "c"}))
	b.refused("bad SQL", b.UpdateRule("t", "s", RuleDescription{Name: "c", Filter: SQLFilter{}}), CodeInvalidArgument,
		"parsing")
	large := strings.Repeat("x", 33<<10)
	for what, d := range map[string]RuleDescription{
		"text":      {Filter: CorrelationFilter{To: large}},
		"property":  {Filter: CorrelationFilter{Properties: map[string]any{"a": large}}},
		"parameter": {Filter: SQLFilter{Expression: "a=1", Parameters: map[string]any{"a": large}}},
		"action":    {Action: "SET a=1", ActionParameters: map[string]any{"a": large}},
	} {
		d.Name = "0"
		b.refused(what, b.UpdateRule("t", "s", d), CodeInvalidArgument, "32768")
	}
}

func TestRulesReadAndSetSystemProperties(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	full := &Message{
		ID: "id", SessionID: "session", HasSession: true, PartitionKey: "key", CorrelationID: "correlation", To: "to",
		ReplyTo:          "reply",
		ReplyToSessionID: "replysession", Subject: "subject", ContentType: "content", TTL: time.Minute,
		ScheduledEnqueueTime: at, Size: 7,
	}
	want := map[string]any{
		"messageid": "id", "sessionid": "session", "partitionkey": "key", "correlationid": "correlation", "to": "to",
		"replyto":          "reply",
		"replytosessionid": "replysession", "label": "subject", "subject": "subject", "contenttype": "content",
		"timetolive":              time.Minute,
		"scheduledenqueuetimeutc": at, "size": 7,
	}
	for name, value := range want {
		if got, ok := (messageProperties{full}).System(name); !ok || got != value {
			t.Errorf("sys.%s is %v, %t, want %v", name, got, ok, value)
		}
		if got, ok := (messageProperties{&Message{}}).System(name); name != "size" && (!ok || got != nil) {
			t.Errorf("sys.%s of an empty message is %v, %t, want nil", name, got, ok)
		}
		if name == "size" || name == "scheduledenqueuetimeutc" {
			continue
		}
		m := &Message{}
		if err := (messageProperties{m}).SetSystem(name, value); err != nil {
			t.Errorf("setting sys.%s: %v", name, err)
		}
		if got, _ := (messageProperties{m}).System(name); got != value {
			t.Errorf("sys.%s set to %v is %v", name, value, got)
		}
		if err := (messageProperties{m}).SetSystem(name, 1.5); CodeOf(err) != CodeInvalidArgument {
			t.Errorf("setting sys.%s to a number: %v", name, err)
		}
		if err := (messageProperties{m}).SetSystem(name, nil); err != nil {
			t.Errorf("removing sys.%s: %v", name, err)
		}
		if got, _ := (messageProperties{m}).System(name); got != nil {
			t.Errorf("sys.%s removed is %v", name, got)
		}
	}
	if got, ok := (messageProperties{full}).System("enqueuedtimeutc"); !ok ||
		time.Since(got.(time.Time)) > time.Minute {
		t.Errorf("sys.EnqueuedTimeUtc is %v", got)
	}
	if err := (messageProperties{full}).SetSystem("size", 1); CodeOf(err) != CodeInvalidArgument {
		t.Errorf("setting sys.Size: %v", err)
	}
	m := &Message{Properties: map[string]any{"Color": 1}}
	messageProperties{m}.SetUser("color", 2)
	messageProperties{m}.RemoveUser("nothing")
	if len(m.Properties) != 1 || m.Properties["Color"] != 2 {
		t.Errorf("properties %v, want Color changed under its own name", m.Properties)
	}
}

// TestSubscriptionsAgreeOnOrder checks the guarantees that a log over a topic needs: two
// subscriptions receive in the order of the topic's numbers, and batches stay contiguous.
func TestSubscriptionsAgreeOnOrder(t *testing.T) {
	b := bench{t, New(Options{})}
	defer b.Close()
	target := b.topic("t", "x", "y")
	const senders, batches, size = 8, 50, 4
	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() {
			for batch := range batches {
				var list []*Message
				for i := range size {
					list = append(list, msg(fmt.Sprintf("%d/%d/%d", sender, batch, i)))
				}
				if err := target.Send(list); err != nil {
					t.Error(err)
				}
			}
		})
	}
	orders := make([][]Delivery, 2)
	for i, name := range []string{"x", "y"} {
		wake := make(chan struct{}, 1)
		r, err := b.source("t/Subscriptions/" + name).NewReceiver(ReceiverOptions{Mode: ReceiveAndDelete, Wake: func() {
			select {
			case wake <- struct{}{}:
			default:
			}
		}})
		b.ok(err)
		wg.Go(func() {
			b.ok(r.SetCredit(senders * batches * size))
			buffer := make([]Delivery, 7)
			for r.Credit() > 0 {
				n := r.Take(buffer)
				orders[i] = append(orders[i], buffer[:n]...)
				if n < len(buffer) && r.Credit() > 0 {
					<-wake
				}
			}
		})
	}
	wg.Wait()
	if !slices.Equal(ids(orders[0]), ids(orders[1])) {
		t.Error("the two subscriptions differ in order")
	}
	next := make([]int, senders)
	for i, d := range orders[0] {
		var sender, batch, place int
		if _, err := fmt.Sscanf(d.Message.ID, "%d/%d/%d", &sender, &batch, &place); err != nil {
			t.Fatal(err)
		}
		if d.SequenceNumber != int64(i+1) ||
			d.EnqueuedSequenceNumber-orders[0][0].EnqueuedSequenceNumber != int64(i) || place != i%size ||
			batch*size+place != next[sender] {
			t.Fatalf("delivery %d is %s with numbers %d and %d", i, d.Message.ID, d.SequenceNumber,
				d.EnqueuedSequenceNumber)
		}
		next[sender]++
	}
}
