package dedupe

import (
	"encoding/binary"
	"math/bits"
)

// A block is some hundred sorted entries: what is read from the disk at once. Keys and numbers are stored as their
// distance from the block's least, in as few bytes as the greatest of them needs.
type block struct {
	n        int
	base     key
	baseSeq  uint64
	keyWidth int
	seqWidth int
	keys     []byte // followed by the numbers, and by slack
	seqs     []byte
	keyMask  key
	seqMask  uint64
}

const (
	blockHeader = 32
	slack       = 16 // bytes that may be read past a block's end
)

func byteWidth(v uint64) int { return (bits.Len64(v) + 7) / 8 }

func lowBytes(n int) uint64 {
	if n >= 8 {
		return ^uint64(0)
	}
	return 1<<(8*n) - 1
}

// appendBlock encodes sorted entries, at least one.
func appendBlock(dst []byte, es []entry) []byte {
	base, least, most := es[0].key, es[0].seq, es[0].seq
	for _, e := range es {
		least, most = min(least, e.seq), max(most, e.seq)
	}
	reach := es[len(es)-1].minus(base)
	keyWidth := byteWidth(reach.lo)
	if reach.hi != 0 {
		keyWidth = 8 + byteWidth(reach.hi)
	}
	seqWidth := byteWidth(most - least)
	le := binary.LittleEndian
	start := len(dst)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint16(dst, uint16(len(es)))
	dst = append(dst, byte(keyWidth), byte(seqWidth))
	dst = le.AppendUint64(dst, base.hi)
	dst = le.AppendUint64(dst, base.lo)
	dst = le.AppendUint64(dst, least)
	for _, e := range es {
		d := e.minus(base)
		dst = le.AppendUint64(le.AppendUint64(dst, d.lo), d.hi)
		dst = dst[:len(dst)-16+keyWidth]
	}
	for _, e := range es {
		dst = le.AppendUint64(dst, e.seq-least)
		dst = dst[:len(dst)-8+seqWidth]
	}
	le.PutUint32(dst[start:], sum(dst[start+4:]))
	return dst
}

// blockLength is the length of the block that b begins with, 0 if it cannot be one.
func blockLength(b []byte) int {
	if len(b) < blockHeader {
		return 0
	}
	n, keyWidth, seqWidth := int(binary.LittleEndian.Uint16(b[4:])), int(b[6]), int(b[7])
	if n == 0 || keyWidth > 16 || seqWidth > 8 {
		return 0
	}
	return blockHeader + n*(keyWidth+seqWidth)
}

// parseBlock reads the block in the first size bytes of b, which has slack bytes more. What is wrong with it is said
// in reason.
func parseBlock(b []byte, size int) (k block, reason string) {
	if length := blockLength(b[:size]); length == 0 || length != size {
		return block{}, "the block's length is damaged"
	}
	le := binary.LittleEndian
	if sum(b[4:size]) != le.Uint32(b) {
		return block{}, "the block's checksum is wrong"
	}
	k = block{n: int(le.Uint16(b[4:])), keyWidth: int(b[6]), seqWidth: int(b[7]),
		base: key{le.Uint64(b[8:]), le.Uint64(b[16:])}, baseSeq: le.Uint64(b[24:])}
	k.keys = b[blockHeader:]
	k.seqs = k.keys[k.n*k.keyWidth:]
	k.keyMask = key{lowBytes(max(k.keyWidth-8, 0)), lowBytes(k.keyWidth)}
	k.seqMask = lowBytes(k.seqWidth)
	return k, ""
}

func (k *block) key(i int) key {
	p := k.keys[i*k.keyWidth:][:16]
	d := key{binary.LittleEndian.Uint64(p[8:]) & k.keyMask.hi, binary.LittleEndian.Uint64(p) & k.keyMask.lo}
	return k.base.plus(d)
}

func (k *block) entry(i int) entry {
	return entry{k.key(i), k.baseSeq + binary.LittleEndian.Uint64(k.seqs[i*k.seqWidth:])&k.seqMask}
}

// find returns the first entry of a span.
func (k *block) find(s span) (e entry, ok bool) {
	low, high := 0, k.n
	for low < high {
		if mid := (low + high) / 2; k.key(mid).less(s.lower()) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == k.n {
		return entry{}, false
	}
	e = k.entry(low)
	return e, !s.upper().less(e.key)
}
