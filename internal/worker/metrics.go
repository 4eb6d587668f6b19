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
	value                   func(*figures) int64
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

	logLatency   metric.Float64Histogram
	batchEntries metric.Float64Histogram
	batchSize    metric.Float64Histogram
}

func newMetrics(ctx context.Context, config Config, instance string, log *slog.Logger) (*metrics, error) {
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
	if config.MetricsLogInterval > 0 {
		options = append(options, sdkmetric.WithReader(logReader(log, config.MetricsLogInterval)))
	}
	provider := sdkmetric.NewMeterProvider(options...)
	m := &metrics{
		provider: provider,
		handler:  promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		meter:    provider.Meter("chatapp"),
	}
	return m, m.addHistograms()
}

// Bounds of the histograms. Latency, in seconds, reaches from an in-process log to a Service Bus that has stalled.
var (
	latencyBounds = []float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	entriesBounds = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}
	sizeBounds    = []float64{256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10}
)

func (m *metrics) addHistograms() error {
	var errs [3]error
	m.logLatency, errs[0] = m.histogram("chat.log.latency", "s", "Time of an own message through the log, out and back.", latencyBounds)
	m.batchEntries, errs[1] = m.histogram("chat.batch.entries", "{entry}", "Entries in an envelope published to all.", entriesBounds)
	m.batchSize, errs[2] = m.histogram("chat.batch.size", "By", "Bytes of an envelope published to all.", sizeBounds)
	return errors.Join(errs[:]...)
}

func (m *metrics) observeLog(latency time.Duration) {
	m.logLatency.Record(context.Background(), latency.Seconds())
}

func (m *metrics) observeBatch(entries, bytes int) {
	m.batchEntries.Record(context.Background(), float64(entries))
	m.batchSize.Record(context.Background(), float64(bytes))
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
func (m *metrics) observe(measures []measure, read func() *figures) error {
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
		all := read()
		for _, one := range measures {
			o.ObserveInt64(instruments[one.name], one.value(all), metric.WithAttributes(one.attributes...))
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

func (m *metrics) histogram(name, unit, description string, bounds []float64) (metric.Float64Histogram, error) {
	m.names = append(m.names, name)
	return m.meter.Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(bounds...))
}

// close sends what is left.
func (m *metrics) close(ctx context.Context) error {
	return m.provider.Shutdown(ctx)
}

// MetricNames are the names of all figures a worker tells, for dashboards to be held against.
func (w *Worker) MetricNames() []string {
	return slices.Clone(w.metrics.names)
}
