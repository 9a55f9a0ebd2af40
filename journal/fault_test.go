package journal_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kith/event"
	"kith/journal"
	"kith/journal/faultfs"
	"kith/journal/journaltest"
)

func TestFailedDiskPoisons(t *testing.T) {
	cases := []struct {
		name  string
		fault func(*faultfs.Mem)
		words string
	}{
		{"fsync", func(d *faultfs.Mem) { d.FailSync(0, syscall.EIO) }, "input/output error"},
		{"short write", func(d *faultfs.Mem) { d.ShortWrite(10) }, "input/output error"},
		{"full disk", func(d *faultfs.Mem) { d.FullAfter(50) }, "no space left on device"},
		{"read-only", func(d *faultfs.Mem) { d.ReadOnly(true) }, "read-only file system"},
	}
	for _, c := range cases {
		for _, sealed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, new segment %v", c.name, sealed), func(t *testing.T) {
				disk := faultfs.NewMem()
				o := on(disk)
				if sealed {
					o.SegmentBytes = 1
				}
				f := open(t, "/j", o)
				put(t, f, 0, 3)
				c.fault(disk)
				_, err := add(f, 3, 3)
				wantError(t, err, event.Unavailable, c.words, "2026-02-03T04:05:06Z", "restart")
				<-f.Failed()

				// The disk seems well again. Nothing may be tried on it.
				disk.ReadOnly(false)
				disk.FullAfter(1 << 40)
				disk.FailSync(1<<40, nil)
				_, again := add(f, 3, 3)
				if again == nil || again.Error() != err.Error() || f.Poisoned() == nil {
					t.Errorf("after the failure: %v, poisoned %v", again, f.Poisoned())
				}
				hold(t, f, 3) // reads go on
				f.Close()

				f = open(t, "/j", on(disk.PowerCut(nil)))
				hold(t, f, 3)
				put(t, f, 3, 3)
				hold(t, f, 6)
			})
		}
	}
}

func TestFailedSealPoisonsButTheAppendStands(t *testing.T) {
	disk := faultfs.NewMem()
	o := on(disk)
	o.SegmentBytes = 1
	f := open(t, "/j", o)
	disk.FailSync(2, syscall.EIO) // the folder and the frame work, the seal does not
	put(t, f, 0, 3)
	<-f.Failed()
	hold(t, f, 3)
	f.Close()
	hold(t, open(t, "/j", on(disk.PowerCut(nil))), 3)
}

func TestReadOnlyDiskAtStart(t *testing.T) {
	disk := faultfs.NewMem()
	f := open(t, "/j", on(disk))
	put(t, f, 0, 1)
	f.Close()
	disk.ReadOnly(true)
	if _, err := journal.OpenFile("/j", on(disk)); err == nil || !strings.Contains(err.Error(), "read-only file system") {
		t.Errorf("open on a read-only disk: %v", err)
	}
}

func TestWatermarkRefusesAndRecovers(t *testing.T) {
	disk, now := faultfs.NewMem(), epoch
	o := on(disk)
	o.Now = func() time.Time { return now }
	f := open(t, "/j", o)
	put(t, f, 0, 1)
	disk.SetFree(20 << 30) // of 2 TB: less than 1 %
	now = now.Add(2 * time.Second)
	_, err := add(f, 1, 1)
	wantError(t, err, event.Unavailable, "disk nearly full", "20480 MB free")
	hold(t, f, 1)
	disk.SetFree(30 << 30)
	_, err = add(f, 1, 1) // looked less than a second ago
	wantError(t, err, event.Unavailable, "disk nearly full")
	now = now.Add(time.Second)
	put(t, f, 1, 1)
	hold(t, f, 2)
	f.Close()

	o.MinFree = 40 << 30
	f = open(t, "/j", o)
	_, err = add(f, 2, 1)
	wantError(t, err, event.Unavailable, "40960 MB")
	f.Close()
	o.MinFree = -1
	put(t, open(t, "/j", o), 2, 1)
}

