// Package folder keeps numbered files in a folder that one process writes: whole files, which are there complete or not
// at all, and logs of records, whose damaged end can be told from other damage.
//
// Nothing in it may be called concurrently for the same file.
package folder

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
)

// ErrInUse is wrapped by the error of [Folder.Lock] while another process holds the lock.
var ErrInUse = errors.New("another process is writing it")

const (
	lockName  = "lock"
	temporary = ".tmp" // ends the name of a file that is being written
)

// Folder is a folder. Its files have a name that ends in "-", and a number of 16 hexadecimal digits.
type Folder struct {
	Dir    string
	NoSync bool // leave it to the operating system when to write to the disk

	// Fault, unless it is nil, may fail a step: "write", "sync", "truncate", "create" or "remove". Tests set it.
	Fault func(step, file string) error
}

// Path returns the path of a file.
func (d *Folder) Path(name string, number uint64) string {
	return filepath.Join(d.Dir, fmt.Sprintf("%s%016x", name, number))
}

// Step returns the error with which Fault fails a step.
func (d *Folder) Step(step, path string) error {
	if d.Fault == nil {
		return nil
	}
	return d.Fault(step, filepath.Base(path))
}

// WriteAt writes b at an offset of a file.
func (d *Folder) WriteAt(f *os.File, b []byte, at int64) error {
	if err := d.Step("write", f.Name()); err != nil {
		return err
	}
	_, err := f.WriteAt(b, at)
	return err
}

// Sync makes the content of a file outlast a crash of the machine, unless NoSync is set.
func (d *Folder) Sync(f *os.File) error {
	if err := d.Step("sync", f.Name()); err != nil {
		return err
	}
	if d.NoSync {
		return nil
	}
	return f.Sync()
}

// SyncFolder makes the names of the files outlast a crash of the machine, unless NoSync is set.
func (d *Folder) SyncFolder() error {
	if d.NoSync {
		return nil
	}
	return syncFolder(d.Dir)
}

// Create creates a file under a temporary name. Commit gives it its own.
func (d *Folder) Create(path string) (*os.File, error) {
	if err := d.Step("create", path); err != nil {
		return nil, err
	}
	return os.OpenFile(path+temporary, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
}

// Commit makes a file last that Create has made, and closes it. If it fails, or err is not nil, it removes the file.
func (d *Folder) Commit(f *os.File, path string, err error) error {
	if err == nil {
		err = d.Sync(f)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(path+temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path+temporary))
	}
	return d.SyncFolder()
}

// Abandon removes a file that Create has made.
func Abandon(f *os.File) {
	f.Close()
	os.Remove(f.Name())
}

// WriteFile writes a whole file, which is there with all of its content or not at all.
func (d *Folder) WriteFile(path string, b []byte) error {
	f, err := d.Create(path)
	if err != nil {
		return err
	}
	return d.Commit(f, path, d.WriteAt(f, b, 0))
}

// Remove removes a file. Windows refuses while another process reads it, so it tries for a second.
func (d *Folder) Remove(path string) error {
	if err := d.Step("remove", path); err != nil {
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

// Listing is what a folder contains.
type Listing struct {
	Numbers   map[string][]uint64 // of the files, ascending, by their names
	Highest   uint64              // of all numbers
	Leftovers []string            // names of files that a crash has left incomplete
}

// List lists the folder.
func (d *Folder) List() (Listing, error) {
	l := Listing{Numbers: make(map[string][]uint64)}
	f, err := os.Open(d.Dir)
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
			l.Leftovers = append(l.Leftovers, name)
		case ok && err == nil && len(digits) == 16:
			l.Numbers[kind+"-"] = append(l.Numbers[kind+"-"], number)
			l.Highest = max(l.Highest, number)
		}
	}
	for _, numbers := range l.Numbers {
		slices.Sort(numbers)
	}
	return l, nil
}

// RemoveLeftovers removes the files that a crash has left incomplete. The caller must hold the lock.
func (d *Folder) RemoveLeftovers(l Listing) error {
	for _, name := range l.Leftovers {
		if err := d.Remove(filepath.Join(d.Dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// Lock locks the folder until the file that it returns is closed, or the process ends. The error wraps [ErrInUse] if
// another process, which it names, holds the lock.
func (d *Folder) Lock() (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(d.Dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		defer f.Close()
		if holder, _ := os.ReadFile(f.Name()); len(holder) > 0 && errors.Is(err, ErrInUse) {
			return nil, fmt.Errorf("%w: process %s", err, strings.TrimSpace(string(holder)))
		}
		return nil, err
	}
	f.Truncate(0) // the next process that tries tells its user, so errors don't matter
	fmt.Fprintln(f, os.Getpid())
	return f, nil
}
