package faultfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// OS is the operating system's file system.
type OS struct{}

var (
	_ FS     = OS{}
	_ Volume = OS{}
)

type osReader struct{ *os.File }

func (r osReader) Size() (int64, error) {
	info, err := r.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

type osWriter struct{ *os.File }

// Sync writes the file's bytes and its length, and leaves its times: fdatasync.
//
// While ext4 gives up after an error it may answer 0 for the commit that it has just dropped: fdatasync finds the
// transaction neither running nor committing and takes it for done (seen on Linux 6.18, TestFaultDiskGone: the last
// batch before the disk went was answered and lost). From that moment on it begins no transaction, so asking for a
// block that the file has already, which changes nothing, tells. File systems that cannot be asked so are believed.
func (w osWriter) Sync() error {
	if err := w.retry("fdatasync", unix.Fdatasync); err != nil {
		return err
	}
	err := w.retry("fallocate", func(fd int) error { return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, 0, 1) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return nil
	}
	return err
}

func (w osWriter) retry(op string, call func(fd int) error) error {
	for {
		err := call(int(w.Fd()))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return &fs.PathError{Op: op, Path: w.Name(), Err: err}
		}
		return nil
	}
}

// Open opens a file for reading.
func (OS) Open(name string) (Reader, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return osReader{f}, nil
}

// Create makes a new, empty file.
func (OS) Create(name string) (Writer, error) {
	return openWriter(name, os.O_CREATE|os.O_EXCL)
}

// Append opens a file to write at its end.
func (OS) Append(name string) (Writer, error) {
	return openWriter(name, 0)
}

func openWriter(name string, flag int) (Writer, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|flag, 0o640)
	if err != nil {
		return nil, err
	}
	return osWriter{f}, nil
}

// ReadDir returns the names in a folder, sorted.
func (OS) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// SyncDir makes a folder's names survive a power cut.
func (OS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MakeDir creates a folder with its parents, each of them durable.
func (o OS) MakeDir(dir string) error {
	dir = filepath.Clean(dir)
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := o.MakeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return o.SyncDir(parent)
}

// Rename replaces a file by another.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Free returns the bytes an ordinary user can still write, and the size of the disk.
func (OS) Free(dir string) (free, total int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil
}

// Lock takes the folder by an flock on its file LOCK, which holds the owner's words. The kernel lets go of it when
// the process ends, however it ends.
func (OS) Lock(dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if err != unix.EWOULDBLOCK {
			return nil, &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
		by, _ := io.ReadAll(io.LimitReader(f, 300)) // only words for a person: without them the lock still holds
		return nil, &Held{Dir: dir, By: string(bytes.TrimSpace(by))}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	owner := fmt.Sprintf("process %d on host %s\n", os.Getpid(), host)
	if err := errors.Join(f.Truncate(0), writeAll(f, owner)); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func writeAll(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}
