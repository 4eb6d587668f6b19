package chatcheck

import (
	"fmt"
	"slices"
	"time"
)

// Result is what the comparison of records has found.
type Result struct {
	Clients    int
	Sent       int // messages acknowledged
	Expected   int // messages times the clients that had to receive them
	Lost       int // of these, not received
	Duplicates int // lines received twice, or messages that are in the log twice
	Changed    int // messages whose text another client received differently
	Reordered  int // clients that received lines in another order
	SharedIDs  int // messages acknowledged under the id of another
	Resets     int // times a server could not send what was missed
	Reconnects int // times a client connected again after its connection was lost

	Provisional int // messages that clients received before the log had them
	Unresolved  int // of these, followed by neither the real one nor a withdrawal
	Problems    int // of clients, otherwise

	// Acks and Deliveries are latencies, sorted. A message counts as a delivery if it was received
	// as it happened.
	Acks, Deliveries []time.Duration

	// Faults describes what is wrong, the first few of each kind. A correct chat has none.
	Faults []string
}

// maxFaults is how many faults of a kind are described.
const maxFaults = 5

// fault counts a fault, and describes it while there are few of its kind.
func (r *Result) fault(count *int, format string, args ...any) {
	if *count++; *count <= maxFaults {
		r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
	}
}

// Compare compares the records of all clients. At least one client must have sent nothing, because
// a sender does not receive its own messages: the order in which that client received the lines is
// the one that all others must share. All clients must have joined before the first message that
// one of them sent.
func Compare(records []Record) Result {
	result := Result{Clients: len(records)}
	sent := make(map[string]original) // by id
	for _, r := range records {
		result.Sent += len(r.Sent)
		result.Reconnects += r.Reconnects
		result.Provisional += r.Provisional
		for _, s := range r.Sent {
			if other, ok := sent[s.ID]; ok {
				result.fault(&result.SharedIDs, "%s and %s both had a message acknowledged as %s", other.from,
					r.Name, s.ID)
			}
			sent[s.ID] = original{r.Name, s.Text, s.At}
			result.Acks = append(result.Acks, s.Took)
		}
	}
	order := result.reference(records, sent)
	for i := range records {
		result.compare(&records[i], sent, order)
	}
	slices.Sort(result.Acks)
	slices.Sort(result.Deliveries)
	return result
}

// original is a message as its sender recorded it.
type original struct {
	from, text string
	at         time.Time // when it was sent
}

// reference returns the order of lines, by id, in which a client received them that sent nothing.
func (r *Result) reference(records []Record, sent map[string]original) map[string]int {
	order := make(map[string]int)
	i := slices.IndexFunc(records, func(r Record) bool { return !r.Sends })
	if i < 0 {
		r.fault(&r.Problems, "all clients have sent messages: none is left to compare the others with")
		return order
	}
	texts := make(map[string]string)
	for n, l := range records[i].Lines {
		order[l.ID] = n
		if l.Kind != "message" {
			continue
		}
		if other, ok := texts[l.From+"\x00"+l.Text]; ok {
			if _, ours := sent[l.ID]; ours {
				r.fault(&r.Duplicates, "%s's %q is in the log twice, as %s and %s", l.From, l.Text, other, l.ID)
			} else if _, ours := sent[other]; ours {
				r.fault(&r.Duplicates, "%s's %q is in the log again, as %s", l.From, l.Text, l.ID)
			}
		}
		texts[l.From+"\x00"+l.Text] = l.ID
	}
	return order
}

// compare compares one client's record with what was sent, and with the order.
func (r *Result) compare(record *Record, sent map[string]original, order map[string]int) {
	r.Expected += len(sent) - len(record.Sent)
	received := r.compareLines(record, sent, order)
	for id, s := range sent {
		if !received[id] && s.from != record.Name {
			r.fault(&r.Lost, "%s did not receive %q from %s", record.Name, s.text, s.from)
		}
	}
	for _, l := range record.Duplicates {
		r.fault(&r.Duplicates, "%s received %s's %s %q twice", record.Name, l.From, l.Kind, l.Text)
	}
	for range record.Resets {
		r.fault(&r.Resets, "the server could not send %s what it had missed", record.Name)
	}
	for _, text := range record.Unresolved {
		r.fault(&r.Unresolved, "%s still has as provisional: %q", record.Name, text)
	}
	for _, problem := range record.Problems {
		r.fault(&r.Problems, "%s: %s", record.Name, problem)
	}
}

// compareLines compares the lines that one client received, and returns the ids of the messages
// among them.
func (r *Result) compareLines(record *Record, sent map[string]original, order map[string]int) map[string]bool {
	received := make(map[string]bool, len(record.Lines))
	last, ordered := -1, true
	for _, l := range record.Lines {
		if position, ok := order[l.ID]; ok && l.From != record.Name {
			if position < last && ordered {
				ordered = false
				r.fault(&r.Reordered, "%s received %s's %s %q out of order", record.Name, l.From, l.Kind, l.Text)
			}
			last = max(last, position)
		}
		s, ours := sent[l.ID]
		if l.Kind != "message" || !ours {
			continue
		}
		received[l.ID] = true
		if s.from != l.From || s.text != l.Text {
			r.fault(&r.Changed, "%s received %q from %s; it was %q from %s", record.Name, l.Text, l.From,
				s.text, s.from)
		}
		if l.Live {
			r.Deliveries = append(r.Deliveries, l.At.Sub(s.at))
		}
	}
	return received
}

// Quantile returns the value below which the given part of sorted durations lies.
func Quantile(sorted []time.Duration, part float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}
