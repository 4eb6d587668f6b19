package broker

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxToken bounds what is looked at in a token, in bytes. Tokens of Entra ID have some two thousand.
const maxToken = 16 << 10

// Access is what a token proves.
type Access struct {
	Claims  Claims
	Expires time.Time // zero for a key itself
	KeyName string    // empty for a JWT
}

// EntityPath returns the path an audience or token scope is about: without scheme, host, port and query, without
// slashes at its ends, and without "/$management". Clients come through proxies and port maps, so that host and port
// mean nothing; a bare host is the empty path, the namespace. Without a scheme, localhost and what has a port or two dots
// is a host, because names of entities often have one dot.
func EntityPath(audience string) string {
	_, rest, hasHost := strings.Cut(audience, "://")
	if !hasHost {
		rest = audience
		host, _, _ := strings.Cut(rest, "/")
		hasHost = strings.EqualFold(host, "localhost") || strings.Contains(host, ":") || strings.Count(host, ".") > 1
	}
	if hasHost {
		_, rest, _ = strings.Cut(rest, "/")
	}
	rest, _, _ = strings.Cut(rest, "?")
	rest = strings.Trim(rest, "/")
	const management = "$management"
	if n := len(rest) - len(management); n >= 0 && strings.EqualFold(rest[n:], management) {
		rest = strings.TrimRight(rest[:n], "/")
	}
	return rest
}

// VerifySAS checks a token "SharedAccessSignature sr=…&sig=…&se=…&skn=…" for an entity, given by its path ("" is the
// namespace): signature, expiry and scope. Keys are those of the namespace, then the entity's own. The error's code is
// [CodeUnauthorized]; whether the claims suffice is for the caller to ask.
func (b *Broker) VerifySAS(token, path string) (Access, error) {
	sas, err := parseSAS(token)
	if err != nil {
		return Access{}, err
	}
	rule, ok := b.keyFor(sas, path)
	if !ok {
		return Access{}, errorf(CodeUnauthorized, "InvalidSignature: The token has an invalid signature.")
	}
	if !time.Now().Before(sas.expires) {
		return Access{}, errExpired(sas.expires)
	}
	if !scopeCovers(EntityPath(sas.scope), path) {
		return Access{}, errorf(CodeUnauthorized, "InvalidAudience: The token is for '%s', which does not cover '%s'.", sas.scope, path)
	}
	return Access{Claims: rule.Claims, Expires: sas.expires, KeyName: rule.KeyName}, nil
}

func errExpired(at time.Time) *Error {
	return errorf(CodeUnauthorized, "ExpiredToken: The token is expired. Expiration time: %s.", at.UTC().Format(http1123))
}

// http1123 is the form of a time in HTTP, which the service uses in its texts.
const http1123 = "Mon, 02 Jan 2006 15:04:05 GMT"

// scopeCovers reports whether a token for scope is good for path: the same entity or one below it.
func scopeCovers(scope, path string) bool {
	scope, path = strings.ToLower(scope), strings.ToLower(strings.Trim(path, "/"))
	return scope == "" || scope == path || strings.HasPrefix(path, scope+"/")
}

// keyFor returns the rule whose key made the signature.
func (b *Broker) keyFor(sas sasToken, path string) (AuthorizationRule, bool) {
	for _, rule := range append(b.options.Keys[:len(b.options.Keys):len(b.options.Keys)], b.entityKeys(path)...) {
		if rule.KeyName != sas.keyName {
			continue
		}
		if sas.signedWith(rule.PrimaryKey) || rule.SecondaryKey != "" && sas.signedWith(rule.SecondaryKey) {
			return rule, true
		}
	}
	return AuthorizationRule{}, false
}

// VerifyKey checks a key itself, as SASL PLAIN gives it: the user is the name of a key of the namespace, the password
// the primary or secondary key. The error's code is [CodeUnauthorized]. The access does not expire.
func (b *Broker) VerifyKey(keyName, key string) (Access, error) {
	for _, rule := range b.options.Keys {
		if rule.KeyName == keyName && (sameKey(rule.PrimaryKey, key) || sameKey(rule.SecondaryKey, key)) {
			return Access{Claims: rule.Claims, KeyName: keyName}, nil
		}
	}
	return Access{}, errorf(CodeUnauthorized, "InvalidSignature: The key name or the key is not valid.")
}

