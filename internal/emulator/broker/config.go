package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxConfig bounds a configuration's text, in bytes.
const maxConfig = 16 << 20

// Config is the content of a Config.json of Microsoft's emulator.
type Config struct {
	Namespace     string
	Queues        []QueueDescription
	Topics        []TopicDescription
	Subscriptions []SubscriptionDescription // each with its first rule as DefaultRule
	Rules         []ConfigRule
	// Ignored lists the paths of unknown members.
	Ignored []string
}

// ConfigRule is a further rule of a subscription in a [Config].
type ConfigRule struct {
	Topic, Subscription string
	RuleDescription
}

// Defaults of Microsoft's emulator where they differ from the service's ("Overview of the Azure Service Bus emulator").
const (
	configTTL           = time.Hour
	configDeliveries    = 3
	configDuplicates    = 20 * time.Second
	configMaxNamespaces = 1
)

// ReadConfig reads a Config.json as Microsoft's emulator does: it accepts comments and trailing
// commas, treats empty strings as unset, and applies the defaults of that emulator. Errors contain
// the path of the member, as in "UserConfig.Namespaces[0].Queues[1].Properties.LockDuration".
func ReadConfig(r io.Reader) (*Config, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(data) > maxConfig {
		return nil, configError("the configuration has more than %d bytes", maxConfig)
	}
	var root any
	clean := plainJSON(data)
	if err := json.Unmarshal(clean, &root); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			line, column := position(data, int(syntax.Offset))
			return nil, configError("line %d, column %d: %v", line, column, syntax)
		}
		return nil, configError("%v", err)
	}
	c := &configReader{config: &Config{}}
	c.read(configNode{value: root})
	if c.err != nil {
		return nil, c.err
	}
	return c.config, nil
}

func configError(format string, args ...any) error {
	return &Error{CodeInvalidArgument, "configuration: " + fmt.Sprintf(format, args...)}
}

// plainJSON replaces comments and trailing commas by spaces. The result has the length of the
// input, so that offsets agree.
func plainJSON(data []byte) []byte {
	out := bytes.Clone(data)
	if mark := []byte("\xef\xbb\xbf"); bytes.HasPrefix(out, mark) {
		blank(out, len(mark))
	}
	comma := -1 // index of the last comma if only spaces and comments follow it
	for i := 0; i < len(out); {
		rest := out[i:]
		switch {
		case rest[0] == '"':
			comma = -1
			i += stringLength(rest)
			continue
		case bytes.HasPrefix(rest, []byte("//")):
			i += blank(rest, bytes.IndexByte(rest, '\n'))
			continue
		case bytes.HasPrefix(rest, []byte("/*")):
			n := bytes.Index(rest, []byte("*/"))
			if n >= 0 {
				n += 2
			}
			i += blank(rest, n)
			continue
		case rest[0] == ',':
			comma = i
		case rest[0] == '}' || rest[0] == ']':
			if comma >= 0 {
				out[comma] = ' '
			}
			comma = -1
		case !bytes.ContainsRune([]byte(" \t\r\n"), rune(rest[0])):
			comma = -1
		}
		i++
	}
	return out
}

// blank replaces the first n bytes by spaces, or all if n is negative, except line ends. It returns their number.
func blank(text []byte, n int) int {
	if n < 0 {
		n = len(text)
	}
	for i := range text[:n] {
		if text[i] != '\n' {
			text[i] = ' '
		}
	}
	return n
}

// stringLength returns the length of the string literal at the start of text.
func stringLength(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// position converts an offset to line and column, which count from 1.
func position(data []byte, offset int) (line, column int) {
	before := data[:min(max(offset-1, 0), len(data))]
	return 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n')
}

// Apply creates all entities and rules of the configuration. It stops at the first error.
func (c *Config) Apply(b *Broker) error {
	create := func(what, name string, err error) error {
		if err != nil {
			return fmt.Errorf("create %s %q of the configuration: %w", what, name, err)
		}
		return nil
	}
	// The destinations of forwarding must exist, so that forwarding is set after all queues and topics are created.
	for _, q := range c.Queues {
		q.ForwardTo, q.ForwardDeadLetteredMessagesTo = "", ""
		if err := create("queue", q.Name, b.CreateQueue(q)); err != nil {
			return err
		}
	}
	for _, t := range c.Topics {
		if err := create("topic", t.Name, b.CreateTopic(t)); err != nil {
			return err
		}
	}
	for _, q := range c.Queues {
		if q.ForwardTo != "" || q.ForwardDeadLetteredMessagesTo != "" {
			if err := create("forwarding of queue", q.Name, b.UpdateQueue(q)); err != nil {
				return err
			}
		}
	}
	for _, s := range c.Subscriptions {
		if err := create("subscription", s.Topic+"/"+s.Name, b.CreateSubscription(s)); err != nil {
			return err
		}
	}
	for _, r := range c.Rules {
		if err := create("rule", r.Topic+"/"+r.Subscription+"/"+r.Name,
			b.CreateRule(r.Topic, r.Subscription, r.RuleDescription)); err != nil {
			return err
		}
	}
	return nil
}

// Missing returns a configuration without the entities that a namespace has already, and without their rules.
func (c *Config) Missing(b *Broker) *Config {
	missing := *c
	missing.Queues, missing.Topics, missing.Subscriptions, missing.Rules = nil, nil, nil, nil
	for _, q := range c.Queues {
		if !b.Exists(q.Name) {
			missing.Queues = append(missing.Queues, q)
		}
	}
	for _, t := range c.Topics {
		if !b.Exists(t.Name) {
			missing.Topics = append(missing.Topics, t)
		}
	}
	for _, s := range c.Subscriptions {
		if !b.Exists(s.Topic + subscriptionsSegment + s.Name) {
			missing.Subscriptions = append(missing.Subscriptions, s)
		}
	}
	for _, r := range c.Rules {
		if !b.Exists(r.Topic + subscriptionsSegment + r.Subscription) {
			missing.Rules = append(missing.Rules, r)
		}
	}
	return &missing
}

// jsonKind names the JSON type of v for error texts.
func jsonKind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case float64:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	}
	return "an object"
}
