package emulator

import (
	"bytes"
	"encoding/binary"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// dataCodec encodes messages for the folder of [Options.Data].
type dataCodec struct{}

var _ broker.Codec = dataCodec{}

// AppendPayload appends the id that the message got because the sender wrote none, with its length in front, and the
// sections of the message as the sender wrote them.
func (dataCodec) AppendPayload(b []byte, m *broker.Message) []byte {
	s := m.Payload.(*encodedMessage)
	id := ""
	if s.missingID {
		id, _ = s.properties.MessageID.(string)
	}
	b = append(binary.AppendUvarint(b, uint64(len(id))), id...)
	return append(b, s.encoded...)
}

func (dataCodec) Message(payload []byte) (*broker.Message, error) {
	n, size := binary.Uvarint(payload)
	if size <= 0 || n > uint64(len(payload)-size) {
		return nil, amqp.Errorf(amqp.CondDecodeError, "a message without its id")
	}
	id, sections := payload[size:size+int(n)], payload[size+int(n):]
	return parseMessage(bytes.Clone(sections), func() string { return string(id) })
}

func (dataCodec) AppendValues(b []byte, values map[string]any) []byte {
	w := amqp.BeginMap(b)
	for name, value := range values {
		addPair(&w, amqp.Pair{Key: name, Value: dataValue(value)})
	}
	return w.End()
}

func (dataCodec) Values(b []byte) (map[string]any, error) {
	v, rest, err := amqp.Parse(bytes.Clone(b))
	if err != nil {
		return nil, err
	}
	m, ok := v.(amqp.Map)
	if !ok || len(rest) > 0 {
		return nil, amqp.Errorf(amqp.CondDecodeError, "a %T in place of a map", v)
	}
	if len(m) == 0 {
		return nil, nil
	}
	values := make(map[string]any, len(m))
	for _, p := range m {
		name, ok := p.Key.(string)
		if !ok {
			return nil, amqp.Errorf(amqp.CondDecodeError, "a name that is a %T", p.Key)
		}
		if values[name], err = valueOfData(p.Value); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// The descriptors of values that filters and actions make, and that have no type of their own on the wire.
const (
	dataDuration amqp.Symbol = "emulator:duration" // nanoseconds
	dataTime     amqp.Symbol = "emulator:time"     // text of RFC 3339
	dataInt      amqp.Symbol = "emulator:int"
)

// dataValue is wireValue, but for values that would come back as others.
func dataValue(v any) any {
	switch v := v.(type) {
	case time.Duration:
		return amqp.Described{Descriptor: dataDuration, Value: int64(v)}
	case time.Time:
		return amqp.Described{Descriptor: dataTime, Value: v.Format(time.RFC3339Nano)}
	case int:
		return amqp.Described{Descriptor: dataInt, Value: int64(v)}
	}
	return wireValue(v)
}

func valueOfData(v any) (any, error) {
	described, ok := v.(amqp.Described)
	if !ok {
		return brokerValue(v), nil
	}
	number, _ := described.Value.(int64)
	switch described.Descriptor {
	case dataDuration:
		return time.Duration(number), nil
	case dataInt:
		return int(number), nil
	case dataTime:
		text, _ := described.Value.(string)
		return time.Parse(time.RFC3339Nano, text)
	}
	return brokerValue(v), nil
}
