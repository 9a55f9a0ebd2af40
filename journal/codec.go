package journal

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strconv"

	"github.com/klauspost/compress/zstd"

	"kith/event"
)

// codec turns lines into blocks and back. It is safe for many goroutines.
type codec struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func newCodec() (*codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20),
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("make zstd encoder: %w", err)
	}
	dec, err := newDecoder()
	if err != nil {
		return nil, err
	}
	return &codec{enc, dec}, nil
}

func newDecoder() (*zstd.Decoder, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxWindow(maxFrame))
	if err != nil {
		return nil, fmt.Errorf("make zstd decoder: %w", err)
	}
	return dec, nil
}

// stamp copies lines to dst with seq and received_at written in front of each, until the frame is full. It returns
// how many there were and what is left.
func stamp(dst, lines []byte, seq event.Seq, at int64) (stamped []byte, count int, rest []byte) {
	for len(lines) > 0 && count < MaxFrameEvents {
		end := bytes.IndexByte(lines, '\n') + 1
		if count > 0 && len(dst)+end > maxRaw {
			break
		}
		dst = append(dst, `{"seq":`...)
		dst = strconv.AppendInt(dst, int64(seq), 10)
		dst = append(dst, `,"received_at":`...)
		dst = strconv.AppendInt(dst, at, 10)
		dst = append(dst, ',')
		dst = append(dst, lines[1:end]...)
		lines = lines[end:]
		count++
		seq++
	}
	return dst, count, lines
}

// encode appends one block to dst. h has base, first, at, count and part; raw is the stamped lines.
func (c *codec) encode(dst, raw []byte, h header) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, headerSize)...)
	dst = c.enc.EncodeAll(raw, dst)
	payload := dst[at+headerSize:]
	h.raw, h.payload = uint32(len(raw)), uint32(len(payload))
	h.payloadCRC = crc32.Checksum(payload, castagnoli)
	h.put(dst[at : at+headerSize])
	return dst
}

// decode unpacks b's payload into dst, which it grows if need be.
func decode(dec *zstd.Decoder, dst, payload []byte, b block) ([]byte, error) {
	if cap(dst) < int(b.raw) {
		dst = make([]byte, 0, b.raw)
	}
	raw, err := dec.DecodeAll(payload, dst[:0:b.raw])
	switch {
	case err != nil:
		return dst, fmt.Errorf("the frame cannot be unpacked: %w", err)
	case len(raw) != int(b.raw):
		return dst, fmt.Errorf("the frame unpacks to %d bytes, not to %d", len(raw), b.raw)
	case bytes.Count(raw, []byte{'\n'}) != int(b.count) || raw[len(raw)-1] != '\n':
		return dst, fmt.Errorf("the frame does not hold %d lines", b.count)
	}
	return raw, nil
}
