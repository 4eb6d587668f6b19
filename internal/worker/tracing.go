package worker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"chatapp/internal/backplane"
	"chatapp/internal/chat"
	"chatapp/internal/socketio"
)

// tracing follows an event of a client from its socket through the log to the delivery on every instance. Its spans are
//
//	chat EVENT     SERVER    from the event's arrival until it is refused, or is back from the log and answered
//	send TOPIC     PRODUCER  publishing the batch that the event's command is in; linked to the other commands' events
//	process TOPIC  CONSUMER  applying the command on one instance, and queueing what its clients receive
//
// named and attributed by OpenTelemetry's conventions for messaging. The last two are children of the first, by the W3C
// trace context that travels with the entry.
type tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	topic    string
	bus      []attribute.KeyValue // of all spans of the bus
}

// newTracing returns nil without a protocol. The exporters and the SDK read OpenTelemetry's variables for endpoint,
// sampler and batches from the process's environment.
func newTracing(ctx context.Context, config Config, instance string) (*tracing, error) {
	var exporter sdktrace.SpanExporter
	var err error
	switch config.Metrics.Traces {
	case "":
		return nil, nil
	case "grpc":
		exporter, err = otlptracegrpc.New(ctx)
	default:
		exporter, err = otlptracehttp.New(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("make OTLP exporter of traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(workerResource(instance)))
	return &tracing{provider: provider, tracer: provider.Tracer("chatapp"), topic: config.ServiceBus.Topic,
		bus: messagingAttributes(config.ServiceBus)}, nil
}

// messagingAttributes name the bus as OpenTelemetry's conventions for messaging want it.
func messagingAttributes(config ServiceBusConfig) []attribute.KeyValue {
	system := "memory"
	if config.ConnectionString != "" || config.Namespace != "" {
		system = "servicebus"
	}
	return []attribute.KeyValue{
		attribute.String("messaging.system", system), attribute.String("messaging.destination.name", config.Topic),
	}
}

// event begins the span of an event that a client has sent. It is chat.Options.Trace.
func (t *tracing) event(s *socketio.Socket, event string) chat.Span {
	_, span := t.tracer.Start(context.Background(), "chat "+event, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("chat.event", event),
			attribute.String("client.address", s.Handshake().RemoteAddr)))
	return eventSpan{span}
}

// eventSpan is a chat.Span.
type eventSpan struct{ trace.Span }

func (s eventSpan) Trace() string {
	if !s.SpanContext().IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpan(context.Background(), s.Span), carrier)
	return carrier.Get(traceparent)
}

func (s eventSpan) End(code string) {
	if code != "" {
		s.SetAttributes(attribute.String("error.type", code))
		s.SetStatus(codes.Error, "")
	}
	s.Span.End()
}

// traceparent is the header of W3C Trace Context that names a span.
const traceparent = "traceparent"

// parent returns a context in which spans are children of the one that a trace context names.
func parent(trace string) context.Context {
	return propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{traceparent: trace})
}

// published records that a message was sent to the bus, if an event in it is traced.
func (t *tracing) published(p backplane.Publication) {
	if len(p.Traces) == 0 {
		return
	}
	var first context.Context
	var links []trace.Link
	for _, index := range slices.Sorted(maps.Keys(p.Traces)) {
		ctx := parent(p.Traces[index])
		if first == nil {
			first = ctx
		} else {
			links = append(links, trace.LinkFromContext(ctx))
		}
	}
	_, span := t.tracer.Start(first, "send "+t.topic, trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithTimestamp(p.Began), trace.WithLinks(links...), trace.WithAttributes(t.bus...),
		trace.WithAttributes(attribute.String("messaging.operation.name", "send"),
			attribute.String("messaging.operation.type", "send"),
			attribute.Int("messaging.batch.message_count", p.Entries),
			attribute.Int("messaging.message.body.size", p.Bytes)))
	if p.Err != nil {
		span.SetStatus(codes.Error, p.Err.Error())
	}
	span.End()
}

// applied records that an entry was applied here, and that what clients receive of it is in their queues.
func (t *tracing) applied(e backplane.Entry, began time.Time, err error) {
	_, span := t.tracer.Start(parent(e.Trace), "process "+t.topic, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithTimestamp(began), trace.WithAttributes(t.bus...),
		trace.WithAttributes(attribute.String("messaging.operation.name", "process"),
			attribute.String("messaging.operation.type", "process"), attribute.String("chat.origin", e.Instance)))
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

func (t *tracing) close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}
