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

// putToken answers a request to $cbs ("AMQP Claims-Based Security 1.0", put-token).
func (l *incomingLink) putToken(a delivery) {
	r, err := parseRequest(a)
	if err != nil {
		l.settle(a, amqp.Rejected(toWireError(err)))
		return
	}
	l.settle(a, amqp.Accepted)
	l.respond(r, "status-code", "status-description", l.session.conn.checkToken(r))
}

// checkToken verifies a token and adds its rights to the connection. It also refuses a token for an
// entity that does not exist: the SDKs expect that refusal here rather than at the attach.
func (c *conn) checkToken(r request) reply {
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
		return reply{status: 401, description: "The token was refused on request of a test.",
			condition: amqp.CondUnauthorizedAccess}
	}
	access, err := c.verify(r.text("type"), token, entity)
	if err != nil {
		return reply{status: errorMappings[broker.CodeOf(err)].status, description: err.Error(),
			condition: wireError(err).Condition}
	}
	if entity != "" && !c.broker.Exists(entity) {
		return reply{status: 404, description: "The messaging entity '" + r.text("name") + "' could not be found.",
			condition: amqp.CondNotFound}
	}
	if len(c.grants) >= maxGrants {
		return reply{status: 403, description: "Too many tokens on one connection.",
			condition: amqp.CondResourceLimitExceeded}
	}
	c.grants[strings.ToLower(entity)] = tokenGrant{claims: access.Claims, until: access.Expires}
	c.authorized = true
	return reply{status: 202, description: "Accepted"}
}

// verify distinguishes a SAS from a JWT by its prefix, as the service does: the Python SDK declares both as jwt.
func (c *conn) verify(kind, token, entity string) (broker.Access, error) {
	switch kind {
	case typeSAS, typeJWT:
		if kind == typeSAS || strings.HasPrefix(token, "SharedAccessSignature ") {
			return c.broker.VerifySAS(token, entity)
		}
		return c.broker.VerifyJWT(token)
	}
	return broker.Access{}, &broker.Error{Code: broker.CodeInvalidArgument,
		Text: "The token type '" + kind + "' is not known."}
}
