package worker

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/servicebus"
	"chatapp/internal/chat"
	"chatapp/internal/engineio"
	"chatapp/internal/recorder"
	"chatapp/internal/socketio"
)

// sample holds the statistics of all parts at one moment. One collection of metrics reads it once, because reading it
// visits every session.
type sample struct {
	engine  engineio.Stats
	sockets socketio.Stats
	chat    chat.Counters
	node    backplane.Counters
	status  backplane.Status
	bus     servicebus.Counters
	state   state
	storage recorder.Status

	connections int
	refused     uint64 // connections
}

func (w *Worker) sample() *sample {
	s := &sample{
		engine: w.engine.Stats(), sockets: w.sockets.Stats(), chat: w.chat.Counters(),
		node: w.cluster.node.Counters(), status: w.cluster.node.Status(),
	}
	if w.cluster.service != nil {
		s.bus = w.cluster.service.Counters()
	}
	s.state, _ = w.readiness()
	s.storage = w.storage.status()
	s.connections, s.refused = w.connections.counts()
	return s
}

// observables returns all metrics of the worker except the histograms.
func (w *Worker) observables() []observable {
	return slices.Concat(
		stateObservables(), transportObservables(), chatObservables(), logObservables(), busObservables(),
		storageObservables(), w.metrics.messaging.observables())
}

func with(name, value string) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String(name, value)}
}

// stateObservables tell whether the instance is ready and, if not, why.
func stateObservables() []observable {
	is := func(want state) func(*sample) int64 {
		return func(s *sample) int64 {
			if s.state == want {
				return 1
			}
			return 0
		}
	}
	all := []observable{
		{"chat.ready", "", "1 if new clients should be sent here, else 0.", gauge, nil, is(stateReady)},
	}
	for _, one := range states {
		all = append(all, observable{"chat.instance.state", "", "1 for the state the instance is in, else 0.", gauge,
			with("state", string(one)), is(one)})
	}
	return all
}

func transportObservables() []observable {
	in, out := with("direction", "in"), with("direction", "out")
	return []observable{
		{"chat.sessions", "{session}", "Connections open now, polling ones included.", gauge, nil,
			func(s *sample) int64 { return int64(s.engine.Sessions) }},
		{"chat.sessions.opened", "{session}", "Connections opened since the start.", counter, nil,
			func(s *sample) int64 { return int64(s.engine.Opened) }},
		{"chat.queue.size", "By", "Bytes waiting to be sent to clients.", gauge, nil,
			func(s *sample) int64 { return int64(s.engine.QueuedBytes) }},
		{"chat.transport.messages", "{message}", "Messages received from and sent to clients.", counter, in,
			func(s *sample) int64 { return int64(s.engine.MessagesIn) }},
		{"chat.transport.messages", "{message}", "", counter, out,
			func(s *sample) int64 { return int64(s.engine.MessagesOut) }},
		{"chat.transport.size", "By",
			"Bytes of messages received from clients, and bytes written to clients.", counter, in,
			func(s *sample) int64 { return int64(s.engine.BytesIn) }},
		{"chat.transport.size", "By", "", counter, out, func(s *sample) int64 { return int64(s.engine.BytesOut) }},
		{"chat.transport.writes", "{write}", "Write calls to WebSockets, of one or more messages each.", counter, nil,
			func(s *sample) int64 { return int64(s.engine.Writes) }},
		{"chat.slow_consumers", "{session}",
			"Connections closed because their client did not read fast enough.", counter, nil,
			func(s *sample) int64 { return int64(s.engine.SlowConsumers) }},
		{"chat.http.connections", "{connection}", "Connections open now that are not sessions.", gauge, nil,
			func(s *sample) int64 { return int64(s.connections) }},
		{"chat.http.connections.refused", "{connection}", "Connections closed because too many are open.", counter, nil,
			func(s *sample) int64 { return int64(s.refused) }},
		{"chat.transport.refusals", "{refusal}", "Requests and packets of clients that were refused.", counter, nil,
			func(s *sample) int64 { return int64(s.engine.Refusals) }},
		{"chat.origins.refused", "{request}", "Requests refused because of their Origin.", counter, nil,
			func(s *sample) int64 { return int64(s.engine.Origins) }},
		{"chat.sockets", "{socket}", "Socket.IO sockets connected to a namespace now.", gauge, nil,
			func(s *sample) int64 { return int64(s.sockets.Sockets) }},
		{"chat.events", "{event}", "Events received from clients.", counter, nil,
			func(s *sample) int64 { return int64(s.sockets.Events) }},
		{"chat.deliveries", "{event}", "Events sent to clients, counted once for each receiver.", counter, nil,
			func(s *sample) int64 { return int64(s.sockets.Deliveries) }},
		{"chat.connect_errors", "{socket}", "Connections to a namespace that were refused.", counter, nil,
			func(s *sample) int64 { return int64(s.sockets.ConnectErrors) }},
		{"chat.protocol_errors", "{error}", "Packets refused as malformed.", counter, nil,
			func(s *sample) int64 { return int64(s.sockets.ProtocolErrors) }},
		{"chat.panics", "{panic}", "Event handlers that panicked.", counter, nil,
			func(s *sample) int64 { return int64(s.sockets.Panics) }},
	}
}

