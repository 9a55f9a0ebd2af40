package dedupe

import (
	"encoding/binary"
	"math"

	"github.com/FastFilter/xorfilter"
)

// A section's summary stands behind its blocks: a filter that says of almost every id that is not in the section that
// it is not (255 in 256), and where its blocks begin.
type summary struct {
	filter xorfilter.BinaryFuse[uint8]
	index  []byte // of the blocks: first key, offset in the section
	blocks int
}

const (
	summaryHeader = 32
	indexEntry    = 20
)

// appendSummary encodes the summary of a section from the hashes of its keys and the index of its blocks. hashes is
// reordered.
func appendSummary(dst []byte, hashes []uint64, index []byte) ([]byte, error) {
	filter, err := xorfilter.NewBinaryFuse[uint8](hashes)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	start := len(dst)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint32(dst, uint32(len(hashes)))
	dst = le.AppendUint32(dst, uint32(len(index)/indexEntry))
	dst = le.AppendUint32(dst, uint32(len(filter.Fingerprints)))
	dst = le.AppendUint64(dst, filter.Seed)
	dst = le.AppendUint32(dst, filter.SegmentLength)
	dst = le.AppendUint32(dst, filter.SegmentCount)
	dst = append(dst, index...)
	dst = append(dst, filter.Fingerprints...)
	le.PutUint32(dst[start:], sum(dst[start+4:]))
	return dst, nil
}

// parseSummary reads a summary of a section with so many entries and bytes of blocks, without copying.
func parseSummary(b []byte, entries, blockBytes uint32) (s summary, reason string) {
	le := binary.LittleEndian
	if len(b) < summaryHeader {
		return summary{}, "the section's summary is too short"
	}
	if sum(b[4:]) != le.Uint32(b) {
		return summary{}, "the checksum of the section's summary is wrong"
	}
	blocks, prints := uint64(le.Uint32(b[8:])), uint64(le.Uint32(b[12:]))
	segment, segments := uint64(le.Uint32(b[24:])), uint64(le.Uint32(b[28:]))
	if le.Uint32(b[4:]) != entries || blocks == 0 || uint64(len(b)) != summaryHeader+blocks*indexEntry+prints ||
		segment == 0 || segment&(segment-1) != 0 || segments == 0 || (segments+2)*segment != prints {
		return summary{}, "the section's summary does not agree with itself"
	}
	s = summary{blocks: int(blocks), index: b[summaryHeader:][:blocks*indexEntry]}
	s.filter = xorfilter.BinaryFuse[uint8]{Seed: le.Uint64(b[16:]), SegmentLength: uint32(segment),
		SegmentLengthMask: uint32(segment) - 1, SegmentCount: uint32(segments), SegmentCountLength: uint32(segments * segment),
		Fingerprints: b[summaryHeader+blocks*indexEntry:]}
	for i := range s.blocks {
		if from, to := s.extent(i, blockBytes); from >= to || to > blockBytes || i == 0 && from != 0 {
			return summary{}, "the section's index is not in order"
		}
	}
	return s, ""
}

func (s *summary) first(i int) key {
	p := s.index[i*indexEntry:]
	return key{binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:])}
}

// extent is where block i lies in its section.
func (s *summary) extent(i int, blockBytes uint32) (from, to uint32) {
	from, to = binary.LittleEndian.Uint32(s.index[i*indexEntry+16:]), blockBytes
	if i+1 < s.blocks {
		to = binary.LittleEndian.Uint32(s.index[(i+1)*indexEntry+16:])
	}
	return from, to
}

// at is the last block that begins at or before k, or the first one.
func (s *summary) at(k key) int {
	low, high := 0, s.blocks // block low begins at or before k or is the first; block high begins after k
	for high-low > 1 {
		if mid := (low + high) / 2; k.less(s.first(mid)) {
			high = mid
		} else {
			low = mid
		}
	}
	return low
}

// summaryRoom is the most bytes a summary of this shape takes: the filter's size is that of the binary fuse
// construction for a full section, which no smaller section exceeds by more than its segments' rounding.
func summaryRoom(s shape) int {
	n := math.Max(float64(s.section), 2)
	segment := math.Min(math.Exp2(math.Floor(math.Log(n)/math.Log(3.33)+2.25)), 1<<18)
	prints := n*math.Max(1.125, 0.875+0.25*math.Log(1e6)/math.Log(n)) + 3*segment
	blocks := (s.section + s.block - 1) / s.block
	return (summaryHeader + blocks*indexEntry + int(prints) + 4095) &^ 4095
}
