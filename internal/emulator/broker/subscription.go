package broker

import (
	"sync/atomic"
	"time"
)

// subscription is a topic's reader: a source behind rules.
type subscription struct {
	description SubscriptionDescription // broker.mu guards
	life        *life
	main        *Source
	ruleCount   atomic.Int32 // len(rules), for the meter

	// main.mu guards
	rules           []*rule // in order of creation
	deadLetterFails bool    // messages on which a filter fails go to the dead letters
}

// offer enqueues copies of the messages that the rules take.
func (sub *subscription) offer(arrivals []arrival, now int64) {
	s := sub.main
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return
	}
	took := false
	for _, a := range arrivals {
		took = sub.offerOneLocked(a, now) || took
	}
	if took {
		sub.life.used(now)
		s.settledLocked(now)
	}
}

// offerOneLocked applies the rules: those without an action give one copy together, each with an action one of its own
// ("Topic filters and actions").
func (sub *subscription) offerOneLocked(a arrival, now int64) bool {
	plain, took := false, false
	for _, r := range sub.rules {
		if r.action == nil && plain {
			continue
		}
		matches, err := r.matches(a.msg)
		if err != nil {
			if sub.deadLetterFails {
				sub.deadLetterFailureLocked(a, err, now)
				took = true
			}
			continue
		}
		if !matches {
			continue
		}
		if r.action == nil {
			plain = true
			sub.takeLocked(a, now)
			took = true
			continue
		}
		changed := a
		changed.msg, err = r.apply(a.msg)
		if err != nil {
			if sub.deadLetterFails {
				sub.deadLetterFailureLocked(a, err, now)
				took = true
			}
			continue
		}
		sub.takeLocked(changed, now)
		took = true
	}
	return took
}

func (sub *subscription) takeLocked(a arrival, now int64) *record {
	if sub.main.settings.requiresSession && !a.msg.HasSession {
		return nil // a subscription with sessions has no place for it
	}
	a.share.refs.Add(1)
	return sub.main.enqueueLocked(a, now)
}

func (sub *subscription) deadLetterFailureLocked(a arrival, why error, now int64) {
	if rec := sub.takeLocked(a, now); rec != nil {
		sub.main.deadLetterLocked(rec, "FilterEvaluationException", why.Error(), nil)
	}
}

// rule is a description ready for use.
type rule struct {
	description RuleDescription
	matches     func(*Message) (bool, error)
	action      func(*Message) error // changes its argument; nil means none
}

// apply returns a copy of m changed by the action, with the rule's name on it.
func (r *rule) apply(m *Message) (*Message, error) {
	c := m.clone()
	c.Properties["RuleName"] = r.description.Name
	if err := r.action(c); err != nil {
		return nil, err
	}
	return c, nil
}

func compileRule(d RuleDescription, now time.Time) (*rule, error) {
	if d.Filter == nil {
		d.Filter = TrueFilter{}
	}
	if d.CreatedAt.IsZero() {
		d.CreatedAt = now
	}
	r := &rule{description: d}
	switch f := d.Filter.(type) {
	case TrueFilter:
		r.matches = func(*Message) (bool, error) { return true, nil }
	case FalseFilter, UnknownFilter:
		r.matches = func(*Message) (bool, error) { return false, nil }
	case CorrelationFilter:
		r.matches = f.compile()
	case SQLFilter:
		return nil, errorf(CodeNotImplemented, "SQL filters are not implemented by this emulator.")
	}
	if d.Action != "" {
		return nil, errorf(CodeNotImplemented, "SQL actions are not implemented by this emulator.")
	}
	return r, nil
}

func (f CorrelationFilter) compile() func(*Message) (bool, error) {
	return func(m *Message) (bool, error) {
		agrees := func(want, have string) bool { return want == "" || want == have }
		if !agrees(f.CorrelationID, m.CorrelationID) || !agrees(f.MessageID, m.ID) || !agrees(f.To, m.To) ||
			!agrees(f.ReplyTo, m.ReplyTo) || !agrees(f.Subject, m.Subject) || !agrees(f.SessionID, m.SessionID) ||
			!agrees(f.ReplyToSessionID, m.ReplyToSessionID) || !agrees(f.ContentType, m.ContentType) {
			return false, nil
		}
		for key, want := range f.Properties {
			if have, ok := m.Properties[key]; !ok || have != want {
				return false, nil
			}
		}
		return true, nil
	}
}
