package worker

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/servicebus"
	"chatapp/internal/chat"
	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
)

// figures are what all parts of the worker count, read once for all measures: reading them visits every session.
type figures struct {
	engine  engineio.Stats
	sockets socketio.Stats
	chat    chat.Counters
	node    backplane.Counters
	status  backplane.Status
	bus     servicebus.Counters
}

func (w *Worker) figures() *figures {
	f := &figures{
		engine: w.engine.Stats(), sockets: w.sockets.Stats(), chat: w.chat.Counters(),
		node: w.cluster.node.Counters(), status: w.cluster.node.Status(),
	}
	if w.cluster.service != nil {
		f.bus = w.cluster.service.Counters()
	}
	return f
}

// measures are all figures of the worker but the histograms.
func (w *Worker) measures() []measure {
	return slices.Concat(w.engineMeasures(), chatMeasures(), nodeMeasures(), busMeasures())
}

func with(name, value string) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String(name, value)}
}

// engineMeasures are the figures of the doors.
func (w *Worker) engineMeasures() []measure {
	in, out := with("direction", "in"), with("direction", "out")
	return []measure{
		{"chat.sessions", "{session}", "Connections open now, polling ones included.", gauge, nil, func(f *figures) int64 { return int64(f.engine.Sessions) }},
		{"chat.sessions.opened", "{session}", "Connections ever opened.", counter, nil, func(f *figures) int64 { return int64(f.engine.Opened) }},
		{"chat.queue.size", "By", "Bytes waiting to be sent to clients.", gauge, nil, func(f *figures) int64 { return int64(f.engine.QueuedBytes) }},
		{"chat.transport.messages", "{message}", "Messages received from and sent to clients.", counter, in, func(f *figures) int64 { return int64(f.engine.MessagesIn) }},
		{"chat.transport.messages", "{message}", "", counter, out, func(f *figures) int64 { return int64(f.engine.MessagesOut) }},
		{"chat.transport.size", "By", "Bytes of messages received, and bytes written to clients.", counter, in, func(f *figures) int64 { return int64(f.engine.BytesIn) }},
		{"chat.transport.size", "By", "", counter, out, func(f *figures) int64 { return int64(f.engine.BytesOut) }},
		{"chat.transport.writes", "{write}", "Gathered writes to WebSockets.", counter, nil, func(f *figures) int64 { return int64(f.engine.Writes) }},
		{"chat.slow_consumers", "{session}", "Connections closed because their client did not read fast enough.", counter, nil, func(f *figures) int64 { return int64(f.engine.SlowConsumers) }},
		{"chat.sockets", "{socket}", "Sockets in a namespace now.", gauge, nil, func(f *figures) int64 { return int64(f.sockets.Sockets) }},
		{"chat.events", "{event}", "Events received from clients.", counter, nil, func(f *figures) int64 { return int64(f.sockets.Events) }},
		{"chat.deliveries", "{event}", "Events sent to clients, one for each receiver.", counter, nil, func(f *figures) int64 { return int64(f.sockets.Deliveries) }},
		{"chat.connect_errors", "{socket}", "Clients refused by a namespace.", counter, nil, func(f *figures) int64 { return int64(f.sockets.ConnectErrors) }},
		{"chat.protocol_errors", "{error}", "Packets refused as malformed.", counter, nil, func(f *figures) int64 { return int64(f.sockets.ProtocolErrors) }},
		{"chat.panics", "{panic}", "Event handlers that panicked.", counter, nil, func(f *figures) int64 { return int64(f.sockets.Panics) }},
		{"chat.ready", "1", "1 where new clients should be sent here.", gauge, nil, func(*figures) int64 {
			if w.notReady() == "" {
				return 1
			}
			return 0
		}},
	}
}

// chatMeasures are the figures of the chat.
func chatMeasures() []measure {
	count := func(kind measureKind, name, unit, description string, value func(*chat.Counters) int64) measure {
		return measure{name, unit, description, kind, nil, func(f *figures) int64 { return value(&f.chat) }}
	}
	measures := []measure{
		count(gauge, "chat.users", "{user}", "Users of the whole chat, held names included.", func(c *chat.Counters) int64 { return int64(c.Users) }),
		count(gauge, "chat.users.held", "{user}", "Users whose connection is lost and whose name is kept.", func(c *chat.Counters) int64 { return int64(c.Held) }),
		count(gauge, "chat.rooms", "{room}", "Rooms of the whole chat.", func(c *chat.Counters) int64 { return int64(c.Rooms) }),
		count(gauge, "chat.history.size", "By", "Bytes of history kept.", func(c *chat.Counters) int64 { return int64(c.HistoryBytes) }),
		count(counter, "chat.messages", "{message}", "Messages said here and in the log.", func(c *chat.Counters) int64 { return int64(c.Messages) }),
		count(counter, "chat.messages.repeated", "{message}", "Messages that clients sent again and that were there already.", func(c *chat.Counters) int64 { return int64(c.Duplicates) }),
		count(counter, "chat.returns", "{user}", "Users who came back to their name.", func(c *chat.Counters) int64 { return int64(c.Returns) }),
		count(counter, "chat.provisional", "{message}", "Messages shown before the log had them.", func(c *chat.Counters) int64 { return int64(c.Provisional) }),
		count(counter, "chat.log.malformed", "{entry}", "Entries of the log that are no commands of the chat.", func(c *chat.Counters) int64 { return int64(c.Malformed) }),
		count(counter, "chat.refusals", "{refusal}", "Requests of clients refused.", func(c *chat.Counters) int64 {
			total := uint64(0)
			for _, n := range c.Refusals {
				total += n
			}
			return int64(total)
		}),
	}
	return measures
}

