package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
)

// measure is one figure that is read when somebody asks.
type measure struct {
	name, unit, description string
	kind                    measureKind
	attributes              []attribute.KeyValue
	value                   func() int64
}

type measureKind uint8

const (
	counter measureKind = iota // only grows
	gauge                      // as it is now
)

// metrics are the worker's figures, as Prometheus text and, where OpenTelemetry's variables ask for it, by OTLP.
type metrics struct {
	provider *sdkmetric.MeterProvider
	handler  http.Handler
	names    []string
	meter    metric.Meter
}

func newMetrics(ctx context.Context, config Config, instance string) (*metrics, error) {
	registry := prometheus.NewRegistry()
	scraped, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("make Prometheus exporter: %w", err)
	}
	options := []sdkmetric.Option{sdkmetric.WithReader(scraped), sdkmetric.WithResource(workerResource(instance))}
	pushed, err := otlpReader(ctx, config.OTLP)
	if err != nil {
		return nil, fmt.Errorf("make OTLP exporter: %w", err)
	}
	if pushed != nil {
		options = append(options, sdkmetric.WithReader(pushed))
	}
	provider := sdkmetric.NewMeterProvider(options...)
	return &metrics{
		provider: provider,
		handler:  promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		meter:    provider.Meter("chatapp"),
	}, nil
}

// workerResource tells whose figures these are. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before it.
func workerResource(instance string) *resource.Resource {
	own := resource.NewSchemaless(
		attribute.String("service.name", "chatapp"),
		attribute.String("service.version", Version()),
		attribute.String("service.instance.id", instance),
	)
	merged, err := resource.Merge(own, resource.Environment())
	if err != nil {
		return own // of different schemas: the environment's is left out
	}
	return merged
}

// otlpReader sends the figures where OpenTelemetry's own variables say, which the exporters read themselves; nil where none does.
func otlpReader(ctx context.Context, protocol string) (sdkmetric.Reader, error) {
	var exporter sdkmetric.Exporter
	var err error
	switch protocol {
	case "":
		return nil, nil
	case "grpc":
		exporter, err = otlpmetricgrpc.New(ctx)
	default:
		exporter, err = otlpmetrichttp.New(ctx)
	}
	if err != nil {
		return nil, err
	}
	return sdkmetric.NewPeriodicReader(exporter), nil
}

// observe registers figures, all read in one go.
func (m *metrics) observe(measures []measure) error {
	observables := make([]metric.Observable, 0, len(measures))
	instruments := make(map[string]metric.Int64Observable)
	var errs []error
	for _, one := range measures {
		if instruments[one.name] != nil {
			continue
		}
		instrument, err := m.instrument(one)
		errs = append(errs, err)
		instruments[one.name] = instrument
		observables = append(observables, instrument)
		m.names = append(m.names, one.name)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	_, err := m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, one := range measures {
			o.ObserveInt64(instruments[one.name], one.value(), metric.WithAttributes(one.attributes...))
		}
		return nil
	}, observables...)
	return err
}

func (m *metrics) instrument(one measure) (metric.Int64Observable, error) {
	unit, description := metric.WithUnit(one.unit), metric.WithDescription(one.description)
	if one.kind == gauge {
		return m.meter.Int64ObservableGauge(one.name, unit, description)
	}
	return m.meter.Int64ObservableCounter(one.name, unit, description)
}

// latencyBounds, in seconds, reach from an in-process log to a Service Bus that has stalled.
var latencyBounds = []float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

func (m *metrics) histogram(name, unit, description string, bounds ...float64) (metric.Float64Histogram, error) {
	m.names = append(m.names, name)
	return m.meter.Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(bounds...))
}

// close sends what is left.
func (m *metrics) close(ctx context.Context) error {
	return m.provider.Shutdown(ctx)
}

// engineMeasures are the figures of the doors.
func (w *Worker) engineMeasures() []measure {
	engine, sockets := w.engine.Stats, w.sockets.Stats
	in, out := attribute.String("direction", "in"), attribute.String("direction", "out")
	one := func(kv attribute.KeyValue) []attribute.KeyValue { return []attribute.KeyValue{kv} }
	return []measure{
		{"chat.sessions", "{session}", "Connections open now, polling ones included.", gauge, nil, func() int64 { return int64(engine().Sessions) }},
		{"chat.sessions.opened", "{session}", "Connections ever opened.", counter, nil, func() int64 { return int64(engine().Opened) }},
		{"chat.queue.size", "By", "Bytes waiting to be sent to clients.", gauge, nil, func() int64 { return int64(engine().QueuedBytes) }},
		{"chat.transport.messages", "{message}", "Messages received from and sent to clients.", counter, one(in), func() int64 { return int64(engine().MessagesIn) }},
		{"chat.transport.messages", "{message}", "", counter, one(out), func() int64 { return int64(engine().MessagesOut) }},
		{"chat.transport.size", "By", "Bytes of messages received, and bytes written to clients.", counter, one(in), func() int64 { return int64(engine().BytesIn) }},
		{"chat.transport.size", "By", "", counter, one(out), func() int64 { return int64(engine().BytesOut) }},
		{"chat.transport.writes", "{write}", "Gathered writes to WebSockets.", counter, nil, func() int64 { return int64(engine().Writes) }},
		{"chat.slow_consumers", "{session}", "Connections closed because their client did not read fast enough.", counter, nil, func() int64 { return int64(engine().SlowConsumers) }},
		{"chat.sockets", "{socket}", "Sockets in a namespace now.", gauge, nil, func() int64 { return int64(sockets().Sockets) }},
		{"chat.events", "{event}", "Events received from clients.", counter, nil, func() int64 { return int64(sockets().Events) }},
		{"chat.deliveries", "{event}", "Events sent to clients, one for each receiver.", counter, nil, func() int64 { return int64(sockets().Deliveries) }},
		{"chat.connect_errors", "{socket}", "Clients refused by a namespace.", counter, nil, func() int64 { return int64(sockets().ConnectErrors) }},
		{"chat.protocol_errors", "{error}", "Packets refused as malformed.", counter, nil, func() int64 { return int64(sockets().ProtocolErrors) }},
		{"chat.panics", "{panic}", "Event handlers that panicked.", counter, nil, func() int64 { return int64(sockets().Panics) }},
		{"chat.ready", "1", "1 where new clients should be sent here.", gauge, nil, func() int64 {
			if w.notReady() == "" {
				return 1
			}
			return 0
		}},
	}
}

// MetricNames are the names of all figures a worker tells, for dashboards to be held against.
func (w *Worker) MetricNames() []string {
	return slices.Clone(w.metrics.names)
}
