package simulation

import (
	"context"
	"errors"
	"os"

	"chatapp/internal/folder"
	"chatapp/internal/store"
	"chatapp/internal/store/embedded"
)

// storeFolder is a real store in a folder, which one instance writes: before it applies and so acknowledges anything.
// A crash may come in the middle of a batch. Then any part of the batch is in the folder.
type storeFolder struct {
	world *world
	dir   string
	open  *embedded.Store // of the present process; nil: closed
	tears bool            // the next batch is torn by a crash
}

// folderEntries is how many entries the folder has between two checkpoints.
const folderEntries = 100

// FolderPrefix is what the names of the folders in os.TempDir begin with. A life removes its folder, which a process
// that is killed can't.
const FolderPrefix = "chatapp-simulation-"

func newStoreFolder(w *world) *storeFolder {
	dir, err := os.MkdirTemp("", FolderPrefix)
	if err != nil {
		panic(err)
	}
	return &storeFolder{world: w, dir: dir}
}

// use opens the folder, of which the logs are so small that many of them are sealed.
func (f *storeFolder) use() (store.Store, error) {
	opened, err := embedded.Open(f.dir, embedded.Options{NoSync: true, SegmentBytes: 16 << 10})
	if err != nil {
		f.world.judge.anomaly(Broken, "the folder can't be opened: %v", err)
		return nil, err
	}
	f.open = opened
	return tornStore{opened, f}, nil
}

// close has the folder no longer locked by a process that has ended.
func (f *storeFolder) close() {
	if f.open != nil {
		_ = f.open.Close()
		f.open = nil
	}
}

func (f *storeFolder) remove() {
	f.close()
	os.RemoveAll(f.dir)
}

// drop is called now and then: it has the folder drop entries that a checkpoint contains, as Recorder.Run does.
func (s *saver) drop() {
	s.stepper.Write(context.Background())
	s.instance.host.later(s.instance, saveEvery, s.drop)
}

// tornBy is the panic of an instance that crashes in the middle of a batch.
type tornBy struct{ folder *storeFolder }

// tornStore is a folder in which a crash can tear a batch.
type tornStore struct {
	*embedded.Store
	folder *storeFolder
}

func (s tornStore) Append(ctx context.Context, b store.Batch) error {
	log, before := s.folder.log()
	if err := s.Store.Append(ctx, b); err != nil || !s.folder.tears {
		return err
	}
	s.folder.tears = false
	if newest, after := s.folder.log(); newest == log && after > before {
		// Half of the crashes come behind the whole batch, whose answer alone is lost.
		if keep := before + int64(s.folder.world.random.Float64()*2*float64(after-before)); keep < after {
			if err := os.Truncate(log, keep); err != nil {
				panic(err)
			}
		}
	}
	panic(tornBy{s.folder})
}

// judge looks for entries that should have been dropped long ago.
func (f *storeFolder) judge() {
	if f.open == nil {
		return // the judge has said that the instance is not in sync
	}
	c, err := f.open.Checkpoint(context.Background())
	if err != nil {
		f.world.judge.anomaly(Broken, "the folder's checkpoint can't be read: %v", err)
		return
	}
	const most = 5 * folderEntries / 2 // between the last checkpoint but one and the last one
	if c == nil || c.Index < most+folderEntries {
		return
	}
	err = f.open.Entries(context.Background(), c.Index-most, func(store.Entry) error { return nil })
	if !errors.Is(err, store.ErrGone) {
		f.world.judge.anomaly(Broken, "the folder has entries of long before its checkpoint up to index %d: %v",
			c.Index, err)
	}
}

// log returns the file to which the next batch goes, and its size.
func (f *storeFolder) log() (path string, size int64) {
	in := folder.Folder{Dir: f.dir}
	listing, err := in.List()
	if err != nil {
		panic(err)
	}
	numbers := listing.Numbers["log-"]
	if len(numbers) == 0 {
		return "", 0
	}
	path = in.Path("log-", numbers[len(numbers)-1])
	info, err := os.Stat(path)
	if err != nil {
		panic(err)
	}
	return path, info.Size()
}
