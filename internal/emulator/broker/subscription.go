package broker

import "sync/atomic"

// subscription is a topic's reader: a source behind rules.
type subscription struct {
	description SubscriptionDescription // broker.mu guards
	activity    *activity
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
		sub.activity.used(now)
		s.finishChangeLocked(now)
	}
}

// offerOneLocked applies the rules: those without an action give one copy together, each with an action one of its own
// ("Topic filters and actions"). It reports whether the subscription took anything.
func (sub *subscription) offerOneLocked(a arrival, now int64) bool {
	plain, took := false, false
	for _, r := range sub.rules {
		if r.action == nil && plain {
			continue
		}
		copied := a
		matches, err := r.matches(a.msg)
		if err == nil && matches && r.action != nil {
			copied.msg, err = r.apply(a.msg)
		}
		switch {
		case err != nil && sub.deadLetterFails:
			sub.deadLetterFailureLocked(a, err, now)
			took = true
		case err != nil || !matches:
		default:
			plain = plain || r.action == nil
			sub.enqueueCopyLocked(copied, now)
			took = true
		}
	}
	return took
}

// takeLocked enqueues a copy. One without a session goes to the dead letters where sessions are required ("Overview of
// Service Bus dead-letter queues").
func (sub *subscription) enqueueCopyLocked(a arrival, now int64) {
	a.shared.n.Add(1)
	rec := sub.main.enqueueLocked(a, now)
	if sub.main.settings.requiresSession && !a.msg.HasSession {
		sub.main.deadLetterLocked(rec, "Session ID is null.",
			"Session enabled entity doesn't allow a message whose session identifier is null.", nil)
	}
}

// deadLetterFailureLocked keeps a message on which a rule failed. No document names the reason the service gives.
func (sub *subscription) deadLetterFailureLocked(a arrival, why error, now int64) {
	a.shared.n.Add(1)
	rec := sub.main.enqueueLocked(a, now)
	sub.main.deadLetterLocked(rec, "FilterEvaluationException", why.Error(), nil)
}
