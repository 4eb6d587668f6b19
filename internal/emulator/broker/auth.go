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

// maxToken bounds the length of a token, in bytes. Tokens of Entra ID have about two thousand.
const maxToken = 16 << 10

// Access holds the rights that a valid token or key gives.
type Access struct {
	Claims  Claims
	Expires time.Time // zero for a key itself
	KeyName string    // empty for a JWT
}

// EntityPath returns the path of an audience or token scope: without scheme, host, port and query,
// without leading and trailing slashes, and without "/$management". It ignores host and port,
// because clients connect through proxies and mapped ports. A host without a path yields the empty
// path, which is the namespace. Without a scheme, the first segment is a host if it is localhost,
// has a port, or has two dots; names of entities often have one dot.
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

// VerifySAS checks signature, expiry and scope of a token "SharedAccessSignature
// sr=…&sig=…&se=…&skn=…" for the entity at path; "" is the namespace. It tries the keys of the
// namespace, then those of the entity. The error's code is [CodeUnauthorized]. The caller has to
// check whether the claims suffice.
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
		return Access{}, errorf(CodeUnauthorized,
			"InvalidAudience: The token is for '%s', which does not cover '%s'.", sas.scope, path)
	}
	return Access{Claims: rule.Claims, Expires: sas.expires, KeyName: rule.KeyName}, nil
}

func errExpired(at time.Time) *Error {
	return errorf(CodeUnauthorized, "ExpiredToken: The token is expired. Expiration time: %s.",
		at.UTC().Format(http1123))
}

// http1123 is the time format of HTTP, which the service uses in its texts.
const http1123 = "Mon, 02 Jan 2006 15:04:05 GMT"

// scopeCovers reports whether a token for scope is valid for path: the same entity or one below it.
func scopeCovers(scope, path string) bool {
	scope, path = strings.ToLower(scope), strings.ToLower(strings.Trim(path, "/"))
	return scope == "" || scope == path || strings.HasPrefix(path, scope+"/")
}

// keyFor returns the rule whose key created the signature.
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

// VerifyKey checks a key of the namespace, as SASL PLAIN carries it: keyName is the user name, and
// key, the password, is the primary or secondary key. The error's code is [CodeUnauthorized]. The
// access does not expire.
func (b *Broker) VerifyKey(keyName, key string) (Access, error) {
	for _, rule := range b.options.Keys {
		if rule.KeyName == keyName && (sameKey(rule.PrimaryKey, key) || sameKey(rule.SecondaryKey, key)) {
			return Access{Claims: rule.Claims, KeyName: keyName}, nil
		}
	}
	return Access{}, errorf(CodeUnauthorized, "InvalidSignature: The key name or the key is not valid.")
}

// sameKey compares in constant time. An empty key equals no other.
func sameKey(key, given string) bool {
	return key != "" && subtle.ConstantTimeCompare([]byte(key), []byte(given)) == 1
}

// entityKeys returns the authorization rules of the queue or topic at path or above it.
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

// sasToken is the parsed content of a token, which is not verified yet.
type sasToken struct {
	rawScope  string // the encoded form, which the signature covers
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

// maxUnixSeconds is the end of the year 9999, the last time that .NET can express.
const maxUnixSeconds = 253402300799

func (t sasToken) signedWith(key string) bool {
	if key == "" {
		return false
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(t.rawScope + "\n" + t.rawExpiry))
	return hmac.Equal(mac.Sum(nil), t.signature)
}

// VerifyJWT checks the form and the expiry of a JSON web token, but neither signature nor issuer
// nor audience. A valid token gives every right. The error's code is [CodeUnauthorized].
func (b *Broker) VerifyJWT(token string) (Access, error) {
	malformed := errorf(CodeUnauthorized, "InvalidToken: The token is not a JSON web token that this emulator accepts.")
	if b.options.RefuseJWT || len(token) > maxToken {
		return Access{}, malformed
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Access{}, malformed
	}
	if header, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[0], "=")); err != nil ||
		!json.Valid(header) {
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
	if nbf := claims.NotBefore; nbf != nil && (*nbf > maxUnixSeconds ||
		now.Add(skew).Before(time.Unix(int64(*nbf), 0))) {
		return Access{}, errorf(CodeUnauthorized, "InvalidToken: The token is not valid yet.")
	}
	return Access{Claims: Manage, Expires: expires}, nil
}
