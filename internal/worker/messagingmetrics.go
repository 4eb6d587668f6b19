package worker

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"chatapp/internal/backplane"
)

// messagingMetrics measure the use of the bus by OpenTelemetry's semantic conventions for messaging, as far as these
// have names for it. The metrics chat.bus.* are about what Service Bus bills, and about the log.
type messagingMetrics struct {
	duration metric.Float64Histogram
	sent     metric.Int64Counter

	receive          []attribute.KeyValue
	done, busy, lost metric.MeasurementOption // attributes of sending, by its outcome
}

// operationBounds are those that the conventions advise, in seconds.
var operationBounds = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

func newMessagingMetrics(m *metrics, config ServiceBusConfig) (*messagingMetrics, error) {
	bus := messagingAttributes(config)
	operation := func(kind string, more ...attribute.KeyValue) []attribute.KeyValue {
		attributes := append(more, attribute.String("messaging.operation.name", kind),
			attribute.String("messaging.operation.type", kind))
		return append(attributes, bus...)
	}
	option := func(attributes []attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(attributes...))
	}
	b := &messagingMetrics{
		receive: operation("receive"),
		done:    option(operation("send")),
		busy:    option(operation("send", attribute.String("error.type", "server-busy"))),
		lost:    option(operation("send", attribute.String("error.type", "_OTHER"))),
	}
	var errs [2]error
	b.duration, errs[0] = m.histogram("messaging.client.operation.duration", "s",
		"Duration of sending a message to the bus.", operationBounds)
	m.names = append(m.names, "messaging.client.sent.messages")
	b.sent, errs[1] = m.meter.Int64Counter("messaging.client.sent.messages", metric.WithUnit("{message}"),
		metric.WithDescription("Messages that this instance attempted to send to the bus."))
	return b, errors.Join(errs[:]...)
}

func (b *messagingMetrics) published(p backplane.Publication) {
	outcome := b.done
	switch {
	case errors.Is(p.Err, backplane.ErrBusy):
		outcome = b.busy
	case p.Err != nil:
		outcome = b.lost
	}
	b.duration.Record(context.Background(), time.Since(p.Began).Seconds(), outcome)
	b.sent.Add(context.Background(), 1, outcome)
}

func (b *messagingMetrics) observables() []observable {
	return []observable{{"messaging.client.consumed.messages", "{message}",
		"Messages that this instance has received from Service Bus, those of its queue included.", counter, b.receive,
		func(s *sample) int64 { return int64(s.bus.Receives) }}}
}
