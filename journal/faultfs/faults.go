package faultfs

import (
	"math"
	"syscall"
)

// faults is what is wrong with the disk.
type faults struct {
	readOnly  bool
	free      int64
	room      int64 // bytes that can be written before ENOSPC
	shortAt   int   // the next write keeps only so many bytes; -1 all
	syncsLeft int   // syncs that work before syncErr
	syncErr   error
	readErr   error
	held      chan struct{} // syncs wait until it is closed
	waiting   chan struct{} // gets one value for each sync that begins to wait
}

func noFaults() faults {
	return faults{free: 1 << 40, room: math.MaxInt64, shortAt: -1, syncsLeft: math.MaxInt}
}

// write says how many of n bytes are taken.
func (f *faults) write(n int) (int, error) {
	switch {
	case f.readOnly:
		return 0, syscall.EROFS
	case f.shortAt >= 0:
		n, f.shortAt = min(n, f.shortAt), -1
		return n, syscall.EIO
	case int64(n) > f.room:
		n, f.room = int(f.room), 0
		return n, syscall.ENOSPC
	}
	f.room -= int64(n)
	return n, nil
}

func (f *faults) sync() error {
	if f.readOnly {
		return syscall.EROFS
	}
	if f.syncsLeft <= 0 {
		return f.syncErr
	}
	f.syncsLeft--
	return nil
}

// ReadOnly makes every write fail with EROFS, as after the kernel remounted a failing disk.
func (m *Mem) ReadOnly(on bool) { m.change(func(f *faults) { f.readOnly = on }) }

// SetFree sets what Free tells; writes do not count against it.
func (m *Mem) SetFree(bytes int64) { m.change(func(f *faults) { f.free = bytes }) }

// FullAfter makes the disk full after so many bytes more: the write that crosses the line is cut there, with ENOSPC.
func (m *Mem) FullAfter(bytes int64) { m.change(func(f *faults) { f.room = bytes }) }

// ShortWrite makes the next write keep its first n bytes and fail with EIO.
func (m *Mem) ShortWrite(n int) { m.change(func(f *faults) { f.shortAt = n }) }

// FailSync makes every sync fail after so many more that work.
func (m *Mem) FailSync(after int, err error) {
	m.change(func(f *faults) { f.syncsLeft, f.syncErr = after, err })
}

// FailRead makes every read fail; nil makes them work again.
func (m *Mem) FailRead(err error) { m.change(func(f *faults) { f.readErr = err }) }

// Flip inverts one bit of a file, as a disk does that rots.
func (m *Mem) Flip(name string, offset int64, bit uint) {
	m.change(func(*faults) {
		n := m.now[name]
		n.data[offset] ^= 1 << bit
		if offset < int64(len(n.synced)) {
			n.synced[offset] ^= 1 << bit
		}
	})
}

// HoldSync makes files' syncs wait until release is called. waiting gets a value when one begins to.
func (m *Mem) HoldSync() (waiting <-chan struct{}, release func()) {
	held, began := make(chan struct{}), make(chan struct{}, 64)
	m.change(func(f *faults) { f.held, f.waiting = held, began })
	return began, func() {
		m.change(func(f *faults) { f.held, f.waiting = nil, nil })
		close(held)
	}
}

func (m *Mem) change(set func(*faults)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	set(&m.f)
}

func (m *Mem) wait() {
	m.mu.Lock()
	held, waiting := m.f.held, m.f.waiting
	m.mu.Unlock()
	if held == nil {
		return
	}
	waiting <- struct{}{}
	<-held
}
