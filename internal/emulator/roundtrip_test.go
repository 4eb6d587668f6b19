package emulator

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// randomValue returns a value of any simple type that a property or an annotation may have.
func randomValue(r *rand.Rand) any {
	values := []any{nil, r.IntN(2) == 0, uint8(r.Uint32()), uint16(r.Uint32()), r.Uint32(), r.Uint64(),
		int8(r.Uint32()),
		int16(r.Uint32()), int32(r.Uint32()), int64(r.Uint64()), r.Float32(), r.NormFloat64(),
		amqp.Char('a' + r.IntN(900)),
		amqp.Decimal32{0x32, 0x80, 0, byte(r.Uint32())}, amqp.Decimal64{0x31, 0xc0, 7: byte(r.Uint32())},
		amqp.Decimal128{0x30, 0x3c, 15: byte(r.Uint32())}, amqp.Decimal128{0x78}, randomTime(r),
		amqp.UUID{byte(r.Uint32()), 1, 2}, []byte(randomText(r)), randomText(r), amqp.Symbol("symbol"),
		amqp.Described{Descriptor: typeTimeSpan, Value: int64(r.Uint64())},
		amqp.Described{Descriptor: typeDateTimeOffset, Value: r.Int64N(1 << 61)},
		amqp.Described{Descriptor: typeURI, Value: "https://example.com/" + randomText(r)},
		amqp.Described{Descriptor: uint64(7), Value: "unknown"}}
	return values[r.IntN(len(values))]
}

func randomTime(r *rand.Rand) time.Time { return time.UnixMilli(r.Int64N(1 << 42)).UTC() }

func randomText(r *rand.Rand) string {
	letters := []rune("ab ß€😀")
	text := make([]rune, r.IntN(8))
	for i := range text {
		text[i] = letters[r.IntN(len(letters))]
	}
	return string(text)
}

// maybe returns value or, half the time, the zero value.
func maybe[T any](r *rand.Rand, value T) (none T) {
	if r.IntN(2) == 0 {
		return none
	}
	return value
}

func maybeText(r *rand.Rand) amqp.Optional[string] { return maybe(r, amqp.Some(randomText(r))) }

// randomMessage returns a message with any of the fields that a sender may set.
func randomMessage(r *rand.Rand) *amqp.Message {
	id := func() any {
		return []any{"id " + randomText(r), r.Uint64(), amqp.UUID{1, byte(r.Uint32())}, []byte("id")}[r.IntN(4)]
	}
	m := &amqp.Message{
		Header: &amqp.Header{Durable: maybe(r, amqp.Some(r.IntN(2) == 0)),
			FirstAcquirer: maybe(r, amqp.Some(r.IntN(2) == 0)),
			Priority:      maybe(r, amqp.Some(uint8(r.IntN(10)))), TTL: maybe(r, amqp.Some(uint32(1e8+r.IntN(1e9))))},
		DeliveryAnnotations: maybe(r, amqp.Map{{Key: amqp.Symbol("own"), Value: randomValue(r)}}),
		MessageAnnotations:  amqp.Map{{Key: amqp.Symbol("x-opt-own"), Value: randomValue(r)}},
		Properties: &amqp.Properties{
			MessageID: id(), UserID: maybe(r, []byte{1, 2}), To: maybeText(r), Subject: maybeText(r),
			ReplyTo:       maybeText(r),
			CorrelationID: maybe(r, id()), ContentType: maybe(r, amqp.Some("text/plain")),
			ContentEncoding: maybe(r, amqp.Some("gzip")), CreationTime: maybe(r, amqp.Some(randomTime(r))),
			GroupID: maybeText(r), GroupSequence: maybe(r, amqp.Some(r.Uint32())), ReplyToGroupID: maybeText(r),
		},
		ApplicationProperties: amqp.Map{{Key: "p", Value: nil}},
	}
	for i := range r.IntN(6) {
		m.ApplicationProperties = append(m.ApplicationProperties,
			amqp.Pair{Key: fmt.Sprint("p", i), Value: randomValue(r)})
	}
	if r.IntN(2) == 0 {
		m.MessageAnnotations = append(m.MessageAnnotations,
			amqp.Pair{Key: amqp.Symbol(optScheduledEnqueueTime), Value: time.UnixMilli(r.Int64N(1 << 39)).UTC()})
	}
	if p := m.Properties; !p.GroupID.Set && r.IntN(2) == 0 {
		m.MessageAnnotations = append(m.MessageAnnotations, amqp.Pair{Key: amqp.Symbol(optPartitionKey),
			Value: "key"})
	}
	if ttl := m.Header.TTL; ttl.Set && m.Properties.CreationTime.Set {
		m.Properties.AbsoluteExpiryTime = amqp.Some(
			m.Properties.CreationTime.Value.Add(time.Duration(ttl.Value) * time.Millisecond))
	} else if !ttl.Set {
		m.Properties.AbsoluteExpiryTime = maybe(r, amqp.Some(randomTime(r)))
		m.Properties.CreationTime = amqp.Optional[time.Time]{}
	}
	switch r.IntN(3) {
	case 0:
		m.Body = amqp.AppendData(amqp.AppendData(nil, []byte(randomText(r))), []byte("two"))
	case 1:
		m.Body = amqp.AppendValue(amqp.AppendSection(nil, amqp.SectionValue), randomValue(r))
	default:
		m.Body = amqp.AppendValue(amqp.AppendSection(nil, amqp.SectionSequence), amqp.List{randomValue(r), nil})
	}
	if r.IntN(2) == 0 {
		m.Body = amqp.AppendMapSection(m.Body, amqp.SectionFooter, amqp.Map{{Key: amqp.Symbol("f"), Value: "x"}})
	}
	return m
}

