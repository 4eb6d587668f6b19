package chatcheck

import (
	"fmt"
	"slices"
	"time"
)

// Verdict is what records say together.
type Verdict struct {
	Clients  int
	Said     int // messages acknowledged
	Expected int // messages times the clients that had to hear them
	Lost     int // of these, not heard
	Doubled  int // lines told twice, or messages that are twice in the log
	Changed  int // messages whose text is another at another client
	Disorder int // clients that saw lines in another order
	Unknown  int // acknowledged messages that nobody heard
	Resets   int // times a server could not tell what was missed
	Troubles int // of clients, otherwise
	Returns  int // times a client came back after its connection was lost

	Acks, Deliveries []time.Duration // sorted; deliveries are of what was heard as it happened

	// Faults says in words what is wrong, the first few of each kind; none is a good chat.
	Faults []string
}

// maxFaults is how many faults of a kind are put in words.
const maxFaults = 5

// fault counts a fault and puts it in words while there are few.
func (v *Verdict) fault(count *int, format string, args ...any) {
	if *count++; *count <= maxFaults {
		v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
	}
}

// Judge compares what all clients remember. At least one of them must have said nothing: it is the one whose order all others must share,
// since nobody is told his own messages. All must have been in the chat before the first message that one of them said.
func Judge(records []Record) Verdict {
	v := Verdict{Clients: len(records)}
	said := make(map[string]heard) // by id
	for _, r := range records {
		v.Said += len(r.Said)
		v.Returns += r.Returns
		for _, s := range r.Said {
			if other, ok := said[s.ID]; ok {
				v.fault(&v.Unknown, "%s and %s were both told that their message is %s", other.from, r.Name, s.ID)
			}
			said[s.ID] = heard{r.Name, s.Text, s.At}
			v.Acks = append(v.Acks, s.Took)
		}
	}
	order := v.reference(records, said)
	for i := range records {
		v.judge(&records[i], said, order)
	}
	slices.Sort(v.Acks)
	slices.Sort(v.Deliveries)
	return v
}

// heard is a message as one who knows best has it.
type heard struct {
	from, text string
	at         time.Time // when it was said; zero for one that nobody here said
}

// reference is the order of lines, by id, as the one client saw it that said nothing.
func (v *Verdict) reference(records []Record, said map[string]heard) map[string]int {
	order := make(map[string]int)
	i := slices.IndexFunc(records, func(r Record) bool { return !r.Speaks })
	if i < 0 {
		v.fault(&v.Troubles, "all clients have spoken: none is left to compare the others with")
		return order
	}
	texts := make(map[string]string)
	for n, l := range records[i].Lines {
		order[l.ID] = n
		if l.Kind != "message" {
			continue
		}
		if other, ok := texts[l.From+"\x00"+l.Text]; ok {
			if _, ours := said[l.ID]; ours {
				v.fault(&v.Doubled, "%s's %q is in the log twice, as %s and %s", l.From, l.Text, other, l.ID)
			} else if _, ours := said[other]; ours {
				v.fault(&v.Doubled, "%s's %q is in the log again, as %s", l.From, l.Text, l.ID)
			}
		}
		texts[l.From+"\x00"+l.Text] = l.ID
	}
	return order
}

func (v *Verdict) judge(r *Record, said map[string]heard, order map[string]int) {
	v.Expected += len(said) - len(r.Said)
	got := make(map[string]bool, len(r.Lines))
	last, ordered := -1, true
	for _, l := range r.Lines {
		if place, ok := order[l.ID]; ok && l.From != r.Name {
			if place < last && ordered {
				ordered = false
				v.fault(&v.Disorder, "%s saw %s's %s %q out of order", r.Name, l.From, l.Kind, l.Text)
			}
			last = max(last, place)
		}
		s, ours := said[l.ID]
		if l.Kind != "message" || !ours {
			continue
		}
		got[l.ID] = true
		if s.from != l.From || s.text != l.Text {
			v.fault(&v.Changed, "%s heard %s say %q, who was %s and said %q", r.Name, l.From, l.Text, s.from, s.text)
		}
		if l.Live {
			v.Deliveries = append(v.Deliveries, l.At.Sub(s.at))
		}
	}
	for id, s := range said {
		if !got[id] && s.from != r.Name {
			v.fault(&v.Lost, "%s did not hear %s say %q", r.Name, s.from, s.text)
		}
	}
	for _, l := range r.Doubled {
		v.fault(&v.Doubled, "%s was told %s's %s %q twice", r.Name, l.From, l.Kind, l.Text)
	}
	for range r.Resets {
		v.fault(&v.Resets, "%s could not be told what it had missed", r.Name)
	}
	for _, trouble := range r.Troubles {
		v.fault(&v.Troubles, "%s: %s", r.Name, trouble)
	}
}

// Quantile is the value below which a part of sorted durations lies.
func Quantile(sorted []time.Duration, part float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}
