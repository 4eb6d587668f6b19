package emulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// brokerProperties is the JSON object of the header BrokerProperties ("Message Headers and Properties"). A sender sets
// some of them.
type brokerProperties struct {
	ContentType             string   `json:"ContentType,omitempty"`
	CorrelationID           string   `json:"CorrelationId,omitempty"`
	SessionID               *string  `json:"SessionId,omitempty"`
	MessageID               string   `json:"MessageId,omitempty"`
	Label                   string   `json:"Label,omitempty"`
	ReplyTo                 string   `json:"ReplyTo,omitempty"`
	TimeToLive              *float64 `json:"TimeToLive,omitempty"` // seconds
	To                      string   `json:"To,omitempty"`
	ScheduledEnqueueTimeUTC string   `json:"ScheduledEnqueueTimeUtc,omitempty"` // RFC 1123
	ReplyToSessionID        string   `json:"ReplyToSessionId,omitempty"`
	PartitionKey            string   `json:"PartitionKey,omitempty"`

	brokerState
}

// brokerState holds the properties that the broker sets. It ignores those of a sender.
type brokerState struct {
	DeliveryCount          uint32 `json:"DeliveryCount,omitempty"` // the first delivery is 1
	EnqueuedSequenceNumber int64  `json:"EnqueuedSequenceNumber,omitempty"`
	EnqueuedTimeUTC        string `json:"EnqueuedTimeUtc,omitempty"`
	LockToken              string `json:"LockToken,omitempty"`
	LockedUntilUTC         string `json:"LockedUntilUtc,omitempty"`
	SequenceNumber         int64  `json:"SequenceNumber,omitempty"`
	State                  string `json:"State,omitempty"`
	DeadLetterSource       string `json:"DeadLetterSource,omitempty"`
}

func badHTTP(format string, args ...any) error {
	return &broker.Error{Code: broker.CodeInvalidArgument, Text: fmt.Sprintf(format, args...)}
}

// messageFromHTTP builds a message from the headers and the body of a request.
func messageFromHTTP(header http.Header, body []byte) (*broker.Message, error) {
	var p brokerProperties
	if text := header.Get("BrokerProperties"); text != "" {
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return nil, badHTTP("The header BrokerProperties is not valid: %v.", err)
		}
	}
	if p.ContentType == "" {
		p.ContentType = header.Get("Content-Type")
	}
	user := make(map[string]any)
	for name, values := range header {
		if !isHTTPHeader(name) {
			user[name] = propertyFromHeader(values[0])
		}
	}
	return p.message(user, amqp.AppendData(nil, body))
}

// batchFromJSON builds the messages of a batch. limit bounds their sizes together.
func batchFromJSON(body []byte, limit int64) ([]*broker.Message, error) {
	var items []struct {
		Body             string
		BrokerProperties brokerProperties
		UserProperties   map[string]any
	}
	if err := json.Unmarshal(body, &items); err != nil {
		return nil, badHTTP("The batch is not valid: %v.", err)
	}
	msgs := make([]*broker.Message, len(items))
	total := int64(0)
	for i, item := range items {
		m, err := jsonMessage(item.BrokerProperties, "", item.UserProperties, item.Body)
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
		msgs[i] = m
		total += int64(m.Size)
	}
	if total > limit {
		return nil, &broker.Error{Code: broker.CodeMessageTooLarge,
			Text: fmt.Sprintf("The batch has %d bytes; the limit is %d.", total, limit)}
	}
	return msgs, nil
}

// jsonMessage builds a message whose user properties come from JSON.
func jsonMessage(p brokerProperties, contentType string, user map[string]any, body string) (*broker.Message, error) {
	for name, value := range user {
		switch v := value.(type) {
		case float64:
			if n := int64(v); float64(n) == v {
				user[name] = n
			}
		case map[string]any, []any:
			return nil, badHTTP("The user property '%.50s' is an object or an array.", name)
		}
	}
	if p.ContentType == "" {
		p.ContentType = contentType
	}
	return p.message(user, amqp.AppendData(nil, []byte(body)))
}

// message encodes the message and decodes it as one that came by AMQP, so that the same checks apply.
func (p *brokerProperties) message(user map[string]any, body []byte) (*broker.Message, error) {
	optional := func(text string) amqp.Optional[string] { return amqp.Optional[string]{Value: text, Set: text != ""} }
	m := amqp.Message{Body: body, Properties: &amqp.Properties{
		To: optional(p.To), Subject: optional(p.Label), ReplyTo: optional(p.ReplyTo),
		ContentType:    optional(p.ContentType),
		ReplyToGroupID: optional(p.ReplyToSessionID),
	}}
	if p.MessageID != "" {
		m.Properties.MessageID = p.MessageID
	}
	if p.CorrelationID != "" {
		m.Properties.CorrelationID = p.CorrelationID
	}
	if p.SessionID != nil {
		m.Properties.GroupID = amqp.Some(*p.SessionID)
	}
	if ttl := p.TimeToLive; ttl != nil {
		if !(*ttl > 0) {
			return nil, badHTTP("TimeToLive must be a positive number of seconds.")
		}
		m.Header = &amqp.Header{TTL: amqp.Some(uint32(min(*ttl*1000, math.MaxUint32)))}
	}
	if at := p.ScheduledEnqueueTimeUTC; at != "" {
		due, err := http.ParseTime(at)
		if err != nil {
			return nil, badHTTP("ScheduledEnqueueTimeUtc '%.40s' is not a time of RFC 1123.", at)
		}
		m.MessageAnnotations = append(m.MessageAnnotations, amqp.Pair{Key: amqp.Symbol(optScheduledEnqueueTime),
			Value: due})
	}
	if p.PartitionKey != "" {
		m.MessageAnnotations = append(m.MessageAnnotations,
			amqp.Pair{Key: amqp.Symbol(optPartitionKey), Value: p.PartitionKey})
	}
	for _, name := range slices.Sorted(maps.Keys(user)) {
		m.ApplicationProperties = append(m.ApplicationProperties, amqp.Pair{Key: name, Value: user[name]})
	}
	return newMessage(amqp.AppendMessage(nil, &m))
}

