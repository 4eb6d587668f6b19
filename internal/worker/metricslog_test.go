package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

func TestMetricsAreLoggedAsOneLine(t *testing.T) {
	var out bytes.Buffer
	reader := logReader(slog.New(slog.NewJSONHandler(&out, nil)), time.Hour)
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	ctx := context.Background()
	meter := provider.Meter("test")
	sockets, err1 := meter.Int64Gauge("chat.sockets")
	events, err2 := meter.Int64Counter("chat.events")
	size, err3 := meter.Int64Counter("chat.transport.size")
	load, err4 := meter.Int64UpDownCounter("chat.load")
	latency, err5 := meter.Float64Histogram("chat.log.latency")
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			t.Fatal(err)
		}
	}
	line := func() map[string]any {
		t.Helper()
		out.Reset()
		if err := provider.ForceFlush(ctx); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Msg     string
			Metrics map[string]any
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Msg != "metrics" {
			t.Fatalf("the log line is %q (%v), want one JSON object with msg metrics", out.String(), err)
		}
		return got.Metrics
	}

	sockets.Record(ctx, 12)
	events.Add(ctx, 40)
	load.Add(ctx, 3)
	size.Add(ctx, 7, metric.WithAttributes(attribute.String("direction", "in")))
	size.Add(ctx, 9, metric.WithAttributes(attribute.String("direction", "out")))
	latency.Record(ctx, .25)
	latency.Record(ctx, .5)
	want := map[string]any{
		"chat.sockets": 12.0, "chat.events": 40.0, "chat.load": 3.0,
		"chat.transport.size.in": 7.0, "chat.transport.size.out": 9.0,
		"chat.log.latency.count": 2.0, "chat.log.latency.sum": .75, "chat.log.latency.max": .5,
	}
	if got := line(); !reflect.DeepEqual(got, want) {
		t.Errorf("the first line has %v, want %v", got, want)
	}

	sockets.Record(ctx, 11)
	events.Add(ctx, 2)
	load.Add(ctx, 1)
	got := line()
	for key, want := range map[string]any{
		"chat.sockets": 11.0, "chat.events": 2.0, "chat.load": 4.0, "chat.log.latency.count": nil,
	} {
		if got[key] != want {
			t.Errorf("the second line has %s = %v, want %v (growth or gauge)", key, got[key], want)
		}
	}

	events.Add(ctx, 5)
	out.Reset()
	if err := provider.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(out.Bytes(), []byte(`"chat.events":5`)) {
		t.Errorf("shut down, the last line is %q, want the events since the line before", out.String())
	}
}
