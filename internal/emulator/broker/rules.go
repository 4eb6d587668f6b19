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
	maxRuleSize           = 32 << 10 // of the values in one rule, in bytes; the limit of one message property
)

// rule is a RuleDescription compiled for use.
type rule struct {
	description RuleDescription
	matches     func(*Message) (bool, error)
	action      *sqlfilter.Action // nil means none
}

// apply returns a copy of m as changed by the action, with the property RuleName.
func (r *rule) apply(m *Message) (*Message, error) {
	c := m.clone()
	c.Properties["RuleName"] = r.description.Name
	if err := r.action.Apply(messageProperties{c}); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// checkRuleName admits the default rule's name beside those of entities without a slash.
func checkRuleName(name string) error {
	if strings.EqualFold(name, DefaultRuleName) {
		return nil
	}
	if err := checkName("rule", name, maxRuleName); err != nil {
		return err
	}
	if strings.Contains(name, "/") {
		return errorf(CodeInvalidArgument, "The name of the rule '%s' contains a slash.", name)
	}
	return nil
}

func compileRule(d RuleDescription) (*rule, error) {
	if err := checkRuleName(d.Name); err != nil {
		return nil, err
	}
	if d.Filter == nil {
		d.Filter = TrueFilter{}
	}
	if n := d.size(); n > maxRuleSize {
		return nil, errorf(CodeInvalidArgument, "The values of the rule '%s' have %d bytes; the limit is %d.", d.Name,
			n, maxRuleSize)
	}
	if d.CreatedAt.IsZero() {
		d.CreatedAt = time.Now()
	}
	r := &rule{description: d}
	switch f := d.Filter.(type) {
	case TrueFilter:
		r.matches = func(*Message) (bool, error) { return true, nil }
	case FalseFilter:
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
		for _, name := range parsed.SystemProperties() {
			if err := (messageProperties{&Message{}}).SetSystem(name, nil); err != nil {
				return nil, err
			}
		}
		r.action = parsed
	}
	return r, nil
}

// size returns the size of the values of a rule, in bytes.
func (d *RuleDescription) size() int {
	total := propertiesSize(d.ActionParameters)
	switch f := d.Filter.(type) {
	case SQLFilter:
		total += propertiesSize(f.Parameters)
	case CorrelationFilter:
		total += propertiesSize(f.Properties)
		for _, text := range []string{f.CorrelationID, f.MessageID, f.To, f.ReplyTo, f.Subject, f.SessionID,
			f.ReplyToSessionID, f.ContentType} {
			total += len(text)
		}
	}
	return total
}

// matches compares every field that is set, letter case included ("Topic filters and actions").
func (f *CorrelationFilter) matches(m *Message) (bool, error) {
	agrees := func(want, have string) bool { return want == "" || want == have }
	if !agrees(f.CorrelationID, m.CorrelationID) || !agrees(f.MessageID, m.ID) || !agrees(f.To, m.To) ||
		!agrees(f.ReplyTo, m.ReplyTo) || !agrees(f.Subject, m.Subject) || !agrees(f.SessionID, m.SessionID) ||
		!agrees(f.ReplyToSessionID, m.ReplyToSessionID) || !agrees(f.ContentType, m.ContentType) {
		return false, nil
	}
	for name, want := range f.Properties {
		have, ok := messageProperties{m}.User(name)
		if !ok || !sqlfilter.Equal(have, plain(want)) {
			return false, nil
		}
	}
	return true, nil
}

// CreateRule adds a rule to a subscription. It applies to messages sent from now on.
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
		b.changes.rule(sub, compiled)
		return nil
	})
}

// UpdateRule replaces a rule and keeps its name and time of creation.
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
		b.changes.rule(sub, compiled)
		return nil
	})
}

const rulesSegment = "/Rules/"

// DeleteRule removes a rule. A subscription without rules gets no messages.
func (b *Broker) DeleteRule(topicName, subName, name string) error {
	return b.changeRules(topicName, subName, func(t *topic, sub *subscription) error {
		i := sub.ruleIndexLocked(name)
		if i < 0 {
			return errNotFound(sub.main.path + rulesSegment + name)
		}
		t.countRuleLocked(sub.rules[i], -1)
		sub.rules = slices.Delete(sub.rules, i, i+1)
		b.changes.ruleDeleted(sub, name)
		return nil
	})
}

// Rules returns the rules of a subscription, sorted by name as the service does.
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
	slices.SortFunc(descriptions, func(a, b RuleDescription) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return descriptions, nil
}

// changeRules calls change while it holds the broker's lock and the subscription's.
func (b *Broker) changeRules(topicName, subName string, change func(*topic, *subscription) error) error {
	c := b.begin()
	defer c.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := c.err(); err != nil {
		return err
	}
	sub, err := b.subscriptionLocked(topicName, subName)
	if err != nil {
		return err
	}
	sub.main.mu.Lock()
	defer sub.main.mu.Unlock()
	if status := sub.main.settings.status; !status.admitsReceive() { // "EntityStatus Enumeration"
		return errDisabled(sub.main.path, status)
	}
	if err := change(b.topics[entityKey(topicName)], sub); err != nil {
		return err
	}
	sub.ruleCount.Store(int32(len(sub.rules)))
	sub.activity.used(b.now())
	return nil
}

// ruleIndexLocked returns the index of the rule with that name, in any letter case; -1 if there is none.
func (sub *subscription) ruleIndexLocked(name string) int {
	return slices.IndexFunc(sub.rules, func(r *rule) bool { return strings.EqualFold(r.description.Name, name) })
}

// admitRuleLocked counts a new rule of the topic, which may replace another. It refuses the rule if there are too many.
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

// countRuleLocked maintains the numbers of filters that management reports. True and false
// filters count as SQL filters; the limit allows one more per subscription.
func (t *topic) countRuleLocked(r *rule, change int) {
	switch r.description.Filter.(type) {
	case TrueFilter, FalseFilter, SQLFilter:
		t.sqlFilters += change
	case CorrelationFilter:
		t.correlationFilters += change
	}
}
