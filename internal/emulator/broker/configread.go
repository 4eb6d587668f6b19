package broker

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// configReader walks through a configuration and keeps the first error.
type configReader struct {
	config *Config
	err    error
}

// node is a value in the configuration and its path.
type configNode struct {
	value any
	path  string
}

func (c *configReader) fail(n configNode, format string, args ...any) {
	if c.err == nil {
		c.err = configError("%s: %s", n.path, fmt.Sprintf(format, args...))
	}
}

// object calls read for each member in the order of their names, with the name in lower case,
// because .NET ignores letter case. read reports whether it knows the name.
func (c *configReader) object(n configNode, read func(name string, member configNode) bool) {
	if n.value == nil {
		return
	}
	members, ok := n.value.(map[string]any)
	if !ok {
		c.fail(n, "is %s, not an object", jsonKind(n.value))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		member := configNode{members[name], name}
		if n.path != "" {
			member.path = n.path + "." + name
		}
		if !read(strings.ToLower(name), member) {
			c.config.Ignored = append(c.config.Ignored, member.path)
		}
	}
}

func (c *configReader) array(n configNode, read func(configNode)) {
	if n.value == nil {
		return
	}
	items, ok := n.value.([]any)
	if !ok {
		c.fail(n, "is %s, not an array", jsonKind(n.value))
		return
	}
	for i, item := range items {
		read(configNode{item, n.path + "[" + strconv.Itoa(i) + "]"})
	}
}

func (c *configReader) text(n configNode) string {
	if n.value == nil {
		return ""
	}
	s, ok := n.value.(string)
	if !ok {
		c.fail(n, "is %s, not a string", jsonKind(n.value))
	}
	return s
}

// boolean accepts the words as strings, too; an empty string means false.
func (c *configReader) boolean(n configNode) bool {
	switch v := n.value.(type) {
	case nil:
	case bool:
		return v
	case string:
		if v == "" {
			return false
		}
		if b, err := strconv.ParseBool(strings.ToLower(v)); err == nil {
			return b
		}
		c.fail(n, "is %q, not true or false", v)
	default:
		c.fail(n, "is %s, not a boolean", jsonKind(n.value))
	}
	return false
}

// integer accepts digits in a string, too; an empty string leaves the default.
func (c *configReader) integer(n configNode, into *int) {
	switch v := n.value.(type) {
	case nil:
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
			c.fail(n, "is %v, not a whole number", v)
			return
		}
		*into = int(v)
	case string:
		if v == "" {
			return
		}
		i, err := strconv.Atoi(v)
		if err != nil {
			c.fail(n, "is %q, not a whole number", v)
			return
		}
		*into = i
	default:
		c.fail(n, "is %s, not a number", jsonKind(n.value))
	}
}

func (c *configReader) duration(n configNode, into *time.Duration) {
	text := c.text(n)
	if text == "" {
		return
	}
	d, err := ParseDuration(text)
	if err != nil {
		c.fail(n, "%v", err)
		return
	}
	*into = d
}

func (c *configReader) read(root configNode) {
	c.object(root, func(name string, member configNode) bool {
		if name != "userconfig" {
			return false
		}
		c.object(member, func(name string, member configNode) bool {
			switch name {
			case "namespaces":
				c.namespaces(member)
			case "logging": // this emulator has command-line flags instead
			default:
				return false
			}
			return true
		})
		return true
	})
}

func (c *configReader) namespaces(n configNode) {
	count := 0
	c.array(n, func(item configNode) {
		if count++; count > configMaxNamespaces {
			c.fail(item, "is a second namespace: an emulator has one")
			return
		}
		c.object(item, func(name string, member configNode) bool {
			switch name {
			case "name":
				c.config.Namespace = c.text(member)
			case "queues":
				c.array(member, c.queue)
			case "topics":
				c.array(member, c.topic)
			default:
				return false
			}
			return true
		})
	})
}

func (c *configReader) queue(n configNode) {
	d := DefaultQueue("")
	d.DefaultMessageTimeToLive, d.MaxDeliveryCount, d.DuplicateDetectionHistoryTimeWindow = configTTL,
		configDeliveries, configDuplicates
	c.named(n, &d.Name, func(name string, member configNode) bool {
		switch name {
		case "requiresduplicatedetection":
			d.RequiresDuplicateDetection = c.boolean(member)
		case "duplicatedetectionhistorytimewindow":
			c.duration(member, &d.DuplicateDetectionHistoryTimeWindow)
		default:
			return c.receiving(name, member, &receiving{
				&d.LockDuration, &d.DefaultMessageTimeToLive, &d.MaxDeliveryCount, &d.RequiresSession,
				&d.DeadLetteringOnMessageExpiration, &d.ForwardTo, &d.ForwardDeadLetteredMessagesTo,
			})
		}
		return true
	}, nil)
	c.config.Queues = append(c.config.Queues, d)
}

// named reads an entity: its name, its properties by property, and other members by other, which may be nil.
func (c *configReader) named(n configNode, into *string, property func(string, configNode) bool,
	other func(string, configNode) bool) {
	c.object(n, func(name string, member configNode) bool {
		switch {
		case name == "name":
			*into = c.text(member)
		case name == "properties":
			c.object(member, property)
		case other == nil || !other(name, member):
			return false
		}
		return true
	})
	if *into == "" {
		c.fail(n, "has no Name")
	}
}