func TestWatermarkLooksAgainAfterMuchWriting(t *testing.T) {
	disk := faultfs.NewMem()
	f := open(t, "/j", on(disk)) // where no time passes
	put(t, f, 0, 1)
	disk.SetFree(0)
	noise := make([]byte, 4<<20)
	rand.NewChaCha8([32]byte{}).Read(noise)
	line := fmt.Appendf(nil, `{"noise":"%x"}`+"\n", noise)
	var err error
	for i := 0; err == nil && i < 9; i++ {
		_, err = f.Append(t.Context(), 0, journal.Frame{Count: 1, Lines: line})
	}
	wantError(t, err, event.Unavailable, "disk nearly full")
	if _, bytes, _ := f.Prefix(0); bytes < 16<<20 || bytes > 26<<20 {
		t.Errorf("refused after %d MB", bytes>>20)
	}
}

// frames is a segment of several appends, with what is known about each.
type frames struct {
	data []byte
	path string
	ends []int // byte after each append
	seqs []int // events up to there
}

func someFrames(t *testing.T, sizes ...int) frames {
	disk := faultfs.NewMem()
	f := open(t, "/j", on(disk))
	var s frames
	n := 0
	for _, size := range sizes {
		put(t, f, n, size)
		n += size
		path, bytes, err := f.Prefix(0)
		if err != nil {
			t.Fatal(err)
		}
		s.path, s.ends, s.seqs = path, append(s.ends, int(bytes)), append(s.seqs, n)
	}
	s.data = disk.ReadFile(s.path)
	return s
}

// before is how many events the appends hold that end at or before a byte.
func (s frames) before(at int) (events, end int) {
	for i, e := range s.ends {
		if e <= at {
			events, end = s.seqs[i], e
		}
	}
	return events, end
}

func TestTornTailAtEveryByte(t *testing.T) {
	s := someFrames(t, 2, 3, 1, 4)
	for cut := range len(s.data) + 1 {
		disk := faultfs.NewMem()
		disk.WriteFile(s.path, s.data[:cut])
		var log bytes.Buffer
		o := on(disk)
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		f, err := journal.OpenFile("/j", o)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		events, end := s.before(cut)
		hold(t, f, events)
		put(t, f, events, 2)
		hold(t, f, events+2)
		torn := disk.Glob(".torn")
		switch {
		case cut == end && (len(torn) != 0 || log.Len() != 0):
			t.Errorf("cut at %d, between appends: %v, %s", cut, torn, &log)
		case cut > end && (len(torn) != 1 || !bytes.Equal(disk.ReadFile(torn[0]), s.data[end:cut])):
			t.Errorf("cut at %d: the torn bytes are not in %v", cut, torn)
		case cut > end && !strings.Contains(log.String(), fmt.Sprintf("at=%d bytes=%d", end, cut-end)):
			t.Errorf("cut at %d: the log says %s", cut, &log)
		}
		f.Close()
	}
}

// TestCrashBetweenTwoSegments: the new segment's name is there, nothing in it.
func TestCrashBetweenTwoSegments(t *testing.T) {
	disk, now := faultfs.NewMem(), epoch
	o := on(disk)
	o.SegmentBytes, o.Now = 1, func() time.Time { return now }
	f := open(t, "/j", o)
	put(t, f, 0, 3)
	disk.FullAfter(0)
	if _, err := add(f, 3, 3); err == nil {
		t.Fatal("appended to a full disk")
	}
	f.Close()
	disk = disk.PowerCut(nil)
	if files := disk.Glob(".jsonl.zst"); len(files) != 2 {
		t.Fatalf("files %v", files)
	}
	o.FS, o.Volume, now = disk, disk, epoch.Add(-30*time.Minute)
	f = open(t, "/j", o)
	put(t, f, 3, 3)
	hold(t, f, 6)
	line, err := f.Line(t.Context(), 0, 4)
	if want := journaltest.Stamped("web", 3, 4, epoch.UnixMicro()) + "\n"; err != nil || string(line) != want {
		t.Errorf("time ran backwards: %s, %v", line, err)
	}
}

