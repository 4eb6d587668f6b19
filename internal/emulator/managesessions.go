package emulator

import (
	"math"
	"time"

	"chatapp/internal/emulator/amqp"
)

func (r call) renewSession() (amqp.Map, error) {
	id, err := r.sessionID()
	if err != nil {
		return nil, err
	}
	source, err := r.source()
	if err != nil {
		return nil, err
	}
	end, err := source.RenewSession(id)
	if err != nil {
		return nil, err
	}
	return amqp.Map{{Key: "expiration", Value: end}}, nil
}

func (r call) sessionState() (amqp.Map, error) {
	id, err := r.sessionID()
	if err != nil {
		return nil, err
	}
	source, err := r.source()
	if err != nil {
		return nil, err
	}
	state, err := source.SessionState(id)
	if err != nil {
		return nil, err
	}
	if state == nil { // the SDKs require the key
		return amqp.Map{{Key: "session-state", Value: nil}}, nil
	}
	return amqp.Map{{Key: "session-state", Value: state}}, nil
}

func (r call) setSessionState() (amqp.Map, error) {
	id, err := r.sessionID()
	if err != nil {
		return nil, err
	}
	var state []byte
	switch v := r.field("session-state").(type) {
	case nil:
	case []byte:
		if len(v) > 0 { // the Go SDK writes an empty binary to remove the state
			state = v
		}
	default:
		return nil, errField("session-state", v)
	}
	source, err := r.source()
	if err != nil {
		return nil, err
	}
	return nil, source.SetSessionState(id, state)
}

// listSessions returns a page of session ids. The last time that .NET can express selects all sessions, any other time
// those whose state was set after it.
func (r call) listSessions() (amqp.Map, error) {
	after, err := r.time("last-updated-time")
	if err != nil {
		return nil, err
	}
	if after.Year() >= 9999 {
		after = time.Time{}
	}
	skip, top, err := r.page()
	if err != nil {
		return nil, err
	}
	source, err := r.source()
	if err != nil {
		return nil, err
	}
	ids, err := source.Sessions(after)
	if err != nil {
		return nil, err
	}
	ids = ids[min(skip, len(ids)):]
	ids = ids[:min(top, len(ids))]
	if len(ids) == 0 {
		return nil, errNoContent // every SDK takes it for the end of the list
	}
	return amqp.Map{{Key: "skip", Value: int32(skip + len(ids))},
		{Key: "sessions-ids", Value: amqp.ArrayOf(amqp.CodeString, ids...)}}, nil
}

// page reads skip and top. Both fit in an int of 32 bits.
func (r call) page() (skip, top int, err error) {
	s, err := r.integer("skip")
	if err != nil {
		return 0, 0, err
	}
	t, err := r.integer("top")
	if err != nil {
		return 0, 0, err
	}
	if s < 0 || t < 1 {
		return 0, 0, amqp.Errorf(condArgumentOutOfRange, "skip %d and top %d do not describe a page.", s, t)
	}
	return int(min(s, math.MaxInt32)), int(min(t, math.MaxInt32)), nil
}
