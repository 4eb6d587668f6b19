package backplane

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// testLogState has the named members, all in sync, each with epoch 10.
func testLogState(names ...string) *logState {
	l := newLogState(clusterID{Stamp: 1, Founder: "x"}, 0)
	for _, name := range names {
		a, ok := l.admit(name, 10, &control{Start: 10, Reads: newestVersion})
		if !ok {
			panic(name)
		}
		a.InSync = true
	}
	l.endEnvelope()
	return l
}

func TestClassifyFollowsFromTheLog(t *testing.T) {
	l := testLogState("a", "gone")
	l.leave(l.records["gone"])
	for _, step := range []struct {
		instance      string
		epoch, number uint64
		want          entryClass
	}{
		{"a", 10, 2, accepted},
		{"a", 10, 2, repeated},
		{"a", 10, 1, repeated},
		{"a", 10, 4, early},
		{"a", 10, 3, accepted},
		{"a", 10, 4, accepted},
		{"a", 9, 5, unexpected},
		{"a", 11, 2, unexpected},
		{"b", 10, 2, unexpected},
		{"gone", 10, 2, unexpected},
	} {
		before := l.checkpoint
		if got := l.classify(l.records[step.instance], step.epoch, step.number); got != step.want {
			t.Errorf("classify(%s, %d, %d) = %v, want %v", step.instance, step.epoch, step.number, got, step.want)
		}
		if moved := l.checkpoint != before; moved != (step.want == accepted) {
			t.Errorf("classify(%s, %d, %d) moved the checkpoint: %v", step.instance, step.epoch, step.number, moved)
		}
	}
}

func TestAdmitOpensAnEpoch(t *testing.T) {
	l := testLogState("a", "b")
	l.classify(l.records["a"], 10, 2)
	l.records["a"].saw(1)
	if _, ok := l.admit("a", 10, &control{Start: 10}); ok {
		t.Error("a join request is admitted twice, want it to be a repeat")
	}
	if _, ok := l.admit("a", 9, &control{Start: 10}); ok {
		t.Error("an older join request is admitted, want only newer ones")
	}
	again, ok := l.admit("a", 11, &control{Start: 10})
	if !ok || again.restarted || again.Next != 2 || !again.hasSeen(1) || again.InSync {
		t.Errorf("the same process is admitted as %+v, %v; want its entries known, and not in sync", again, ok)
	}
	if names := l.donors(""); !slices.Equal(names, []string{"b"}) {
		t.Errorf("donors are %q, want b alone", names)
	}
	other, ok := l.admit("a", 12, &control{Start: 12})
	if !ok || !other.restarted || other.hasSeen(1) {
		t.Errorf("another process is admitted as %+v, %v; want a restart that knows nothing", other, ok)
	}
	l.leave(l.records["a"])
	if back, ok := l.admit("a", 13, &control{Start: 13}); !ok || back.restarted || back.Gone {
		t.Errorf("an instance that was gone is admitted as %+v, %v; want no second leave", back, ok)
	}
}

func TestDonorFollowsFromTheAttempt(t *testing.T) {
	l := testLogState("a", "b", "c")
	l.admit("new", 20, &control{Start: 20})
	var got []string
	for attempt := range uint64(5) {
		got = append(got, l.donor("new", attempt))
	}
	if want := []string{"a", "a", "b", "c", "a"}; !slices.Equal(got, want) {
		t.Errorf("donors for attempts 0 to 4 are %q, want %q", got, want)
	}
	if got := testLogState("a").donor("a", 1); got != "" {
		t.Errorf("donor without another instance = %q, want none", got)
	}
}

func TestCompareCheckpoints(t *testing.T) {
	l, other := testLogState("a", "b"), testLogState("a", "b")
	seal := func(l *logState, instance string, number uint64) checkpoint {
		l.classify(l.records[instance], 10, number)
		l.endEnvelope()
		return l.checkpoint
	}
	first := seal(l, "a", 2)
	second := seal(l, "b", 2)
	otherFirst := seal(other, "b", 2)
	otherSecond := seal(other, "a", 2)
	for _, test := range []struct {
		name string
		checkpoint
		want comparison
	}{
		{"its own last", second, agrees},
		{"its own before", first, agrees},
		{"another order", otherFirst, differs},
		{"another order, all there", otherSecond, differs},
		{"more than there is", checkpoint{index: second.index + 1}, ahead},
		{"before the first entry", checkpoint{index: 0}, unknown},
	} {
		if got := l.compare(test.index, test.hash); got != test.want {
			t.Errorf("compare(%s) = %v, want %v", test.name, got, test.want)
		}
	}
	for n := uint64(3); n < 3*checkpointsKept; n++ {
		seal(l, "a", n)
	}
	if got := l.compare(first.index, first.hash); got != unknown {
		t.Errorf("compare(an old one) = %v, want no evidence", got)
	}
	if len(l.past) > 2*checkpointsKept {
		t.Errorf("%d checkpoints are kept, want %d at most", len(l.past), 2*checkpointsKept)
	}
}

