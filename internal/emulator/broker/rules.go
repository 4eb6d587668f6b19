package broker

import (
	"slices"
	"strings"
	"time"

	"chatapp/internal/emulator/broker/sqlfilter"
)

// Limits of rules ("Service Bus quotas").
const (
	maxRuleName           = 50
	maxSQLFilters         = 2000     // per topic
	maxCorrelationFilters = 100_000  // per topic
	maxRuleSize           = 32 << 10 // of the values in one rule, in bytes: no property of a message is larger
)

// rule is a description ready for use.
type rule struct {
	description RuleDescription
	matches     func(*Message) (bool, error)
	action      *sqlfilter.Action // nil means none
}

// apply returns a copy of m changed by the action, with the rule's name on it.
func (r *rule) apply(m *Message) (*Message, error) {
	c := m.clone()
	c.Properties["RuleName"] = r.description.Name
	if err := r.action.Apply(messageProperties{c}); err != nil {
		return nil, err
	}
	if n := propertiesSize(c.Properties); n > maxProperties {
		return nil, errorf(CodeMessageTooLarge, "The action made %d bytes of application properties; the limit is %d.", n, maxProperties)
	}
	return c, nil
}

func compileRule(d RuleDescription) (*rule, error) {
	if err := checkName("rule", d.Name, maxRuleName); err != nil {
		return nil, err
	}
	if d.Filter == nil {
		d.Filter = TrueFilter{}
	}
	if n := d.size(); n > maxRuleSize {
		return nil, errorf(CodeInvalidArgument, "The values of the rule '%s' have %d bytes; the limit is %d.", d.Name, n, maxRuleSize)
	}
	if d.CreatedAt.IsZero() {
		d.CreatedAt = time.Now()
	}
	r := &rule{description: d}
	switch f := d.Filter.(type) {
	case TrueFilter:
		r.matches = func(*Message) (bool, error) { return true, nil }
	case FalseFilter, UnknownFilter:
		r.matches = func(*Message) (bool, error) { return false, nil }
	case CorrelationFilter:
		r.matches = f.matches
	case SQLFilter:
		parsed, err := sqlfilter.Parse(f.Expression, f.Parameters)
		if err != nil {
			return nil, &Error{CodeInvalidArgument, err.Error()}
		}
		r.matches = func(m *Message) (bool, error) { return parsed.Matches(messageProperties{m}) }
	}
	if d.Action != "" {
		parsed, err := sqlfilter.ParseAction(d.Action, d.ActionParameters)
		if err != nil {
			return nil, &Error{CodeInvalidArgument, err.Error()}
		}
		r.action = parsed
	}
	return r, nil
}

// size is how many bytes the values of a rule have.
func (d *RuleDescription) size() int {
	total := propertiesSize(d.ActionParameters)
	switch f := d.Filter.(type) {
	case SQLFilter:
		total += propertiesSize(f.Parameters)
	case CorrelationFilter:
		total += propertiesSize(f.Properties)
		for _, text := range []string{f.CorrelationID, f.MessageID, f.To, f.ReplyTo, f.Subject, f.SessionID, f.ReplyToSessionID, f.ContentType} {
			total += len(text)
		}
	case UnknownFilter:
		total += len(f.Type) + len(f.XML)
	}
	return total
}

// matches compares every field set, letter case included ("Topic filters and actions").
func (f *CorrelationFilter) matches(m *Message) (bool, error) {
	agrees := func(want, have string) bool { return want == "" || want == have }
	if !agrees(f.CorrelationID, m.CorrelationID) || !agrees(f.MessageID, m.ID) || !agrees(f.To, m.To) ||
		!agrees(f.ReplyTo, m.ReplyTo) || !agrees(f.Subject, m.Subject) || !agrees(f.SessionID, m.SessionID) ||
		!agrees(f.ReplyToSessionID, m.ReplyToSessionID) || !agrees(f.ContentType, m.ContentType) {
		return false, nil
	}
	for name, want := range f.Properties {
		have, ok := messageProperties{m}.User(name)
		if !ok || !sqlfilter.Equal(have, want) {
			return false, nil
		}
	}
	return true, nil
}

