package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"kith/event"
)

// folderVersion is the form of the data folder that this binary writes (docs/data-folder.md).
const folderVersion = 1

// Folder is an opened data folder: this process has it alone until Close.
type Folder struct {
	path string
	lock *os.File
}

// OpenFolder makes the folder if it is missing, takes its lock and checks its version. Errors: event.Conflict when
// another process has it, naming that; event.Unavailable when a newer Kith wrote it. The role stands in the lock.
func OpenFolder(path, role string) (*Folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", path, err)
	}
	if err := makeFolder(path); err != nil {
		return nil, &event.Error{Code: event.Unavailable, Message: "the data folder cannot be made", Place: event.Place{File: path}, Err: err}
	}
	lock, err := os.OpenFile(filepath.Join(path, "LOCK"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, &event.Error{Code: event.Unavailable, Message: "the data folder cannot be written", Place: event.Place{File: path}, Err: err}
	}
	f := &Folder{path, lock}
	if err := f.take(role); err != nil {
		lock.Close()
		return nil, err
	}
	return f, nil
}

func (f *Folder) take(role string) error {
	if err := unix.Flock(int(f.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(f.lock.Name())
		e := event.Errorf(event.Conflict, "another Kith has this data folder open (%s)", strings.TrimSpace(string(holder)))
		e.Place.File = f.path
		return e.WithHint("stop it first, or speak to it: commands with --data find a running server")
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	if err := f.lock.Truncate(0); err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	if _, err := f.lock.WriteAt(fmt.Appendf(nil, "pid %d on %s, role %s\n", os.Getpid(), host, role), 0); err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	return f.version()
}

// Served reports whether a server has the folder open, or had it until it crashed. A command, which will end soon, is no
// server, and neither is one that was stopped.
func Served(folder string) bool {
	holder, err := os.ReadFile(filepath.Join(folder, "LOCK"))
	return err == nil && len(holder) > 0 && !bytes.Contains(holder, []byte("role local"))
}

// version writes the version into a new folder and refuses one of a newer Kith.
func (f *Folder) version() error {
	path := f.Path("VERSION")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f.writeVersion(path)
	}
	if err != nil {
		return fmt.Errorf("read the folder's version: %w", err)
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil || n < 1 {
		return &event.Error{Code: event.Corrupt, Message: "VERSION is no version", Place: event.Place{File: path, Value: string(text)}}
	}
	if n > folderVersion {
		e := event.Errorf(event.Unavailable, "the data folder has version %d, this Kith knows %d", n, folderVersion).WithHint("use a newer Kith")
		e.Place.File = path
		return e
	}
	return nil
}

// writeVersion writes the file whole or not at all: after a power cut a half one would keep a folder shut that has
// events in it.
func (f *Folder) writeVersion(path string) error {
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write the folder's version: %w", err)
	}
	_, err = fmt.Fprintln(file, folderVersion)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err = errors.Join(err, syncFolder(f.path)); err != nil {
		return fmt.Errorf("write the folder's version: %w", err)
	}
	return nil
}

// makeFolder makes a folder and those above it, each so that a power cut does not take it away again.
func makeFolder(path string) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrNotExist) && path != filepath.Dir(path) {
		if err := makeFolder(filepath.Dir(path)); err != nil {
			return err
		}
		err = os.Mkdir(path, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		info, err := os.Stat(path)
		if err == nil && !info.IsDir() {
			err = &fs.PathError{Op: "mkdir", Path: path, Err: unix.ENOTDIR}
		}
		return err
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes the names in a folder last.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Path joins names to the folder's path.
func (f *Folder) Path(names ...string) string {
	return filepath.Join(append([]string{f.path}, names...)...)
}

// Close gives the folder back, and takes its holder's name away: only one that crashed leaves it.
func (f *Folder) Close() error { return errors.Join(f.lock.Truncate(0), f.lock.Close()) }
