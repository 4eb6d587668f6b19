package worker

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	span "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/inprocess"
	"chatapp/internal/chat"
	"chatapp/internal/socketio"
	"chatapp/internal/waittest"
)

// tracesReceiver is a collector of traces.
type tracesReceiver struct {
	*httptest.Server

	mu sync.Mutex
	// mu guards
	spans map[string]*span.Span // by the instance and the name
}

func receiveTraces(t *testing.T) *tracesReceiver {
	c := &tracesReceiver{spans: make(map[string]*span.Span)}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		request := &collector.ExportTraceServiceRequest{}
		if err := proto.Unmarshal(body, request); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("the collector got %s, %v", r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, of := range request.ResourceSpans {
			instance := attributeOf(of.Resource.Attributes, "service.instance.id")
			for _, scope := range of.ScopeSpans {
				for _, s := range scope.Spans {
					c.spans[instance+" "+s.Name] = s
				}
			}
		}
	}))
	t.Cleanup(func() {
		c.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", c.URL+"/v1/traces")
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none")
	return c
}

func attributeOf(attributes []*common.KeyValue, key string) string {
	for _, a := range attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// One trace leads from the socket on which a message arrives through the log to its delivery on every instance. Not
// parallel: the exporter reads its endpoint from the environment.
func TestTraceLeadsFromSocketToDelivery(t *testing.T) {
	c := receiveTraces(t)
	hub := inprocess.NewHub(inprocess.Options{})
	settings := []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", c.URL + "/v1/traces", "DRAIN_TIMEOUT", "0s"}
	a, b := start(t, hub, "a", settings...), start(t, hub, "b", settings...)
	waittest.Until(t, "both are members", func() bool { return a.members() == 2 && b.members() == 2 })
	ann, bob := a.join("Ann"), b.join("Bob")
	ann.send(`{"event":"user message","args":["hello"],"id":2}`)
	ann.want(`{"ack":2,"args":[{"ok":true`)
	bob.want(`{"event":"user message","args":["Ann","hello"`)
	ann.send(`{"event":"join","args":["\u0000"],"id":3}`)
	ann.want(`{"ack":3,"args":[{"ok":false`)
	a.end()
	b.end()
	c.mu.Lock()
	defer c.mu.Unlock()
	root := c.spans["a chat user message"]
	if root == nil || len(root.ParentSpanId) > 0 || root.Kind != span.Span_SPAN_KIND_SERVER {
		t.Fatalf("spans are %v, want a root for the message, not %v", c.spans, root)
	}
	for name, kind := range map[string]span.Span_SpanKind{
		"a send chat": span.Span_SPAN_KIND_PRODUCER, "a process chat": span.Span_SPAN_KIND_CONSUMER,
		"b process chat": span.Span_SPAN_KIND_CONSUMER,
	} {
		s := c.spans[name]
		if s == nil || s.Kind != kind || string(s.TraceId) != string(root.TraceId) ||
			string(s.ParentSpanId) != string(root.SpanId) {
			t.Errorf("span %q is %v, want a child of %v", name, s, root)
		} else if got := attributeOf(s.Attributes, "messaging.destination.name"); got != "chat" {
			t.Errorf("span %q has the destination %q, want the topic", name, got)
		}
	}
	refused := c.spans["a chat join"]
	if refused == nil || refused.Status.GetCode() != span.Status_STATUS_CODE_ERROR ||
		attributeOf(refused.Attributes, "error.type") != "room_invalid" {
		t.Errorf("span of a refused join is %v, want an error with its code", refused)
	}
}

// Spans are exported only where a variable asks for them, and recorded as the sampler says.
func TestTracesAreOffUnlessAskedFor(t *testing.T) {
	c := receiveTraces(t)
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	for i, settings := range [][]string{
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", c.URL + "/v1/traces", "OTEL_TRACES_EXPORTER", "none"},
		{"OTEL_TRACES_EXPORTER", "otlp"},
	} {
		r := start(t, nil, "", settings...)
		if got := r.worker.tracing != nil; got != (i == 1) {
			t.Errorf("%q: traces on: %v", settings, got)
		}
		r.join(fmt.Sprint("Ann ", i))
		r.end()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.spans) > 0 {
		t.Errorf("the collector got %v, want nothing", c.spans)
	}
}

// BenchmarkApply is what the possibility of tracing adds to an entry that is not traced, and to one that is: the span
// of its delivery, made and thrown away.
func BenchmarkApply(b *testing.B) {
	for _, on := range []bool{false, true} {
		b.Run(fmt.Sprintf("traced=%v", on), func(b *testing.B) {
			m := machine{Chat: chat.New(chat.Options{})}
			server := socketio.NewServer(socketio.Options{})
			m.Attach(server.Of("/"), chat.Backplane{Instance: "a"})
			defer m.Close()
			e := backplane.Entry{Instance: "b", Epoch: 1, Body: []byte{}} // is skipped
			if on {
				provider := sdktrace.NewTracerProvider()
				m.tracing = &tracing{provider: provider, tracer: provider.Tracer("chatapp")}
				e.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
			}
			b.ReportAllocs()
			for b.Loop() {
				e.Number++
				_ = m.Apply(e) // reports that it was skipped
			}
		})
	}
}
