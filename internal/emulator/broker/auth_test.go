package broker

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// sign makes a token as the SDKs do.
func sign(scope, keyName, key string, expires time.Time) string {
	sr, se := url.QueryEscape(scope), fmt.Sprint(expires.Unix())
	mac := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(mac, "%s\n%s", sr, se)
	sig := url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return "SharedAccessSignature sr=" + sr + "&sig=" + sig + "&se=" + se + "&skn=" + url.QueryEscape(keyName)
}

func TestSASIsCheckedForSignatureExpiryAndScope(t *testing.T) {
	b := bench{t, New(Options{Keys: []AuthorizationRule{
		{KeyName: "root key", PrimaryKey: "primary", SecondaryKey: "secondary", Claims: Manage},
		{KeyName: "listen", PrimaryKey: "l", Claims: Listen},
		{KeyName: "empty", Claims: Manage},
	}})}
	defer b.Close()
	d := DefaultQueue("orders")
	d.AuthorizationRules = []AuthorizationRule{{KeyName: "own", PrimaryKey: "o", Claims: Send}}
	b.ok(b.CreateQueue(d))
	soon := time.Now().Add(time.Minute)
	for _, c := range []struct {
		what, token, path string
		claims            Claims
		refused           string
	}{
		{"namespace", sign("sb://host/", "root key", "primary", soon), "orders", Manage, ""},
		{"bare host", sign("host.example.com", "root key", "primary", soon), "orders", Manage, ""},
		{"secondary key", sign("amqp://localhost:5672/orders", "root key", "secondary", soon), "ORDERS", Manage, ""},
		{"lower-case scope", sign("amqp://localhost/topic/subscriptions/s", "listen", "l", soon),
			"Topic/Subscriptions/S/$DeadLetterQueue", Listen, ""},
		{"an entity's own key", sign("sb://x/orders", "own", "o", soon), "orders/$DeadLetterQueue", Send, ""},
		{"an entity's own key elsewhere", sign("sb://x/", "own", "o", soon), "others", 0, "InvalidSignature"},
		{"$management", sign("amqp://x/orders/$management", "listen", "l", soon), "orders", Listen, ""},
		{"query", sign("https://x/orders?api-version=2021-05", "listen", "l", soon), "orders", Listen, ""},
		{"another entity", sign("sb://x/others", "listen", "l", soon), "orders", 0, "InvalidAudience"},
		{"a prefix that is no parent", sign("sb://x/ord", "listen", "l", soon), "orders", 0, "InvalidAudience"},
		{"wrong key", sign("sb://x/", "listen", "wrong", soon), "orders", 0, "InvalidSignature"},
		{"unknown key", sign("sb://x/", "nobody", "l", soon), "orders", 0, "InvalidSignature"},
		{"a key that is empty", sign("sb://x/", "empty", "", soon), "orders", 0, "InvalidSignature"},
		{"expired", sign("sb://x/", "listen", "l", time.Unix(1000, 0)), "orders", 0,
			"ExpiredToken: The token is expired. Expiration time: Thu, 01 Jan 1970 00:16:40 GMT"},
		{"changed expiry", strings.Replace(sign("sb://x/", "listen", "l", time.Unix(1000, 0)), "se=1000",
			"se=99999999999", 1), "orders", 0, "InvalidSignature"},
		{"nothing", "", "orders", 0, "MalformedToken"},
		{"another scheme", "Basic abc", "orders", 0, "MalformedToken"},
		{"no fields", "SharedAccessSignature ", "orders", 0, "sr"},
		{"no key name", "SharedAccessSignature sr=x&sig=eA==&se=1", "orders", 0, "skn"},
		{"no expiry", "SharedAccessSignature sr=x&sig=eA==&skn=k", "orders", 0, "se"},
		{"negative expiry", "SharedAccessSignature sr=x&sig=eA==&skn=k&se=-1", "orders", 0, "se"},
		{"endless expiry", "SharedAccessSignature sr=x&sig=eA==&skn=k&se=9223372036854775807", "orders", 0, "se"},
		{"bad signature", "SharedAccessSignature sr=x&sig=!&skn=k&se=1", "orders", 0, "sig"},
		{"bad escape", "SharedAccessSignature sr=%zz&sig=eA==&skn=k&se=1", "orders", 0, "sr"},
		{"too long", "SharedAccessSignature sr=" + strings.Repeat("x", maxToken), "orders", 0, "too long"},
	} {
		access, err := b.VerifySAS(c.token, c.path)
		if c.refused != "" {
			b.refused(c.what, err, CodeUnauthorized, c.refused)
			continue
		}
		if err != nil || access.Claims != c.claims || access.KeyName == "" || access.Expires.Unix() != soon.Unix() {
			t.Errorf("%s: %+v, %v, want claims %v", c.what, access, err, c.claims)
		}
	}
}

