package journal

import (
	"crypto/sha256"
	"hash"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"kith/event"
	"kith/journal/faultfs"
)

// A partition is one ordered run of segments with one writer.
type partition struct {
	file *File
	n    int

	mu     sync.Mutex // held over a whole append, fdatasync included
	w      faultfs.Writer
	base   event.Seq // of the segment that w writes; meaningful while w is not nil
	size   int64     // its length
	frames uint32
	sum    hash.Hash // of its bytes
	minAt  int64
	lastAt int64 // received_at of the last event, whatever segment
	next   event.Seq
	made   bool // the folder is there
	torn   *tornTail
	timer  *time.Timer // armed while the open segment has events
	closed bool
	raw    []byte // scratch
	out    []byte

	pub  sync.Mutex // guards what readers see
	seen view
	wake chan struct{} // closed when seen changes; nil while nobody waits
}

// view is what readers may read: the durable prefix.
type view struct {
	first, next event.Seq
	bases       []event.Seq // of all segments; shared, only ever appended to
	bytes       int64       // durable bytes of the last segment
}

func newPartition(f *File, n int) *partition {
	return &partition{file: f, n: n, next: 1, sum: sha256.New(), seen: view{first: 1, next: 1}}
}

func (p *partition) path(base event.Seq) string { return segmentPath(p.file.dir, p.n, base) }

func (p *partition) dir() string { return filepath.Join(p.file.dir, strconv.Itoa(p.n)) }

func (p *partition) view() view {
	p.pub.Lock()
	defer p.pub.Unlock()
	return p.seen
}

// wait returns a channel that is closed when there is more than v; nil if there is already.
func (p *partition) wait(v view) <-chan struct{} {
	p.pub.Lock()
	defer p.pub.Unlock()
	if p.seen.next != v.next {
		return nil
	}
	if p.wake == nil {
		p.wake = make(chan struct{})
	}
	return p.wake
}

// publish shows readers what became durable.
func (p *partition) publish() {
	p.pub.Lock()
	defer p.pub.Unlock()
	p.seen.next, p.seen.bytes = p.next, p.size
	if n := len(p.seen.bases); p.base != 0 && (n == 0 || p.seen.bases[n-1] != p.base) {
		p.seen.bases = append(p.seen.bases, p.base)
		p.seen.first = p.seen.bases[0]
	}
	if p.wake != nil {
		close(p.wake)
		p.wake = nil
	}
}

// segment returns the base of the segment that holds seq; 0 if it is before all of them.
func (v view) segment(seq event.Seq) event.Seq {
	i, found := slices.BinarySearch(v.bases, seq)
	switch {
	case found:
		return v.bases[i]
	case i > 0:
		return v.bases[i-1]
	}
	return 0
}

func (p *partition) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.disarm()
	if p.w == nil {
		return nil
	}
	w := p.w
	p.w = nil
	return w.Close()
}
