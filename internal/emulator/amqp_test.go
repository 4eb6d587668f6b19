package emulator_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"chatapp/internal/emulator/emulatortest"
)

// testTimeout bounds every wait of a test.
const testTimeout = 20 * time.Second

func testContext(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(tb.Context(), testTimeout)
	tb.Cleanup(cancel)
	return ctx
}

// sasToken signs a token as the SDKs do.
func sasToken(scope, keyName, key string, expires time.Time) string {
	sr := url.QueryEscape(scope)
	se := fmt.Sprint(expires.Unix())
	mac := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(mac, "%s\n%s", sr, se)
	sig := url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return fmt.Sprintf("SharedAccessSignature sr=%s&sig=%s&se=%s&skn=%s", sr, sig, se, keyName)
}

// peer is a go-amqp connection: a client below the SDK.
type peer struct {
	*amqp.Conn
	tb      testing.TB
	session *amqp.Session
}

func dial(tb testing.TB, s *emulatortest.Server) *peer {
	tb.Helper()
	ctx := testContext(tb)
	conn, err := amqp.Dial(ctx, "amqp://"+s.AMQPAddress(),
		&amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous(), HostName: "localhost"})
	if err != nil {
		tb.Fatalf("dial %s: %v", s.AMQPAddress(), err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		tb.Fatalf("begin: %v", err)
	}
	return &peer{Conn: conn, tb: tb, session: session}
}

// authorized is dial with a token for the whole namespace.
func authorized(tb testing.TB, s *emulatortest.Server) *peer {
	tb.Helper()
	p := dial(tb, s)
	token := sasToken("sb://localhost/", "RootManageSharedAccessKey", "SAS_KEY_VALUE", time.Now().Add(time.Hour))
	if status, text := p.putToken("servicebus.windows.net:sastoken", "sb://localhost/", token); status != 202 {
		tb.Fatalf("put-token: %d %s", status, text)
	}
	return p
}

// putToken does one exchange with $cbs on a session of its own, as the Go SDK does.
func (p *peer) putToken(kind, audience, token string) (status int32, description string) {
	p.tb.Helper()
	ctx := testContext(p.tb)
	session, err := p.NewSession(ctx, nil)
	if err != nil {
		p.tb.Fatalf("begin: %v", err)
	}
	defer session.Close(ctx)
	reply := p.request(session, "$cbs", &amqp.Message{
		ApplicationProperties: map[string]any{"operation": "put-token", "type": kind, "name": audience},
		Value:                 token,
	})
	status, _ = reply.ApplicationProperties["status-code"].(int32)
	description, _ = reply.ApplicationProperties["status-description"].(string)
	return status, description
}

// request sends a request to a node and returns the reply.
func (p *peer) request(session *amqp.Session, node string, m *amqp.Message) *amqp.Message {
	p.tb.Helper()
	ctx := testContext(p.tb)
	sender, err := session.NewSender(ctx, node, nil)
	if err != nil {
		p.tb.Fatalf("attach a sender to %s: %v", node, err)
	}
	defer sender.Close(ctx)
	replies, err := session.NewReceiver(ctx, node, &amqp.ReceiverOptions{TargetAddress: "replies"})
	if err != nil {
		p.tb.Fatalf("attach a receiver to %s: %v", node, err)
	}
	defer replies.Close(ctx)
	to := "replies"
	m.Properties = &amqp.MessageProperties{MessageID: "request", ReplyTo: &to}
	if err := sender.Send(ctx, m, nil); err != nil {
		p.tb.Fatalf("send to %s: %v", node, err)
	}
	reply, err := replies.Receive(ctx, nil)
	if err != nil {
		p.tb.Fatalf("receive from %s: %v", node, err)
	}
	if err := replies.AcceptMessage(ctx, reply); err != nil {
		p.tb.Fatalf("accept the reply of %s: %v", node, err)
	}
	if reply.Properties == nil || reply.Properties.CorrelationID != "request" {
		p.tb.Fatalf("the reply of %s has properties %+v, want correlation-id request", node, reply.Properties)
	}
	return reply
}

func (p *peer) sender(target string) *amqp.Sender {
	p.tb.Helper()
	sender, err := p.session.NewSender(testContext(p.tb), target, nil)
	if err != nil {
		p.tb.Fatalf("attach a sender to %s: %v", target, err)
	}
	return sender
}

func (p *peer) receiver(source string, o *amqp.ReceiverOptions) *amqp.Receiver {
	p.tb.Helper()
	receiver, err := p.session.NewReceiver(testContext(p.tb), source, o)
	if err != nil {
		p.tb.Fatalf("attach a receiver to %s: %v", source, err)
	}
	return receiver
}

// batchOf makes one message of n, in the format of Service Bus batches.
func batchOf(tb testing.TB, n int, body []byte) *amqp.Message {
	tb.Helper()
	batch := &amqp.Message{Format: 0x80013700}
	for i := range n {
		encoded, err := (&amqp.Message{Data: [][]byte{body},
			Properties: &amqp.MessageProperties{MessageID: fmt.Sprint(i)}}).MarshalBinary()
		if err != nil {
			tb.Fatal(err)
		}
		batch.Data = append(batch.Data, encoded)
	}
	return batch
}
