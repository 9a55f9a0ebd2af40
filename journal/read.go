package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"kith/event"
)

// Read calls fn for each frame from the one that holds from, then waits for more; see Log. Nothing is read before
// fdatasync has returned for it. A frame whose checksum does not match ends it with a Corrupt error that names
// segment and byte; a reader that begins after the damage reads on.
func (f *File) Read(ctx context.Context, part int, from event.Seq, fn func(Frame) error) error {
	p, err := f.partition(part)
	if err != nil {
		return err
	}
	v := p.view()
	if from == 0 {
		from = v.first
	}
	if err := v.holds(from, part); err != nil {
		return err
	}
	c := &cursor{p: p, seq: from}
	defer c.close()
	for {
		if err := c.catchUp(ctx, v, fn); err != nil {
			return err
		}
		if wake := p.wait(v); wake != nil {
			select {
			case <-wake:
			case <-ctx.Done():
				return ctx.Err()
			case <-f.closed:
				return errClosed()
			}
		}
		v = p.view()
	}
}

// holds refuses a seq that v neither has nor will have next.
func (v view) holds(from event.Seq, part int) error {
	switch {
	case from < v.first:
		return event.Errorf(event.NotFound, "partition %d of the journal begins at seq %d; %d is gone",
			part, v.first, from)
	case from > v.next:
		return event.Errorf(event.Corrupt, "partition %d of the journal ends before seq %d; %d was never written to it",
			part, v.next, from).
			WithHint("the journal is older than what was computed from it: was it restored from a backup, or moved?")
	}
	return nil
}

// Line returns the stored line of one event, its newline included.
func (f *File) Line(ctx context.Context, part int, seq event.Seq) ([]byte, error) {
	p, err := f.partition(part)
	if err != nil {
		return nil, err
	}
	v := p.view()
	if seq < v.first || seq >= v.next {
		return nil, event.Errorf(event.NotFound, "partition %d of the journal holds seq %d to %d, not %d",
			part, v.first, v.next-1, seq)
	}
	var line []byte
	c := &cursor{p: p, seq: seq}
	defer c.close()
	err = c.catchUp(ctx, v, func(fr Frame) error {
		line = bytes.Clone(nthLine(fr.Lines, int(seq-fr.Base)))
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return line, err
}

// errFound ends a read that has what it wants.
var errFound = errors.New("found")

func nthLine(lines []byte, n int) []byte {
	for ; n > 0; n-- {
		lines = lines[bytes.IndexByte(lines, '\n')+1:]
	}
	return lines[:bytes.IndexByte(lines, '\n')+1]
}

// A cursor reads a partition's frames from one segment to the next.
type cursor struct {
	p     *partition
	seq   event.Seq // the next event to deliver
	base  event.Seq // of the segment that s reads
	s     *scanner
	whole bool   // s is not the last segment, and its limit is its length
	raw   []byte // scratch
}

// catchUp delivers all frames of v from c.seq on.
func (c *cursor) catchUp(ctx context.Context, v view, fn func(Frame) error) error {
	for c.seq < v.next {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.p.file.usable(); err != nil {
			return err
		}
		if err := c.advance(v, fn); err != nil {
			if d := (*damage)(nil); errors.As(err, &d) {
				return d.corrupt(c.p.n)
			}
			return err
		}
	}
	return nil
}

// advance handles one block: it passes over it, delivers it, or goes on to the next segment.
func (c *cursor) advance(v view, fn func(Frame) error) error {
	if err := c.position(v); err != nil {
		return err
	}
	b, err := c.s.next()
	if err == io.EOF || err == nil && b.kind == kindSeal {
		return c.leave(v)
	}
	switch {
	case err != nil:
		return err
	case b.end() <= c.seq:
		return nil
	case b.base > c.seq:
		return c.s.damaged(b.off, "the frame begins with seq %d; %d is missing", b.base, c.seq)
	}
	c.s.chunk = readChunk
	payload, err := c.s.payload(b)
	if err != nil {
		return err
	}
	if c.raw, err = decode(c.p.file.codec.dec, c.raw, payload, b); err != nil {
		return c.s.damaged(b.off, "%v", err)
	}
	if err := fn(Frame{Base: b.base, Count: int(b.count), At: b.at, Lines: c.raw}); err != nil {
		return err
	}
	c.seq = b.end()
	if cap(c.raw) > keepScratch {
		c.raw = nil
	}
	return nil
}

// position opens the segment that holds c.seq, if none is open, and lets it be read as far as it is durable.
func (c *cursor) position(v view) error {
	if c.s == nil {
		base := v.segment(c.seq)
		s, err := openScanner(c.p.file.o.FS, c.p.path(base), c.p.n)
		if err != nil {
			return fmt.Errorf("read journal at seq %d: %w", c.seq, err)
		}
		c.s, c.base, c.whole = s, base, false
		if c.seq > base {
			s.chunk = skipChunk
		}
	}
	if c.base == v.bases[len(v.bases)-1] {
		c.s.limit = v.bytes
	} else if !c.whole { // it was the last one, or was just opened; now all of it can be read
		size, err := c.s.r.Size()
		if err != nil {
			return err
		}
		c.s.limit, c.whole = size, true
	}
	return nil
}

// leave closes a segment at its end. The next event has to be in another.
func (c *cursor) leave(v view) error {
	if base := v.segment(c.seq); base == c.base || base != c.seq {
		return c.s.damaged(c.s.off, "the segment ends here; seq %d is missing", c.seq)
	}
	return c.close()
}

func (c *cursor) close() error {
	if c.s == nil {
		return nil
	}
	s := c.s
	c.s = nil
	return s.close()
}
