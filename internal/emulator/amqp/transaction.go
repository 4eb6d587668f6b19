package amqp

// The descriptors of the messages to a transaction coordinator (AMQP 1.0 part 4, 4.5.1 and 4.5.2).
const (
	descriptorDeclare   = 0x31
	descriptorDischarge = 0x32
)

// Discharge ends a transaction: by committing it, or by rolling it back if Fail is set.
type Discharge struct {
	TxnID []byte
	Fail  bool
}

// ParseCoordination parses the body of a message to a transaction coordinator. It returns nil for declare, which begins
// a transaction.
func ParseCoordination(body []byte) (*Discharge, error) {
	value, err := ParseValueBody(body)
	if err != nil {
		return nil, err
	}
	described, _ := value.(Described)
	fields, _ := described.Value.(List)
	switch described.Descriptor {
	case uint64(descriptorDeclare), Symbol("amqp:declare:list"):
		return nil, nil
	case uint64(descriptorDischarge), Symbol("amqp:discharge:list"):
		d := &Discharge{}
		if len(fields) > 0 {
			d.TxnID, _ = fields[0].([]byte)
		}
		if len(fields) > 1 {
			d.Fail, _ = fields[1].(bool)
		}
		if d.TxnID == nil {
			return nil, Errorf(CondInvalidField, "a discharge without txn-id")
		}
		return d, nil
	}
	return nil, Errorf(CondNotImplemented, "a coordinator takes declare and discharge, not a %T", value)
}
