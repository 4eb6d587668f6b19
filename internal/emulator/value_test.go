package emulator

import (
	"reflect"
	"testing"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// TestFiltersUnderstandTypesOfSDKs sends properties of the types that the .NET SDK encodes as described types or
// decimals.
func TestFiltersUnderstandTypesOfSDKs(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const noonTicks = 639079632000000000
	properties := amqp.Map{
		{Key: "span", Value: amqp.Described{Descriptor: amqp.Symbol("com.microsoft:timespan"), Value: int64(9e8)}},
		{Key: "at", Value: amqp.Described{Descriptor: amqp.Symbol("com.microsoft:datetime-offset"),
			Value: int64(noonTicks)}},
		{Key: "uri", Value: amqp.Described{Descriptor: amqp.Symbol("com.microsoft:uri"), Value: "https://a/"}},
		{Key: "price", Value: amqp.Decimal128{0x30, 0x3c, 14: 0x07, 15: 0xcf}},
		{Key: "symbol", Value: amqp.Symbol("red")},
		{Key: "letter", Value: amqp.Char('é')},
	}
	for _, filter := range []broker.Filter{
		broker.SQLFilter{Expression: "span = @s AND span > @less",
			Parameters: map[string]any{"s": 90 * time.Second, "less": time.Minute}},
		broker.SQLFilter{Expression: "at = @t", Parameters: map[string]any{"t": noon}},
		broker.SQLFilter{Expression: "uri LIKE 'https:%'"},
		broker.SQLFilter{Expression: "price = 19.99 AND price < 20"},
		broker.SQLFilter{Expression: "symbol = 'red' AND letter = 'é'"},
		broker.CorrelationFilter{Properties: map[string]any{"span": 90 * time.Second}},
		broker.CorrelationFilter{Properties: propertiesOf(properties)},
		broker.CorrelationFilter{Properties: map[string]any{"price": 19.99, "uri": "https://a/", "at": noon}},
	} {
		b := broker.New(broker.Options{})
		must(t, b.CreateTopic(broker.DefaultTopic("in")))
		d := broker.DefaultSubscription("in", "s")
		d.DefaultRule = &broker.RuleDescription{Filter: filter}
		must(t, b.CreateSubscription(d))
		m, err := newMessage(amqp.AppendMessage(nil, &amqp.Message{ApplicationProperties: properties}))
		must(t, err)
		sendTo(t, b, "in", m)
		info, err := b.Subscription("in", "s")
		must(t, err)
		if info.Active != 1 {
			t.Errorf("%+v does not match, dead letters %d", filter, info.DeadLetter)
		}
		b.Close()
	}
}

// TestDataKeepsValues keeps the values that rules have, and those that their actions make.
func TestDataKeepsValues(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	values := map[string]any{
		"": "empty name", "duration": 90 * time.Second, "time": at, "int": 7, "int64": int64(-7), "uint8": uint8(1),
		"float": 1.5, "bool": true, "nil": nil, "text": "é", "bytes": []byte{0, 1}, "uuid": broker.UUID{1, 2},
		"typed": brokerValue(amqp.Described{Descriptor: typeTimeSpan, Value: int64(9e8)}),
		"other": amqp.Described{Descriptor: amqp.Symbol("other"), Value: "x"}, "symbol": brokerValue(amqp.Symbol("s")),
	}
	got, err := dataCodec{}.Values(dataCodec{}.AppendValues(nil, values))
	if err != nil || !reflect.DeepEqual(got, values) {
		t.Errorf("kept as %#v, %v, want %#v", got, err, values)
	}
	if got, err := (dataCodec{}).Values(dataCodec{}.AppendValues(nil, nil)); err != nil || got != nil {
		t.Errorf("no values are kept as %#v, %v", got, err)
	}
}

func TestDeadLetterReasonOfAnyTypeIsKept(t *testing.T) {
	how := deadLettering(&amqp.Error{Condition: condDeadLetter, Info: amqp.Map{
		{Key: amqp.Symbol(deadLetterReason), Value: int32(7)}, {Key: amqp.Symbol(deadLetterDescription),
			Value: "text"}}})
	if how.Properties[deadLetterReason] != int32(7) || how.Reason != "" || how.Description != "text" {
		t.Errorf("%+v, want the number as a property and the text as the description", how)
	}
}

func TestTimeToLiveBeyondTheHeader(t *testing.T) {
	created := time.UnixMilli(1700000000000).UTC()
	properties := &amqp.Properties{CreationTime: amqp.Some(created),
		AbsoluteExpiryTime: amqp.Some(created.AddDate(0, 0, 60))}
	for _, header := range []*amqp.Header{nil, {TTL: amqp.Some(uint32(1<<32 - 1))}} {
		m, err := newMessage(amqp.AppendMessage(nil, &amqp.Message{Header: header, Properties: properties}))
		must(t, err)
		if want := 60 * 24 * time.Hour; m.TTL != want {
			t.Errorf("time to live %s, want %s", m.TTL, want)
		}
	}
}

func TestCompoundPropertiesAreRefused(t *testing.T) {
	for _, value := range []any{amqp.List{int32(1)}, amqp.Map{}, amqp.ArrayOf(amqp.CodeLong, int64(1))} {
		_, err := newMessage(amqp.AppendMessage(nil, &amqp.Message{
			ApplicationProperties: amqp.Map{{Key: "p", Value: value}}}))
		if err == nil || toWireError(err).Condition != condArgumentError {
			t.Errorf("%T: %v, want it refused as an argument", value, err)
		}
	}
}
