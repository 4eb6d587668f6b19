package emulator

import (
	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// The descriptors of what enumerate-rules returns ("AMQP request-response operations", "Rule operations").
const (
	codeRuleDescription   uint64 = 0x13700000004
	codeEmptyAction       uint64 = 0x13700000005
	codeSQLAction         uint64 = 0x13700000006
	codeSQLFilter         uint64 = 0x1370000006
	codeTrueFilter        uint64 = 0x1370000007
	codeFalseFilter       uint64 = 0x1370000008
	codeCorrelationFilter uint64 = 0x1370000009

	// compatibilityLevel is the version of the SQL language. The service reports 20 for every rule.
	compatibilityLevel int32 = 20
)

// subscription returns topic and name of the subscription that the request addresses.
func (r call) subscription() (topic, name string, err error) {
	topic, name, ok := cutSubscription(r.entity)
	if !ok {
		return "", "", &broker.Error{Code: broker.CodeNotAllowed,
			Text: "The entity '" + r.entity + "' has no rules: it is not a subscription."}
	}
	return topic, name, nil
}

func (r call) addRule() (amqp.Map, error) {
	topic, subscription, err := r.subscription()
	if err != nil {
		return nil, err
	}
	d := broker.RuleDescription{}
	if d.Name, err = r.text("rule-name"); err != nil {
		return nil, err
	}
	description, ok := r.field("rule-description").(amqp.Map)
	if !ok {
		return nil, errField("rule-description", r.field("rule-description"))
	}
	inner := call{body: description}
	if d.Filter, err = inner.filter(); err != nil {
		return nil, err
	}
	if action, ok := inner.field("sql-rule-action").(amqp.Map); ok {
		if d.Action, err = (call{body: action}).text("expression"); err != nil {
			return nil, err
		}
	}
	return nil, r.conn.broker.CreateRule(topic, subscription, d)
}

// filter reads the filter of a rule description. The default is a true filter.
func (r call) filter() (broker.Filter, error) {
	if sql, ok := r.field("sql-filter").(amqp.Map); ok {
		expression, err := (call{body: sql}).text("expression")
		return broker.SQLFilter{Expression: expression}, err
	}
	correlation, ok := r.field("correlation-filter").(amqp.Map)
	if !ok {
		return broker.TrueFilter{}, nil
	}
	in := call{body: correlation}
	var f broker.CorrelationFilter
	for name, field := range map[string]*string{
		"correlation-id": &f.CorrelationID, "message-id": &f.MessageID, "to": &f.To, "reply-to": &f.ReplyTo,
		"label":      &f.Subject,
		"session-id": &f.SessionID, "reply-to-session-id": &f.ReplyToSessionID, "content-type": &f.ContentType,
	} {
		var err error
		if *field, err = in.text(name); err != nil {
			return nil, err
		}
	}
	if properties, ok := in.field("properties").(amqp.Map); ok {
		f.Properties = propertiesOf(properties)
	}
	return f, nil
}

func (r call) removeRule() (amqp.Map, error) {
	topic, subscription, err := r.subscription()
	if err != nil {
		return nil, err
	}
	name, err := r.text("rule-name")
	if err != nil {
		return nil, err
	}
	return nil, r.conn.broker.DeleteRule(topic, subscription, name)
}

func (r call) listRules() (amqp.Map, error) {
	topic, subscription, err := r.subscription()
	if err != nil {
		return nil, err
	}
	skip, top, err := r.page()
	if err != nil {
		return nil, err
	}
	all, err := r.conn.broker.Rules(topic, subscription)
	if err != nil {
		return nil, err
	}
	all = all[min(skip, len(all)):]
	all = all[:min(top, len(all))]
	if len(all) == 0 {
		return nil, errNoContent
	}
	rules := make(amqp.List, len(all))
	for i, d := range all {
		rules[i] = amqp.Map{{Key: "rule-description", Value: ruleValue(d)}}
	}
	return amqp.Map{{Key: "rules", Value: rules}}, nil
}

func ruleValue(d broker.RuleDescription) amqp.Described {
	action := amqp.Described{Descriptor: codeEmptyAction, Value: amqp.List{}}
	if d.Action != "" {
		action = amqp.Described{Descriptor: codeSQLAction, Value: amqp.List{d.Action, compatibilityLevel}}
	}
	return amqp.Described{Descriptor: codeRuleDescription,
		Value: amqp.List{filterValue(d.Filter), action, d.Name, d.CreatedAt}}
}

func filterValue(f broker.Filter) amqp.Described {
	switch f := f.(type) {
	case broker.FalseFilter:
		return amqp.Described{Descriptor: codeFalseFilter, Value: amqp.List{}}
	case broker.SQLFilter:
		return amqp.Described{Descriptor: codeSQLFilter, Value: amqp.List{f.Expression, compatibilityLevel}}
	case broker.CorrelationFilter:
		fields := make(amqp.List, 0, 9)
		for _, v := range []string{f.CorrelationID, f.MessageID, f.To, f.ReplyTo, f.Subject, f.SessionID,
			f.ReplyToSessionID, f.ContentType} {
			if v == "" {
				fields = append(fields, nil)
				continue
			}
			fields = append(fields, v)
		}
		properties := make(amqp.Map, 0, len(f.Properties))
		for name, v := range f.Properties {
			properties = append(properties, amqp.Pair{Key: name, Value: wireValue(v)})
		}
		return amqp.Described{Descriptor: codeCorrelationFilter, Value: append(fields, properties)}
	}
	return amqp.Described{Descriptor: codeTrueFilter, Value: amqp.List{}}
}
