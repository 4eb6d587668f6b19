package emulator

import (
	"errors"
	"strings"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// call is one request to an entity's $management node ("AMQP request-response operations").
type call struct {
	conn   *conn
	entity string
	body   amqp.Map
	tx     *broker.Transaction // nil for none
}

// operation is an operation of $management nodes, with the right it requires.
type operation struct {
	needs broker.Claims
	run   func(call) (amqp.Map, error)
}

// errNoContent makes the reply a 204: there is nothing to return. The SDKs reject an empty map.
var errNoContent = errors.New("no content")

var operations = map[string]operation{
	"com.microsoft:renew-lock":                 {broker.Listen, call.renewLock},
	"com.microsoft:peek-message":               {broker.Listen, call.peek},
	"com.microsoft:receive-by-sequence-number": {broker.Listen, call.receiveDeferred},
	"com.microsoft:schedule-message":           {broker.Send, call.schedule},
	"com.microsoft:cancel-scheduled-message":   {broker.Send, call.cancelScheduled},
	"com.microsoft:update-disposition":         {broker.Listen, call.updateDisposition},
	"com.microsoft:batch-delete-messages":      {broker.Listen, call.deleteMessages},
	"com.microsoft:renew-session-lock":         {broker.Listen, call.renewSession},
	"com.microsoft:get-session-state":          {broker.Listen, call.sessionState},
	"com.microsoft:set-session-state":          {broker.Listen, call.setSessionState},
	"com.microsoft:get-message-sessions":       {broker.Listen, call.listSessions},
	"com.microsoft:add-rule":                   {broker.Listen, call.addRule},
	"com.microsoft:remove-rule":                {broker.Listen, call.removeRule},
	"com.microsoft:enumerate-rules":            {broker.Listen, call.listRules},
}

// notInTransactions are the operations that change something and can't be rolled back.
var notInTransactions = map[string]bool{
	"com.microsoft:receive-by-sequence-number": true, "com.microsoft:cancel-scheduled-message": true,
	"com.microsoft:batch-delete-messages": true, "com.microsoft:set-session-state": true,
	"com.microsoft:add-rule": true, "com.microsoft:remove-rule": true,
}

// manage answers a request to a $management node.
func (l *incomingLink) manage(a delivery) {
	r, err := parseRequest(a)
	if err != nil {
		l.settle(a, amqp.Rejected(toWireError(err)))
		return
	}
	l.settle(a, amqp.Accepted)
	l.keepAlive(r.text("associated-link-name"))
	l.respond(r, "statusCode", "statusDescription", l.session.conn.perform(l.path, r, a.txnID))
}

// keepAlive counts a request as use of the link that it names, as the service does.
func (l *incomingLink) keepAlive(name string) {
	if name == "" {
		return
	}
	for _, s := range l.session.conn.sessions {
		for _, e := range s.links {
			if b := e.base(); b.name == name {
				b.lastUsed = l.session.conn.now
			}
		}
	}
}

// perform carries out a request and returns the reply.
func (c *conn) perform(entity string, r request, txnID []byte) reply {
	name := r.text("operation")
	op, ok := operations[name]
	if !ok {
		return reply{status: 501, condition: amqp.CondNotImplemented,
			description: "The operation '" + name + "' is not implemented by this emulator."}
	}
	if !c.claimsFor(entity).Has(op.needs) {
		claim := strings.ToUpper(op.needs.String()[:1]) + op.needs.String()[1:]
		return reply{status: 401, condition: amqp.CondUnauthorizedAccess,
			description: errUnauthorized(claim).Description}
	}
	value, err := amqp.ParseValueBody(r.Body)
	body, isMap := value.(amqp.Map)
	if err != nil || !isMap {
		return reply{status: 400, condition: condArgumentError,
			description: "The body of a request is a map in an amqp-value section."}
	}
	if c.server.faults.busy(c.now) {
		return reply{status: 503, condition: condServerBusy, description: errBusy().Description}
	}
	request := call{conn: c, entity: entity, body: body}
	if txnID != nil {
		tx, err := c.transaction(txnID)
		if err == nil && notInTransactions[name] {
			err = amqp.Errorf(amqp.CondNotImplemented, "The operation '%s' can't be part of a transaction.", name)
		}
		if err != nil {
			return errorReply(err)
		}
		request.tx = tx.Transaction
	}
	answer, err := op.run(request)
	switch {
	case errors.Is(err, errNoContent):
		return reply{status: 204, description: "No Content"}
	case err != nil:
		return errorReply(err)
	case answer == nil:
		return reply{status: 200, description: "OK"}
	}
	return reply{status: 200, description: "OK", body: answer}
}

// errorReply converts an error of the broker, or one in the request, to a reply.
func errorReply(err error) reply {
	if wire, ok := errors.AsType[*amqp.Error](err); ok {
		return reply{status: 400, condition: wire.Condition, description: wire.Description}
	}
	a := errorMappings[broker.CodeOf(err)]
	return reply{status: a.status, condition: a.condition, description: err.Error()}
}

func (r call) source() (*broker.Source, error) { return r.conn.broker.Source(r.entity) }

func (r call) field(name string) any {
	v, _ := r.body.Lookup(name)
	return v
}

func errField(name string, v any) error {
	return amqp.Errorf(condArgumentError, "The field '%s' has an unexpected type, %T.", name, v)
}

// integer reads a field of any integer type: the SDKs differ in the width they write.
func (r call) integer(name string) (int64, error) {
	v := r.field(name)
	if n, ok := integer(v); ok {
		return n, nil
	}
	return 0, errField(name, v)
}

func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int32:
		return int64(v), true
	case int16:
		return int64(v), true
	case int8:
		return int64(v), true
	case uint64:
		return int64(v), v < 1<<63
	case uint32:
		return int64(v), true
	case uint16:
		return int64(v), true
	case uint8:
		return int64(v), true
	}
	return 0, false
}

