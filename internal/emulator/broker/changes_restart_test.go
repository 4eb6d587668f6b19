package broker

import (
	"bytes"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/emulator/journal"
)

// copyOf copies a folder as the end of its process leaves it.
func copyOf(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestRestartsLoseNothing goes on from what a kill leaves, again and again, with snapshots in between.
func TestRestartsLoseNothing(t *testing.T) {
	snapshots := 0
	for seed := range *storedSeeds {
		synctest.Test(t, func(t *testing.T) {
			storage := testStorage(t.TempDir())
			storage.Slack = 4 << 10
			w := &stored{bench: openStored(t, storage), Rand: rand.New(rand.NewPCG(seed, 3))}
			w.create()
			for range 8 {
				for range 12 {
					w.step()
					w.rest()
				}
				want, at := dump(w.Broker, w.now()), w.now()
				if found, _ := filepath.Glob(filepath.Join(storage.Dir, "snapshot-*")); len(found) == 1 {
					snapshots++
				}
				killed := copyOf(t, storage.Dir)
				w.Close()
				got, err := loadOnly(t, killed, storage.Codec, at)
				w.ok(err)
				if got != want {
					t.Fatalf("seed %d: the state after a restart differs in %s", seed, diff(got, want))
				}
				storage.Dir = killed
				w.bench = openStored(t, storage)
			}
			w.Close()
		})
	}
	if snapshots == 0 {
		t.Error("no snapshot was ever there")
	}
}

// TestLocksEndWithTheProcess restarts while a message is locked, and one that was deferred.
func TestLocksEndWithTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := testStorage(t.TempDir())
		b := openStored(t, storage)
		target, source := b.queue("q", nil)
		b.ok(target.Send(msgs("a", "b")))
		got := b.take(b.receiver(source, PeekLock), 2)
		b.settle(source, got[1], Defer)
		_, err := source.ReceiveDeferred([]int64{2}, PeekLock, nil)
		b.ok(err)
		b.ok(b.Sync())
		b.Close()
		b = openStored(t, storage)
		defer b.Close()
		b.wantPeek("after the restart", b.source("q"), "a", "b:deferred")
		again := b.take(b.receiver(b.source("q"), PeekLock), 2)
		if len(again) != 1 || again[0].DeliveryCount != 0 {
			t.Errorf("received %+v, want message a for the first time", again)
		}
		if err := b.source("q").Settle(got[0].LockToken, Settlement{}); CodeOf(err) != CodeLockLost {
			t.Errorf("a lock of before the restart: %v, want that it is lost", err)
		}
	})
}

// TestWhatIsDueWhileStoppedHappensAtTheStart restarts after a message has expired, and another has become due.
func TestWhatIsDueWhileStoppedHappensAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := testStorage(t.TempDir())
		b := openStored(t, storage)
		target, _ := b.queue("q", func(d *QueueDescription) { d.DeadLetteringOnMessageExpiration = true })
		topic := b.topic("t", "s")
		expires, due, forwarded := msg("expires"), msg("due"), msg("published")
		expires.TTL = time.Minute
		due.ScheduledEnqueueTime = time.Now().Add(time.Minute)
		forwarded.ScheduledEnqueueTime = due.ScheduledEnqueueTime
		b.ok(target.Send([]*Message{expires, due}))
		b.ok(topic.Send([]*Message{forwarded}))
		b.ok(b.Sync())
		b.Close()
		wait(time.Hour)
		b = openStored(t, storage)
		defer b.Close()
		synctest.Wait()
		b.wantPeek("the queue", b.source("q"), "due")
		b.wantPeek("its dead letters", b.source("q/$DeadLetterQueue"), "expires")
		b.wantPeek("the subscription", b.source("t/Subscriptions/s"), "published")
	})
}

// TestFullDiskRefusesAndRecovers has a disk without space for a while.
func TestFullDiskRefusesAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := testStorage(t.TempDir())
		var log bytes.Buffer
		storage.Log = slog.New(slog.NewTextHandler(&log, nil))
		full := false
		storage.Fault = func(step, file string) error {
			if full && step == "write" {
				return syscall.ENOSPC
			}
			return nil
		}
		b := openStored(t, storage)
		target, source := b.queue("q", nil)
		b.ok(target.Send(msgs("accepted")))
		b.ok(b.Sync())
		full = true
		b.ok(target.Send(msgs("unknown"))) // not yet known to fail
		for range 2 {
			b.refused("to tell that it is sent", b.Sync(), CodeQuotaExceeded, "no space left")
		}
		b.refused("a further message", target.Send(msgs("refused")), CodeQuotaExceeded, "no space left")
		_, err := source.NewReceiver(ReceiverOptions{Wake: func() {}})
		b.refused("a receiver", err, CodeQuotaExceeded, "no space left")
		b.refused("a queue", b.CreateQueue(DefaultQueue("other")), CodeQuotaExceeded, "no space left")
		if n := strings.Count(log.String(), "can't be written"); n != 1 {
			t.Errorf("the log tells it %d times, want once:\n%s", n, log.String())
		}
		full = false
		wait(2 * time.Second)
		b.ok(target.Send(msgs("later")))
		b.ok(b.Sync())
		b.Close()
		storage.Fault = nil
		b = openStored(t, storage)
		defer b.Close()
		b.wantPeek("after the restart", b.source("q"), "accepted", "unknown", "later")
	})
}

// TestFailedSnapshotChangesNothing has no space for a snapshot.
func TestFailedSnapshotChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := testStorage(t.TempDir())
		storage.Slack = 1 << 10
		storage.Fault = func(step, file string) error {
			if strings.HasPrefix(file, "snapshot-") && step == "write" {
				return syscall.ENOSPC
			}
			return nil
		}
		b := openStored(t, storage)
		target, _ := b.queue("q", nil)
		for _, id := range numbers(0, 100) {
			b.ok(target.Send(msgs(id)))
			b.ok(b.Sync())
			synctest.Wait()
		}
		b.Close()
		if logs, _ := filepath.Glob(filepath.Join(storage.Dir, "log-*")); len(logs) < 3 {
			t.Errorf("the folder has the logs %q, want some of which none counts as replaced", logs)
		}
		b = openStored(t, storage)
		defer b.Close()
		b.wantPeek("after the restart", b.source("q"), numbers(0, 100)...)
	})
}

// TestOpenRefusesAFolder tries folders that can't be read.
func TestOpenRefusesAFolder(t *testing.T) {
	storage := testStorage(t.TempDir())
	b := openStored(t, storage)
	b.queue("q", nil)
	_, err := Open(Options{}, storage)
	if !errors.Is(err, journal.ErrInUse) || !strings.Contains(err.Error(), "process") {
		t.Errorf("Open() of a folder in use = %v, want ErrInUse and the process", err)
	}
	b.Close()
	log := filepath.Join(storage.Dir, "log-0000000000000001")
	whole, err := os.ReadFile(log)
	b.ok(err)
	change := func(at int, to byte) {
		b.ok(os.WriteFile(log, append(append(bytes.Clone(whole[:at]), to), whole[at+1:]...), 0o600))
	}
	change(len("sbdataL"), 2)
	if _, err := Open(Options{}, storage); !errors.Is(err, journal.ErrVersion) {
		t.Errorf("Open() of a newer format = %v, want ErrVersion", err)
	}
	b.ok(os.WriteFile(log, whole, 0o600))
	storage.Dir = log
	if _, err := Open(Options{}, storage); err == nil {
		t.Error("Open() of a file = nil, want an error")
	}
}
