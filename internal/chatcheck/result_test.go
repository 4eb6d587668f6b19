package chatcheck

import (
	"strings"
	"testing"
	"time"
)

func message(id, from, text string) Line {
	return Line{Kind: "message", ID: id, From: from, Text: text, Live: true}
}

// records is a small chat in which nothing went wrong: Ann and Bob send, Cid only receives.
func records() []Record {
	a1, b1, a2 := message("1.x", "Ann", "one"), message("2.x", "Bob", "two"), message("4.x", "Ann", "three")
	join := Line{Kind: "join", ID: "3.x", From: "Dan"}
	return []Record{
		{Name: "Ann", Sends: true, Lines: []Line{b1, join},
			Sent: []Sent{{ID: "1.x", Text: "one"}, {ID: "4.x", Text: "three"}}},
		{Name: "Bob", Sends: true, Lines: []Line{a1, join, a2},
			Sent: []Sent{{ID: "2.x", Text: "two", Took: time.Second}}},
		{Name: "Cid", Lines: []Line{a1, b1, join, a2}, Reconnects: 1},
	}
}

func TestCorrectChatHasNoFaults(t *testing.T) {
	v := Compare(records())
	if len(v.Faults) > 0 || v.Clients != 3 || v.Sent != 3 || v.Expected != 6 || v.Reconnects != 1 ||
		len(v.Deliveries) != 6 {
		t.Errorf("Compare = %+v, want 3 sent, 6 expected and delivered, no faults", v)
	}
	if got := Quantile(v.Acks, 0.99); got != time.Second {
		t.Errorf("Quantile(acks, 0.99) = %v, want 1s", got)
	}
}

func TestEachFaultIsFoundOnce(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(r []Record)
		count func(v Result) int
		want  string
	}{
		{"lost by one", func(r []Record) { r[1].Lines = r[1].Lines[1:] }, func(r Result) int { return r.Lost },
			`Bob did not receive "one" from Ann`},
		{"lost by the receiver", func(r []Record) { r[2].Lines = r[2].Lines[:3] },
			func(r Result) int { return r.Lost }, `Cid did not receive "three" from Ann`},
		{"received twice", func(r []Record) { r[1].Duplicates = r[1].Lines[:1] },
			func(r Result) int { return r.Duplicates }, `Bob received Ann's message "one" twice`},
		{"in the log twice", func(r []Record) {
			r[2].Lines = append(r[2].Lines, message("9.x", "Ann", "three"))
		}, func(r Result) int { return r.Duplicates }, "in the log again, as 9.x"},
		{"another order", func(r []Record) {
			r[1].Lines[0], r[1].Lines[2] = r[1].Lines[2], r[1].Lines[0]
		}, func(r Result) int { return r.Reordered }, "Bob received Dan's join"},
		{"another text", func(r []Record) { r[1].Lines[2].Text = "thr" },
			func(r Result) int { return r.Changed }, `received "thr"`},
		{"one id for two", func(r []Record) { r[1].Sent[0].ID = "1.x" },
			func(r Result) int { return r.SharedIDs }, "both had a message acknowledged as 1.x"},
		{"reset", func(r []Record) { r[0].Resets = 1 }, func(r Result) int { return r.Resets }, "could not send Ann"},
		{"unresolved", func(r []Record) { r[2].Unresolved = []string{"Ann: one"} },
			func(r Result) int { return r.Unresolved }, `Cid still has as provisional: "Ann: one"`},
		{"problem", func(r []Record) { r[0].Problems = []string{"disconnected"} },
			func(r Result) int { return r.Problems }, "Ann: disconnected"},
		{"no receiver", func(r []Record) { r[2].Sends = true }, func(r Result) int { return r.Problems },
			"all clients have sent messages"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := records()
			tt.spoil(all)
			result := Compare(all)
			if n := tt.count(result); n != 1 || !strings.Contains(strings.Join(result.Faults, "\n"), tt.want) {
				t.Errorf("counted %d, want 1, and faults %q, want %q among them", n, result.Faults, tt.want)
			}
		})
	}
}