// nodeMeasures are the figures of the log and the cluster.
func nodeMeasures() []measure {
	count := func(name, unit, description string, value func(*backplane.Counters) uint64) measure {
		return measure{name, unit, description, counter, nil, func(f *figures) int64 { return int64(value(&f.node)) }}
	}
	return []measure{
		{"chat.instances", "{instance}", "Instances in the cluster, as this one has it.", gauge, nil, func(f *figures) int64 { return int64(len(f.status.Members)) }},
		{"chat.log.waiting", "{entry}", "Own entries not back from the log.", gauge, nil, func(f *figures) int64 { return int64(f.status.Waiting) }},
		count("chat.log.entries", "{entry}", "Entries of all instances applied.", func(c *backplane.Counters) uint64 { return c.Applied }),
		count("chat.log.refused", "{entry}", "Own entries refused because too many waited.", func(c *backplane.Counters) uint64 { return c.Refused }),
		count("chat.log.repeats", "{entry}", "Entries received again and dropped.", func(c *backplane.Counters) uint64 { return c.Repeats }),
		count("chat.log.resent", "{entry}", "Own entries published again.", func(c *backplane.Counters) uint64 { return c.Resent }),
		count("chat.log.gaps", "{gap}", "Holes found in the log.", func(c *backplane.Counters) uint64 { return c.Gaps }),
		count("chat.joins", "{join}", "Times this instance got in step; 1 is a quiet life.", func(c *backplane.Counters) uint64 { return c.Joins }),
		count("chat.evictions", "{instance}", "Instances evicted.", func(c *backplane.Counters) uint64 { return c.Evictions }),
		count("chat.bus.busy", "{refusal}", "Messages that the bus refused because too much was asked of it.", func(c *backplane.Counters) uint64 { return c.Busy }),
		count("chat.bus.failures", "{failure}", "Other operations of the bus that failed.", func(c *backplane.Counters) uint64 { return c.Failures }),
		count("chat.bus.restarts", "{restart}", "Times receiving was begun again.", func(c *backplane.Counters) uint64 { return c.Restarts }),
	}
}

// busMeasures are what is asked of Service Bus, and what that costs. Without Service Bus they stay 0, so that dashboards find them.
func busMeasures() []measure {
	operation := func(kind string, value func(servicebus.Counters) uint64) measure {
		return measure{"chat.bus.operations", "{operation}", "Operations of Service Bus, as it bills them.", counter, with("kind", kind),
			func(f *figures) int64 { return int64(value(f.bus)) }}
	}
	count := func(name, unit, description string, value func(servicebus.Counters) uint64) measure {
		return measure{name, unit, description, counter, nil, func(f *figures) int64 { return int64(value(f.bus)) }}
	}
	return []measure{
		operation("send", func(c servicebus.Counters) uint64 { return c.Sends }),
		operation("receive", func(c servicebus.Counters) uint64 { return c.Receives }),
		operation("complete", func(c servicebus.Counters) uint64 { return c.Completes }),
		operation("peek", func(c servicebus.Counters) uint64 { return c.Peeks }),
		operation("manage", func(c servicebus.Counters) uint64 { return c.Manages }),
		{"chat.bus.operations.monthly", "{operation}", "Operations of this instance in a month, if it goes on as it has since its start.", gauge, nil, monthlyOperations()},
		count("chat.bus.dead_letters", "{message}", "Messages dead-lettered because they could not be decoded.", func(c servicebus.Counters) uint64 { return c.DeadLettered }),
		count("chat.bus.holes", "{message}", "Messages missing when their successors came, and looked for.", func(c servicebus.Counters) uint64 { return c.Holes }),
		count("chat.bus.subscriptions.swept", "{subscription}", "Subscriptions without an instance removed.", func(c servicebus.Counters) uint64 { return c.Swept }),
	}
}

const month = 30 * 24 * time.Hour

// monthlyOperations forecasts from the rate since the start. A Standard namespace includes 13 million a month.
func monthlyOperations() func(*figures) int64 {
	start := time.Now()
	return func(f *figures) int64 {
		elapsed := max(time.Since(start), time.Minute)
		return int64(float64(f.bus.Total()) * float64(month) / float64(elapsed))
	}
}