// paths carry a message from the queue or topic "in" to a source from which it is then peeked.
var paths = map[string]func(t *testing.T, b *broker.Broker, m *broker.Message) string{
	"queue": func(t *testing.T, b *broker.Broker, m *broker.Message) string {
		must(t, b.CreateQueue(broker.DefaultQueue("in")))
		sendTo(t, b, "in", m)
		return "in"
	},
	"scheduled, not due": func(t *testing.T, b *broker.Broker, m *broker.Message) string {
		must(t, b.CreateQueue(broker.DefaultQueue("in")))
		m.ScheduledEnqueueTime = time.Now().Add(time.Hour)
		sendTo(t, b, "in", m)
		return "in"
	},
	"scheduled and due": func(t *testing.T, b *broker.Broker, m *broker.Message) string {
		must(t, b.CreateTopic(broker.DefaultTopic("in")))
		must(t, b.CreateSubscription(broker.DefaultSubscription("in", "s")))
		m.ScheduledEnqueueTime = time.Now().Add(time.Hour)
		sendTo(t, b, "in", m)
		time.Sleep(time.Hour)
		synctest.Wait()
		return "in/Subscriptions/s"
	},
	"forwarded": func(t *testing.T, b *broker.Broker, m *broker.Message) string {
		must(t, b.CreateQueue(broker.DefaultQueue("out")))
		d := broker.DefaultQueue("in")
		d.ForwardTo = "out"
		must(t, b.CreateQueue(d))
		sendTo(t, b, "in", m)
		synctest.Wait()
		return "out"
	},
	"abandoned": settledPath(broker.Settlement{Outcome: broker.Abandon}, "in"),
	"abandoned, changed": settledPath(broker.Settlement{Outcome: broker.Abandon,
		Properties: map[string]any{"p": true}}, "in"),
	"deferred": settledPath(broker.Settlement{Outcome: broker.Defer}, "in"),
	"deferred, changed": settledPath(broker.Settlement{Outcome: broker.Defer, Properties: map[string]any{"p": true}},
		"in"),
	"dead-lettered": settledPath(broker.Settlement{Outcome: broker.DeadLetter}, "in/$DeadLetterQueue"),
	"dead-lettered, why": settledPath(broker.Settlement{Outcome: broker.DeadLetter, Reason: "r"},
		"in/$DeadLetterQueue"),
	"changed by a rule": rulePath("SET p = TRUE"),
	"changed but not p": rulePath("SET new = 1; REMOVE new"),
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sendTo(t *testing.T, b *broker.Broker, to string, m *broker.Message) {
	target, err := b.Target(to)
	must(t, err)
	must(t, target.Send([]*broker.Message{m}))
}

func settledPath(how broker.Settlement, found string) func(t *testing.T, b *broker.Broker, m *broker.Message) string {
	return func(t *testing.T, b *broker.Broker, m *broker.Message) string {
		must(t, b.CreateQueue(broker.DefaultQueue("in")))
		sendTo(t, b, "in", m)
		source, err := b.Source("in")
		must(t, err)
		r, err := source.NewReceiver(broker.ReceiverOptions{Wake: func() {}})
		must(t, err)
		defer r.Close()
		must(t, r.SetCredit(1))
		var got [1]broker.Delivery
		if r.Take(got[:]) != 1 {
			t.Fatal("received nothing")
		}
		must(t, r.SetCredit(0))
		must(t, source.Settle(got[0].LockToken, how))
		return found
	}
}

func rulePath(action string) func(t *testing.T, b *broker.Broker, m *broker.Message) string {
	return func(t *testing.T, b *broker.Broker, m *broker.Message) string {
		must(t, b.CreateTopic(broker.DefaultTopic("in")))
		d := broker.DefaultSubscription("in", "s")
		d.DefaultRule = &broker.RuleDescription{Action: action}
		must(t, b.CreateSubscription(d))
		sendTo(t, b, "in", m)
		return "in/Subscriptions/s"
	}
}

// TestWhatIsSentComesBack sends random messages by every path. A message equals what was sent, but for what the broker
// has to set.
func TestWhatIsSentComesBack(t *testing.T) {
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(40) {
				synctest.Test(t, func(t *testing.T) {
					b := broker.New(broker.Options{})
					var storage broker.Storage
					// the scheduled paths change the decoded message
					restarts := seed%4 == 0 && !strings.HasPrefix(name, "scheduled")
					if restarts {
						storage = broker.Storage{Dir: t.TempDir(), Codec: dataCodec{},
							Log: slog.New(slog.DiscardHandler)}
						var err error
						b, err = broker.Open(broker.Options{}, storage)
						must(t, err)
					}
					defer func() { b.Close() }()
					sent := randomMessage(rand.New(rand.NewPCG(seed, 1)))
					m, err := newMessage(amqp.AppendMessage(nil, sent))
					must(t, err)
					address := path(t, b, m)
					if restarts {
						b = restart(t, b, storage, address)
					}
					source, err := b.Source(address)
					must(t, err)
					found, err := source.Peek(0, 2, nil)
					must(t, err)
					if len(found) != 1 {
						t.Fatalf("seed %d: %d messages", seed, len(found))
					}
					got, err := amqp.ParseMessage(encodeDelivery(&found[0]))
					must(t, err)
					at, _ := got.MessageAnnotations.Lookup(optScheduledEnqueueTime)
					if want := m.ScheduledEnqueueTime; want.IsZero() && at != nil ||
						!want.IsZero() && at != amqp.Timestamp(want) {
						t.Errorf("seed %d: scheduled for %v, want %v", seed, at, want)
					}
					wantSame(t, seed, strip(sent), strip(got))
				})
			}
		})
	}
}

