package broker

// The limits of one message ("Service Bus quotas").
const (
	maxIDLength   = 128      // of message id, session id and partition key, in bytes
	maxProperty   = 32 << 10 // of the value of one application property, in bytes
	maxProperties = 64 << 10 // of all application properties together, in bytes
)

// check refuses a message that no entity admits. It holds for every way into an entity: sending, scheduling,
// forwarding, the action of a rule, and a transaction.
func (m *Message) check() *Error {
	switch {
	case len(m.ID) > maxIDLength:
		return errorf(CodeInvalidArgument, "The message id is longer than %d characters.", maxIDLength)
	case len(m.SessionID) > maxIDLength || len(m.PartitionKey) > maxIDLength || len(m.ReplyToSessionID) > maxIDLength:
		return errorf(CodeInvalidArgument, "A session id or partition key is longer than %d characters.", maxIDLength)
	case m.SessionID != "" && m.PartitionKey != "" && m.PartitionKey != m.SessionID:
		return errorf(CodeInvalidArgument,
			"PartitionKey property value '%s' and SessionId property value '%s' must match.",
			m.PartitionKey, m.SessionID)
	}
	return checkProperties(m.Properties, 0)
}

// checkChanges refuses changes by a receiver that would make the application properties of m too large.
func (m *Message) checkChanges(changes map[string]any) *Error {
	if len(changes) == 0 {
		return nil
	}
	return checkProperties(changes, propertiesSize(m.Properties))
}

// checkProperties refuses properties that are too large. others is the size of the message's other properties.
func checkProperties(properties map[string]any, others int) *Error {
	for name, value := range properties {
		if n := valueSize(value); n > maxProperty {
			return errorf(CodePropertiesTooLarge, "The application property '%.50s' has %d bytes; the limit is %d.",
				name, n, maxProperty)
		}
	}
	if total := others + propertiesSize(properties); total > maxProperties {
		return errorf(CodePropertiesTooLarge, "The application properties have %d bytes; the limit is %d.", total,
			maxProperties)
	}
	return nil
}

// propertiesSize estimates the encoded size of properties, in bytes.
func propertiesSize(properties map[string]any) int {
	const constructors = 3 // of name and value, at least
	total := 0
	for name, value := range properties {
		total += len(name) + constructors + valueSize(value)
	}
	return total
}

// valueSize returns the size of a text or binary value, in bytes. Other values are small and count as their
// constructor.
func valueSize(value any) int {
	switch v := value.(type) {
	case string:
		return len(v)
	case []byte:
		return len(v)
	case TypedValue:
		return valueSize(v.Value)
	}
	return 0
}
