package journal

import (
	"fmt"
	"time"

	"kith/event"
)

// seal ends the open segment: its last block says what it holds. The next append begins a new one. If that fails
// the journal is poisoned and nil is returned; p.mu is held.
func (p *partition) seal() *Segment {
	p.disarm()
	s := seal{base: p.base, next: p.next, minAt: p.minAt, maxAt: p.lastAt, content: p.size,
		part: uint32(p.n), frames: p.frames}
	p.sum.Sum(s.sum[:0])
	var b [sealSize]byte
	s.put(b[:])
	if err := p.commit(b[:]); err != nil {
		p.file.fail(p.n, fmt.Errorf("seal segment: %w", err))
		return nil
	}
	err := p.w.Close()
	p.w = nil
	if err != nil {
		p.file.fail(p.n, fmt.Errorf("close sealed segment: %w", err))
		return nil
	}
	p.size += sealSize
	p.frames = 0
	p.publish()
	segment := s.segment(p.path(s.base), p.size)
	return &segment
}

// arm starts the clock of the segment's age. p.mu is held.
func (p *partition) arm(after time.Duration) {
	p.file.timers.Add(1)
	base := p.base
	p.timer = time.AfterFunc(after, func() { p.sealAged(base) })
}

func (p *partition) disarm() {
	if p.timer != nil && p.timer.Stop() {
		p.file.timers.Done()
	}
	p.timer = nil
}

// sealAged runs when the segment at base is old enough.
func (p *partition) sealAged(base event.Seq) {
	defer p.file.timers.Done()
	if sealed := p.sealIfOpen(base); sealed != nil {
		p.file.o.OnSeal(*sealed)
	}
}

// sealIfOpen seals the segment at base, unless that happened while the timer was on its way.
func (p *partition) sealIfOpen(base event.Seq) *Segment {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.base != base || p.frames == 0 || p.file.Poisoned() != nil {
		return nil
	}
	return p.seal()
}

// Segments returns the sealed segments of a partition in order, read from their seals.
func (f *File) Segments(part int) ([]Segment, error) {
	p, err := f.partition(part)
	if err != nil {
		return nil, err
	}
	var sealed []Segment
	for _, base := range p.view().bases {
		path := p.path(base)
		s, size, ok, err := readSeal(f.o.FS, path, part)
		if err != nil {
			return nil, fmt.Errorf("list segments of partition %d: %w", part, err)
		}
		if ok {
			sealed = append(sealed, s.segment(path, size))
		}
	}
	return sealed, nil
}

// Prefix returns a partition's last segment and how many bytes of it are durable and hold whole frames: what SQL may
// read of a file that is still written. The path is empty while the partition has none.
func (f *File) Prefix(part int) (path string, durableBytes int64, err error) {
	p, err := f.partition(part)
	if err != nil {
		return "", 0, err
	}
	v := p.view()
	if len(v.bases) == 0 {
		return "", 0, nil
	}
	return p.path(v.bases[len(v.bases)-1]), v.bytes, nil
}
