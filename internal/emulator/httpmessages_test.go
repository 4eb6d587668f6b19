package emulator_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"chatapp/internal/emulator"
	"chatapp/internal/emulator/broker"
	"chatapp/internal/emulator/emulatortest"
)

// httpClient sends requests of the data plane with a token for the namespace.
type httpClient struct {
	tb    testing.TB
	s     *emulatortest.Server
	token string
}

type httpAnswer struct {
	status int
	header http.Header
	body   string
	broker map[string]any // the header BrokerProperties
}

func (c *httpClient) do(method, path, body string, headers ...string) httpAnswer {
	c.tb.Helper()
	r, err := http.NewRequestWithContext(testContext(c.tb), method, "http://"+c.s.HTTPAddress()+path,
		strings.NewReader(body))
	if err != nil {
		c.tb.Fatal(err)
	}
	r.Header.Set("Authorization", c.token)
	r.Close = true
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		c.tb.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		c.tb.Fatal(err)
	}
	answer := httpAnswer{status: response.StatusCode, header: response.Header, body: string(content)}
	if text := response.Header.Get("BrokerProperties"); text != "" {
		if err := json.Unmarshal([]byte(text), &answer.broker); err != nil {
			c.tb.Fatalf("BrokerProperties %s: %v", text, err)
		}
	}
	return answer
}

func (c *httpClient) want(what string, status int, method, path, body string, headers ...string) httpAnswer {
	c.tb.Helper()
	answer := c.do(method, path, body, headers...)
	if answer.status != status {
		c.tb.Errorf("%s: %s %s = %d %s, want %d", what, method, path, answer.status, answer.body, status)
	}
	return answer
}

func newHTTPClient(t *testing.T) (*httpClient, *emulatortest.Server) {
	s := emulatortest.Start(t, emulatortest.WithBroker(broker.Options{Keys: []broker.AuthorizationRule{emulator.RootKey,
		{KeyName: "listen", PrimaryKey: "key", Claims: broker.Listen},
		{KeyName: "send", PrimaryKey: "key", Claims: broker.Send}}}))
	return &httpClient{t, s, rootToken()}, s
}

func rootToken() string {
	return sasToken("http://localhost/", "RootManageSharedAccessKey", "SAS_KEY_VALUE", time.Now().Add(time.Hour))
}

