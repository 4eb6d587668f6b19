package main

import (
	"time"

	"chatapp/internal/chatcheck"
)

// finish compares what all users have received, prints the result, and returns the exit status.
func (v *verification) finish() int {
	var records []chatcheck.Record
	for _, c := range v.users {
		if c != nil {
			records = append(records, c.Record())
		}
	}
	if len(records) == v.clients {
		result := chatcheck.Compare(records)
		v.problems = append(v.problems, result.Faults...)
		if want := v.senders * v.messages; result.Sent != want {
			v.problem("%d of %d messages acknowledged", result.Sent, want)
		}
		v.printResult(result, records)
	}
	for _, problem := range v.problems {
		v.print("FAILED       %s", problem)
	}
	if len(v.problems) > 0 {
		return 1
	}
	v.print("ok")
	return 0
}

func (v *verification) printResult(r chatcheck.Result, records []chatcheck.Record) {
	instances := make(map[string]bool)
	for _, record := range records {
		for _, instance := range record.Instances {
			instances[instance] = true
		}
	}
	v.print("served       by %d instances; %d reconnects after lost connections", len(instances), r.Reconnects)
	v.print("sent         %d messages, acknowledged after p50 %s  p99 %s",
		r.Sent, quantile(r.Acks, .5), quantile(r.Acks, .99))
	v.print("received     %d of %d, while connected after p50 %s  p99 %s",
		r.Expected-r.Lost, r.Expected, quantile(r.Deliveries, .5), quantile(r.Deliveries, .99))
	v.print("verified     %d lost, %d duplicated, %d changed, %d users with another order, "+
		"%d without all they had missed, %d of %d provisional messages not resolved",
		r.Lost, r.Duplicates, r.Changed, r.Reordered, r.Resets, r.Unresolved, r.Provisional)
}

func quantile(sorted []time.Duration, part float64) string {
	return millis(micros(chatcheck.Quantile(sorted, part)))
}
