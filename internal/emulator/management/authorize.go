package management

import (
	"net/http"
	"strings"

	"chatapp/internal/emulator/broker"
)

// authorize checks the token of the request, which must give the right Manage. The refusals repeat
// the texts of the service, which tests of the SDKs compare.
func (r *request) authorize() error {
	token := r.Header.Get("Authorization")
	if token == "" {
		return unauthorized("MissingToken: The request has no Authorization header.")
	}
	access, err := r.access(token)
	if err != nil {
		return err
	}
	if access.Claims.Has(broker.Manage) {
		return nil
	}
	write := r.Method != http.MethodGet
	switch r.resource.kind {
	case subscription, subscriptionList, rule:
		return unauthorized("401 SubCode=40100: Unauthorized : Unauthorized access for '" + r.operation() +
			"' operation on endpoint 'sb://" +
			r.Host + "/" + r.resource.path() + "'.")
	case entity:
		switch {
		case r.Method == http.MethodDelete:
			return unauthorized("Authorization failed for specified action: Manage,EntityDelete.")
		case write:
			return unauthorized("Authorization failed for specified action: Manage,EntityWrite.")
		case !r.broker().Exists(r.resource.entity):
			return nil // a missing entity is 404 for every client
		}
	}
	return unauthorized("Manage,EntityRead claims required for this operation.")
}

// access reads the token: a shared access signature, or a JWT with or without the word Bearer.
func (r *request) access(token string) (broker.Access, error) {
	if _, jwt, ok := strings.Cut(token, "Bearer "); ok {
		token = jwt
	}
	if strings.HasPrefix(token, "SharedAccessSignature") {
		return r.broker().VerifySAS(token, r.URL.Path)
	}
	return r.broker().VerifyJWT(token)
}

// operation returns the service's name of the requested operation.
func (r *request) operation() string {
	object := "Subscription"
	if r.resource.kind == rule {
		object = "Rule"
	}
	switch {
	case r.Method == http.MethodPut:
		return "CreateOrUpdate" + object
	case r.Method == http.MethodDelete:
		return "Delete" + object
	case r.resource.kind == subscriptionList, r.resource.kind == rule && r.resource.rule == "":
		return "Enumerate" + object + "s"
	}
	return "Get" + object
}

func unauthorized(text string) error {
	return &broker.Error{Code: broker.CodeUnauthorized, Text: text}
}
