package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"kith/event"
	"kith/journal/faultfs"
)

// block is one header of a segment, found and proven by its checksum. Its payload is not read yet.
type block struct {
	off    int64  // where it begins
	size   int64  // with its payload
	kind   uint16 // kindLines or kindSeal
	header        // where kind is kindLines
	seal   seal   // where kind is kindSeal
}

// damage says where a segment stops making sense, and why.
type damage struct {
	path   string
	off    int64
	reason string
	proven bool // a header with a good checksum says it, so no crash can have caused it
}

func (d *damage) Error() string { return fmt.Sprintf("%s: byte %d: %s", d.path, d.off, d.reason) }

// corrupt is damage as a person reads it.
func (d *damage) corrupt(part int) error {
	return &event.Error{
		Code: event.Corrupt, Message: d.reason,
		Place: event.Place{File: d.path, Path: fmt.Sprintf("byte %d", d.off)},
		Hint:  fmt.Sprintf("kith verify journal shows all damage in partition %d; later segments can be read", part),
		Err:   d,
	}
}

// A scanner walks one segment's blocks between off and limit.
type scanner struct {
	r     faultfs.Reader
	path  string
	part  int
	off   int64 // where the next block begins
	limit int64 // nothing at or beyond it is read
	chunk int   // bytes asked of the file at once: small to skip, large to read all

	buf   []byte
	bufAt int64
}

const (
	skipChunk = 16 << 10
	readChunk = 256 << 10
)

// openScanner opens a segment; its limit is the file's length.
func openScanner(fs faultfs.FS, path string, part int) (*scanner, error) {
	r, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	size, err := r.Size()
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &scanner{r: r, path: path, part: part, limit: size, chunk: readChunk}, nil
}

func (s *scanner) close() error { return s.r.Close() }

// wrong is damage that a header with a good checksum proves.
func (s *scanner) wrong(off int64, format string, args ...any) *damage {
	d := s.damaged(off, format, args...)
	d.proven = true
	return d
}

func (s *scanner) damaged(off int64, format string, args ...any) *damage {
	return &damage{path: s.path, off: off, reason: fmt.Sprintf(format, args...)}
}

// window returns n bytes at off, valid until the next call; fewer where the limit is nearer.
func (s *scanner) window(off int64, n int) ([]byte, error) {
	n = int(max(0, min(int64(n), s.limit-off)))
	if at := off - s.bufAt; at >= 0 && at+int64(n) <= int64(len(s.buf)) {
		return s.buf[at : at+int64(n)], nil
	}
	want := int(min(int64(max(n, s.chunk)), s.limit-off))
	if cap(s.buf) < want {
		s.buf = make([]byte, want)
	}
	s.buf, s.bufAt = s.buf[:want], off
	got, err := s.r.ReadAt(s.buf, off)
	s.buf = s.buf[:got]
	if got >= n {
		return s.buf[:n], nil
	}
	if err == io.EOF {
		return nil, s.damaged(off, "the file is shorter than it was")
	}
	return nil, err
}

// next finds the block at off and steps over it. io.EOF is the limit; what does not make sense is a *damage; a
// version that this build does not know is an *event.Error.
func (s *scanner) next() (block, error) {
	if s.off >= s.limit {
		return block{}, io.EOF
	}
	b, err := s.block(s.off)
	if err != nil {
		return b, err
	}
	s.off += b.size
	return b, nil
}

// block reads the block that begins at off.
func (s *scanner) block(off int64) (block, error) {
	p, err := s.window(off, headerSize)
	if err != nil {
		return block{}, err
	}
	if len(p) < prefixSize {
		return block{}, s.damaged(off, "a header is cut short after %d bytes", len(p))
	}
	if binary.LittleEndian.Uint32(p) != skippableMagic || string(p[8:12]) != blockMagic {
		return block{}, s.damaged(off, "no header begins here")
	}
	size := int64(binary.LittleEndian.Uint32(p[4:])) + 8
	if size < prefixSize+4 || size > maxHeader {
		return block{}, s.damaged(off, "a header of %d bytes cannot be", size)
	}
	if p, err = s.window(off, int(size)); err != nil {
		return block{}, err
	}
	if int64(len(p)) < size {
		return block{}, s.damaged(off, "a header is cut short after %d bytes", len(p))
	}
	if binary.LittleEndian.Uint32(p[size-4:]) != crc32.Checksum(p[:size-4], castagnoli) {
		return block{}, s.damaged(off, "the header's checksum does not match")
	}
	if v := binary.LittleEndian.Uint16(p[12:]); v != formatVersion {
		return block{}, s.newer(v)
	}
	return s.parse(off, p)
}

func (s *scanner) newer(version uint16) error {
	return &event.Error{
		Code:    event.Invalid,
		Message: fmt.Sprintf("the segment has format version %d; this build reads version %d", version, formatVersion),
		Place:   event.Place{File: s.path},
		Hint:    "open it with the Kith that wrote it, or a later one",
	}
}

// parse takes a header apart whose checksum holds.
func (s *scanner) parse(off int64, p []byte) (block, error) {
	kind := binary.LittleEndian.Uint16(p[14:])
	switch {
	case kind == kindSeal && len(p) == sealSize:
		b := block{off: off, size: sealSize, kind: kind, seal: parseSeal(p)}
		if int(b.seal.part) != s.part {
			return block{}, s.wrong(off, "it belongs to partition %d", b.seal.part)
		}
		return b, nil
	case kind == kindLines && len(p) == headerSize:
		b := block{off: off, kind: kind, header: parseHeader(p)}
		b.size = headerSize + int64(b.payload)
		if err := b.check(); err != nil {
			return block{}, s.wrong(off, "the header makes no sense: %v", err)
		}
		if int(b.part) != s.part {
			return block{}, s.wrong(off, "it belongs to partition %d", b.part)
		}
		if off+b.size > s.limit {
			return block{}, s.damaged(off, "the frame is cut short: %d of %d bytes", s.limit-off, b.size)
		}
		return b, nil
	}
	return block{}, s.wrong(off, "a header of kind %d with %d bytes is not known", kind, len(p))
}

// payload returns the compressed lines of b, proven by their checksum, valid until the next call.
func (s *scanner) payload(b block) ([]byte, error) {
	p, err := s.window(b.off+headerSize, int(b.header.payload))
	if err != nil {
		return nil, err
	}
	if len(p) < int(b.header.payload) || crc32.Checksum(p, castagnoli) != b.payloadCRC {
		return nil, s.damaged(b.off, "the frame's checksum does not match")
	}
	return p, nil
}

// resync finds the first whole block at or after off that is wanted.
func (s *scanner) resync(off int64, want func(block) bool) (block, bool, error) {
	const step = 4 << 10
	magic := binary.LittleEndian.AppendUint32(nil, skippableMagic)
	for off+headerSize <= s.limit {
		p, err := s.window(off, step)
		if err != nil {
			return block{}, false, err
		}
		skip := bytes.Index(p, magic)
		if skip < 0 {
			off += int64(max(1, len(p)-len(magic)+1))
			continue
		}
		off += int64(skip)
		b, err := s.whole(off)
		if d := (*damage)(nil); errors.As(err, &d) {
			off++
			continue
		}
		if err != nil {
			return block{}, false, err
		}
		if want(b) {
			return b, true, nil
		}
		off += b.size
	}
	return block{}, false, nil
}

// whole reads the block at off and proves its payload too.
func (s *scanner) whole(off int64) (block, error) {
	b, err := s.block(off)
	if err == nil && b.kind == kindLines {
		_, err = s.payload(b)
	}
	return b, err
}