// CreateRule adds a rule to a subscription; it decides about what is sent from now on.
func (b *Broker) CreateRule(topicName, subName string, d RuleDescription) error {
	compiled, err := compileRule(d)
	if err != nil {
		return err
	}
	return b.changeRules(topicName, subName, func(t *topic, sub *subscription) error {
		if sub.ruleIndexLocked(d.Name) >= 0 {
			return errAlreadyExists(sub.main.path + rulesSegment + d.Name)
		}
		if err := t.admitRuleLocked(compiled, nil); err != nil {
			return err
		}
		sub.rules = append(sub.rules, compiled)
		return nil
	})
}

// UpdateRule replaces a rule.
func (b *Broker) UpdateRule(topicName, subName string, d RuleDescription) error {
	return b.changeRules(topicName, subName, func(t *topic, sub *subscription) error {
		i := sub.ruleIndexLocked(d.Name)
		if i < 0 {
			return errNotFound(sub.main.path + rulesSegment + d.Name)
		}
		was := sub.rules[i]
		d.Name, d.CreatedAt = was.description.Name, was.description.CreatedAt
		compiled, err := compileRule(d)
		if err != nil {
			return err
		}
		if err := t.admitRuleLocked(compiled, was); err != nil {
			return err
		}
		sub.rules[i] = compiled
		return nil
	})
}

const rulesSegment = "/Rules/"

// DeleteRule removes a rule. A subscription without rules gets nothing.
func (b *Broker) DeleteRule(topicName, subName, name string) error {
	return b.changeRules(topicName, subName, func(t *topic, sub *subscription) error {
		i := sub.ruleIndexLocked(name)
		if i < 0 {
			return errNotFound(sub.main.path + rulesSegment + name)
		}
		t.countRuleLocked(sub.rules[i], -1)
		sub.rules = slices.Delete(sub.rules, i, i+1)
		return nil
	})
}

// Rules returns the rules of a subscription in the order of their creation.
func (b *Broker) Rules(topicName, subName string) ([]RuleDescription, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sub, err := b.subscriptionLocked(topicName, subName)
	if err != nil {
		return nil, err
	}
	sub.main.mu.Lock()
	defer sub.main.mu.Unlock()
	descriptions := make([]RuleDescription, len(sub.rules))
	for i, r := range sub.rules {
		descriptions[i] = r.description
	}
	return descriptions, nil
}

// changeRules calls change with the subscription locked.
func (b *Broker) changeRules(topicName, subName string, change func(*topic, *subscription) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	sub, err := b.subscriptionLocked(topicName, subName)
	if err != nil {
		return err
	}
	sub.main.mu.Lock()
	defer sub.main.mu.Unlock()
	if err := change(b.topics[entityKey(topicName)], sub); err != nil {
		return err
	}
	sub.ruleCount.Store(int32(len(sub.rules)))
	sub.activity.used(b.now())
	return nil
}

// index returns where the rule of that name stands, in any letter case, or -1.
func (sub *subscription) ruleIndexLocked(name string) int {
	return slices.IndexFunc(sub.rules, func(r *rule) bool { return strings.EqualFold(r.description.Name, name) })
}

// admitRule counts a new rule of the topic, which may replace another, unless there are too many.
func (t *topic) admitRuleLocked(r, replaced *rule) error {
	if replaced != nil {
		t.countRuleLocked(replaced, -1)
	}
	t.countRuleLocked(r, +1)
	if t.sqlFilters <= maxSQLFilters+len(t.subs) && t.correlationFilters <= maxCorrelationFilters {
		return nil
	}
	t.countRuleLocked(r, -1)
	if replaced != nil {
		t.countRuleLocked(replaced, +1)
	}
	return errorf(CodeQuotaExceeded, "The topic '%s' has reached the limit of %d SQL and %d correlation filters.",
		t.description.Name, maxSQLFilters, maxCorrelationFilters)
}

// countRule keeps the numbers of filters that management reports. True and false filters count as SQL filters, which
// they derive from, and unknown ones with them; the limit allows each subscription one on top.
func (t *topic) countRuleLocked(r *rule, change int) {
	switch r.description.Filter.(type) {
	case TrueFilter, FalseFilter, SQLFilter, UnknownFilter:
		t.sqlFilters += change
	case CorrelationFilter:
		t.correlationFilters += change
	}
}
