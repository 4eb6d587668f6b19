package chatcheck

import (
	"strings"
	"testing"
	"time"
)

func message(id, from, text string) Line {
	return Line{Kind: "message", ID: id, From: from, Text: text, Live: true}
}

// records is a small chat in which nothing went wrong: Ann and Bob speak, Cid listens.
func records() []Record {
	a1, b1, a2 := message("1.x", "Ann", "one"), message("2.x", "Bob", "two"), message("4.x", "Ann", "three")
	join := Line{Kind: "join", ID: "3.x", From: "Dan"}
	return []Record{
		{Name: "Ann", Speaks: true, Lines: []Line{b1, join}, Said: []Said{{ID: "1.x", Text: "one"}, {ID: "4.x", Text: "three"}}},
		{Name: "Bob", Speaks: true, Lines: []Line{a1, join, a2}, Said: []Said{{ID: "2.x", Text: "two", Took: time.Second}}},
		{Name: "Cid", Lines: []Line{a1, b1, join, a2}, Returns: 1},
	}
}

func TestJudgeGood(t *testing.T) {
	v := Judge(records())
	if len(v.Faults) > 0 || v.Clients != 3 || v.Said != 3 || v.Expected != 6 || v.Returns != 1 || len(v.Deliveries) != 6 {
		t.Errorf("Judge = %+v, want 3 said, 6 expected and delivered, no faults", v)
	}
	if got := Quantile(v.Acks, 0.99); got != time.Second {
		t.Errorf("Quantile(acks, 0.99) = %v, want 1s", got)
	}
}

func TestJudgeFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(r []Record)
		count func(v Verdict) int
		want  string
	}{
		{"lost by one", func(r []Record) { r[1].Lines = r[1].Lines[1:] }, func(v Verdict) int { return v.Lost }, `Bob did not hear Ann say "one"`},
		{"lost by the listener", func(r []Record) { r[2].Lines = r[2].Lines[:3] }, func(v Verdict) int { return v.Lost }, `Cid did not hear Ann say "three"`},
		{"told twice", func(r []Record) { r[1].Doubled = r[1].Lines[:1] }, func(v Verdict) int { return v.Doubled }, `Bob was told Ann's message "one" twice`},
		{"in the log twice", func(r []Record) {
			r[2].Lines = append(r[2].Lines, message("9.x", "Ann", "three"))
		}, func(v Verdict) int { return v.Doubled }, "in the log again, as 9.x"},
		{"another order", func(r []Record) {
			r[1].Lines[0], r[1].Lines[2] = r[1].Lines[2], r[1].Lines[0]
		}, func(v Verdict) int { return v.Disorder }, "Bob saw Dan's join"},
		{"another text", func(r []Record) { r[1].Lines[2].Text = "thr" }, func(v Verdict) int { return v.Changed }, `say "thr"`},
		{"one id for two", func(r []Record) { r[1].Said[0].ID = "1.x" }, func(v Verdict) int { return v.Unknown }, "both told that their message is 1.x"},
		{"reset", func(r []Record) { r[0].Resets = 1 }, func(v Verdict) int { return v.Resets }, "Ann could not be told"},
		{"trouble", func(r []Record) { r[0].Troubles = []string{"sent away"} }, func(v Verdict) int { return v.Troubles }, "Ann: sent away"},
		{"no listener", func(r []Record) { r[2].Speaks = true }, func(v Verdict) int { return v.Troubles }, "all clients have spoken"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := records()
			tt.spoil(all)
			v := Judge(all)
			if n := tt.count(v); n != 1 || !strings.Contains(strings.Join(v.Faults, "\n"), tt.want) {
				t.Errorf("counted %d, want 1, and faults %q, want %q among them", n, v.Faults, tt.want)
			}
		})
	}
}