// sameKey compares in a time that tells nothing about the key. An empty key opens nothing.
func sameKey(key, given string) bool {
	return key != "" && subtle.ConstantTimeCompare([]byte(key), []byte(given)) == 1
}

// entityKeys returns the authorization rules of the queue or topic that path is or lies below.
func (b *Broker) entityKeys(path string) []AuthorizationRule {
	entity, _ := splitSubqueue(strings.Trim(path, "/"))
	if topicName, _, ok := splitSubscription(entity); ok {
		entity = topicName
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if q := b.queues[entityKey(entity)]; q != nil {
		return q.description.AuthorizationRules
	}
	if t := b.topics[entityKey(entity)]; t != nil {
		return t.description.AuthorizationRules
	}
	return nil
}

// sasToken is a token's content, not yet believed.
type sasToken struct {
	rawScope  string // as it stands in the token, which is what was signed
	scope     string
	rawExpiry string
	expires   time.Time
	keyName   string
	signature []byte
}

func parseSAS(token string) (sasToken, error) {
	malformed := func(what string) (sasToken, error) {
		return sasToken{}, errorf(CodeUnauthorized, "MalformedToken: The token is malformed: %s.", what)
	}
	const prefix = "SharedAccessSignature "
	if len(token) > maxToken {
		return malformed("it is too long")
	}
	if len(token) < len(prefix) || !strings.EqualFold(token[:len(prefix)], prefix) {
		return malformed("it is not a SharedAccessSignature")
	}
	var t sasToken
	var encoded string
	for field := range strings.SplitSeq(strings.TrimSpace(token[len(prefix):]), "&") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "sr":
			t.rawScope = value
		case "sig":
			encoded = value
		case "se":
			t.rawExpiry = value
		case "skn":
			t.keyName = value
		}
	}
	var err error
	if t.scope, err = url.QueryUnescape(t.rawScope); err != nil || t.rawScope == "" {
		return malformed("sr is missing or not URL-encoded")
	}
	if t.keyName, err = url.QueryUnescape(t.keyName); err != nil || t.keyName == "" {
		return malformed("skn is missing or not URL-encoded")
	}
	seconds, err := strconv.ParseInt(t.rawExpiry, 10, 64)
	if err != nil || seconds < 0 || seconds > maxUnixSeconds {
		return malformed("se is not a time in seconds")
	}
	t.expires = time.Unix(seconds, 0)
	if encoded, err = url.PathUnescape(encoded); err != nil {
		return malformed("sig is not URL-encoded")
	}
	if t.signature, err = base64.StdEncoding.DecodeString(encoded); err != nil {
		return malformed("sig is not base64")
	}
	return t, nil
}

// maxUnixSeconds is the end of the year 9999, as far as a .NET time goes.
const maxUnixSeconds = 253402300799

func (t sasToken) signedWith(key string) bool {
	if key == "" {
		return false
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(t.rawScope + "\n" + t.rawExpiry))
	return hmac.Equal(mac.Sum(nil), t.signature)
}

// VerifyJWT reads a JSON web token as an emulator does: its signature, issuer and audience are not checked, only that it is one and
// not expired. It gives every right. The error's code is [CodeUnauthorized].
func (b *Broker) VerifyJWT(token string) (Access, error) {
	malformed := errorf(CodeUnauthorized, "InvalidToken: The token is not a JSON web token that this emulator accepts.")
	if b.options.RefuseJWT || len(token) > maxToken {
		return Access{}, malformed
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Access{}, malformed
	}
	if header, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[0], "=")); err != nil || !json.Valid(header) {
		return Access{}, malformed
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return Access{}, malformed
	}
	var claims struct {
		Expires   *float64 `json:"exp"` // RFC 7519, 4.1.4: seconds, fractions allowed
		NotBefore *float64 `json:"nbf"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Expires == nil {
		return Access{}, malformed
	}
	if *claims.Expires < 0 || *claims.Expires > maxUnixSeconds {
		return Access{}, malformed
	}
	expires, now := time.Unix(int64(*claims.Expires), 0), time.Now()
	if !now.Before(expires) {
		return Access{}, errExpired(expires)
	}
	const skew = 5 * time.Minute
	if nbf := claims.NotBefore; nbf != nil && (*nbf > maxUnixSeconds || now.Add(skew).Before(time.Unix(int64(*nbf), 0))) {
		return Access{}, errorf(CodeUnauthorized, "InvalidToken: The token is not valid yet.")
	}
	return Access{Claims: Manage, Expires: expires}, nil
}
