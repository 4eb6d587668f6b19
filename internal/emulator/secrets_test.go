package emulator_test

import (
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"chatapp/internal/emulator"
	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/logtest"
)

// TestLogHoldsNoSecret presents tokens, keys and malformed ones of every kind, and reads the log at the lowest level.
func TestLogHoldsNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-of-the-client"
	var log logtest.Buffer
	s := emulatortest.Start(t, func(o *emulator.Options) {
		o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug - 100}))
	})
	s.Queue("queue")
	good := sasToken("sb://localhost/", "RootManageSharedAccessKey", "SAS_KEY_VALUE", time.Now().Add(time.Hour))
	_, signature, _ := strings.Cut(good, "sig=")
	signature, _, _ = strings.Cut(signature, "&")
	jwt := "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1}`)) + "." + secret
	tokens := []string{good, "SharedAccessSignature sr=" + secret + "&sig=" + secret,
		"SharedAccessSignature %" + secret,
		"SharedAccessSignature sr=a&sig=" + secret + "&se=" + secret + "&skn=x", jwt, secret, "Bearer " + secret,
		"SharedAccessSignature sr=sb%3a%2f%2flocalhost&sig=" + secret + "&se=1&skn=RootManageSharedAccessKey"}
	p := dial(t, s)
	for _, token := range tokens {
		for _, kind := range []string{"servicebus.windows.net:sastoken", "jwt", "other"} {
			p.putToken(kind, "sb://localhost/", token)
		}
		for _, path := range []string{"/queue", "/$Resources/Queues", "/missing", "/queue/messages/head"} {
			r, err := http.NewRequestWithContext(testContext(t), "GET", "http://"+s.HTTPAddress()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", token)
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	for _, user := range []string{"RootManageSharedAccessKey", secret} {
		conn, err := amqp.Dial(testContext(t), "amqp://"+s.AMQPAddress(),
			&amqp.ConnOptions{SASLType: amqp.SASLTypePlain(user, secret)})
		if err == nil {
			conn.Close()
			t.Errorf("the user %s may connect with a wrong key", user)
		}
	}
	s.Close()
	for _, hidden := range []string{secret, "SAS_KEY_VALUE", signature} {
		if at := strings.Index(log.String(), hidden); at >= 0 {
			t.Errorf("the log holds %q: %s", hidden, log.String()[max(0, at-300):at+len(hidden)])
		}
	}
	if !strings.Contains(log.String(), "level=DEBUG") {
		t.Error("the log has no record of level debug: the test proves nothing")
	}
}
