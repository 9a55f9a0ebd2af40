package journal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"kith/event"
	"kith/journal"
	"kith/journal/faultfs"
)

// FuzzSegment gives the reader any bytes as its last segment, and as one before it. It must not panic, and what it
// returns must stand in the bytes with checksums that match.
func FuzzSegment(f *testing.F) {
	disk := faultfs.NewMem()
	o := on(disk)
	o.SegmentBytes = 700
	log, err := journal.OpenFile("/j", o)
	if err != nil {
		f.Fatal(err)
	}
	for n := range 6 {
		if _, err := add(log, n*3, 3); err != nil {
			f.Fatal(err)
		}
	}
	log.Close()
	whole := disk.ReadFile(disk.Glob(".jsonl.zst")[0])
	for _, cut := range []int{0, 1, 40, 64, 100, 200, len(whole) - 100, len(whole) - 1, len(whole)} {
		f.Add(whole[:cut], false)
		f.Add(whole[:cut], true)
	}
	f.Fuzz(func(t *testing.T, segment []byte, another bool) {
		disk := faultfs.NewMem()
		disk.WriteFile("/j/0/00000000000000000001.jsonl.zst", segment)
		if another {
			disk.WriteFile("/j/0/00000000000000000013.jsonl.zst", nil)
		}
		log, err := journal.OpenFile("/j", on(disk))
		if err != nil {
			return
		}
		defer log.Close()
		_, next, err := log.Bounds(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if next == 1 {
			return
		}
		log.Read(ctx, 0, 1, func(fr journal.Frame) error {
			if !proven(segment, fr) {
				t.Errorf("a frame of %d events at %d was returned that the bytes do not prove", fr.Count, fr.Base)
			}
			if fr.End() >= next {
				cancel()
			}
			return nil
		})
		for _, seq := range []event.Seq{1, next / 2, next - 1} {
			if line, err := log.Line(t.Context(), 0, seq); err == nil && !bytes.HasSuffix(line, []byte("\n")) {
				t.Errorf("line %d is %q", seq, line)
			}
		}
	})
}

// proven finds the frame's header in the bytes, by format.md.
func proven(segment []byte, fr journal.Frame) bool {
	le, table := binary.LittleEndian, crc32.MakeTable(crc32.Castagnoli)
	for at := 0; at+64 <= len(segment); at++ {
		h := segment[at:]
		if le.Uint32(h) != 0x184D2A5B || le.Uint64(h[16:]) != uint64(fr.Base) {
			continue
		}
		if le.Uint32(h[60:]) != crc32.Checksum(h[:60], table) || uint64(le.Uint32(h[52:])) > uint64(len(h)-64) {
			continue
		}
		payload := h[64 : 64+le.Uint32(h[52:])]
		if crc32.Checksum(payload, table) == le.Uint32(h[56:]) && int(le.Uint32(h[48:])) == len(fr.Lines) &&
			int(le.Uint32(h[40:])) == fr.Count {
			return true
		}
	}
	return false
}