// isHTTPHeader reports whether a header belongs to HTTP or to the service, and is not a property of the message.
func isHTTPHeader(name string) bool {
	switch name = strings.ToLower(name); name {
	case "authorization", "brokerproperties", "connection", "cookie", "date", "expect", "forwarded", "from", "host",
		"keep-alive", "location", "max-forwards", "origin", "pragma", "range", "referer", "server", "te",
		"traceparent",
		"tracestate", "trailer", "transfer-encoding", "upgrade", "user-agent", "via", "warning", "cache-control",
		"servicebusauthorization", "servicebussupplementaryauthorization", "dnt":
		return true
	}
	for _, prefix := range []string{"accept", "content-", "if-", "proxy-", "sec-", "x-ms-", "x-forwarded-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// propertyFromHeader reads a value: a text or a time in double quotes, a number, or true and false. Everything else is
// a text.
func propertyFromHeader(text string) any {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return text
	}
	switch v := v.(type) {
	case string:
		if at, err := http.ParseTime(v); err == nil {
			return at
		}
		return v
	case bool:
		return v
	case float64:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
		return v
	}
	return text
}

// writeMessageHeaders writes the properties of a delivery as headers, and returns its body.
func writeMessageHeaders(h http.Header, d *broker.Delivery) []byte {
	m, s := d.Message, d.Message.Payload.(*encodedMessage)
	httpTime := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(http.TimeFormat)
	}
	p := brokerProperties{
		ContentType: m.ContentType, CorrelationID: m.CorrelationID, MessageID: m.ID, Label: m.Subject,
		ReplyTo: m.ReplyTo,
		To:      m.To, ScheduledEnqueueTimeUTC: httpTime(d.ScheduledTime), ReplyToSessionID: m.ReplyToSessionID,
		PartitionKey: m.PartitionKey,
		brokerState: brokerState{
			DeliveryCount: d.DeliveryCount + 1, EnqueuedSequenceNumber: d.EnqueuedSequenceNumber,
			EnqueuedTimeUTC: httpTime(d.EnqueuedTime), LockedUntilUTC: httpTime(d.LockedUntil),
			SequenceNumber: d.SequenceNumber, State: [...]string{"Active", "Deferred", "Scheduled"}[d.State],
			DeadLetterSource: d.DeadLetterSource,
		},
	}
	if m.HasSession {
		p.SessionID = &m.SessionID
	}
	if d.TTL > 0 {
		seconds := d.TTL.Seconds()
		p.TimeToLive = &seconds
	}
	if d.LockToken != (broker.UUID{}) {
		p.LockToken = d.LockToken.String()
	}
	h.Set("BrokerProperties", asciiJSON(p))
	if m.ContentType != "" {
		h.Set("Content-Type", m.ContentType)
	}
	for name, value := range m.Properties {
		if text, ok := propertyHeader(value); ok && isToken(name) && !isHTTPHeader(name) {
			h[name] = []string{text}
		}
	}
	return plainBody(s.body)
}

// propertyHeader formats the value of a property for a header. It reports false for a binary value.
func propertyHeader(value any) (string, bool) {
	switch v := value.(type) {
	case broker.TypedValue:
		return propertyHeader(v.Value)
	case time.Time:
		return strconv.Quote(v.UTC().Format(http.TimeFormat)), true
	case time.Duration:
		return strconv.Quote(broker.FormatDuration(v)), true
	case broker.UUID:
		return strconv.Quote(v.String()), true
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strconv.Quote(fmt.Sprint(v)), true
		}
	case []byte, nil, amqp.Described:
		return "", false
	}
	return asciiJSON(value), true
}

// asciiJSON encodes v as JSON that fits into a header.
func asciiJSON(v any) string {
	encoded, err := json.Marshal(v)
	if err != nil {
		return strconv.QuoteToASCII(fmt.Sprint(v))
	}
	var b strings.Builder
	for _, r := range string(encoded) {
		switch {
		case r < 0x7f:
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// isToken reports whether a name may be the name of a header (RFC 9110, 5.6.2).
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// plainBody returns what an encoded body holds: the data sections joined, or the text or bytes of an amqp-value. The
// body is encoded as it is if it holds something else.
func plainBody(body []byte) []byte {
	var data []byte
	sections := 0
	for section := range amqp.DataSections(body) {
		data = append(data, section...)
		sections++
	}
	if sections > 0 {
		return data
	}
	switch v, _ := amqp.ParseValueBody(body); v := v.(type) {
	case string:
		return []byte(v)
	case []byte:
		return v
	}
	return body
}
