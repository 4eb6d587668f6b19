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

// Config is what a Config.json of Microsoft's emulator asks for.
type Config struct {
	Namespace     string
	Queues        []QueueDescription
	Topics        []TopicDescription
	Subscriptions []SubscriptionDescription // without a rule if Rules has some for it
	Rules         []ConfigRule
	// Ignored names, by their places, the members that this reader does not know.
	Ignored []string
}

// ConfigRule is a rule of a subscription that a [Config] asks for.
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

// ReadConfig reads a Config.json as Microsoft's emulator has it: comments and trailing commas are allowed, empty
// strings mean not set, and the defaults are that emulator's. Errors name the place, as in
// "UserConfig.Namespaces[0].Queues[1].Properties.LockDuration".
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

// plainJSON blanks out comments and trailing commas. The result is as long as the input, so that places in it agree.
func plainJSON(data []byte) []byte {
	out := bytes.Clone(data)
	if mark := []byte("\xef\xbb\xbf"); bytes.HasPrefix(out, mark) {
		blank(out, len(mark))
	}
	comma := -1 // the last comma, while only space and comments followed it
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

// blank replaces the first n bytes by spaces, all of them if n is negative, but leaves line ends. It returns how many.
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

// stringLength is the length of the string literal that text begins with.
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

// position turns an offset into a line and a column, both from 1.
func position(data []byte, offset int) (line, column int) {
	before := data[:min(max(offset-1, 0), len(data))]
	return 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n')
}

// Apply creates everything the configuration asks for.
func (c *Config) Apply(b *Broker) error {
	create := func(what, name string, err error) error {
		if err != nil {
			return fmt.Errorf("create %s %q of the configuration: %w", what, name, err)
		}
		return nil
	}
	// Destinations of forwarding must exist first, so everything is created without it and completed afterwards.
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
		if err := create("rule", r.Topic+"/"+r.Subscription+"/"+r.Name, b.CreateRule(r.Topic, r.Subscription, r.RuleDescription)); err != nil {
			return err
		}
	}
	return nil
}

// jsonKind names what JSON has instead of what was wanted.
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