// TestHTTPSendsAndReceives goes through the operations of the REST reference, and meets the SDK at both ends.
func TestHTTPSendsAndReceives(t *testing.T) {
	t.Parallel()
	c, s := newHTTPClient(t)
	s.Queue("folder/queue")
	s.Topic("topic", "sub")
	const head = "/folder/queue/messages/head?timeout=0"
	c.want("nothing there", 204, "POST", head, "")
	c.want("nothing there", 204, "DELETE", head, "")
	c.want("send", 201, "POST", "/folder/queue/messages", "body", "Content-Type", "text/plain", "BrokerProperties",
		`{"MessageId":"m1","Label":"label","CorrelationId":"c","TimeToLive":90.5,"ReplyTo":"r","To":"t"}`,
		"Priority", `"High ü"`, "Number", "7", "Ratio", "0.5", "Flag", "true", "Plain", "text")
	got := c.want("peek-lock", 201, "POST", head, "")
	if p := got.broker; got.body != "body" || got.header.Get("Content-Type") != "text/plain" ||
		p["MessageId"] != "m1" ||
		p["Label"] != "label" || p["CorrelationId"] != "c" || p["TimeToLive"] != 90.5 || p["ReplyTo"] != "r" ||
		p["To"] != "t" || p["DeliveryCount"] != 1.0 || p["SequenceNumber"] != 1.0 || p["State"] != "Active" ||
		p["LockToken"] == nil || p["LockedUntilUtc"] == nil || p["EnqueuedTimeUtc"] == nil {
		t.Errorf("received %q with %v, %v", got.body, got.header, p)
	}
	for name, want := range map[string]string{"Priority": `"High \u00fc"`, "Number": "7", "Ratio": "0.5",
		"Flag":  "true",
		"Plain": `"text"`} {
		if have := got.header.Get(name); have != want {
			t.Errorf("the property %s is %s, want %s", name, have, want)
		}
	}
	location := got.header.Get("Location")
	if !strings.HasPrefix(location, "http://"+s.HTTPAddress()+"/folder/queue/messages/1/") {
		t.Fatalf("location %q", location)
	}
	lock := strings.TrimPrefix(location, "http://"+s.HTTPAddress())
	c.want("renew", 200, "POST", lock, "")
	c.want("unlock", 200, "PUT", lock, "")
	c.want("complete without the lock", 404, "DELETE", lock, "")
	again := c.want("again", 201, "POST", head, "")
	if again.broker["DeliveryCount"] != 2.0 {
		t.Errorf("delivery count %v, want 2", again.broker["DeliveryCount"])
	}
	lock = fmt.Sprintf("/folder/queue/messages/%v/%v", again.broker["MessageId"], again.broker["LockToken"])
	c.want("complete by message id", 200, "DELETE", lock, "")
	c.want("nothing left", 204, "POST", head, "")

	c.want("a batch", 201, "POST", "/topic/messages", `[{"Body":"one","BrokerProperties":{"Label":"M1"},`+
		`"UserProperties":{"n":5,"f":0.5,"s":"x","b":true}},{"Body":"zwei €"}]`,
		"Content-Type", "application/vnd.microsoft.servicebus.json; charset=utf-8")
	sdk := connect(t, s.ConnectionString(), nil)
	r, err := sdk.NewReceiverForSubscription("topic", "sub", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := sdk.want("by AMQP", r, "one", "zwei €")[0]
	if p := m.ApplicationProperties; *m.Subject != "M1" || p["n"] != int64(5) || p["f"] != 0.5 || p["s"] != "x" ||
		p["b"] != true {
		t.Errorf("received %+v with %v", m, p)
	}
	contentType := "application/json"
	sdk.send("topic", &azservicebus.Message{Body: []byte("{}"), ContentType: &contentType})
	if err := r.Close(sdk.ctx); err != nil {
		t.Fatal(err)
	}
	got = c.want("receive and delete by HTTP", 200, "DELETE", "/topic/Subscriptions/sub/messages/head?timeout=5", "")
	if got.body != "{}" || got.header.Get("Content-Type") != contentType || got.header.Get("Location") != "" {
		t.Errorf("received %q with %v", got.body, got.header)
	}
}

// TestHTTPWaitsForMessages sends while a request waits.
func TestHTTPWaitsForMessages(t *testing.T) {
	t.Parallel()
	c, s := newHTTPClient(t)
	s.Queue("queue")
	received := make(chan httpAnswer)
	go func() { received <- c.do("DELETE", "/queue/messages/head", "") }()
	c.want("send", 201, "POST", "/queue/messages", "late", "BrokerProperties",
		fmt.Sprintf(`{"ScheduledEnqueueTimeUtc":%q}`, time.Now().Add(time.Second).UTC().Format(http.TimeFormat)))
	if got := <-received; got.status != 200 || got.body != "late" {
		t.Errorf("received %d %q", got.status, got.body)
	}
}

func TestHTTPRefusals(t *testing.T) {
	t.Parallel()
	c, s := newHTTPClient(t)
	s.Queue("queue")
	s.Queue("sessions", func(d *broker.QueueDescription) { d.RequiresSession = true })
	s.Queue("disabled", func(d *broker.QueueDescription) { d.Status = broker.StatusDisabled })
	lock := "/queue/messages/1/11111111-2222-3333-4444-555555555555"
	for _, tt := range []struct {
		what         string
		status       int
		method, path string
		body         string
		headers      []string
	}{
		{"no token", 401, "POST", "/queue/messages", "", []string{"Authorization", ""}},
		{"a wrong token", 401, "POST", "/queue/messages/head", "", []string{"Authorization",
			"SharedAccessSignature x"}},
		{"a token for another entity", 401, "DELETE", lock, "", []string{"Authorization",
			sasToken("http://localhost/other", "RootManageSharedAccessKey", "SAS_KEY_VALUE",
				time.Now().Add(time.Hour))}},
		{"sending with the right to listen", 401, "POST", "/queue/messages", "x", []string{"Authorization",
			sasToken("http://localhost/", "listen", "key", time.Now().Add(time.Hour))}},
		{"receiving with the right to send", 401, "POST", "/queue/messages/head", "", []string{"Authorization",
			sasToken("http://localhost/", "send", "key", time.Now().Add(time.Hour))}},
		{"send to nothing", 410, "POST", "/nothing/messages", "x", nil},
		{"receive from nothing", 410, "POST", "/nothing/messages/head", "", nil},
		{"complete in nothing", 410, "DELETE", "/nothing" + strings.TrimPrefix(lock, "/queue"), "", nil},
		{"complete a lost lock", 404, "DELETE", lock, "", nil},
		{"unlock a lost lock", 404, "PUT", lock, "", nil},
		{"renew a lost lock", 404, "POST", lock, "", nil},
		{"no lock token", 400, "DELETE", "/queue/messages/1/x", "", nil},
		{"another method", 405, "PATCH", lock, "", nil},
		{"another method", 405, "PUT", "/queue/messages/head", "", nil},
		{"a disabled queue", 403, "POST", "/disabled/messages", "x", nil},
		{"no session", 400, "POST", "/sessions/messages", "x", nil},
		{"receive from sessions", 400, "POST", "/sessions/messages/head", "", nil},
		{"bad properties", 400, "POST", "/queue/messages", "x", []string{"BrokerProperties", "{"}},
		{"a bad time", 400, "POST", "/queue/messages", "x", []string{"BrokerProperties",
			`{"ScheduledEnqueueTimeUtc":"now"}`}},
		{"a bad time to live", 400, "POST", "/queue/messages", "x", []string{"BrokerProperties",
			`{"TimeToLive":-1}`}},
		{"a bad timeout", 400, "POST", "/queue/messages/head?timeout=-1", "", nil},
		{"a long id", 400, "POST", "/queue/messages", "x", []string{"BrokerProperties",
			`{"MessageId":"` + strings.Repeat("x", 129) + `"}`}},
		{"too large", 413, "POST", "/queue/messages", strings.Repeat("x", 257<<10), nil},
		{"far too large", 413, "POST", "/queue/messages", strings.Repeat("x", 1<<20), nil},
		{"a large property", 413, "POST", "/queue/messages", "x", []string{"P", strings.Repeat("x", 33<<10)}},
		{"a bad batch", 400, "POST", "/queue/messages", "{}", []string{"Content-Type",
			"application/vnd.microsoft.servicebus.json"}},
		{"an object as a property", 400, "POST", "/queue/messages", `[{"Body":"","UserProperties":{"a":{}}}]`,
			[]string{"Content-Type", "application/vnd.microsoft.servicebus.json"}},
		{"a batch that is too large", 413, "POST", "/queue/messages",
			`[{"Body":"` + strings.Repeat("x", 200<<10) + `"},{"Body":"` + strings.Repeat("x", 200<<10) + `"}]`,
			[]string{"Content-Type", "application/vnd.microsoft.servicebus.json"}},
	} {
		c.want(tt.what, tt.status, tt.method, tt.path, tt.body, tt.headers...)
	}
	c.want("nothing was stored", 204, "POST", "/queue/messages/head?timeout=0", "")
	s.ServerBusy(time.Minute)
	c.want("busy", 503, "POST", "/queue/messages", "x")
}
