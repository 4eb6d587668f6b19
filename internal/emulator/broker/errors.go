package broker

import (
	"errors"
	"fmt"
)

// Code classifies an [Error]. AMQP maps it to a condition, the management API to a status.
type Code int

// The codes, each with the AMQP condition and the HTTP status that the service uses for it.
const (
	CodeInternal           Code = iota // amqp:internal-error, 500
	CodeNotFound                       // amqp:not-found, 404: no such entity
	CodeAlreadyExists                  // com.microsoft:entity-already-exists, 409
	CodeConflict                       // 409 with SubCode 40901: changed concurrently
	CodeInvalidArgument                // com.microsoft:argument-error, 400
	CodeArgumentOutOfRange             // com.microsoft:argument-out-of-range, 400
	CodeNotAllowed                     // amqp:not-allowed, 400: the entity's kind or settings forbid it
	CodeNotImplemented                 // amqp:not-implemented, 501: the emulator lacks it
	CodeUnauthorized                   // amqp:unauthorized-access, 401
	CodeQuotaExceeded                  // amqp:resource-limit-exceeded, 403: an entity is full or there are too many
	CodeMessageTooLarge                // amqp:link:message-size-exceeded, 413
	CodePropertiesTooLarge             // amqp:link:message-size-exceeded, 413: application properties only
	CodeServerBusy                     // com.microsoft:server-busy, 503
	CodeEntityDisabled                 // com.microsoft:entity-disabled, 403
	CodeLockLost                       // com.microsoft:message-lock-lost, 410
	CodeSessionLockLost                // com.microsoft:session-lock-lost, 410
	// com.microsoft:session-cannot-be-locked, 410 in $management: another receiver has it
	CodeSessionCannotBeLocked
	CodeMessageNotFound // com.microsoft:message-not-found, 404
	CodeTimeout         // com.microsoft:timeout, 408
	// amqp:link:detach-forced: the entity was changed, deleted or the broker closed
	CodeDetached
)

// Error is a refusal by the broker. Its methods return no other error type.
type Error struct {
	Code Code
	Text string // the text that the service sends to the client
}

func (e *Error) Error() string { return e.Text }

// CodeOf returns the code of the first [Error] in err's tree; CodeInternal if there is none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

func errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

func errLockLost() *Error {
	return &Error{CodeLockLost, "The lock supplied is invalid. Either the lock expired, " +
		"or the message has already been removed from the queue, or was received by a different receiver instance."}
}

func errNotFound(entity string) *Error {
	return errorf(CodeNotFound, "The messaging entity '%s' could not be found.", entity)
}

func errAlreadyExists(entity string) *Error {
	return errorf(CodeAlreadyExists, "SubCode=40900. Conflict. The messaging entity '%s' already exists.", entity)
}
