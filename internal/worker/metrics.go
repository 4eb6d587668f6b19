package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
)

// observable is a metric whose value is read at each collection. Two with the same name differ in their attributes.
type observable struct {
	name, unit, description string
	kind                    instrumentKind
	attributes              []attribute.KeyValue
	value                   func(*sample) int64
}

type instrumentKind uint8

const (
	counter instrumentKind = iota // cumulative, never decreases
	gauge
)

// metrics exports the worker's metrics as Prometheus text and, if configured, by OTLP and to the log.
type metrics struct {
	provider *sdkmetric.MeterProvider
	handler  http.Handler
	names    []string
	meter    metric.Meter

	http      *httpMetrics
	messaging *messagingMetrics

	logLatency   metric.Float64Histogram
	batchEntries metric.Float64Histogram
	batchSize    metric.Float64Histogram
}

func newMetrics(ctx context.Context, config Config, instance string, log *slog.Logger) (*metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	scraped, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("make Prometheus exporter: %w", err)
	}
	options := []sdkmetric.Option{sdkmetric.WithReader(scraped), sdkmetric.WithResource(workerResource(instance))}
	pushed, err := otlpReader(ctx, config.Metrics.OTLP)
	if err != nil {
		return nil, fmt.Errorf("make OTLP exporter: %w", err)
	}
	if pushed != nil {
		options = append(options, sdkmetric.WithReader(pushed))
	}
	if config.Metrics.LogInterval > 0 {
		options = append(options, sdkmetric.WithReader(logReader(log, config.Metrics.LogInterval)))
	}
	provider := sdkmetric.NewMeterProvider(options...)
	m := &metrics{
		provider: provider,
		handler:  promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		meter:    provider.Meter("chatapp"),
	}
	var errs [3]error
	errs[0] = m.addHistograms()
	m.http, errs[1] = newHTTPMetrics(m)
	m.messaging, errs[2] = newMessagingMetrics(m, config.ServiceBus)
	return m, errors.Join(errs[:]...)
}

// Bucket bounds of the histograms. Latencies, in seconds, range from an in-process log to a stalled Service Bus.
var (
	latencyBounds = []float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	entriesBounds = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}
	sizeBounds    = []float64{256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10}
)

func (m *metrics) addHistograms() error {
	var errs [3]error
	m.logLatency, errs[0] = m.histogram("chat.log.latency", "s",
		"Time from appending a message of a local user until it is back from the log.", latencyBounds)
	m.batchEntries, errs[1] = m.histogram("chat.batch.entries", "{entry}",
		"Log entries in a message published to the bus.", entriesBounds)
	m.batchSize, errs[2] = m.histogram("chat.batch.size", "By",
		"Bytes of a message published to the bus.", sizeBounds)
	return errors.Join(errs[:]...)
}

func (m *metrics) observeLog(latency time.Duration) {
	m.logLatency.Record(context.Background(), latency.Seconds())
}

func (m *metrics) observeBatch(entries, bytes int) {
	m.batchEntries.Record(context.Background(), float64(entries))
	m.batchSize.Record(context.Background(), float64(bytes))
}

// workerResource identifies the source of the metrics. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES override it.
func workerResource(instance string) *resource.Resource {
	own := resource.NewSchemaless(
		attribute.String("service.name", "chatapp"),
		attribute.String("service.version", Version()),
		attribute.String("service.instance.id", instance),
	)
	merged, err := resource.Merge(own, resource.Environment())
	if err != nil {
		return own // the schemas conflict
	}
	return merged
}

// otlpReader pushes metrics by a protocol; it returns nil for "". The exporters read OpenTelemetry's variables from the
// process's environment.
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

// observe registers observables. Each collection calls read once.
func (m *metrics) observe(observables []observable, read func() *sample) error {
	registered := make([]metric.Observable, 0, len(observables))
	instruments := make(map[string]metric.Int64Observable)
	var errs []error
	for _, one := range observables {
		if instruments[one.name] != nil {
			continue
		}
		instrument, err := m.instrument(one)
		errs = append(errs, err)
		instruments[one.name] = instrument
		registered = append(registered, instrument)
		m.names = append(m.names, one.name)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	_, err := m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		all := read()
		for _, one := range observables {
			o.ObserveInt64(instruments[one.name], one.value(all), metric.WithAttributes(one.attributes...))
		}
		return nil
	}, registered...)
	return err
}

func (m *metrics) instrument(one observable) (metric.Int64Observable, error) {
	unit, description := metric.WithUnit(one.unit), metric.WithDescription(one.description)
	if one.kind == gauge {
		return m.meter.Int64ObservableGauge(one.name, unit, description)
	}
	return m.meter.Int64ObservableCounter(one.name, unit, description)
}

func (m *metrics) histogram(
	name, unit, description string, bounds []float64,
) (metric.Float64Histogram, error) {
	m.names = append(m.names, name)
	return m.meter.Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(bounds...))
}

// close exports the metrics a last time.
func (m *metrics) close(ctx context.Context) error {
	return m.provider.Shutdown(ctx)
}

// MetricNames returns the names of all metrics, in OpenTelemetry's form, so that a test can check dashboards.
func (w *Worker) MetricNames() []string {
	return slices.Clone(w.metrics.names)
}
