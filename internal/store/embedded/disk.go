package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"chatapp/internal/store"
)

// Names of files: one of these, and a number of 16 hexadecimal digits. Numbers are never used again.
const (
	nameManifest   = "manifest-"
	nameLog        = "log-"
	nameLines      = "lines-"
	nameEntries    = "entries-"
	nameCheckpoint = "checkpoint-"
	nameLock       = "lock"
	temporary      = ".tmp" // ends the name of a file that is being written
)

// disk is the folder.
type disk struct {
	folder string
	noSync bool

	// fault, unless it is nil, may fail a step: "write", "sync", "truncate", "create" or "remove". Tests set it.
	fault func(step, name string) error
}

func (d *disk) path(name string, number uint64) string {
	return filepath.Join(d.folder, fmt.Sprintf("%s%016x", name, number))
}

func (d *disk) step(step, name string) error {
	if d.fault == nil {
		return nil
	}
	return d.fault(step, filepath.Base(name))
}

// explain has the error of a file system wrap what the contract says about it.
func explain(err error) error {
	switch {
	case err == nil || errors.Is(err, store.ErrFull):
		return err
	case isFull(err):
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

func (d *disk) writeAt(f *os.File, b []byte, at int64) error {
	if err := d.step("write", f.Name()); err != nil {
		return err
	}
	_, err := f.WriteAt(b, at)
	return err
}

func (d *disk) sync(f *os.File) error {
	if err := d.step("sync", f.Name()); err != nil {
		return err
	}
	if d.noSync {
		return nil
	}
	return f.Sync()
}

func (d *disk) syncFolder() error {
	if d.noSync {
		return nil
	}
	return syncFolder(d.folder)
}

// create creates a file under its temporary name. commit gives it its own.
func (d *disk) create(path string) (*os.File, error) {
	if err := d.step("create", path); err != nil {
		return nil, err
	}
	return os.OpenFile(path+temporary, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
}

// commit makes a file last that create has made, and closes it. If it fails, or err is not nil, it removes the file.
func (d *disk) commit(f *os.File, path string, err error) error {
	if err == nil {
		err = d.sync(f)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(path+temporary, path)
	}
	if err != nil {
		return errors.Join(explain(err), os.Remove(path+temporary))
	}
	return d.syncFolder()
}

// writeFile writes a whole file, which is there with all of its content or not at all.
func (d *disk) writeFile(path string, b []byte) error {
	f, err := d.create(path)
	if err != nil {
		return explain(err)
	}
	return d.commit(f, path, d.writeAt(f, b, 0))
}

// remove removes a file. Windows refuses while another process reads it, so it tries for a second.
func (d *disk) remove(path string) error {
	if err := d.step("remove", path); err != nil {
		return err
	}
	for try := 0; ; try++ {
		err := os.Remove(path)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if try == 20 {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// listing is the numbers of the folder's files by the beginnings of their names, ascending, and the greatest of all.
type listing struct {
	numbers map[string][]uint64
	highest uint64
	others  []string // that a crash has left
}

func (d *disk) list() (listing, error) {
	l := listing{numbers: make(map[string][]uint64)}
	f, err := os.Open(d.folder)
	if err != nil {
		return l, err
	}
	names, err := f.Readdirnames(-1)
	if err := errors.Join(err, f.Close()); err != nil {
		return l, err
	}
	for _, name := range names {
		kind, digits, ok := strings.Cut(name, "-")
		number, err := strconv.ParseUint(digits, 16, 64)
		switch {
		case ok && strings.HasSuffix(name, temporary):
			l.others = append(l.others, name)
		case ok && err == nil && len(digits) == 16:
			l.numbers[kind+"-"] = append(l.numbers[kind+"-"], number)
			l.highest = max(l.highest, number)
		}
	}
	for _, numbers := range l.numbers {
		slices.Sort(numbers)
	}
	return l, nil
}
