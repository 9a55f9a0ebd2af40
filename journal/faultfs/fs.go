// Package faultfs is the small file system that the journal stands on: the real one, and one in memory that fails
// on demand, so that full disks, dying disks and power cuts are tests and not stories.
//
// It knows exactly what the journal needs and what a power cut leaves: a file's bytes survive once Sync returned, a
// file's name once SyncDir of its folder returned.
package faultfs

import "io"

// FS opens files. Names are paths as the operating system writes them.
type FS interface {
	// Open opens a file for reading.
	Open(name string) (Reader, error)
	// Create makes a new, empty file; a file of that name is an error (fs.ErrExist).
	Create(name string) (Writer, error)
	// Append opens a file to write at its end.
	Append(name string) (Writer, error)
	// ReadDir returns the names in a folder, sorted.
	ReadDir(dir string) ([]string, error)
	// SyncDir makes what was created, renamed and removed in a folder survive a power cut.
	SyncDir(dir string) error
}

// Volume is what the journal asks of the disk beside its files.
type Volume interface {
	// MakeDir creates a folder with its parents and makes them survive a power cut.
	MakeDir(dir string) error
	// Rename replaces a file by another; SyncDir makes it last.
	Rename(from, to string) error
	// Free returns how many bytes an ordinary user can still write, and how many the disk holds.
	Free(dir string) (free, total int64, err error)
	// Lock takes a folder for this process until the lock is closed or the process ends. If another one has it,
	// the error is a *Held.
	Lock(dir string) (io.Closer, error)
}

// Reader is a file opened for reading.
type Reader interface {
	io.ReaderAt
	Size() (int64, error)
	Close() error
}

// Writer is a file opened to write at its end.
type Writer interface {
	io.Writer
	// Truncate cuts the file; what is written next follows the cut.
	Truncate(size int64) error
	// Sync returns when all that was written survives a power cut. After an error nobody can know what does, and
	// asking again may be told a lie.
	Sync() error
	Close() error
}

// Held says that a folder is locked, and by whom ("process 123 on host shop-1"; empty where that is not known).
type Held struct {
	Dir, By string
}

func (h *Held) Error() string {
	if h.By == "" {
		return h.Dir + " is in use by another process"
	}
	return h.Dir + " is in use by " + h.By
}
