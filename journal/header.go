package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"kith/event"
)

// The numbers of format.md.
const (
	skippableMagic = 0x184D2A5B
	blockMagic     = "KJNL"
	formatVersion  = 1

	kindLines = 1
	kindSeal  = 2

	prefixSize = 16  // skippable magic, size, magic, version, kind: the same in every version
	headerSize = 64  // of a block of lines
	sealSize   = 100 // of a seal
	maxHeader  = 4096

	maxRaw     = 2 << 20          // a frame is closed when it has so many raw bytes
	maxFrame   = maxRaw + MaxLine // nothing longer is believed, raw or compressed
	maxPayload = maxFrame + 1<<20
)

// castagnoli is the table of CRC-32C; it never changes.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is what stands before each frame of lines.
type header struct {
	base       event.Seq
	first      event.Seq // base of the first frame of the same append
	at         int64
	count      uint32
	part       uint32
	raw        uint32 // bytes of lines
	payload    uint32 // bytes of the zstd frame
	payloadCRC uint32
}

func (h header) end() event.Seq { return h.base + event.Seq(h.count) }

// seal is what ends a segment that gets no more frames.
type seal struct {
	base, next   event.Seq
	minAt, maxAt int64
	content      int64 // bytes before the seal
	sum          [32]byte
	part, frames uint32
}

func putPrefix(b []byte, kind uint16) {
	binary.LittleEndian.PutUint32(b, skippableMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	copy(b[8:], blockMagic)
	binary.LittleEndian.PutUint16(b[12:], formatVersion)
	binary.LittleEndian.PutUint16(b[14:], kind)
}

func putSum(b []byte) {
	binary.LittleEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b[:len(b)-4], castagnoli))
}

// put writes the header in front of its payload: b has headerSize bytes.
func (h header) put(b []byte) {
	le := binary.LittleEndian
	putPrefix(b, kindLines)
	le.PutUint64(b[16:], uint64(h.base))
	le.PutUint64(b[24:], uint64(h.first))
	le.PutUint64(b[32:], uint64(h.at))
	le.PutUint32(b[40:], h.count)
	le.PutUint32(b[44:], h.part)
	le.PutUint32(b[48:], h.raw)
	le.PutUint32(b[52:], h.payload)
	le.PutUint32(b[56:], h.payloadCRC)
	putSum(b)
}

func parseHeader(b []byte) header {
	le := binary.LittleEndian
	return header{
		base: event.Seq(le.Uint64(b[16:])), first: event.Seq(le.Uint64(b[24:])), at: int64(le.Uint64(b[32:])),
		count: le.Uint32(b[40:]), part: le.Uint32(b[44:]), raw: le.Uint32(b[48:]),
		payload: le.Uint32(b[52:]), payloadCRC: le.Uint32(b[56:]),
	}
}

// check refuses numbers that no writer writes, so that what is computed with them cannot overflow.
func (h header) check() error {
	switch {
	case h.base < 1 || h.base > 1<<62 || h.first < 1 || h.first > h.base:
		return fmt.Errorf("its seq %d of an append at %d cannot be", h.base, h.first)
	case h.count < 1 || h.count > MaxFrameEvents:
		return fmt.Errorf("it counts %d events; a frame has 1 to %d", h.count, MaxFrameEvents)
	case h.raw < h.count || h.raw > maxFrame || h.payload < 1 || h.payload > maxPayload:
		return fmt.Errorf("its sizes of %d and %d bytes cannot be", h.raw, h.payload)
	}
	return nil
}

func (s seal) put(b []byte) {
	le := binary.LittleEndian
	putPrefix(b, kindSeal)
	le.PutUint64(b[16:], uint64(s.base))
	le.PutUint64(b[24:], uint64(s.next))
	le.PutUint64(b[32:], uint64(s.minAt))
	le.PutUint64(b[40:], uint64(s.maxAt))
	le.PutUint64(b[48:], uint64(s.content))
	copy(b[56:88], s.sum[:])
	le.PutUint32(b[88:], s.part)
	le.PutUint32(b[92:], s.frames)
	putSum(b)
}

func parseSeal(b []byte) seal {
	le := binary.LittleEndian
	s := seal{
		base: event.Seq(le.Uint64(b[16:])), next: event.Seq(le.Uint64(b[24:])),
		minAt: int64(le.Uint64(b[32:])), maxAt: int64(le.Uint64(b[40:])), content: int64(le.Uint64(b[48:])),
		part: le.Uint32(b[88:]), frames: le.Uint32(b[92:]),
	}
	copy(s.sum[:], b[56:88])
	return s
}
