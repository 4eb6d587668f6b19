package management_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"chatapp/internal/emulator/broker"
	"chatapp/internal/emulator/management"
	"chatapp/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// rootToken is a namespace-wide token, as the SDKs make it.
func rootToken() string {
	sr, se := url.QueryEscape("https://anywhere/"), fmt.Sprint(time.Now().Add(time.Hour).Unix())
	mac := hmac.New(sha256.New, []byte(rootSecret))
	_, _ = io.WriteString(mac, sr+"\n"+se)
	return "SharedAccessSignature sr=" + sr + "&sig=" +
		url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil))) + "&se=" + se + "&skn=" + rootKey
}

// jwt is an unsigned token with the given expiry.
func jwt(expires time.Time) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(fmt.Appendf(nil, `{"exp":%d}`, expires.Unix())) + "."
}

// call serves one request. Headers are pairs of name and value.
func call(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost:5300"+target, strings.NewReader(body))
	r.Header.Set("Authorization", rootToken())
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func newHandler(t testing.TB, options management.Options) (*broker.Broker, *management.Handler) {
	b := broker.New(broker.Options{})
	t.Cleanup(b.Close)
	return b, management.New(b, options)
}

// put wraps a description as an ATOM entry.
func put(description string) string {
	return `<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">` + description +
		`</content></entry>`
}

func TestHealthReportsState(t *testing.T) {
	healthy := true
	_, h := newHandler(t, management.Options{Healthy: func() bool { return healthy }})
	for _, c := range []struct {
		method  string
		healthy bool
		status  int
		body    string
	}{
		{"GET", true, 200, `{"status":"healthy","message":"Service is healthy."}`},
		{"GET", false, 503, `{"status":"unhealthy","message":"Service not available. Please try after some time."}`},
		{"POST", true, 405, ""},
	} {
		healthy = c.healthy
		if w := call(h, c.method, "/health", "", "Authorization", ""); w.Code != c.status ||
			w.Body.String() != c.body {
			t.Errorf("%s /health = %d %s, want %d %s", c.method, w.Code, w.Body, c.status, c.body)
		}
	}
}

// TestElementsHaveTheServicesOrder compares the order of elements with that in captures of the
// service.
func TestElementsHaveTheServicesOrder(t *testing.T) {
	b, h := newHandler(t, management.Options{})
	for _, err := range []error{
		b.CreateQueue(broker.QueueDescription{Name: "dest"}),
		b.CreateQueue(broker.QueueDescription{Name: "q", ForwardTo: "dest", ForwardDeadLetteredMessagesTo: "dest",
			UserMetadata: "m"}),
		b.CreateTopic(broker.DefaultTopic("t")), b.CreateSubscription(broker.DefaultSubscription("t", "s")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const counts = "CountDetails ActiveMessageCount DeadLetterMessageCount ScheduledMessageCount " +
		"TransferMessageCount TransferDeadLetterMessageCount "
	const envelope = "entry id title published updated author name link content "
	for target, want := range map[string]string{
		"/q?api-version=2021-05": envelope +
			"QueueDescription LockDuration MaxSizeInMegabytes RequiresDuplicateDetection RequiresSession " +
			"DefaultMessageTimeToLive " +
			"DeadLetteringOnMessageExpiration DuplicateDetectionHistoryTimeWindow MaxDeliveryCount " +
			"EnableBatchedOperations SizeInBytes MessageCount IsAnonymousAccessible " +
			"AuthorizationRules Status ForwardTo UserMetadata CreatedAt UpdatedAt AccessedAt SupportOrdering " +
			counts + "AutoDeleteOnIdle EnablePartitioning " +
			"EntityAvailabilityStatus ForwardDeadLetteredMessagesTo EnableExpress MaxMessageSizeInKilobytes",
		"/t?api-version=2024-05": envelope +
			"TopicDescription DefaultMessageTimeToLive MaxSizeInMegabytes RequiresDuplicateDetection " +
			"DuplicateDetectionHistoryTimeWindow " +
			"EnableBatchedOperations SizeInBytes FilteringMessagesBeforePublishing IsAnonymousAccessible " +
			"AuthorizationRules Status CreatedAt UpdatedAt AccessedAt SupportOrdering " +
			counts + "SubscriptionCount AutoDeleteOnIdle EnablePartitioning EntityAvailabilityStatus " +
			"EnableSubscriptionPartitioning EnableExpress MaxMessageSizeInKilobytes " +
			"SqlFilterCount CorrelationFilterCount",
		"/t?api-version=2021-05": envelope +
			"TopicDescription DefaultMessageTimeToLive MaxSizeInMegabytes RequiresDuplicateDetection " +
			"DuplicateDetectionHistoryTimeWindow " +
			"EnableBatchedOperations SizeInBytes FilteringMessagesBeforePublishing IsAnonymousAccessible " +
			"AuthorizationRules Status CreatedAt UpdatedAt AccessedAt SupportOrdering " +
			counts + "SubscriptionCount AutoDeleteOnIdle EnablePartitioning EntityAvailabilityStatus " +
			"EnableSubscriptionPartitioning EnableExpress MaxMessageSizeInKilobytes",
		"/t/Subscriptions/s/Rules/$Default": envelope +
			"RuleDescription Filter SqlExpression CompatibilityLevel Parameters Action CreatedAt Name",
		"/$namespaceinfo": "entry id title updated author name link content NamespaceInfo " +
			"CreatedTime MessagingSKU ModifiedTime Name NamespaceType",
		"/nothing": "feed title id updated link",
		"/":        "feed title id updated link",
	} {
		w := call(h, "GET", target, "")
		if got := strings.Join(elements(t, w.Body), " "); w.Code != 200 || got != want {
			t.Errorf("GET %s = %d\n%s, want\n%s", target, w.Code, got, want)
		}
	}
}

// elements returns the names of a document's elements in order. It fails the test if the document
// is not XML.
func elements(t *testing.T, r io.Reader) []string {
	t.Helper()
	var names []string
	for d := xml.NewDecoder(r); ; {
		token, err := d.Token()
		if err == io.EOF {
			return names
		}
		if err != nil {
			t.Fatalf("after %q: %v", names, err)
		}
		if start, ok := token.(xml.StartElement); ok {
			names = append(names, start.Name.Local)
		}
	}
}

func TestRequestsGetTheServicesAnswers(t *testing.T) {
	b, h := newHandler(t, management.Options{})
	if err := b.CreateTopic(broker.DefaultTopic("t")); err != nil {
		t.Fatal(err)
	}
	if err := b.CreateSubscription(broker.DefaultSubscription("t", "s")); err != nil {
		t.Fatal(err)
	}
	const queue = `<QueueDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">%s</QueueDescription>`
	for _, c := range []struct {
		what, method, target, body string
		headers                    []string
		status                     int
		text                       string
	}{
		{"create", "PUT", "/Folder/q?api-version=2021-05",
			put(fmt.Sprintf(queue, "<LockDuration>PT30S</LockDuration><MaxDeliveryCount>5</MaxDeliveryCount>")), nil,
			201, "<LockDuration>PT30S</LockDuration>"},
		{"the name as created", "GET", "/folder/Q", "", nil, 200, `<title type="text">Folder/q</title>`},
		{"the address as asked", "GET", "/folder/q?api-version=2021-05", "", []string{"Host", "x"}, 200,
			"<id>http://localhost:5300/Folder/q?api-version=2021-05</id>"},
		{"create again", "PUT", "/folder/q", put(fmt.Sprintf(queue, "")), nil, 409,
			"<Code>409</Code><Detail>SubCode=40900. Conflict."},
		{"update", "PUT", "/folder/q", put(fmt.Sprintf(queue, "<MaxDeliveryCount>6</MaxDeliveryCount>")),
			[]string{"If-Match", "*"}, 200, "<LockDuration>PT1M</LockDuration>"},
		{"prefixes and another schema", "PUT", "/p",
			put(`<a:QueueDescription xmlns:a="urn:x"><a:MaxDeliveryCount>4</a:MaxDeliveryCount><a:Unknown/></a:QueueDescription>`), nil, 201, "<MaxDeliveryCount>4</MaxDeliveryCount>"},
		{"empty elements", "PUT", "/e", put(fmt.Sprintf(queue,
			"<LockDuration/><ForwardTo></ForwardTo><AuthorizationRules/>")), nil, 201,
			"<LockDuration>PT1M</LockDuration>"},
		{"no body", "PUT", "/x", "", nil, 400, "not a valid ATOM entry"},
		{"not XML", "PUT", "/x", "{}", nil, 400, "not a valid ATOM entry"},
		{"half XML", "PUT", "/x", "<entry><content>", nil, 400, "not a valid ATOM entry"},
		{"no description", "PUT", "/x", put(""), nil, 400, "neither"},
		{"a subscription's description", "PUT", "/x", put("<SubscriptionDescription/>"), nil, 400, "neither"},
		{"too large", "PUT", "/x", put(strings.Repeat("<a/>", 300000)), nil, 400, "more than 1048576 bytes"},
		{"bad duration", "PUT", "/x", put(fmt.Sprintf(queue, "<LockDuration>1m</LockDuration>")), nil, 400,
			"duration"},
		{"zero duration", "PUT", "/x", put(fmt.Sprintf(queue, "<LockDuration>PT0S</LockDuration>")), nil, 400,
			"LockDuration"},
		{"zero deliveries", "PUT", "/x", put(fmt.Sprintf(queue, "<MaxDeliveryCount>0</MaxDeliveryCount>")), nil, 400,
			"MaxDeliveryCount"},
		{"bad number", "PUT", "/x", put(fmt.Sprintf(queue, "<MaxDeliveryCount>many</MaxDeliveryCount>")), nil, 400,
			"not a valid ATOM entry"},
		{"bad status", "PUT", "/x", put(fmt.Sprintf(queue, "<Status>Busy</Status>")), nil, 400, "Status"},
		{"bad right", "PUT", "/x", put(fmt.Sprintf(queue,
			"<AuthorizationRules><AuthorizationRule><Rights><AccessRights>All</AccessRights></Rights><KeyName>k</KeyName></AuthorizationRule></AuthorizationRules>")), nil, 400, "'All'"},
		{"too many rules", "PUT", "/x", put(fmt.Sprintf(queue,
			"<AuthorizationRules>"+strings.Repeat("<AuthorizationRule/>", 13)+"</AuthorizationRules>")), nil, 400,
			"12"},
		{"escaped name", "PUT", "/a%3Fb", put(fmt.Sprintf(queue, "")), nil, 400, "not allowed"},
		{"an unknown filter", "PUT", "/t/Subscriptions/s/Rules/new",
			put(`<RuleDescription><Filter xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="NewFilter">` +
				`<A b="c">d</A></Filter></RuleDescription>`), nil, 400, "NewFilter"},
		{"a read-only property", "PUT", "/t/Subscriptions/s/Rules/new", put(`<RuleDescription>` +
			`<Action type="SqlRuleAction"><SqlExpression>SET sys.SequenceNumber = 1</SqlExpression></Action>` +
			`</RuleDescription>`), nil, 400, "sequencenumber"},
		{"an unknown action", "PUT", "/t/Subscriptions/s/Rules/x",
			put(`<RuleDescription><Action type="NewAction"/></RuleDescription>`), nil, 400,
			"NewAction"},
		{"an action without text", "PUT", "/t/Subscriptions/s/Rules/x",
			put(`<RuleDescription><Action type="SqlRuleAction"/></RuleDescription>`), nil, 400, "SqlExpression"},
		{"a parameter of a type", "PUT", "/t/Subscriptions/s/Rules/typed",
			put(`<RuleDescription><Filter type="SqlFilter"><SqlExpression>a=@a</SqlExpression><Parameters><KeyValueOfstringanyType><Key>@a</Key><Value type="d6p1:long">5000000000</Value></KeyValueOfstringanyType></Parameters></Filter></RuleDescription>`), nil, 201, `type="d6p1:long" xmlns:d6p1="http://www.w3.org/2001/XMLSchema">5000000000<`},
		{"a parameter of the wrong type", "PUT", "/t/Subscriptions/s/Rules/x",
			put(`<RuleDescription><Filter type="SqlFilter"><SqlExpression>a=@a</SqlExpression><Parameters><KeyValueOfstringanyType><Key>@a</Key><Value type="int">x</Value></KeyValueOfstringanyType></Parameters></Filter></RuleDescription>`), nil, 400, "'int'"},
		{"not a rule", "PUT", "/t/Subscriptions/s/Rules/x", put(""), nil, 400, "RuleDescription"},
		{"not a subscription", "PUT", "/t/Subscriptions/x", put(""), nil, 400, "SubscriptionDescription"},
		{"a subscription of nothing", "GET", "/x/Subscriptions/s", "", nil, 404, "could not be found"},
		{"no such subscription", "GET", "/t/Subscriptions/x", "", nil, 404, "could not be found"},
		{"no such rule", "GET", "/t/Subscriptions/s/Rules/x", "", nil, 404, "could not be found"},
		{"rules of nothing", "GET", "/t/Subscriptions/x/Rules/", "", nil, 404, "could not be found"},
		{"lower case", "GET", "/T/subscriptions/S/rules/$default", "", nil, 200, "<Name>$Default</Name>"},
		{"the Go SDK's list", "GET", "/t/Subscriptions?%24top=100&%3F=&api-version=2024-05", "", nil, 200,
			`<title type="text">s</title>`},
		{"a page", "GET", "/$Resources/Queues?$top=1&$skip=1", "", nil, 200,
			`<link rel="next" href="http://localhost:5300/$Resources/Queues?%24skip=2&amp;%24top=1"/>`},
		{"past the end", "GET", "/$Resources/Topics?$skip=1", "", nil, 200,
			"</updated><link rel=\"self\" href=\"http://localhost:5300/$Resources/Topics\"/></feed>"},
		{"bad skip", "GET", "/$Resources/Topics?$skip=-1", "", nil, 400, "$skip"},
		{"bad top", "GET", "/$Resources/Topics?$top=x", "", nil, 400, "$top"},
		{"nothing", "PUT", "/", "x", nil, 501, "not implemented"},
		{"sending", "POST", "/t/messages", "x", nil, 501, "not implemented by this emulator"},
		{"receiving", "DELETE", "/t/Subscriptions/s/messages/head", "", nil, 501, "not implemented by this emulator"},
		{"another method", "POST", "/t", "", nil, 405, ""},
		{"another method", "PATCH", "/t/Subscriptions/s", "", nil, 405, ""},
		{"another method", "PUT", "/$Resources/Queues", "", nil, 405, ""},
		{"no token", "GET", "/t", "", []string{"Authorization", ""}, 401, "MissingToken"},
		{"a bad token", "GET", "/t", "", []string{"Authorization", "SharedAccessSignature x"}, 401, "MalformedToken"},
		{"a JWT", "GET", "/t", "", []string{"Authorization", jwt(time.Now().Add(time.Hour))}, 200,
			"TopicDescription"},
		{"a JWT with its word", "GET", "/t", "", []string{"Authorization",
			"Bearer " + jwt(time.Now().Add(time.Hour))}, 200, "TopicDescription"},
		{"an old JWT", "GET", "/t", "", []string{"Authorization", jwt(time.Unix(1000, 0))}, 401, "ExpiredToken"},
		{"delete", "DELETE", "/folder/q", "", nil, 200, ""},
		{"delete nothing", "DELETE", "/folder/q", "", nil, 404, "could not be found"},
	} {
		w := call(h, c.method, c.target, c.body, c.headers...)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.text) {
			t.Errorf("%s: %s %s = %d %s, want %d with %s", c.what, c.method, c.target, w.Code, w.Body, c.status,
				c.text)
		}
		if w.Body.Len() > 0 {
			elements(t, w.Body)
		}
	}
}

// TestOldVersionsGetNoNewElements asks with versions of the API that do not know an element.
func TestOldVersionsGetNoNewElements(t *testing.T) {
	b, h := newHandler(t, management.Options{})
	if err := errors.Join(b.CreateQueue(broker.DefaultQueue("q")),
		b.CreateTopic(broker.DefaultTopic("t"))); err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string][2]bool{
		"2017-04": {false, false}, "2021-05": {true, false}, "2024-05": {true, true},
	} {
		for _, entity := range []string{"/q", "/t"} {
			body := call(h, "GET", entity+"?api-version="+version, "").Body.String()
			sizes, filters := strings.Contains(body, "MaxMessageSizeInKilobytes"), strings.Contains(body,
				"SqlFilterCount")
			if sizes != want[0] || filters != (want[1] && entity == "/t") {
				t.Errorf("%s with %s: message size %t, filter counts %t", entity, version, sizes, filters)
			}
		}
	}
}

func TestThrottledRequestsAreRefused(t *testing.T) {
	b, h := newHandler(t, management.Options{})
	b.ServerBusy(time.Hour)
	if w := call(h, "GET", "/t", ""); w.Code != 503 || !strings.Contains(w.Body.String(), "50009") {
		t.Errorf("while busy: %d %s", w.Code, w.Body)
	}
	if got := b.Usage().Managed; got != 0 {
		t.Errorf("a refused operation was counted: %d", got)
	}
	b.ServerBusy(0)
	call(h, "GET", "/t", "")
	call(h, "GET", "/$Resources/Queues", "")
	if got := b.Usage(); got.Managed != 2 || got.Credits != 20 {
		t.Errorf("two operations are counted as %+v", got)
	}
}

// FuzzPut checks that no body and no path makes the handler panic or return a document that is not
// XML.
func FuzzPut(f *testing.F) {
	f.Add("/q", put("<QueueDescription><LockDuration>PT1M</LockDuration></QueueDescription>"), "*")
	f.Add("/t/Subscriptions/new",
		put(`<SubscriptionDescription><DefaultRuleDescription><Filter type="SqlFilter"><SqlExpression>a=1</SqlExpression></Filter></DefaultRuleDescription></SubscriptionDescription>`), "")
	f.Add("/t/Subscriptions/s/Rules/r",
		put(`<RuleDescription><Filter type="X"><a xmlns:b="c">&lt;</a></Filter>`+
			`<Action type="SqlRuleAction"><SqlExpression>SET a=1</SqlExpression></Action></RuleDescription>`), "")
	f.Add("/t/Subscriptions/s/Rules/r",
		put(`<RuleDescription><Filter type="CorrelationFilter"><Properties><KeyValueOfstringanyType><Key>k</Key><Value type="x:dateTime">2020-01-01T00:00:00Z</Value></KeyValueOfstringanyType></Properties></Filter></RuleDescription>`), "")
	token := rootToken()
	f.Fuzz(func(t *testing.T, path, body, match string) {
		b := broker.New(broker.Options{})
		defer b.Close()
		_ = b.CreateTopic(broker.DefaultTopic("t"))
		_ = b.CreateSubscription(broker.DefaultSubscription("t", "s"))
		h := management.New(b, management.Options{})
		for _, method := range []string{http.MethodPut, http.MethodGet} {
			r := &http.Request{Method: method, URL: &url.URL{Path: path}, Host: "localhost",
				Header: http.Header{"Authorization": {token}}, Body: io.NopCloser(strings.NewReader(body))}
			if match != "" {
				r.Header.Set("If-Match", match)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Body.Len() > 0 && !strings.EqualFold(path, "/health") {
				if err := xml.Unmarshal(w.Body.Bytes(), new(struct{})); err != nil {
					t.Fatalf("%s %q answers %d %s: %v", method, path, w.Code, w.Body, err)
				}
			}
		}
	})
}
