package faultfs

import (
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Mem is a file system in memory that keeps apart what was written and what would survive a power cut, and fails as
// it is told to. Its zero value is not ready; see NewMem.
type Mem struct {
	mu      sync.Mutex
	now     map[string]*node // what a running process sees, by path
	durable map[string]*node // the names that a power cut leaves
	dirs    map[string]bool
	locked  map[string]bool
	f       faults
}

var (
	_ FS     = (*Mem)(nil)
	_ Volume = (*Mem)(nil)
)

// node is a file's content, whatever its name.
type node struct {
	data   []byte
	synced []byte
	lost   [][2]int // ranges of data that a failed Sync threw away: the kernel calls them clean and forgets them
}

// NewMem returns an empty disk without faults and with plenty of space.
func NewMem() *Mem {
	return &Mem{now: map[string]*node{}, durable: map[string]*node{}, dirs: map[string]bool{},
		locked: map[string]bool{}, f: noFaults()}
}

// Open opens a file for reading.
func (m *Mem) Open(name string) (Reader, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.now[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memReader{m, n}, nil
}

// Create makes a new, empty file.
func (m *Mem) Create(name string) (Writer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.f.readOnly:
		return nil, &fs.PathError{Op: "create", Path: name, Err: syscall.EROFS}
	case m.now[name] != nil:
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	case !m.dirs[filepath.Dir(name)]:
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrNotExist}
	}
	n := &node{}
	m.now[name] = n
	return &memWriter{m, n, name}, nil
}

// Append opens a file to write at its end.
func (m *Mem) Append(name string) (Writer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.f.readOnly {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EROFS}
	}
	n, ok := m.now[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memWriter{m, n, name}, nil
}

// ReadDir returns the names in a folder, sorted.
func (m *Mem) ReadDir(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirs[dir] {
		return nil, &fs.PathError{Op: "readdir", Path: dir, Err: fs.ErrNotExist}
	}
	var names []string
	for name := range m.now {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	for name := range m.dirs {
		if filepath.Dir(name) == dir && name != dir {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// SyncDir makes a folder's names survive a power cut.
func (m *Mem) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.f.sync(); err != nil {
		return &fs.PathError{Op: "fsync", Path: dir, Err: err}
	}
	for name := range m.durable {
		if filepath.Dir(name) == dir {
			delete(m.durable, name)
		}
	}
	for name, n := range m.now {
		if filepath.Dir(name) == dir {
			m.durable[name] = n
		}
	}
	return nil
}

// MakeDir creates a folder with its parents.
func (m *Mem) MakeDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.f.readOnly && !m.dirs[dir] {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.EROFS}
	}
	for dir = filepath.Clean(dir); !m.dirs[dir]; dir = filepath.Dir(dir) {
		m.dirs[dir] = true
	}
	return nil
}

// Rename replaces a file by another.
func (m *Mem) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.now[from]
	switch {
	case !ok:
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	case m.f.readOnly:
		return &fs.PathError{Op: "rename", Path: from, Err: syscall.EROFS}
	}
	delete(m.now, from)
	m.now[to] = n
	return nil
}

// Free returns what SetFree set: at first a terabyte of two.
func (m *Mem) Free(string) (free, total int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.f.free, 2 << 40, nil
}

// Lock takes the folder until the lock is closed or the power is cut.
func (m *Mem) Lock(dir string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.f.readOnly {
		return nil, &fs.PathError{Op: "open", Path: filepath.Join(dir, "LOCK"), Err: syscall.EROFS}
	}
	if m.locked[dir] {
		return nil, &Held{Dir: dir, By: "this test"}
	}
	m.locked[dir] = true
	return unlock(func() { m.mu.Lock(); defer m.mu.Unlock(); delete(m.locked, dir) }), nil
}

type unlock func()

func (u unlock) Close() error { u(); return nil }

// PowerCut returns the disk as it is after the power failed: names and bytes that were not synced are gone. Of each
// file's unsynced tail torn may keep something: it is given the name and the tail, and what it returns stands after
// the synced bytes. nil keeps nothing. The new disk has no faults; m must not be used any more.
func (m *Mem) PowerCut(torn func(name string, tail []byte) []byte) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	after := NewMem()
	for dir := range m.dirs {
		after.dirs[dir] = true
	}
	for name, n := range m.durable {
		data := slices.Clone(n.synced)
		if torn != nil && len(n.data) > len(n.synced) {
			data = append(data, torn(name, slices.Clone(n.data[len(n.synced):]))...)
		}
		kept := &node{data: data, synced: slices.Clone(data)}
		after.now[name], after.durable[name] = kept, kept
	}
	return after
}

// ReadFile returns a copy of a file's content; nil if there is none.
func (m *Mem) ReadFile(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n, ok := m.now[name]; ok {
		return slices.Clone(n.data)
	}
	return nil
}

// WriteFile puts a file on the disk, synced, with its folder.
func (m *Mem) WriteFile(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for dir := filepath.Dir(name); !m.dirs[dir]; dir = filepath.Dir(dir) {
		m.dirs[dir] = true
	}
	n := &node{data: slices.Clone(data), synced: slices.Clone(data)}
	m.now[name], m.durable[name] = n, n
}

// Glob returns the paths of all files whose name ends so, sorted.
func (m *Mem) Glob(suffix string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []string
	for name := range m.now {
		if strings.HasSuffix(name, suffix) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}
