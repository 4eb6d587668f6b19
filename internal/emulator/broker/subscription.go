package broker

import "sync/atomic"

// subscription is a source that gets the messages of a topic which match its rules.
type subscription struct {
	description SubscriptionDescription // broker.mu guards
	activity    *activity
	main        *Source
	topic       *topic
	id          uint64       // in the journal
	ruleCount   atomic.Int32 // len(rules), for the meter

	// main.mu guards
	rules           []*rule // in order of creation
	deadLetterFails bool    // messages whose filter fails become dead letters
}

// offer enqueues copies of the messages that match a rule.
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

// offerOneLocked applies the rules. All matching rules without an action yield one copy together,
// each matching rule with an action yields a copy of its own ("Topic filters and actions"). It
// reports whether it enqueued a copy.
func (sub *subscription) offerOneLocked(a arrival, now int64) bool {
	copiedUnchanged, enqueued := false, false
	for _, r := range sub.rules {
		if r.action == nil && copiedUnchanged {
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
			enqueued = true
		case err != nil || !matches:
		default:
			copiedUnchanged = copiedUnchanged || r.action == nil
			sub.enqueueCopyLocked(copied, now)
			enqueued = true
		}
	}
	return enqueued
}

// enqueueCopyLocked enqueues a copy. Where sessions are required, a copy without a session becomes a dead letter
// ("Overview of Service Bus dead-letter queues").
func (sub *subscription) enqueueCopyLocked(a arrival, now int64) {
	a.shared.n.Add(1)
	rec := sub.main.enqueueLocked(a, now)
	sub.main.broker.changes.put(sub.main, rec)
	if sub.main.settings.requiresSession && !a.msg.HasSession {
		sub.main.deadLetterLocked(rec, sessionIDIsNull.reason, sessionIDIsNull.description, nil)
	}
}

// deadLetterFailureLocked dead-letters a message on which a rule failed. No document names the reason that the service
// gives.
func (sub *subscription) deadLetterFailureLocked(a arrival, why error, now int64) {
	a.shared.n.Add(1)
	rec := sub.main.enqueueLocked(a, now)
	sub.main.broker.changes.put(sub.main, rec)
	sub.main.deadLetterLocked(rec, "FilterEvaluationException", why.Error(), nil)
}