// receiving holds the properties that queues and subscriptions share.
type receiving struct {
	lock, ttl                       *time.Duration
	deliveries                      *int
	sessions, deadLetterOnExpiry    *bool
	forwardTo, forwardDeadLettersTo *string
}

func (c *configReader) receiving(name string, member configNode, into *receiving) bool {
	switch name {
	case "lockduration":
		c.duration(member, into.lock)
	case "defaultmessagetimetolive":
		c.duration(member, into.ttl)
	case "maxdeliverycount":
		c.integer(member, into.deliveries)
	case "requiressession":
		*into.sessions = c.boolean(member)
	case "deadletteringonmessageexpiration":
		*into.deadLetterOnExpiry = c.boolean(member)
	case "forwardto":
		*into.forwardTo = c.text(member)
	case "forwarddeadletteredmessagesto":
		*into.forwardDeadLettersTo = c.text(member)
	default:
		return false
	}
	return true
}

func (c *configReader) topic(n configNode) {
	d := DefaultTopic("")
	d.DefaultMessageTimeToLive, d.DuplicateDetectionHistoryTimeWindow = configTTL, configDuplicates
	firstSubscription, firstRule := len(c.config.Subscriptions), len(c.config.Rules)
	c.named(n, &d.Name, func(name string, member configNode) bool {
		switch name {
		case "defaultmessagetimetolive":
			c.duration(member, &d.DefaultMessageTimeToLive)
		case "requiresduplicatedetection":
			d.RequiresDuplicateDetection = c.boolean(member)
		case "duplicatedetectionhistorytimewindow":
			c.duration(member, &d.DuplicateDetectionHistoryTimeWindow)
		default:
			return false
		}
		return true
	}, func(name string, member configNode) bool {
		if name != "subscriptions" {
			return false
		}
		c.array(member, c.subscription)
		return true
	})
	// The topic's name may come after its subscriptions.
	for i := range c.config.Subscriptions[firstSubscription:] {
		c.config.Subscriptions[firstSubscription+i].Topic = d.Name
	}
	for i := range c.config.Rules[firstRule:] {
		c.config.Rules[firstRule+i].Topic = d.Name
	}
	c.config.Topics = append(c.config.Topics, d)
}

func (c *configReader) subscription(n configNode) {
	d := DefaultSubscription("", "")
	d.DefaultMessageTimeToLive, d.MaxDeliveryCount = configTTL, configDeliveries
	var rules []RuleDescription
	c.named(n, &d.Name, func(name string, member configNode) bool {
		return c.receiving(name, member, &receiving{
			&d.LockDuration, &d.DefaultMessageTimeToLive, &d.MaxDeliveryCount, &d.RequiresSession,
			&d.DeadLetteringOnMessageExpiration, &d.ForwardTo, &d.ForwardDeadLetteredMessagesTo,
		})
	}, func(name string, member configNode) bool {
		if name != "rules" {
			return false
		}
		c.array(member, func(item configNode) { rules = append(rules, c.rule(item)) })
		return true
	})
	if len(rules) > 0 { // the rules replace $Default
		d.DefaultRule = &rules[0]
		for _, rule := range rules[1:] {
			c.config.Rules = append(c.config.Rules, ConfigRule{Subscription: d.Name, RuleDescription: rule})
		}
	}
	c.config.Subscriptions = append(c.config.Subscriptions, d)
}

func (c *configReader) rule(n configNode) RuleDescription {
	var d RuleDescription
	var kind string
	var sql SQLFilter
	var correlation CorrelationFilter
	expression := func(member configNode, into *string) {
		c.object(member, func(name string, member configNode) bool {
			if name == "sqlexpression" {
				*into = c.text(member)
			}
			return name == "sqlexpression"
		})
	}
	c.named(n, &d.Name, func(name string, member configNode) bool {
		switch name {
		case "filtertype":
			kind = c.text(member)
		case "sqlfilter":
			expression(member, &sql.Expression)
		case "correlationfilter":
			correlation = c.correlation(member)
		case "action":
			expression(member, &d.Action)
		default:
			return false
		}
		return true
	}, nil)
	switch strings.ToLower(kind) {
	case "sql":
		d.Filter = sql
	case "correlation":
		d.Filter = correlation
	case "true", "":
		d.Filter = TrueFilter{}
	case "false":
		d.Filter = FalseFilter{}
	default:
		c.fail(n, "has the FilterType %q, which is not Sql or Correlation", kind)
	}
	return d
}

func (c *configReader) correlation(n configNode) CorrelationFilter {
	var f CorrelationFilter
	fields := map[string]*string{
		"contenttype": &f.ContentType, "correlationid": &f.CorrelationID, "label": &f.Subject, "subject": &f.Subject,
		"messageid": &f.MessageID, "replyto": &f.ReplyTo, "replytosessionid": &f.ReplyToSessionID,
		"sessionid": &f.SessionID, "to": &f.To,
	}
	c.object(n, func(name string, member configNode) bool {
		if field := fields[name]; field != nil {
			*field = c.text(member)
			return true
		}
		if name != "properties" {
			return false
		}
		properties, ok := member.value.(map[string]any)
		if !ok && member.value != nil {
			c.fail(member, "is %s, not an object", jsonKind(member.value))
		}
		for key, value := range properties {
			switch value.(type) {
			case string, bool, float64:
			default:
				c.fail(configNode{path: member.path + "." + key}, "is %s, not a string, number or boolean",
					jsonKind(value))
			}
		}
		f.Properties = properties
		return true
	})
	return f
}
