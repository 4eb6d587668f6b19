package amqp

import "fmt"

// Error is an AMQP error (AMQP 1.0 part 2, 2.8.14), which close, end, detach and rejected carry. It
// is also the error type of this package.
type Error struct {
	Condition   Symbol
	Description string
	Info        Map
}

// Error returns condition and description.
func (e *Error) Error() string {
	if e.Description == "" {
		return string(e.Condition)
	}
	return string(e.Condition) + ": " + e.Description
}

// Errorf returns an Error with a formatted description.
func Errorf(condition Symbol, format string, args ...any) *Error {
	return &Error{Condition: condition, Description: fmt.Sprintf(format, args...)}
}

// The conditions of AMQP 1.0 part 2, 2.8.15 to 2.8.18 that this program uses.
const (
	CondInternalError         Symbol = "amqp:internal-error"
	CondNotFound              Symbol = "amqp:not-found"
	CondUnauthorizedAccess    Symbol = "amqp:unauthorized-access"
	CondDecodeError           Symbol = "amqp:decode-error"
	CondResourceLimitExceeded Symbol = "amqp:resource-limit-exceeded"
	CondNotAllowed            Symbol = "amqp:not-allowed"
	CondInvalidField          Symbol = "amqp:invalid-field"
	CondNotImplemented        Symbol = "amqp:not-implemented"
	CondIllegalState          Symbol = "amqp:illegal-state"
	CondConnectionForced      Symbol = "amqp:connection:forced"
	CondFramingError          Symbol = "amqp:connection:framing-error"
	CondHandleInUse           Symbol = "amqp:session:handle-in-use"
	CondUnattachedHandle      Symbol = "amqp:session:unattached-handle"
	CondDetachForced          Symbol = "amqp:link:detach-forced"
	CondTransferLimitExceeded Symbol = "amqp:link:transfer-limit-exceeded"
	CondMessageSizeExceeded   Symbol = "amqp:link:message-size-exceeded"
	CondStolen                Symbol = "amqp:link:stolen"
)

const descriptorError = 0x1d

// append writes all three fields. The Python SDK reads the third field of a rejection without a
// check, and its send never returns if that is missing.
func (e *Error) append(dst []byte) []byte {
	w := beginComposite(dst, descriptorError)
	w.symbol(e.Condition)
	w.optString(e.Description)
	w.fieldMap(e.Info)
	return w.endWhole()
}

// parseError reads an optional error field.
func (f *fields) error() *Error {
	inner, ok := f.composite(descriptorError)
	if !ok {
		return nil
	}
	e := &Error{Condition: inner.symbol(), Description: inner.string(), Info: inner.mapValue()}
	f.adopt(&inner)
	return e
}
