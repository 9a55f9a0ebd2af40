package dedupe

import (
	"math/bits"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A table holds the newest ids by open addressing. Its memory is the kernel's, not the collector's: tables and
// filters would else double what the process takes.
type table struct {
	slots []entry
	pages []byte // what slots lie in
	shift uint   // from hash to slot
	n     int
	limit int // entries at which it is full
}

const entrySize = 24

// firstSlots is the size of a table that nothing was put into: a quiet installation stays small.
const firstSlots = 1 << 12

// newTable makes a table that is full at limit entries, with room for some at once: slots is a power of two.
func newTable(limit, slots int) (*table, error) {
	t := &table{limit: limit}
	return t, t.resize(slots)
}

func (t *table) full() bool { return t.n >= t.limit }

func (t *table) resize(slots int) error {
	next, pages, err := newEntries(slots)
	if err != nil {
		return err
	}
	old, oldPages := t.slots, t.pages
	t.slots, t.pages = next, pages
	t.shift, t.n = uint(64-bits.TrailingZeros(uint(slots))), 0
	for _, e := range old {
		if e.hi != 0 {
			t.put(e)
		}
	}
	return freePages(oldPages)
}

// add puts in an entry whose key is not in the table.
func (t *table) add(e entry) error {
	if t.n >= len(t.slots)/4*3 {
		if err := t.resize(2 * len(t.slots)); err != nil {
			return err
		}
	}
	t.put(e)
	return nil
}

func (t *table) put(e entry) {
	mask := uint64(len(t.slots) - 1)
	i := e.hash() >> t.shift
	for t.slots[i].hi != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = e
	t.n++
}

// find returns the entry of a span; hash is that of its keys.
func (t *table) find(s span, hash uint64) (seq uint64, ok bool) {
	slots := t.slots
	mask := uint64(len(slots) - 1)
	for i := hash >> t.shift; ; i = (i + 1) & mask {
		e := &slots[i&mask]
		if e.hi == s.hi && e.lo >= s.first && e.lo <= s.last {
			return e.seq, true
		}
		if e.hi == 0 {
			return 0, false
		}
	}
}

// entries copies what is in the table, in no order.
func (t *table) entries(to []entry) []entry {
	for _, e := range t.slots {
		if e.hi != 0 {
			to = append(to, e)
		}
	}
	return to
}

func (t *table) free() {
	if t != nil {
		freePages(t.pages)
		*t = table{}
	}
}

// newEntries takes room for n zero entries outside the collector's heap; pages is what to free.
func newEntries(n int) (es []entry, pages []byte, err error) {
	if pages, err = newPages(n * entrySize); err != nil {
		return nil, nil, err
	}
	return unsafe.Slice((*entry)(unsafe.Pointer(&pages[0])), n), pages, nil
}

// newPages takes zeroed memory from the kernel, which backs it when it is touched: in large pages where it can, as
// every access is to a random place.
func newPages(size int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err == nil {
		unix.Madvise(b, unix.MADV_HUGEPAGE) // advice; not every kernel takes it
	}
	return b, err
}

func freePages(b []byte) error {
	if b == nil {
		return nil
	}
	return unix.Munmap(b)
}
