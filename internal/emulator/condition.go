package emulator

import (
	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// The conditions that Service Bus adds to those of AMQP ("AMQP errors in Azure Service Bus").
const (
	condTimeout               amqp.Symbol = "com.microsoft:timeout"
	condServerBusy            amqp.Symbol = "com.microsoft:server-busy"
	condArgumentError         amqp.Symbol = "com.microsoft:argument-error"
	condArgumentOutOfRange    amqp.Symbol = "com.microsoft:argument-out-of-range"
	condEntityDisabled        amqp.Symbol = "com.microsoft:entity-disabled"
	condEntityAlreadyExists   amqp.Symbol = "com.microsoft:entity-already-exists"
	condMessageLockLost       amqp.Symbol = "com.microsoft:message-lock-lost"
	condMessageNotFound       amqp.Symbol = "com.microsoft:message-not-found"
	condSessionLockLost       amqp.Symbol = "com.microsoft:session-lock-lost"
	condSessionCannotBeLocked amqp.Symbol = "com.microsoft:session-cannot-be-locked"
	condDeadLetter            amqp.Symbol = "com.microsoft:dead-letter"
)

// errorMapping gives the forms of one broker error: the condition on a link, and the status in $cbs and $management.
type errorMapping struct {
	condition amqp.Symbol
	status    int32
}

var errorMappings = map[broker.Code]errorMapping{
	broker.CodeInternal:              {amqp.CondInternalError, 500},
	broker.CodeNotFound:              {amqp.CondNotFound, 404},
	broker.CodeAlreadyExists:         {condEntityAlreadyExists, 409},
	broker.CodeConflict:              {condEntityAlreadyExists, 409},
	broker.CodeInvalidArgument:       {condArgumentError, 400},
	broker.CodeArgumentOutOfRange:    {condArgumentOutOfRange, 400},
	broker.CodeNotAllowed:            {amqp.CondNotAllowed, 400},
	broker.CodeNotImplemented:        {amqp.CondNotImplemented, 501},
	broker.CodeUnauthorized:          {amqp.CondUnauthorizedAccess, 401},
	broker.CodeQuotaExceeded:         {amqp.CondResourceLimitExceeded, 403},
	broker.CodeMessageTooLarge:       {amqp.CondMessageSizeExceeded, 403},
	broker.CodePropertiesTooLarge:    {amqp.CondMessageSizeExceeded, 403},
	broker.CodeServerBusy:            {condServerBusy, 503},
	broker.CodeEntityDisabled:        {condEntityDisabled, 403},
	broker.CodeLockLost:              {condMessageLockLost, 410},
	broker.CodeSessionLockLost:       {condSessionLockLost, 410},
	broker.CodeSessionCannotBeLocked: {condSessionCannotBeLocked, 410},
	broker.CodeMessageNotFound:       {condMessageNotFound, 404},
	broker.CodeTimeout:               {condTimeout, 408},
	broker.CodeDetached:              {amqp.CondDetachForced, 410},
}

// wireError converts an error of the broker to an AMQP error.
func wireError(err error) *amqp.Error {
	return &amqp.Error{Condition: errorMappings[broker.CodeOf(err)].condition, Description: err.Error()}
}
