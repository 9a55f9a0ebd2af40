package journal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"kith/event"
	"kith/journal"
	"kith/journal/faultfs"
	"kith/journal/journaltest"
)

// TestFormat reads a segment by format.md and not by the code that wrote it.
func TestFormat(t *testing.T) {
	disk := faultfs.NewMem()
	o := on(disk)
	o.SegmentBytes = 200
	f := open(t, "/j", o)
	lines := journaltest.Lines("web", 0, 3)
	for range 2 {
		if _, err := f.Append(t.Context(), 5, journal.Frame{Count: 3, Lines: lines}); err != nil {
			t.Fatal(err)
		}
	}
	b := disk.ReadFile("/j/5/00000000000000000001.jsonl.zst")
	le, castagnoli := binary.LittleEndian, crc32.MakeTable(crc32.Castagnoli)
	equal := func(what string, got, want uint64) {
		t.Helper()
		if got != want {
			t.Errorf("%s is %d, want %d", what, got, want)
		}
	}
	at := uint64(0)
	for frame := range uint64(2) {
		h := b[at:]
		equal("skippable magic", uint64(le.Uint32(h)), 0x184D2A5B)
		equal("header size", uint64(le.Uint32(h[4:])), 56)
		equal("magic", uint64(le.Uint32(h[8:])), uint64(le.Uint32([]byte("KJNL"))))
		equal("version", uint64(le.Uint16(h[12:])), 1)
		equal("kind", uint64(le.Uint16(h[14:])), 1)
		equal("base", le.Uint64(h[16:]), 1+frame*3)
		equal("append", le.Uint64(h[24:]), 1+frame*3)
		equal("received_at", le.Uint64(h[32:]), uint64(epoch.UnixMicro()))
		equal("count", uint64(le.Uint32(h[40:])), 3)
		equal("partition", uint64(le.Uint32(h[44:])), 5)
		payload := h[64 : 64+le.Uint32(h[52:])]
		equal("payload crc", uint64(le.Uint32(h[56:])), uint64(crc32.Checksum(payload, castagnoli)))
		equal("header crc", uint64(le.Uint32(h[60:])), uint64(crc32.Checksum(h[:60], castagnoli)))
		dec, err := zstd.NewReader(nil)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := dec.DecodeAll(payload, nil)
		dec.Close()
		equal("raw length", uint64(le.Uint32(h[48:])), uint64(len(raw)))
		var want bytes.Buffer
		for i := range 3 {
			want.WriteString(journaltest.Stamped("web", i, event.Seq(1+int(frame)*3+i), epoch.UnixMicro()) + "\n")
		}
		if err != nil || !bytes.Equal(raw, want.Bytes()) {
			t.Errorf("frame %d holds %s, %v", frame, raw, err)
		}
		at += 64 + uint64(len(payload))
	}
	s, sum := b[at:], sha256.Sum256(b[:at])
	equal("seal length", uint64(len(s)), 100)
	equal("seal size", uint64(le.Uint32(s[4:])), 92)
	equal("seal kind", uint64(le.Uint16(s[14:])), 2)
	equal("seal base", le.Uint64(s[16:]), 1)
	equal("seal next", le.Uint64(s[24:]), 7)
	equal("seal min", le.Uint64(s[32:]), uint64(epoch.UnixMicro()))
	equal("seal max", le.Uint64(s[40:]), uint64(epoch.UnixMicro()))
	equal("seal content", le.Uint64(s[48:]), at)
	equal("seal sum", le.Uint64(s[56:]), le.Uint64(sum[:]))
	equal("seal partition", uint64(le.Uint32(s[88:])), 5)
	equal("seal frames", uint64(le.Uint32(s[92:])), 2)
	equal("seal crc", uint64(le.Uint32(s[96:])), uint64(crc32.Checksum(s[:96], castagnoli)))
}

// TestVersion1 opens a folder that the first release wrote.
func TestVersion1(t *testing.T) {
	dir, _ := stored(t)
	if r, text := report(t, dir); r.Damaged() || len(r.Segments) != 4 {
		t.Errorf("the stored folder:\n%s", text)
	}
	f := open(t, dir, journal.FileOptions{Now: atEpoch, MinFree: -1})
	hold(t, f, 64)
	put(t, f, 64, 3)
	hold(t, f, 67)
}

func TestNewerVersionIsRefused(t *testing.T) {
	dir, segments := stored(t)
	newer := func(b []byte) []byte {
		b[12] = 9
		binary.LittleEndian.PutUint32(b[60:], crc32.Checksum(b[:60], crc32.MakeTable(crc32.Castagnoli)))
		return b
	}
	edit(t, segments[3], newer)
	_, err := journal.OpenFile(dir, journal.FileOptions{Now: atEpoch})
	wantError(t, err, event.Invalid, filepath.Base(segments[3]), "format version 9", "reads version 1")
	_, err = journal.Verify(dir, 0)
	wantError(t, err, event.Invalid, "format version 9")
	_, err = journal.Resync(dir, 0)
	wantError(t, err, event.Invalid, "format version 9")
}
