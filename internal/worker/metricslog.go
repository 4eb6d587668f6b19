package worker

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// logReader writes all figures as one log line every interval, for platforms that keep what a process prints and scrape nothing, as
// Azure's do. The line's group "metrics" has a number for each figure: under its name, or under its name and the values of its attributes where it has
// some, dot by dot; what grows is told as its growth since the line before; a histogram is told as count, sum and max.
func logReader(log *slog.Logger, interval time.Duration) sdkmetric.Reader {
	return sdkmetric.NewPeriodicReader(logExporter{log}, sdkmetric.WithInterval(interval))
}

// logExporter is an OpenTelemetry exporter whose far end is a logger. Its methods may be called by one goroutine at a time, which the
// reader sees to.
type logExporter struct {
	log *slog.Logger
}

// Temporality asks for growth where it can: sums over instances and time then need no state, and a restart no correction.
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
	var figures []slog.Attr
	for _, scope := range all.ScopeMetrics {
		for _, one := range scope.Metrics {
			figures = appendFigures(figures, one)
		}
	}
	e.log.LogAttrs(ctx, slog.LevelInfo, "metrics", slog.GroupAttrs("metrics", figures...))
	return nil
}

func (logExporter) ForceFlush(context.Context) error { return nil }
func (logExporter) Shutdown(context.Context) error   { return nil }

func appendFigures(figures []slog.Attr, one metricdata.Metrics) []slog.Attr {
	switch data := one.Data.(type) {
	case metricdata.Gauge[int64]:
		return appendPoints(figures, one.Name, data.DataPoints)
	case metricdata.Gauge[float64]:
		return appendPoints(figures, one.Name, data.DataPoints)
	case metricdata.Sum[int64]:
		return appendPoints(figures, one.Name, data.DataPoints)
	case metricdata.Sum[float64]:
		return appendPoints(figures, one.Name, data.DataPoints)
	case metricdata.Histogram[int64]:
		return appendHistogram(figures, one.Name, data.DataPoints)
	case metricdata.Histogram[float64]:
		return appendHistogram(figures, one.Name, data.DataPoints)
	}
	return figures // of a kind that the worker does not use
}

func appendPoints[N int64 | float64](figures []slog.Attr, name string, points []metricdata.DataPoint[N]) []slog.Attr {
	for _, point := range points {
		figures = append(figures, slog.Any(figureKey(name, point.Attributes), point.Value))
	}
	return figures
}

func appendHistogram[N int64 | float64](figures []slog.Attr, name string, points []metricdata.HistogramDataPoint[N]) []slog.Attr {
	for _, point := range points {
		if point.Count == 0 {
			continue
		}
		key := figureKey(name, point.Attributes)
		highest, _ := point.Max.Value()
		figures = append(figures,
			slog.Uint64(key+".count", point.Count), slog.Any(key+".sum", point.Sum), slog.Any(key+".max", highest))
	}
	return figures
}

func figureKey(name string, attributes attribute.Set) string {
	for _, kv := range attributes.ToSlice() {
		name += "." + kv.Value.String()
	}
	return name
}
