package backplane

import (
	"math/rand/v2"
	"testing"
)

func TestLineagesAreOrdered(t *testing.T) {
	log := func(stamp uint64) clusterID { return clusterID{Stamp: stamp, Founder: "a"} }
	for _, test := range []struct {
		name string
		a, b lineage
		want int
	}{
		{"nothing", nil, nil, 0},
		{"something and nothing", lineage{{Cluster: log(9), Index: 1}}, nil, 1},
		{"more of one log", lineage{{Cluster: log(1), Index: 6}}, lineage{{Cluster: log(1), Index: 5}}, 1},
		{"an older log, though shorter",
			lineage{{Cluster: log(1), Index: 2}}, lineage{{Cluster: log(2), Index: 500}}, 1},
		{"what was branched from, and the branch",
			lineage{{Cluster: log(1), Index: 5}},
			lineage{{Cluster: log(1), Index: 5}, {Cluster: log(2), Index: 7}}, -1},
		{"an entry behind the branch, and the branch",
			lineage{{Cluster: log(1), Index: 6}},
			lineage{{Cluster: log(1), Index: 5}, {Cluster: log(2), Index: 70}}, 1},
		{"two branches at one index: the older one",
			lineage{{Cluster: log(1), Index: 5}, {Cluster: log(2), Index: 6}},
			lineage{{Cluster: log(1), Index: 5}, {Cluster: log(3), Index: 70}}, 1},
		{"one that has forgotten its oldest log",
			lineage{{Cluster: log(2), Index: 7}}, lineage{{Cluster: log(1), Index: 5}, {Cluster: log(2), Index: 6}}, 1},
	} {
		if got := test.a.compare(test.b); got != test.want {
			t.Errorf("%s: compare = %d, want %d", test.name, got, test.want)
		}
		if got := test.b.compare(test.a); got != -test.want {
			t.Errorf("%s, exchanged: compare = %d, want %d", test.name, got, -test.want)
		}
	}
}

// However clusters have branched, they agree on the one to go on with: the order has no cycles.
func TestOrderOfLineagesIsTotal(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		// A tree of logs, and states in it.
		var states []lineage
		for stamp := range uint64(6) {
			branches := lineage{{Cluster: clusterID{Stamp: random.Uint64N(9), Founder: string('a' + rune(stamp))}}}
			if len(states) > 0 && random.IntN(4) > 0 {
				parent := states[random.IntN(len(states))]
				branches = append(parent[:len(parent):len(parent)], branches...)
			}
			for range 2 {
				state := append(lineage(nil), branches...)
				last := &state[len(state)-1]
				last.Index = state[max(0, len(state)-2)].Index + random.Uint64N(4)
				states = append(states, state)
			}
		}
		for _, a := range states {
			for _, b := range states {
				if a.compare(b) != -b.compare(a) {
					t.Fatalf("%v and %v are not ordered", a, b)
				}
				for _, c := range states {
					if a.compare(b) > 0 && b.compare(c) > 0 && a.compare(c) <= 0 {
						t.Fatalf("%v > %v > %v, but not the first and the last", a, b, c)
					}
				}
			}
		}
	}
}