func TestTornTailWaitsForSpace(t *testing.T) {
	s := someFrames(t, 2, 3)
	disk := faultfs.NewMem()
	disk.WriteFile(s.path, s.data[:len(s.data)-1])
	disk.FullAfter(10)
	f := open(t, "/j", on(disk))
	hold(t, f, 2)
	disk.FullAfter(1 << 40)
	put(t, f, 2, 2)
	hold(t, f, 4)
	f.Close()
	hold(t, open(t, "/j", on(disk.PowerCut(nil))), 4)
}

// TestTornAppendOfSeveralFrames: of an append that is several frames any part may have reached the disk, also the
// last without the first. None of it was acknowledged, and it must not be taken for damage.
func TestTornAppendOfSeveralFrames(t *testing.T) {
	const n = journal.MaxFrameEvents + 10
	s := someFrames(t, 2, n)
	data := bytes.Clone(s.data)
	clear(data[s.ends[0]+200 : s.ends[0]+300])
	disk := faultfs.NewMem()
	disk.WriteFile(s.path, data)
	f := open(t, "/j", on(disk))
	hold(t, f, 2)
	put(t, f, 2, 1)
	hold(t, f, 3)
}

func TestFlippedBitInEachByte(t *testing.T) {
	s := someFrames(t, 2, 3, 1)
	for at := range s.data {
		disk := faultfs.NewMem()
		disk.WriteFile(s.path, s.data)
		disk.Flip(s.path, int64(at), uint(at%8))
		events, good := s.before(at)
		f, err := journal.OpenFile("/j", on(disk))
		if at >= s.ends[1] { // in the last append: it cannot be told from a torn one
			if err != nil {
				t.Fatalf("bit flipped in byte %d: %v", at, err)
			}
			hold(t, f, events)
			f.Close()
			continue
		}
		if err == nil {
			t.Fatalf("bit flipped in byte %d: it opens", at)
		}
		wantError(t, err, event.Corrupt, s.path, fmt.Sprintf("byte %d:", good), "--resync")
		if got := disk.ReadFile(s.path); len(got) != len(s.data) {
			t.Fatalf("bit flipped in byte %d: the segment was changed", at)
		}
	}
}

func TestReaderStopsAtDamageAndPassesItWhenAsked(t *testing.T) {
	disk := faultfs.NewMem()
	o := on(disk)
	o.SegmentBytes = 900
	f := open(t, "/j", o)
	n := 0
	for len(disk.Glob(".jsonl.zst")) < 3 {
		put(t, f, n, 4)
		n += 4
	}
	f.Close()
	first := disk.Glob(".jsonl.zst")[0]
	second := event.Seq(seqOf(disk.Glob(".jsonl.zst")[1]))
	size := int64(len(disk.ReadFile(first)))
	for at := range size {
		disk.Flip(first, at, 3)
		f := open(t, "/j", o)
		next := event.Seq(1)
		err := f.Read(t.Context(), 0, 1, func(fr journal.Frame) error {
			if fr.Base != next {
				t.Fatalf("byte %d: frame at %d, want %d", at, fr.Base, next)
			}
			for i, line := range strings.Split(strings.TrimSpace(string(fr.Lines)), "\n") {
				if want := journaltest.Stamped("web", int(next)-1+i, next+event.Seq(i), fr.At); line != want {
					t.Fatalf("byte %d: got %s", at, line)
				}
			}
			next = fr.End()
			if next == event.Seq(n+1) {
				return errAll
			}
			return nil
		})
		if at < size-100 || err != errAll { // damage in the seal may be passed: nothing in it is an event
			wantError(t, err, event.Corrupt, first, "byte ")
		}
		if _, err := journaltest.Collect(t.Context(), f, 0, second, n+1-int(second)); err != nil {
			t.Fatalf("byte %d: the later segments: %v", at, err)
		}
		f.Close()
		disk.Flip(first, at, 3)
	}
}

var errAll = fmt.Errorf("all was read")