func chatObservables() []observable {
	count := func(
		kind instrumentKind, name, unit, description string, value func(*chat.Counters) int64,
	) observable {
		return observable{name, unit, description, kind, nil, func(s *sample) int64 { return value(&s.chat) }}
	}
	return []observable{
		count(gauge, "chat.users", "{user}", "Users of the whole chat, disconnected ones included.",
			func(c *chat.Counters) int64 { return int64(c.State.Users) }),
		count(gauge, "chat.users.disconnected", "{user}",
			"Users who are disconnected and whose name is reserved for them.",
			func(c *chat.Counters) int64 { return int64(c.State.Disconnected) }),
		count(gauge, "chat.rooms", "{room}", "Rooms of the whole chat.",
			func(c *chat.Counters) int64 { return int64(c.State.Rooms) }),
		count(counter, "chat.rooms.given_up", "{room}", "Rooms closed to make space for others.",
			func(c *chat.Counters) int64 { return int64(c.State.RoomsGivenUp) }),
		count(counter, "chat.history.dropped", "{line}", "Lines of history dropped to make space for others.",
			func(c *chat.Counters) int64 { return int64(c.State.LinesDropped) }),
		count(gauge, "chat.history.size", "By", "Bytes of history kept.",
			func(c *chat.Counters) int64 { return int64(c.State.HistoryBytes) }),
		count(counter, "chat.messages", "{message}", "Messages of users of this instance that are in the log.",
			func(c *chat.Counters) int64 { return int64(c.Messages) }),
		count(counter, "chat.messages.repeated", "{message}",
			"Messages that clients sent again although the log has them.",
			func(c *chat.Counters) int64 { return int64(c.Duplicates) }),
		count(counter, "chat.returns", "{user}", "Times a user reconnected and got its name back.",
			func(c *chat.Counters) int64 { return int64(c.Returns) }),
		count(counter, "chat.provisional", "{message}", "Messages shown to local users before the log returned them.",
			func(c *chat.Counters) int64 { return int64(c.Provisional) }),
		count(counter, "chat.log.malformed", "{entry}",
			"Log entries that could not be decoded as a command of the chat.",
			func(c *chat.Counters) int64 { return int64(c.Malformed) }),
		count(counter, "chat.refusals", "{refusal}", "Requests of clients that were refused.",
			func(c *chat.Counters) int64 {
				total := uint64(0)
				for _, n := range c.Refusals {
					total += n
				}
				return int64(total)
			}),
	}
}