func TestLacksComparesVersionVectors(t *testing.T) {
	l := testLogState("a", "b", "gone")
	l.leave(l.records["gone"])
	for _, test := range []struct {
		name   string
		vector []vectorEntry
		want   bool
	}{
		{"the same", []vectorEntry{{Instance: "a", Epoch: 10, Next: 2}, {Instance: "b", Epoch: 10, Next: 2}}, false},
		{"less", []vectorEntry{{Instance: "a", Epoch: 10, Next: 1}}, false},
		{"more", []vectorEntry{{Instance: "a", Epoch: 10, Next: 3}}, true},
		{"a later epoch", []vectorEntry{{Instance: "a", Epoch: 11, Next: 2}}, true},
		{"an earlier epoch", []vectorEntry{{Instance: "a", Epoch: 9, Next: 20}}, false},
		{"an unknown instance", []vectorEntry{{Instance: "c", Epoch: 10, Next: 2}}, true},
		{"what an instance published after it was gone", []vectorEntry{{Instance: "gone", Epoch: 10, Next: 9}}, false},
	} {
		if got := l.lacks(test.vector); got != test.want {
			t.Errorf("lacks(%s) = %v, want %v", test.name, got, test.want)
		}
	}
}

func TestVectorFits(t *testing.T) {
	var names []string
	for n := range 100 {
		names = append(names, fmt.Sprintf("instance-%04d", n))
	}
	l := testLogState(names...)
	vector := l.vector(1000)
	if body := (&control{Vector: vector}).encode(); len(vector) < 20 || len(body) > 1000 {
		t.Errorf("vector of %d members takes %d bytes, want as many as fit into 1,000", len(vector), len(body))
	}
	if vector[0].Instance != names[0] {
		t.Errorf("vector begins with %+v, want the oldest member", vector[0])
	}
}

func TestInstancesThatLeftFirstAreForgotten(t *testing.T) {
	l := testLogState("a")
	for n := range maxGone + 10 {
		a, _ := l.admit(fmt.Sprintf("i%d", n), 20, &control{Start: 20})
		l.leave(a.record)
	}
	if got := len(l.records); got != maxGone+1 {
		t.Errorf("%d records, want %d gone and a member", got, maxGone)
	}
	if l.records["i9"] != nil || l.records["i10"] == nil || l.records["a"] == nil {
		t.Error("want those longest gone forgotten, and no member")
	}
}

func TestVersionIsTheOneAllMembersRead(t *testing.T) {
	l := testLogState("a", "b")
	l.records["a"].Reads = 7
	if got := l.version(); got != oldestVersion {
		t.Errorf("version() = %d, want %d while b reads no newer", got, oldestVersion)
	}
	l.leave(l.records["b"])
	if got := l.version(); got != newestVersion {
		t.Errorf("version() = %d, want the newest this program writes", got)
	}
}

func TestSnapshotRestoresLogState(t *testing.T) {
	l := testLogState("a", "b", "c")
	l.begin(clusterID{Stamp: 2, Founder: "a"}, false)
	l.rules = 3
	l.classify(l.records["a"], 10, 2)
	l.records["a"].saw(1)
	l.records["a"].saw(5)
	l.leave(l.records["c"])
	l.endEnvelope()
	taken := snapshotRequest{log: l.snapshot()}
	body, err := taken.encode(newCompressor(), []byte("state"), 5)
	if err != nil {
		t.Fatal(err)
	}
	s, err := unpackSnapshot([][]byte{body}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	restored := restoreLogState(s)
	if restored.compare(l.index, l.hash) != agrees {
		t.Error("the restored log state does not agree with the original")
	}
	restored.past, l.past = nil, nil
	if !reflect.DeepEqual(restored, l) || string(s.State) != "state" {
		t.Errorf("restored %+v, want %+v", restored, l)
	}
}

// The spans of a record contain the same numbers as a set.
func TestSeenAgreesWithASet(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var r record
		set := make(map[uint64]bool)
		for range 40 {
			seq := 1 + random.Uint64N(30)
			if got := r.saw(seq); got == set[seq] {
				t.Fatalf("saw(%d) = %v with %v", seq, got, r.Seen)
			}
			set[seq] = true
		}
		for seq := range uint64(32) {
			if r.hasSeen(seq) != set[seq] {
				t.Fatalf("hasSeen(%d) = %v with %v", seq, r.hasSeen(seq), r.Seen)
			}
		}
		for i := 1; i < len(r.Seen); i++ {
			if r.Seen[i-1].Last+1 >= r.Seen[i].First {
				t.Fatalf("spans %v, want them apart and ascending", r.Seen)
			}
		}
	}
	var r record
	for seq := uint64(2); seq < 200; seq += 2 {
		r.saw(seq)
	}
	if len(r.Seen) != maxSpans || !r.hasSeen(198) || r.hasSeen(197) {
		t.Errorf("%d spans after 99 gaps, want the %d newest kept apart", len(r.Seen), maxSpans)
	}
}
