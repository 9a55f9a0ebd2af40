package journal

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"kith/event"
)

const keepScratch = 8 << 20 // larger buffers are given back after use

// errNoDescriptor is the one failure of an append that leaves nothing in doubt: no file was made.
var errNoDescriptor = errors.New("cannot begin a segment")

// append makes lines durable: number, compress, write, fdatasync, show.
func (p *partition) append(fr Frame) (event.Seq, error) {
	first, sealed, err := p.appendLocked(fr)
	if sealed != nil {
		p.file.o.OnSeal(*sealed)
	}
	return first, err
}

func (p *partition) appendLocked(fr Frame) (event.Seq, *Segment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return 0, nil, errClosed()
	case p.file.Poisoned() != nil:
		return 0, nil, p.file.Poisoned()
	}
	if err := p.file.space.check(); err != nil {
		return 0, nil, err
	}
	first, at := p.next, max(p.file.o.Now().UnixMicro(), p.lastAt)
	out, frames := p.encode(fr.Lines, at)
	if err := p.commit(out); errors.Is(err, errNoDescriptor) {
		return 0, nil, event.Errorf(event.Unavailable, "the journal: %w", err)
	} else if err != nil {
		return 0, nil, p.file.fail(p.n, err)
	}
	if p.frames == 0 {
		p.minAt = at
		p.arm(p.file.o.SegmentAge)
	}
	p.frames += frames
	p.size += int64(len(out))
	p.sum.Write(out)
	p.lastAt, p.next = at, first+event.Seq(fr.Count)
	p.file.space.wrote(len(out))
	p.publish()
	p.keep(out)
	if p.size < p.file.o.SegmentBytes {
		return first, nil, nil
	}
	sealed := p.seal()
	return first, sealed, nil
}

// encode turns lines into blocks, from p.next on.
func (p *partition) encode(lines []byte, at int64) (out []byte, frames uint32) {
	out = p.out[:0]
	h := header{base: p.next, first: p.next, at: at, part: uint32(p.n)}
	for rest := lines; len(rest) > 0; frames++ {
		var n int
		p.raw, n, rest = stamp(p.raw[:0], rest, h.base, at)
		h.count = uint32(n)
		out = p.file.codec.encode(out, p.raw, h)
		h.base += event.Seq(n)
	}
	return out, frames
}

// keep holds the scratch buffers for the next append, unless they are out of proportion.
func (p *partition) keep(out []byte) {
	p.out = out
	if cap(p.out) > keepScratch {
		p.out = nil
	}
	if cap(p.raw) > keepScratch {
		p.raw = nil
	}
}

// commit writes blocks to the open segment, a new one if there is none, and returns when they are durable.
func (p *partition) commit(out []byte) error {
	if p.torn != nil {
		if err := p.cutTorn(); err != nil {
			return err
		}
	}
	if p.w == nil {
		if err := p.roll(); err != nil {
			return err
		}
	}
	n, err := p.w.Write(out)
	if err != nil {
		return err
	}
	if n < len(out) {
		return io.ErrShortWrite
	}
	return p.w.Sync()
}

// roll begins the segment whose first event is p.next. Its name is durable before anything in it is acknowledged.
func (p *partition) roll() error {
	if !p.made {
		if err := p.file.o.Volume.MakeDir(p.dir()); err != nil {
			return err
		}
		p.made = true
	}
	w, err := p.file.o.FS.Create(p.path(p.next))
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return fmt.Errorf("%w: %w", errNoDescriptor, err)
	}
	if err != nil {
		return fmt.Errorf("begin segment: %w", err)
	}
	p.w, p.base, p.size, p.frames = w, p.next, 0, 0
	p.sum.Reset()
	return p.file.o.FS.SyncDir(p.dir())
}
