package journal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"

	"github.com/klauspost/compress/zstd"

	"kith/event"
	"kith/journal/faultfs"
)

// Report is what Verify found in one partition.
type Report struct {
	Dir      string
	Part     int
	Segments []SegmentReport // in order
}

// SegmentReport is what Verify found in one segment.
type SegmentReport struct {
	Segment          // of a segment with damage: what was read before it
	Sealed   bool    // no event is added to it any more
	Frames   int     // good ones
	RawBytes int64   // of their lines
	Torn     int64   // bytes at the end of the last segment of an append that was not acknowledged, or is under way
	Damage   *Damage // the first; nil if there is none
}

// Damage is a place in a segment that does not hold what was written.
type Damage struct {
	Offset int64 // bytes from the segment's beginning
	Reason string
}

// Damaged reports whether any segment is.
func (r Report) Damaged() bool {
	for _, s := range r.Segments {
		if s.Damage != nil {
			return true
		}
	}
	return false
}

// Partitions returns the partitions that a journal's folder holds, ascending.
func Partitions(dir string) ([]int, error) { return listPartitions(faultfs.OS{}, dir) }

// Verify reads all segments of a partition and checks every header, checksum, count, line and seal, and that seq and
// time go on from one to the next. It changes nothing and may run beside a server. Damage is in the report; the error
// says that the files cannot be read at all, or are of a newer format.
func Verify(dir string, part int) (Report, error) { return verify(faultfs.OS{}, dir, part) }

func verify(fs faultfs.FS, dir string, part int) (Report, error) {
	r := Report{Dir: dir, Part: part}
	fail := func(err error) (Report, error) {
		return r, fmt.Errorf("verify journal %s, partition %d: %w", dir, part, err)
	}
	bases, err := listSegments(fs, dir, part)
	if err != nil {
		return fail(err)
	}
	dec, err := newDecoder()
	if err != nil {
		return fail(err)
	}
	defer dec.Close()
	var at int64
	for i, base := range bases {
		v := &verifier{dec: dec, next: base, maxAt: at, sum: sha256.New()}
		if i+1 < len(bases) {
			v.until = bases[i+1]
		}
		if err := v.segment(fs, segmentPath(dir, part, base), part, base); err != nil {
			return fail(err)
		}
		at = v.maxAt
		r.Segments = append(r.Segments, v.found)
	}
	return r, nil
}

// A verifier walks one segment.
type verifier struct {
	dec   *zstd.Decoder
	next  event.Seq // expected
	until event.Seq // base of the segment after it; 0 for the last
	maxAt int64     // received_at so far
	sum   hash.Hash
	raw   []byte
	found SegmentReport
}

// segment fills v.found.
func (v *verifier) segment(fs faultfs.FS, path string, part int, base event.Seq) error {
	s, err := openScanner(fs, path, part)
	if err != nil {
		return err
	}
	defer s.close()
	v.found.Segment = Segment{Part: part, Path: path, Base: base, Bytes: s.limit}
	for err == nil {
		err = v.block(s)
	}
	if err == io.EOF {
		err = v.end(s)
	}
	copy(v.found.SHA256[:], v.sum.Sum(nil))
	d := (*damage)(nil)
	if !errors.As(err, &d) {
		return err
	}
	if v.until == 0 && !v.found.Sealed && !d.proven {
		later := func(b block) bool { return b.kind == kindSeal || b.first > v.next }
		if _, found, err := s.resync(d.off, later); err != nil {
			return err
		} else if !found {
			v.found.Torn = s.limit - d.off
			return nil
		}
	}
	v.found.Damage = &Damage{Offset: d.off, Reason: d.reason}
	return nil
}

// block checks the next one.
func (v *verifier) block(s *scanner) error {
	b, err := s.next()
	switch {
	case err != nil:
		return err
	case v.found.Sealed:
		return s.damaged(b.off, "a block follows the seal")
	case b.kind == kindSeal:
		return v.seal(s, b)
	case b.base != v.next:
		return s.damaged(b.off, "the frame begins with seq %d, not with %d", b.base, v.next)
	case b.at < v.maxAt:
		return s.damaged(b.off, "it was received at %d, before the one before it at %d", b.at, v.maxAt)
	}
	payload, err := s.payload(b)
	if err != nil {
		return err
	}
	if v.raw, err = decode(v.dec, v.raw, payload, b); err != nil {
		return s.damaged(b.off, "%v", err)
	}
	if n := checkStamps(v.raw, b.base, b.at); n >= 0 {
		return s.damaged(b.off, "line %d of the frame does not begin with seq %d and received_at %d",
			n+1, b.base+event.Seq(n), b.at)
	}
	whole, err := s.window(b.off, int(b.size))
	if err != nil {
		return err
	}
	v.sum.Write(whole)
	v.count(b)
	return nil
}

func (v *verifier) count(b block) {
	if v.found.Frames == 0 {
		v.found.MinAt = b.at
	}
	v.found.Frames++
	v.found.Count += int64(b.count)
	v.found.RawBytes += int64(b.raw)
	v.found.Content = b.off + b.size
	v.found.MaxAt, v.maxAt, v.next = b.at, b.at, b.end()
}

// checkStamps returns the index of the first line that does not begin with its number and time; -1 if all do.
func checkStamps(lines []byte, seq event.Seq, at int64) int {
	var want []byte
	for n := 0; len(lines) > 0; n++ {
		want = append(strconv.AppendInt(append(want[:0], `{"seq":`...), int64(seq), 10), `,"received_at":`...)
		want = append(strconv.AppendInt(want, at, 10), ',', '"')
		if !bytes.HasPrefix(lines, want) {
			return n
		}
		lines = lines[bytes.IndexByte(lines, '\n')+1:]
		seq++
	}
	return -1
}

func (v *verifier) seal(s *scanner, b block) error {
	v.found.Sealed = true
	var sum [32]byte
	v.sum.Sum(sum[:0])
	switch {
	case b.seal.base != v.found.Base || b.seal.next != v.next || int(b.seal.frames) != v.found.Frames:
		return s.damaged(b.off, "the seal tells of seq %d to %d in %d frames; there are %d to %d in %d",
			b.seal.base, b.seal.next-1, b.seal.frames, v.found.Base, v.next-1, v.found.Frames)
	case b.seal.content != b.off || b.seal.sum != sum:
		return s.damaged(b.off, "the seal's sha256 does not match")
	case b.seal.minAt != v.found.MinAt || b.seal.maxAt != v.found.MaxAt:
		return s.damaged(b.off, "the seal's times do not match")
	}
	return nil
}

// end checks that the segment ends where the next one begins.
func (v *verifier) end(s *scanner) error {
	switch {
	case v.until == 0:
		return nil
	case v.next != v.until:
		return s.damaged(s.off, "the segment ends with seq %d; the one after it begins with %d", v.next-1, v.until)
	case !v.found.Sealed:
		return s.damaged(s.off, "the segment is not the last and has no seal")
	}
	return nil
}
