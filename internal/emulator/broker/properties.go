package broker

import (
	"maps"
	"strings"
	"time"

	"chatapp/internal/emulator/broker/sqlfilter"
)

// messageProperties is a message as SQL filters read it and actions change it. It is one pointer,
// so that its conversion to an interface does not allocate.
type messageProperties struct{ m *Message }

var _ sqlfilter.Editor = messageProperties{}

// User returns the application property with exactly that name, else one that differs in letter case only.
func (v messageProperties) User(name string) (any, bool) {
	if value, ok := v.m.Properties[name]; ok {
		return plain(value), true
	}
	if key, ok := v.key(name); ok {
		return plain(v.m.Properties[key]), true
	}
	return nil, false
}

func (v messageProperties) key(name string) (string, bool) {
	if _, ok := v.m.Properties[name]; ok {
		return name, true
	}
	for key := range v.m.Properties {
		if strings.EqualFold(key, name) {
			return key, true
		}
	}
	return "", false
}

func (v messageProperties) SetUser(name string, value any) {
	if key, ok := v.key(name); ok {
		name = key
	}
	v.m.Properties[name] = value
}

func (v messageProperties) RemoveUser(name string) {
	maps.DeleteFunc(v.m.Properties, func(key string, _ any) bool { return strings.EqualFold(key, name) })
}

func (v messageProperties) NewID() any { return newUUID() }

// System returns the properties of BrokeredMessage that exist before a message is in a subscription. A text that is not
// set is nil, which is unknown to a filter.
func (v messageProperties) System(name string) (any, bool) {
	switch name {
	case "timetolive":
		if v.m.TTL == 0 {
			return nil, true
		}
		return v.m.TTL, true
	case "scheduledenqueuetimeutc":
		if v.m.ScheduledEnqueueTime.IsZero() {
			return nil, true
		}
		return v.m.ScheduledEnqueueTime, true
	case "enqueuedtimeutc":
		return time.Now(), true
	case "size":
		return v.m.Size, true
	case "sessionid":
		if v.m.HasSession {
			return v.m.SessionID, true
		}
		return nil, true
	}
	field := v.field(name)
	if field == nil {
		return nil, false
	}
	if *field == "" {
		return nil, true
	}
	return *field, true
}

// field returns the text property with that name; nil if there is none.
func (v messageProperties) field(name string) *string {
	switch name {
	case "messageid":
		return &v.m.ID
	case "label", "subject":
		return &v.m.Subject
	case "correlationid":
		return &v.m.CorrelationID
	case "contenttype":
		return &v.m.ContentType
	case "to":
		return &v.m.To
	case "replyto":
		return &v.m.ReplyTo
	case "replytosessionid":
		return &v.m.ReplyToSessionID
	case "sessionid":
		return &v.m.SessionID
	case "partitionkey":
		return &v.m.PartitionKey
	}
	return nil
}

// SetSystem sets a property. It accepts ScheduledEnqueueTimeUtc, which has no effect in a
// subscription ("Topic filters and actions", "Actions").
func (v messageProperties) SetSystem(name string, value any) error {
	switch name {
	case "timetolive":
		ttl, ok := value.(time.Duration)
		if !ok && value != nil {
			return wrongType(name)
		}
		v.m.TTL = ttl
		return nil
	case "scheduledenqueuetimeutc":
		if _, ok := value.(time.Time); !ok && value != nil {
			return wrongType(name)
		}
		return nil
	}
	field := v.field(name)
	if field == nil {
		return errorf(CodeInvalidArgument, "The system property 'sys.%s' does not exist or cannot be set.", name)
	}
	text, ok := value.(string)
	if !ok && value != nil {
		return wrongType(name)
	}
	*field = text
	if name == "sessionid" {
		v.m.HasSession = value != nil
	}
	return nil
}

func wrongType(name string) error {
	return errorf(CodeInvalidArgument, "The value is not of the type of 'sys.%s'.", name)
}