func TestKeyOfNamespaceIsAccepted(t *testing.T) {
	b := bench{t, New(Options{Keys: []AuthorizationRule{{KeyName: "k", PrimaryKey: "p", SecondaryKey: "s",
		Claims: Send}, {KeyName: "empty", Claims: Manage}}})}
	defer b.Close()
	for _, key := range []string{"p", "s"} {
		if access, err := b.VerifyKey("k", key); err != nil || access != (Access{Claims: Send, KeyName: "k"}) {
			t.Errorf("VerifyKey(k, %s) = %+v, %v", key, access, err)
		}
	}
	for name, key := range map[string]string{"k": "x", "K": "p", "empty": "", "": "p"} {
		_, err := b.VerifyKey(name, key)
		b.refused(name+"/"+key, err, CodeUnauthorized, "")
	}
}

func TestClaimsIncludeAndPrint(t *testing.T) {
	if !Manage.Has(Send) || !Manage.Has(Listen) || Send.Has(Listen) || (Send | Listen).Has(Manage) {
		t.Error("Manage must include the others, and not be made of them")
	}
	if got := Manage.String(); got != "Manage,Send,Listen" {
		t.Errorf("Manage is %q", got)
	}
}

func TestEntityPathDropsSchemeHostAndManagement(t *testing.T) {
	for audience, want := range map[string]string{
		"amqp://localhost:5672/chat": "chat", "sb://host/chat/Subscriptions/s": "chat/Subscriptions/s",
		"https://host/chat/?x=y": "chat", "sb://host/": "", "sb://host": "",
		"host.example.com": "", "localhost:5672": "", "host.example.com/chat": "chat", "chat": "chat",
		"/chat/": "chat", "amqp://host/chat/$management": "chat",
		"chat/$Management": "chat", "": "", "a/b": "a/b", "queue.1/x": "queue.1/x", "queue.1": "queue.1",
		"amqp://queue.1": "", "localhost:5672/q?x": "q", "localhost": "",
	} {
		if got := EntityPath(audience); got != want {
			t.Errorf("EntityPath(%q) = %q, want %q", audience, got, want)
		}
	}
}

func jwt(payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(payload)) + "."
}

func TestJWTIsCheckedForFormAndExpiry(t *testing.T) {
	b := bench{t, New(Options{})}
	defer b.Close()
	future := time.Now().Add(time.Hour).Unix()
	for _, c := range []struct{ what, token, refused string }{
		{"good", jwt(fmt.Sprintf(`{"exp":%d}`, future)), ""},
		{"with fractions and a start", jwt(fmt.Sprintf(`{"exp":%d.5,"nbf":%d,"aud":"x"}`, future, time.Now().Unix())),
			""},
		{"expired", jwt(`{"exp":1000}`), "ExpiredToken: The token is expired. Expiration time:"},
		{"not yet", jwt(fmt.Sprintf(`{"exp":%d,"nbf":%d}`, future, future)), "not valid yet"},
		{"without an end", jwt(`{}`), "InvalidToken"},
		{"with a bad end", jwt(`{"exp":"soon"}`), "InvalidToken"},
		{"with an endless end", jwt(`{"exp":1e300}`), "InvalidToken"},
		{"two parts", "a.b", "InvalidToken"},
		{"not base64", "!.!.!", "InvalidToken"},
		{"not JSON", "YQ.YQ.", "InvalidToken"},
		{"empty", "", "InvalidToken"},
		{"too long", strings.Repeat("a", maxToken+1), "InvalidToken"},
	} {
		access, err := b.VerifyJWT(c.token)
		if c.refused != "" {
			b.refused(c.what, err, CodeUnauthorized, c.refused)
		} else if err != nil || access.Claims != Manage || access.Expires.Unix() != future {
			t.Errorf("%s: %+v, %v", c.what, access, err)
		}
	}
	strict := bench{t, New(Options{RefuseJWT: true})}
	defer strict.Close()
	_, err := strict.VerifyJWT(jwt(fmt.Sprintf(`{"exp":%d}`, future)))
	strict.refused("where none is accepted", err, CodeUnauthorized, "InvalidToken")
}

// FuzzTokens checks that no token makes verification panic, and that no unsigned token is
// accepted.
func FuzzTokens(f *testing.F) {
	f.Add(sign("sb://x/", "RootManageSharedAccessKey", "wrong", time.Unix(1e9, 0)), "orders")
	f.Add("SharedAccessSignature sr=%&sig=&se=&skn=", "")
	f.Add(jwt(`{"exp":1}`), "a/Subscriptions/b")
	b := New(Options{Keys: []AuthorizationRule{{KeyName: "RootManageSharedAccessKey", PrimaryKey: rootSecret(),
		Claims: Manage}}})
	f.Cleanup(b.Close)
	f.Fuzz(func(t *testing.T, token, path string) {
		if access, err := b.VerifySAS(token, path); err == nil {
			t.Fatalf("VerifySAS(%q, %q) = %+v", token, path, access)
		}
		if access, err := b.VerifyJWT(token); err == nil && !access.Expires.After(time.Now()) {
			t.Fatalf("VerifyJWT(%q) = %+v", token, access)
		}
		if got := EntityPath(token); strings.Contains(got, "?") {
			t.Fatalf("EntityPath(%q) = %q", token, got)
		}
	})
}

// rootSecret is a random key, which no input can guess.
func rootSecret() string { return newUUID().String() + newUUID().String() }
