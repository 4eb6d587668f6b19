package emulator

import (
	"strings"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// The token types of put-token.
const (
	typeSAS = "servicebus.windows.net:sastoken"
	typeJWT = "jwt"
)

// putToken takes a request to $cbs ("AMQP Claims-Based Security 1.0", put-token).
func (l *incomingLink) putToken(a arrival) {
	r, err := parseRequest(a)
	if err != nil {
		l.settle(a, amqp.Rejected(asWire(err)))
		return
	}
	l.settle(a, amqp.Accepted)
	l.respond(r, "status-code", "status-description", l.session.conn.judge(r))
}

// judge checks a token and remembers what it gives. An entity that does not exist is told here, not at the attach: it
// is how clients learn of it.
func (c *conn) judge(r request) reply {
	if operation := r.text("operation"); operation != "put-token" {
		return reply{status: 400, description: "The operation '" + operation + "' is not known to $cbs."}
	}
	value, err := amqp.ParseValueBody(r.Body)
	token, ok := value.(string)
	if err != nil || !ok {
		return reply{status: 400, description: "The body of put-token is not a string."}
	}
	audience := entityPath(r.text("name"))
	entity, _ := cutManagement(audience)
	if c.server.faults.refusingTokens(c.now) {
		return reply{status: 401, description: "The token was refused on request of a test.", condition: amqp.CondUnauthorizedAccess}
	}
	access, err := c.verify(r.text("type"), token, entity)
	if err != nil {
		return reply{status: answers[broker.CodeOf(err)].status, description: err.Error(), condition: wireError(err).Condition}
	}
	if entity != "" && !c.broker.Exists(entity) {
		return reply{status: 404, description: "The messaging entity '" + r.text("name") + "' could not be found.", condition: amqp.CondNotFound}
	}
	if len(c.grants) >= maxGrants {
		return reply{status: 403, description: "Too many tokens on one connection.", condition: amqp.CondResourceLimitExceeded}
	}
	c.grants[strings.ToLower(entity)] = grant{claims: access.Claims, until: access.Expires}
	c.authorized = true
	return reply{status: 202, description: "Accepted"}
}

// verify tells a SAS from a JWT by its looks, as the service must: the Python SDK calls both a jwt.
func (c *conn) verify(kind, token, entity string) (broker.Access, error) {
	switch kind {
	case typeSAS, typeJWT:
		if kind == typeSAS || strings.HasPrefix(token, "SharedAccessSignature ") {
			return c.broker.VerifySAS(token, entity)
		}
		return c.broker.VerifyJWT(token)
	}
	return broker.Access{}, &broker.Error{Code: broker.CodeInvalidArgument, Text: "The token type '" + kind + "' is not known."}
}
