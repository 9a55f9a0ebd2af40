package faultfs

import (
	"io"
	"io/fs"
	"slices"
)

type memReader struct {
	m *Mem
	n *node
}

func (r *memReader) Size() (int64, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return int64(len(r.n.data)), nil
}

func (r *memReader) ReadAt(p []byte, off int64) (int, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if err := r.m.f.readErr; err != nil {
		return 0, err
	}
	if off >= int64(len(r.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, r.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (r *memReader) Close() error { return nil }

type memWriter struct {
	m    *Mem
	n    *node
	name string
}

func (w *memWriter) Write(p []byte) (int, error) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	n, err := w.m.f.write(len(p))
	w.n.data = append(w.n.data, p[:n]...)
	if err != nil {
		return n, &fs.PathError{Op: "write", Path: w.name, Err: err}
	}
	return n, nil
}

func (w *memWriter) Truncate(size int64) error {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	if _, err := w.m.f.write(0); err != nil {
		return &fs.PathError{Op: "truncate", Path: w.name, Err: err}
	}
	w.n.data = w.n.data[:size:size]
	return nil
}

// Sync makes the bytes durable. Bytes that a failed Sync lost stay lost, though a later one reports success.
func (w *memWriter) Sync() error {
	w.m.wait()
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	if err := w.m.f.sync(); err != nil {
		if len(w.n.data) > len(w.n.synced) {
			w.n.lost = append(w.n.lost, [2]int{len(w.n.synced), len(w.n.data)})
		}
		return &fs.PathError{Op: "fdatasync", Path: w.name, Err: err}
	}
	w.n.synced = slices.Clone(w.n.data)
	for _, r := range w.n.lost {
		clear(w.n.synced[min(r[0], len(w.n.synced)):min(r[1], len(w.n.synced))])
	}
	return nil
}

func (w *memWriter) Close() error { return nil }
