package emulator

import (
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

const (
	// sessionFilter is the key of the source filter that requests a session.
	sessionFilter = "com.microsoft:session-filter"

	defaultAcceptTimeout = time.Minute

	// unixEpochTicks is 1970-01-01 in .NET ticks, which count 100 ns from the year 1.
	unixEpochTicks = 621355968000000000
)

// sessionRequest reads the session filter of a source; nil if there is none.
func sessionRequest(s *amqp.Source) (*broker.SessionRequest, error) {
	for _, p := range s.Filter {
		if name := annotationName(p.Key); name != sessionFilter {
			return nil, amqp.Errorf(amqp.CondNotImplemented, "The filter '%s' is not implemented by this emulator.",
				name)
		}
	}
	v, ok := s.Filter.Lookup(sessionFilter)
	if !ok {
		return nil, nil
	}
	if described, ok := v.(amqp.Described); ok {
		v = described.Value
	}
	switch id := v.(type) {
	case nil:
		return &broker.SessionRequest{Next: true}, nil
	case string:
		return &broker.SessionRequest{ID: id}, nil
	}
	return nil, amqp.Errorf(amqp.CondInvalidField, "the session filter holds a %T, not a string or null", v)
}

// acceptTimeout returns how long the client wants to wait for a session.
func acceptTimeout(a *amqp.Attach) time.Duration {
	switch ms, _ := a.Properties.Lookup("com.microsoft:timeout"); ms := ms.(type) {
	case uint32:
		return time.Duration(ms) * time.Millisecond
	case uint64:
		return time.Duration(min(ms, 1<<40)) * time.Millisecond
	case int64:
		return time.Duration(max(min(ms, 1<<40), 0)) * time.Millisecond
	case int32:
		return time.Duration(max(ms, 0)) * time.Millisecond
	}
	return defaultAcceptTimeout
}

// acceptSession completes the answer to an attach if the receiver has a session, and reports whether it has.
func (l *outgoingLink) acceptSession(answer *amqp.Attach) bool {
	id, until, ok := l.receiver.Session()
	if !ok {
		return false
	}
	source := *answer.Source
	source.Filter = append(amqp.Map(nil), source.Filter...)
	for i, p := range source.Filter {
		if annotationName(p.Key) != sessionFilter {
			continue
		}
		source.Filter[i].Value = id
		// the JavaScript SDK sends and expects a value that is not described
		if asked, ok := p.Value.(amqp.Described); ok {
			source.Filter[i].Value = amqp.Described{Descriptor: asked.Descriptor, Value: id}
		}
	}
	answer.Source = &source
	answer.Properties = amqp.Map{{Key: amqp.Symbol("com.microsoft:locked-until-utc"),
		Value: until.UnixNano()/100 + unixEpochTicks}}
	return true
}

// acceptTimedOut refuses an attach for which no session became available in time.
func (l *outgoingLink) acceptTimedOut() {
	l.refusePending(&amqp.Error{Condition: condTimeout,
		Description: "The operation did not complete within the allotted time while waiting for a session to be " +
			"available."})
}

func (l *outgoingLink) refusePending(why *amqp.Error) {
	a := l.pendingAttach
	l.closed = true
	l.release()
	delete(l.session.links, l.handle)
	request := *a
	request.Role = amqp.RoleReceiver
	l.session.refuse(&request, l.link, why)
}
