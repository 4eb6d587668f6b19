package worker

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// logReader writes all metrics as one log line every interval, for platforms that collect the output of
// processes and scrape nothing, such as Azure's. The line's group "metrics" has a number for each metric.
// Its key is the metric's name, followed by the values of its attributes, separated by dots. A counter is
// written as its growth since the line before, a histogram as count, sum and max.
func logReader(log *slog.Logger, interval time.Duration) sdkmetric.Reader {
	return sdkmetric.NewPeriodicReader(logExporter{log}, sdkmetric.WithInterval(interval))
}

// logExporter is an OpenTelemetry exporter that writes to a logger. Its reader calls it on one goroutine at a time.
type logExporter struct {
	log *slog.Logger
}

// Temporality asks for deltas where the SDK can compute them: adding them up over instances and time
// needs no state, and a restart no correction.
func (logExporter) Temporality(kind sdkmetric.InstrumentKind) metricdata.Temporality {
	switch kind {
	case sdkmetric.InstrumentKindUpDownCounter, sdkmetric.InstrumentKindObservableUpDownCounter:
		return metricdata.CumulativeTemporality
	default:
		return metricdata.DeltaTemporality
	}
}

func (logExporter) Aggregation(kind sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	return sdkmetric.DefaultAggregationSelector(kind)
}

func (e logExporter) Export(ctx context.Context, all *metricdata.ResourceMetrics) error {
	var attrs []slog.Attr
	for _, scope := range all.ScopeMetrics {
		for _, one := range scope.Metrics {
			attrs = appendMetric(attrs, one)
		}
	}
	e.log.LogAttrs(ctx, slog.LevelInfo, "metrics", slog.GroupAttrs("metrics", attrs...))
	return nil
}

func (logExporter) ForceFlush(context.Context) error { return nil }
func (logExporter) Shutdown(context.Context) error   { return nil }

func appendMetric(attrs []slog.Attr, one metricdata.Metrics) []slog.Attr {
	switch data := one.Data.(type) {
	case metricdata.Gauge[int64]:
		return appendPoints(attrs, one.Name, data.DataPoints)
	case metricdata.Gauge[float64]:
		return appendPoints(attrs, one.Name, data.DataPoints)
	case metricdata.Sum[int64]:
		return appendPoints(attrs, one.Name, data.DataPoints)
	case metricdata.Sum[float64]:
		return appendPoints(attrs, one.Name, data.DataPoints)
	case metricdata.Histogram[int64]:
		return appendHistogram(attrs, one.Name, data.DataPoints)
	case metricdata.Histogram[float64]:
		return appendHistogram(attrs, one.Name, data.DataPoints)
	}
	return attrs // a kind that the worker does not use
}

func appendPoints[N int64 | float64](attrs []slog.Attr, name string, points []metricdata.DataPoint[N]) []slog.Attr {
	for _, point := range points {
		attrs = append(attrs, slog.Any(metricKey(name, point.Attributes), point.Value))
	}
	return attrs
}

func appendHistogram[N int64 | float64](
	attrs []slog.Attr, name string, points []metricdata.HistogramDataPoint[N],
) []slog.Attr {
	for _, point := range points {
		if point.Count == 0 {
			continue
		}
		key := metricKey(name, point.Attributes)
		highest, _ := point.Max.Value()
		attrs = append(attrs,
			slog.Uint64(key+".count", point.Count), slog.Any(key+".sum", point.Sum), slog.Any(key+".max", highest))
	}
	return attrs
}

func metricKey(name string, attributes attribute.Set) string {
	for _, kv := range attributes.ToSlice() {
		name += "." + kv.Value.String()
	}
	return name
}