// flag reads a boolean; false if the field is absent.
func (r call) flag(name string) (bool, error) {
	switch v := r.field(name).(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	default:
		return false, errField(name, v)
	}
}

// text reads a string; "" if the field is absent.
func (r call) text(name string) (string, error) {
	switch v := r.field(name).(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	default:
		return "", errField(name, v)
	}
}

// optionalSessionID reads the session id; nil if the field is absent, since the empty string is a valid id.
func (r call) optionalSessionID() (*string, error) {
	switch v := r.field("session-id").(type) {
	case nil:
		return nil, nil
	case string:
		return &v, nil
	default:
		return nil, errField("session-id", v)
	}
}

func (r call) sessionID() (string, error) {
	id, err := r.optionalSessionID()
	if err == nil && id == nil {
		err = amqp.Errorf(condArgumentError, "The field 'session-id' is missing.")
	}
	if err != nil {
		return "", err
	}
	return *id, nil
}

func (r call) time(name string) (time.Time, error) {
	v := r.field(name)
	t, ok := v.(time.Time)
	if !ok {
		return time.Time{}, errField(name, v)
	}
	return t, nil
}

// items reads an array or a list; the SDKs differ in which they write.
func (r call) items(name string) ([]any, error) {
	switch v := r.field(name).(type) {
	case amqp.Array:
		return v.Items, nil
	case amqp.List:
		return v, nil
	default:
		return nil, errField(name, v)
	}
}

func (r call) numbers(name string) ([]int64, error) {
	items, err := r.items(name)
	if err != nil {
		return nil, err
	}
	numbers := make([]int64, len(items))
	for i, item := range items {
		n, ok := integer(item)
		if !ok {
			return nil, errField(name, item)
		}
		numbers[i] = n
	}
	return numbers, nil
}

func (r call) tokens() ([]broker.UUID, error) {
	items, err := r.items("lock-tokens")
	if err != nil {
		return nil, err
	}
	tokens := make([]broker.UUID, len(items))
	for i, item := range items {
		u, ok := item.(amqp.UUID)
		if !ok {
			return nil, errField("lock-tokens", item)
		}
		tokens[i] = broker.UUID(u)
	}
	return tokens, nil
}