func logObservables() []observable {
	count := func(name, unit, description string, value func(*backplane.Counters) uint64) observable {
		return observable{name, unit, description, counter, nil,
			func(s *sample) int64 { return int64(value(&s.node)) }}
	}
	return []observable{
		{"chat.instances", "{instance}",
			"Instances in the cluster, as this instance sees it; 0 while out of sync.", gauge, nil,
			func(s *sample) int64 { return int64(len(s.status.Members)) }},
		{"chat.log.waiting", "{entry}", "Entries appended here that have not come back from the log.", gauge, nil,
			func(s *sample) int64 { return int64(s.status.Waiting) }},
		count("chat.log.entries", "{entry}", "Log entries applied, of all instances.",
			func(c *backplane.Counters) uint64 { return c.Applied }),
		count("chat.log.refused", "{entry}", "Entries refused here because too many waited for the log.",
			func(c *backplane.Counters) uint64 { return c.Refused }),
		count("chat.log.repeats", "{entry}", "Log entries received again and dropped.",
			func(c *backplane.Counters) uint64 { return c.Repeats }),
		count("chat.log.resent", "{entry}", "Entries appended here and published more than once.",
			func(c *backplane.Counters) uint64 { return c.Resent }),
		count("chat.log.gaps", "{gap}", "Gaps found in the log.",
			func(c *backplane.Counters) uint64 { return c.Gaps }),
		count("chat.joins", "{join}", "Times this instance got in sync; more than 1 means that it lost sync.",
			func(c *backplane.Counters) uint64 { return c.Joins }),
		count("chat.evictions", "{instance}", "Instances evicted.",
			func(c *backplane.Counters) uint64 { return c.Evictions }),
		count("chat.bus.busy", "{refusal}", "Messages that the bus refused because it was busy.",
			func(c *backplane.Counters) uint64 { return c.Busy }),
		count("chat.bus.failures", "{failure}", "Operations of the bus that failed for another reason.",
			func(c *backplane.Counters) uint64 { return c.Failures }),
		count("chat.bus.restarts", "{restart}", "Times receiving from the bus was restarted.",
			func(c *backplane.Counters) uint64 { return c.Restarts }),
	}
}

// busObservables count the use of Service Bus. Without Service Bus they stay 0, so that dashboards find them all the
// same.
func busObservables() []observable {
	operation := func(kind string, value func(servicebus.Counters) uint64) observable {
		return observable{"chat.bus.operations", "{operation}", "Billable operations of Service Bus.", counter,
			with("kind", kind), func(s *sample) int64 { return int64(value(s.bus)) }}
	}
	count := func(name, unit, description string, value func(servicebus.Counters) uint64) observable {
		return observable{name, unit, description, counter, nil, func(s *sample) int64 { return int64(value(s.bus)) }}
	}
	return []observable{
		operation("send", func(c servicebus.Counters) uint64 { return c.Sends }),
		operation("receive", func(c servicebus.Counters) uint64 { return c.Receives }),
		operation("complete", func(c servicebus.Counters) uint64 { return c.Completes }),
		operation("peek", func(c servicebus.Counters) uint64 { return c.Peeks }),
		operation("manage", func(c servicebus.Counters) uint64 { return c.Manages }),
		{"chat.bus.operations.monthly", "{operation}",
			"Billable operations of this instance in a month, at its average rate since the start.", gauge, nil,
			monthlyOperations()},
		count("chat.bus.dead_letters", "{message}", "Messages dead-lettered because they could not be decoded.",
			func(c servicebus.Counters) uint64 { return c.DeadLettered }),
		count("chat.bus.gaps", "{message}",
			"Messages that were missing when later ones arrived, and were looked for.",
			func(c servicebus.Counters) uint64 { return c.Gaps }),
		count("chat.bus.subscriptions.swept", "{subscription}", "Orphaned subscriptions removed.",
			func(c servicebus.Counters) uint64 { return c.Swept }),
	}
}

const month = 30 * 24 * time.Hour

// monthlyOperations extrapolates from the rate since the start. The Standard tier includes 13 million a month.
func monthlyOperations() func(*sample) int64 {
	start := time.Now()
	return func(s *sample) int64 {
		elapsed := max(time.Since(start), time.Minute)
		return int64(float64(s.bus.Total()) * float64(month) / float64(elapsed))
	}
}
