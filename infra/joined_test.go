//go:build unix

package infra

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"chatapp/internal/emulator/emulatortest"
)

// identity stands in for the endpoint at which the platform issues tokens of the managed identity.
type identity struct {
	clientID, secret string
	granted          atomic.Bool // the role has taken effect: until then the namespace refuses the tokens
	asked            atomic.Int32
	wrong            atomic.Value // what was wrong with a request
}

func (i *identity) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	i.asked.Add(1)
	query := r.URL.Query()
	if got := r.Header.Get("X-IDENTITY-HEADER"); got != i.secret {
		i.wrong.Store(fmt.Sprintf("X-IDENTITY-HEADER is %q", got))
	}
	if got := query.Get("resource"); !strings.HasPrefix(got, "https://servicebus.azure.net") {
		i.wrong.Store(fmt.Sprintf("resource is %q", got))
	}
	if got := query.Get("client_id"); got != i.clientID {
		i.wrong.Store(fmt.Sprintf("client_id is %q, want %q", got, i.clientID))
	}
	expires := time.Now().Add(time.Hour)
	claims := map[string]any{"aud": "https://servicebus.azure.net", "exp": expires.Unix()}
	if !i.granted.Load() {
		expires = time.Now().Add(time.Second) // the worker soon requests another one
		claims["exp"] = time.Now().Add(-time.Hour).Unix()
	}
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			i.wrong.Store(err.Error())
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	token := part(map[string]string{"alg": "none", "typ": "JWT"}) + "." + part(claims) + ".c2lnbmF0dXJl"
	rw.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(rw).Encode(map[string]string{
		"access_token": token, "expires_on": fmt.Sprint(expires.Unix()), "token_type": "Bearer",
		"resource": query.Get("resource"), "client_id": i.clientID,
	}); err != nil {
		i.wrong.Store(err.Error())
	}
}

// TestWorkerJoinsByIdentity starts the worker with only the variables that Bicep sets, against a namespace with TLS
// that first refuses the worker's identity, as Azure does until a new role assignment takes effect.
func TestWorkerJoinsByIdentity(t *testing.T) {
	t.Parallel()
	bus := emulatortest.Start(t, emulatortest.WithTLS())
	bus.Topic("chat")
	dir := t.TempDir()
	authority := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(authority, bus.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	platform := &identity{clientID: "00000000-0000-0000-0000-000000000042", secret: "of this replica"}
	endpoint := httptest.NewServer(platform)
	defer endpoint.Close()

	_, port, err := net.SplitHostPort(bus.TLSAddress())
	if err != nil {
		t.Fatal(err)
	}
	environment := bicepEnvironment(t)
	maps.Copy(environment, map[string]string{
		// Set by chat.bicep.
		"AZURE_CLIENT_ID":                          platform.clientID,
		"AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE": net.JoinHostPort("localhost", port),
		"GOMEMLIMIT":                               "920MiB",
		// Set by the platform.
		"CONTAINER_APP_REPLICA_NAME": "ca-chat--0000001-7c9d5b6f8-abcde",
		"IDENTITY_ENDPOINT":          endpoint.URL + "/msi/token",
		"IDENTITY_HEADER":            platform.secret,
		// Set for this test.
		"PORT":          "0",
		"DRAIN_TIMEOUT": "0s",
		"SSL_CERT_FILE": authority,
	})
	binary := imageWorker(t)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, binary)
	for name, value := range environment {
		command.Env = append(command.Env, name+"="+value)
	}
	logs := &watched{pattern: regexp.MustCompile(`"addr":"[^"]*:(\d+)"()`), found: make(chan string, 1)}
	command.Stderr = logs
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	defer func() { cancel(); <-ended }()

	select {
	case port = <-logs.found:
	case err := <-ended:
		ended <- err
		t.Fatalf("the worker ended with %v, and printed:\n%s", err, logs)
	}
	address := "127.0.0.1:" + port
	if status, body := get(t, "http://"+address+"/healthz"); status != http.StatusOK {
		t.Errorf("without the role GET /healthz answers %d %q, want 200: a restart would not repair it", status, body)
	}
	const role = "Azure Service Bus Data Owner"
	if !within(30*time.Second, func() bool { return strings.Contains(logs.String(), role) }) {
		t.Errorf("without the role the log does not name %q; it says:\n%s", role, logs)
	}
	response, err := http.Get("http://" + address + "/readyz")
	if err != nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without the role GET /readyz answers %v (%v), want 503", response, err)
	} else {
		response.Body.Close()
	}

	platform.granted.Store(true)
	if !within(time.Minute, func() bool {
		response, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	}) {
		t.Fatalf("with the role the worker is not ready; it says:\n%s", logs)
	}
	if wrong := platform.wrong.Load(); wrong != nil {
		t.Errorf("a token was asked for wrongly: %v", wrong)
	}
	subscriptions := func() []string {
		var names []string
		all, err := bus.Broker().Subscriptions("chat")
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range all {
			names = append(names, one.Name)
		}
		return names
	}
	if got := subscriptions(); len(got) != 1 || !strings.HasPrefix(got[0], "ca-chat--0000001-") {
		t.Errorf("the topic's subscriptions are %q, want one named after the replica", got)
	}
	twoPeopleTalk(t, "ws://"+address+"/ws")

	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err = <-ended
	ended <- err
	if err != nil {
		t.Errorf("after SIGTERM the worker ended with %v, want exit status 0; it says:\n%s", err, logs)
	}
	if got := subscriptions(); len(got) != 0 {
		t.Errorf("after its end the topic has the subscriptions %q, want none", got)
	}
	if !strings.Contains(logs.String(), `"msg":"metrics","instance":"ca-chat--0000001-`) {
		t.Errorf("the log has no line of metrics with the instance's name:\n%s", logs)
	}
	checkQueriesOfMetrics(t, logs.String())
}

// within tells whether something becomes true in time.
func within(limit time.Duration, holds func() bool) bool {
	deadline := time.Now().Add(limit)
	for ; time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		if holds() {
			return true
		}
	}
	return false
}
