package simulation_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"chatapp/internal/simulation"
)

var (
	oneSeed = flag.Uint64("seed", 0, "run this seed alone, and tell its story")
	seeds   = flag.Uint64("seeds", defaultSeeds, "how many seeds to run")
	from    = flag.Uint64("from", 1, "the first seed to run")
	first   = flag.Bool("first", false, "stop at the first seed that fails")

	progress = flag.String("progress", "", "file of the next seed to run, which a run that was ended goes on with")
)

// run lives the life of a seed.
func run(t *testing.T, seed uint64, tell bool) (result simulation.Result) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, seed)
	synctest.Test(t, func(*testing.T) { result = simulation.Run(seed, tell) })
	return result
}

// TestSeeds runs the seeds that the flags name. Of those that fail it tells what is wrong, and of the first one the
// story.
func TestSeeds(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the goroutines of a run wait for each other
	removeFolders(t)
	if *oneSeed > 0 {
		r := run(t, *oneSeed, true)
		t.Logf("seed %d: %d messages acknowledged, %d entries applied\n%s", r.Seed, r.Messages, r.Applied, r.Story)
		for _, a := range r.Anomalies {
			t.Error(a)
		}
		return
	}
	messages, ran, trace := 0, 0, uint64(0)
	for seed := resume(t); seed < *from+*seeds; seed++ {
		r := run(t, seed, false)
		ran++
		save(t, seed+1, len(r.Anomalies) > 0)
		messages += r.Messages
		trace = trace*31 + r.Trace
		if len(r.Anomalies) == 0 {
			continue
		}
		if !t.Failed() {
			t.Log(run(t, seed, true).Story)
		}
		t.Errorf("seed %d has %d anomalies or more; the first: %v", seed, len(r.Anomalies), r.Anomalies[0])
		if *first {
			return
		}
	}
	t.Logf("%d messages acknowledged; trace %016x", messages, trace)
	if messages < 300*ran {
		t.Errorf("only %d messages were acknowledged in %d seeds", messages, ran)
	}
}

// removeFolders removes what runs that were killed have left in the folder of temporary files. A life takes no hour.
func removeFolders(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(os.TempDir(), simulation.FolderPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range left {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > time.Hour {
			if err := os.RemoveAll(dir); err != nil {
				t.Log(err) // another user's
			}
		}
	}
}

// resume returns the first seed to run: the one that the file of progress names, or the one of the flag.
func resume(t *testing.T) uint64 {
	if *progress == "" {
		return *from
	}
	text, err := os.ReadFile(*progress)
	if errors.Is(err, fs.ErrNotExist) {
		return *from
	}
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), " ")
	next, err := strconv.ParseUint(first, 10, 64)
	if err != nil {
		t.Fatalf("%s does not begin with a seed: %v", *progress, err)
	}
	return max(next, *from)
}

// save writes which seed comes next, and behind it those that have failed. It does so once a hundred seeds.
func save(t *testing.T, next uint64, failed bool) {
	if failed {
		failedSeeds = append(failedSeeds, next-1)
	}
	if *progress == "" || next%100 != 0 && next != *from+*seeds {
		return
	}
	text := fmt.Sprintf("%d is the next seed; failed since the start: %v\n", next, failedSeeds)
	if err := os.WriteFile(*progress, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

var failedSeeds []uint64 // in this process

func TestSeedDecidesEverything(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3, 9} { // the last one with a folder
		first, second := run(t, seed, false), run(t, seed, true)
		if first.Trace != second.Trace || first.Applied < 500 {
			t.Errorf("two runs of seed %d apply %d and %d entries, want the same ones at the same times",
				seed, first.Applied, second.Applied)
		}
	}
}