func seqOf(path string) (n int) {
	fmt.Sscanf(path[strings.LastIndex(path, "/")+1:], "%d", &n)
	return n
}

func TestMissingSegment(t *testing.T) {
	disk := faultfs.NewMem()
	o := on(disk)
	o.SegmentBytes = 1
	f := open(t, "/j", o)
	for n := range 4 {
		put(t, f, n, 1)
	}
	f.Close()
	moved := disk.Glob(".jsonl.zst")[1]
	if err := disk.Rename(moved, "/elsewhere"); err != nil {
		t.Fatal(err)
	}
	f = open(t, "/j", o)
	_, err := journaltest.Collect(t.Context(), f, 0, 1, 4)
	wantError(t, err, event.Corrupt, "seq 2 is missing")
	if _, err := journaltest.Collect(t.Context(), f, 0, 3, 2); err != nil {
		t.Error(err)
	}
}

func TestOtherPartitionsSegmentIsRefused(t *testing.T) {
	s := someFrames(t, 2, 3)
	disk := faultfs.NewMem()
	disk.WriteFile(strings.Replace(s.path, "/j/0/", "/j/7/", 1), s.data)
	_, err := journal.OpenFile("/j", on(disk))
	wantError(t, err, event.Corrupt, "/j/7/", "byte 0:", "belongs to partition 0")
}

// TestPowerCuts runs a journal against the simplest model, through any number of power cuts that tear the tail
// anywhere: all that was acknowledged is there, in order, and nothing that was not appended.
func TestPowerCuts(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		disk := faultfs.NewMem()
		acknowledged, written := 0, 0
		for range rapid.IntRange(1, 4).Draw(r, "lives") {
			o := on(disk)
			o.SegmentBytes = rapid.SampledFrom([]int64{1, 400, 2000}).Draw(r, "segment")
			f, err := journal.OpenFile("/j", o)
			if err != nil {
				r.Fatal(err)
			}
			_, next, err := f.Bounds(t.Context(), 0)
			have := int(next) - 1
			if err != nil || have < acknowledged || have > written {
				r.Fatalf("%d events are there; %d were acknowledged, %d written: %v", have, acknowledged, written, err)
			}
			lines, err := journaltest.Collect(t.Context(), f, 0, 1, have)
			if err != nil {
				r.Fatal(err)
			}
			for i, line := range lines {
				if want := journaltest.Stamped("web", i, event.Seq(i+1), line.At); line.Text != want {
					r.Fatalf("event %d is %s", i, line.Text)
				}
			}
			acknowledged, written = have, have
			fault(r, disk)
			for range rapid.IntRange(0, 6).Draw(r, "appends") {
				n := rapid.IntRange(1, 9).Draw(r, "lines")
				written = acknowledged + n
				if _, err := add(f, acknowledged, n); err != nil {
					break
				}
				acknowledged = written
			}
			after := disk.PowerCut(func(_ string, tail []byte) []byte { return tear(r, tail) })
			f.Close()
			disk = after
		}
	})
}

func fault(r *rapid.T, disk *faultfs.Mem) {
	switch rapid.IntRange(0, 3).Draw(r, "fault") {
	case 1:
		disk.FailSync(rapid.IntRange(0, 12).Draw(r, "syncs"), syscall.EIO)
	case 2:
		disk.FullAfter(int64(rapid.IntRange(0, 2000).Draw(r, "room")))
	case 3:
		disk.ShortWrite(rapid.IntRange(0, 300).Draw(r, "short"))
	}
}

// tear keeps some of the unsynced bytes, and loses some of those.
func tear(r *rapid.T, tail []byte) []byte {
	tail = tail[:rapid.IntRange(0, len(tail)).Draw(r, "kept")]
	if len(tail) > 0 && rapid.Bool().Draw(r, "hole") {
		from := rapid.IntRange(0, len(tail)-1).Draw(r, "from")
		clear(tail[from:rapid.IntRange(from, len(tail)).Draw(r, "to")])
	}
	return tail
}