// restart closes a namespace with data and opens it again. The messages of a source must be the same then.
func restart(t *testing.T, b *broker.Broker, storage broker.Storage, path string) *broker.Broker {
	t.Helper()
	peek := func() []broker.Delivery {
		source, err := b.Source(path)
		must(t, err)
		found, err := source.Peek(0, 2, nil)
		must(t, err)
		return found
	}
	before := peek()
	b.Close()
	b, err := broker.Open(broker.Options{}, storage)
	must(t, err)
	if after := peek(); !reflect.DeepEqual(before, after) {
		t.Errorf("after a restart there is %+v, before there was %+v", after, before)
	}
	return b
}

func without(m amqp.Map, name string) amqp.Map {
	return slices.DeleteFunc(slices.Clone(m), func(p amqp.Pair) bool { return annotationName(p.Key) == name })
}

// strip removes what the broker sets and what a path changes, and orders the maps.
func strip(m *amqp.Message) *amqp.Message {
	c := *m
	h, p := *m.Header, *m.Properties
	h.DeliveryCount = 0
	if h.TTL.Set && !p.CreationTime.Set {
		p.AbsoluteExpiryTime = amqp.Optional[time.Time]{} // counts from the arrival
	}
	c.Header, c.Properties, c.RawProperties, c.Rest = &h, &p, nil, nil
	for _, name := range []string{optEnqueuedTime, optSequenceNumber, optLockedUntil, optEnqueueSequenceNumber,
		optMessageState, optScheduledEnqueueTime} {
		c.MessageAnnotations = without(c.MessageAnnotations, name)
	}
	for _, name := range []string{"p", "RuleName", deadLetterReason} {
		c.ApplicationProperties = without(c.ApplicationProperties, name)
	}
	slices.SortFunc(c.ApplicationProperties, func(a, b amqp.Pair) int {
		return bytes.Compare([]byte(a.Key.(string)), []byte(b.Key.(string)))
	})
	return &c
}

func wantSame(t *testing.T, seed uint64, want, got *amqp.Message) {
	t.Helper()
	for _, part := range []struct {
		name      string
		want, got any
	}{
		{"header", want.Header, got.Header},
		{"delivery annotations", want.DeliveryAnnotations, got.DeliveryAnnotations},
		{"annotations", want.MessageAnnotations, got.MessageAnnotations},
		{"properties", want.Properties, got.Properties},
		{"application properties", want.ApplicationProperties, got.ApplicationProperties},
		{"body", want.Body, got.Body},
	} {
		if !reflect.DeepEqual(part.want, part.got) {
			t.Errorf("seed %d: %s are\n%+v, want\n%+v", seed, part.name, part.got, part.want)
		}
	}
}
