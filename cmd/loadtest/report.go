package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// report is the outcome of a run, and the object that -json prints. Durations are in microseconds
// or seconds, as their names say.
type report struct {
	Mode     string         `json:"mode"`
	Protocol string         `json:"door"`
	Clients  int            `json:"clients"`
	OK       bool           `json:"ok"`
	Problems []string       `json:"problems"`
	Connect  *connectReport `json:"connect,omitempty"`
	Chat     *chatReport    `json:"chat,omitempty"`
	Idle     *idleReport    `json:"idle,omitempty"`
	Server   *serverReport  `json:"server,omitempty"`
	Share    float64        `json:"ownCPUShare"` // of one processor, used by this program while measuring
}

// latency holds quantiles of a delay. They are exact to 1.6 %.
type latency struct {
	Samples uint64  `json:"samples"`
	P50     float64 `json:"p50Micros"`
	P90     float64 `json:"p90Micros"`
	P99     float64 `json:"p99Micros"`
	P999    float64 `json:"p999Micros"`
	Max     float64 `json:"maxMicros"`
}

func newLatency(h *histogram) latency {
	return latency{
		Samples: h.total, P50: micros(h.quantile(0.5)), P90: micros(h.quantile(0.9)),
		P99: micros(h.quantile(0.99)), P999: micros(h.quantile(0.999)), Max: micros(h.max),
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func (l latency) String() string {
	return fmt.Sprintf("p50 %s  p90 %s  p99 %s  p99.9 %s  max %s",
		millis(l.P50), millis(l.P90), millis(l.P99), millis(l.P999), millis(l.Max))
}

func millis(us float64) string { return fmt.Sprintf("%.2f ms", us/1000) }

// connectReport is how connecting went. Latency is the time from dialling to the answer that
// accepts the client.
type connectReport struct {
	Accepted  int     `json:"accepted"`
	Failed    int     `json:"failed"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"perSecond"`
	Latency   latency `json:"latency"`
}

// chatReport is what was sent and received. Rates are those of the measured time, counts those of
// the whole run, with warm-up and drain.
type chatReport struct {
	Senders int `json:"senders"`
	Size    int `json:"size"`
	sendingReport
	deliveryReport
	ackReport
	Latency    latency `json:"latency"`
	AckLatency latency `json:"ackLatency"`
}

type sendingReport struct {
	Sent         uint64  `json:"sent"`
	Late         uint64  `json:"sentLate"` // messages sent more than maxLag after they were due
	MaxLagMicros float64 `json:"maxLagMicros"`
}

type deliveryReport struct {
	MessagesPerSecond float64 `json:"messagesPerSecond"` // each delivered to all clients
	PerSecond         float64 `json:"deliveriesPerSecond"`
	FramesPerRead     float64 `json:"framesPerRead"` // more than 1 where the server writes several messages at once

	Expected          uint64 `json:"expected"`
	Deliveries        uint64 `json:"deliveries"`
	Lost              uint64 `json:"lost"`
	ClientsWithLosses int    `json:"clientsWithLosses"`
	Duplicates        uint64 `json:"doubled"`
	OutOfOrder        uint64 `json:"outOfOrder"`
	OtherOrder        int    `json:"clientsWithOtherOrder"` // only with -total-order
	Echoed            uint64 `json:"echoed"`                // messages that came back to their sender
	Damaged           uint64 `json:"damaged"`
	Foreign           uint64 `json:"foreign"` // messages of users outside this run, which is no fault
	Dropped           int    `json:"connectionsDropped"`
}

type ackReport struct {
	Acked   uint64 `json:"acked"`
	Unacked uint64 `json:"unacked"`
	Refused uint64 `json:"refused"` // acknowledgements that refuse
}

// faults describes what is wrong.
func (chat *chatReport) faults() []string {
	var faults []string
	count := func(n uint64, what string) {
		if n > 0 {
			faults = append(faults, fmt.Sprintf("%d %s", n, what))
		}
	}
	count(chat.Lost, fmt.Sprintf("of %d deliveries lost, by %d clients "+
		"(if the server limits message rates, lift the limit: MESSAGE_RATE=0)", chat.Expected, chat.ClientsWithLosses))
	count(chat.Duplicates, "deliveries duplicated")
	count(chat.OutOfOrder, "deliveries out of their sender's order")
	count(uint64(chat.OtherOrder), "clients received another interleaving")
	count(chat.Echoed, "messages came back to their own sender")
	count(chat.Damaged, "texts damaged")
	count(chat.Unacked, "messages not acknowledged")
	count(chat.Refused, "messages refused by their acknowledgement")
	if chat.Expected == 0 {
		faults = append(faults, "nothing was sent")
	}
	return faults
}

// idleReport is what idle clients received.
type idleReport struct {
	Open       int     `json:"open"` // at the end
	Seconds    float64 `json:"seconds"`
	Heartbeats uint64  `json:"heartbeats"` // within the seconds
}

// serverReport is what the processes named by -pid used while measuring.
type serverReport struct {
	CPUSeconds    float64 `json:"cpuSeconds"`
	Share         float64 `json:"cpuShare"`      // of one processor
	ResidentBytes int64   `json:"residentBytes"` // at the end
	GrownBytes    int64   `json:"grownBytes"`    // idle: since before the first connection; else while measuring

	CPUMicrosPerDelivery         float64 `json:"cpuMicrosPerDelivery,omitempty"`
	CPUMicrosPerHeartbeat        float64 `json:"cpuMicrosPerHeartbeat,omitempty"`
	CPUMicrosPerConnectionMinute float64 `json:"cpuMicrosPerConnectionMinute,omitempty"`
	BytesPerConnection           float64 `json:"bytesPerConnection,omitempty"`
	ConnectsPerCPUSecond         float64 `json:"connectsPerCPUSecond,omitempty"`
}

// writeJSON prints the report as one JSON object on one line.
func (r *report) writeJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// saturated is the share of a processor from which this program may have been the bottleneck.
const saturated = 0.9

// writeText prints the report as text.
func (r *report) writeText(w io.Writer) {
	fmt.Fprintf(w, "%s over %s, %d clients\n", r.Mode, r.Protocol, r.Clients)
	if c := r.Connect; c != nil {
		fmt.Fprintf(w, "connected    %d in %.2f s (%.0f/s), %d failed\n", c.Accepted, c.Seconds, c.PerSecond, c.Failed)
		fmt.Fprintf(w, "  accepted after  %v\n", c.Latency)
	}
	if c := r.Chat; c != nil {
		c.writeText(w)
	}
	if i := r.Idle; i != nil {
		fmt.Fprintf(w, "idle         %d open after %.1f s, %d heartbeats\n", i.Open, i.Seconds, i.Heartbeats)
	}
	if r.Server != nil {
		r.Server.writeText(w)
	}
	if r.Share > saturated {
		fmt.Fprintf(w, "note         this program used %.0f %% of a processor: the limit may be its own\n", 100*r.Share)
	}
	for _, problem := range r.Problems {
		fmt.Fprintf(w, "FAILED       %s\n", problem)
	}
	if r.OK {
		fmt.Fprintln(w, "ok")
	}
}

func (chat *chatReport) writeText(w io.Writer) {
	fmt.Fprintf(w, "sent         %d messages of %d bytes by %d senders, %d of them late, the latest by %s\n",
		chat.Sent, chat.Size, chat.Senders, chat.Late, millis(chat.MaxLagMicros))
	fmt.Fprintf(w, "delivered    %d of %d; while measured %.0f/s, that is %.1f messages/s to all, %.1f frames a read\n",
		chat.Deliveries, chat.Expected, chat.PerSecond, chat.MessagesPerSecond, chat.FramesPerRead)
	fmt.Fprintf(w, "  latency         %v\n", chat.Latency)
	if chat.Acked > 0 {
		fmt.Fprintf(w, "  acks            %v\n", chat.AckLatency)
	}
	fmt.Fprintf(w, "verified     %d lost, %d duplicated, %d out of order, %d echoed, %d damaged, %d foreign\n",
		chat.Lost, chat.Duplicates, chat.OutOfOrder, chat.Echoed, chat.Damaged, chat.Foreign)
}

func (server *serverReport) writeText(w io.Writer) {
	fmt.Fprintf(w, "server       %.2f CPU seconds (%.0f %% of a processor), %.1f MiB resident, %+.1f MiB\n",
		server.CPUSeconds, 100*server.Share, mebibytes(server.ResidentBytes), mebibytes(server.GrownBytes))
	lines := []struct {
		value  float64
		format string
	}{
		{server.CPUMicrosPerDelivery, "  %.2f us of CPU a delivery\n"},
		{server.CPUMicrosPerHeartbeat, "  %.2f us of CPU a heartbeat\n"},
		{server.CPUMicrosPerConnectionMinute, "  %.1f us of CPU a connection and minute\n"},
		{server.BytesPerConnection, "  %.0f bytes resident a connection\n"},
		{server.ConnectsPerCPUSecond, "  %.0f connects a CPU second\n"},
	}
	for _, line := range lines {
		if line.value != 0 {
			fmt.Fprintf(w, line.format, line.value)
		}
	}
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
