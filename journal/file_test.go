package journal_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"kith/event"
	"kith/journal"
	"kith/journal/faultfs"
	"kith/journal/journaltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// epoch is when these tests take place.
var epoch = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

func atEpoch() time.Time { return epoch }

// on returns options for a disk in memory.
func on(disk *faultfs.Mem) journal.FileOptions {
	return journal.FileOptions{FS: disk, Volume: disk, Now: atEpoch}
}

func open(t *testing.T, dir string, o journal.FileOptions) *journal.File {
	t.Helper()
	f, err := journal.OpenFile(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func put(t *testing.T, f *journal.File, from, n int) event.Seq {
	t.Helper()
	seq, err := add(f, from, n)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func add(f *journal.File, from, n int) (event.Seq, error) {
	return f.Append(context.Background(), 0, journal.Frame{Count: n, Lines: journaltest.Lines("web", from, n)})
}

// hold checks that partition 0 reads as lines 0 to n-1 with seq 1 to n, and nothing more.
func hold(t *testing.T, f *journal.File, n int) {
	t.Helper()
	first, next, err := f.Bounds(t.Context(), 0)
	if err != nil || first != 1 || next != event.Seq(n+1) {
		t.Fatalf("bounds %d to %d, %v; want 1 to %d", first, next, err, n+1)
	}
	lines, err := journaltest.Collect(t.Context(), f, 0, 1, n)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range lines {
		if want := journaltest.Stamped("web", i, event.Seq(i+1), line.At); line.Text != want {
			t.Fatalf("line %d is\n%s, want\n%s", i, line.Text, want)
		}
	}
}

func wantError(t *testing.T, err error, code event.Code, words ...string) {
	t.Helper()
	if err == nil || event.CodeOf(err) != code {
		t.Fatalf("got error %v of code %q, want code %q", err, event.CodeOf(err), code)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func TestFileIsALog(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		journaltest.Run(t, func(t *testing.T) journal.Log { return open(t, "/j", on(faultfs.NewMem())) })
	})
	t.Run("disk", func(t *testing.T) {
		journaltest.Run(t, func(t *testing.T) journal.Log { return open(t, t.TempDir(), journal.FileOptions{}) })
	})
	t.Run("segments of one frame", func(t *testing.T) {
		journaltest.Run(t, func(t *testing.T) journal.Log {
			o := on(faultfs.NewMem())
			o.SegmentBytes = 1
			return open(t, "/j", o)
		})
	})
}

func TestFileGoesOnAfterRestart(t *testing.T) {
	disk := faultfs.NewMem()
	n := 0
	for range 5 {
		o := on(disk)
		o.SegmentBytes = 600
		f := open(t, "/j", o)
		hold(t, f, n)
		for range 3 {
			if seq := put(t, f, n, 7); seq != event.Seq(n+1) {
				t.Fatalf("seq %d after %d events", seq, n)
			}
			n += 7
		}
		hold(t, f, n)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if files := disk.Glob(".jsonl.zst"); len(files) < 3 {
		t.Errorf("segments of 600 bytes: %v", files)
	}
}

func TestSegmentReadsWithPlainZstd(t *testing.T) {
	zstd, err := exec.LookPath("zstd")
	if err != nil {
		t.Skip("SKIPPED: that a segment reads with plain zstd; the zstd command is not installed (make setup installs it)")
	}
	f := open(t, t.TempDir(), journal.FileOptions{SegmentBytes: 1})
	put(t, f, 0, 300)
	segments, err := f.Segments(0)
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	out, err := exec.Command(zstd, "-dc", segments[0].Path).CombinedOutput()
	if err != nil {
		t.Fatalf("zstd: %v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if want := journaltest.Stamped("web", 299, 300, segments[0].MaxAt); len(lines) != 300 || lines[299] != want {
		t.Errorf("%d lines, the last is %s", len(lines), lines[len(lines)-1])
	}
}

func TestLargeAppendIsOneAppendOfSeveralFrames(t *testing.T) {
	f := open(t, "/j", on(faultfs.NewMem()))
	const n = 150_000
	put(t, f, 0, n)
	frames := 0
	err := f.Read(t.Context(), 0, 1, func(fr journal.Frame) error {
		frames++
		if fr.Count > journal.MaxFrameEvents || len(fr.Lines) > 2<<20 {
			t.Errorf("a frame of %d events and %d bytes", fr.Count, len(fr.Lines))
		}
		if fr.End() == n+1 {
			return context.Canceled
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || frames < 4 {
		t.Errorf("%d frames, %v", frames, err)
	}
}

func TestTimeNeverRunsBackwards(t *testing.T) {
	disk, now := faultfs.NewMem(), epoch
	o := on(disk)
	o.Now = func() time.Time { return now }
	o.SegmentBytes = 1
	f := open(t, "/j", o)
	var want []int64
	for _, step := range []time.Duration{0, time.Second, -30 * time.Minute, time.Minute, time.Hour} {
		now = now.Add(step)
		put(t, f, 0, 1)
		last := now.UnixMicro()
		if len(want) > 0 {
			last = max(last, want[len(want)-1])
		}
		want = append(want, last)
	}
	now = now.Add(-59 * time.Minute)
	f.Close()
	f = open(t, "/j", o)
	put(t, f, 0, 1)
	want = append(want, want[len(want)-1])
	lines, err := journaltest.Collect(t.Context(), f, 0, 1, len(want))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range lines {
		if line.At != want[i] {
			t.Errorf("event %d received at %d, want %d", i, line.At, want[i])
		}
	}
}

func TestStartRefusesAClockThatIsBehind(t *testing.T) {
	disk := faultfs.NewMem()
	f := open(t, "/j", on(disk))
	put(t, f, 0, 1)
	f.Close()
	o := on(disk)
	o.Now = func() time.Time { return epoch.Add(-24 * time.Hour) }
	_, err := journal.OpenFile("/j", o)
	wantError(t, err, event.Unavailable, "2026-02-02T04:05:06Z", "2026-02-03T04:05:06Z", "24h0m0s")
	o.ClockBehind = 25 * time.Hour
	hold(t, open(t, "/j", o), 1)
}

func TestTwoServersOnOneFolder(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, journal.FileOptions{})
	_, err := journal.OpenFile(dir, journal.FileOptions{})
	host, _ := os.Hostname()
	wantError(t, err, event.Conflict, dir, fmt.Sprintf("process %d on host %s", os.Getpid(), host))
	f.Close()
	open(t, dir, journal.FileOptions{})
}

func TestSealedSegmentsAreIndexed(t *testing.T) {
	disk := faultfs.NewMem()
	var told []journal.Segment
	o := on(disk)
	o.SegmentBytes, o.OnSeal = 500, func(s journal.Segment) { told = append(told, s) }
	f := open(t, "/j", o)
	put(t, f, 0, 2)
	f.Close()
	f = open(t, "/j", o) // the sum goes on over a restart
	for n := 2; n < 40; n += 2 {
		put(t, f, n, 2)
	}
	put(t, f, 40, 1)
	sealed, err := f.Segments(0)
	if err != nil || len(sealed) < 3 || len(told) != len(sealed) {
		t.Fatalf("%d segments, told of %d, %v", len(sealed), len(told), err)
	}
	next := event.Seq(1)
	for i, s := range sealed {
		data := disk.ReadFile(s.Path)
		switch {
		case s != told[i]:
			t.Errorf("told of %+v, lists %+v", told[i], s)
		case s.Base != next || s.MinAt != epoch.UnixMicro() || s.MaxAt != s.MinAt || s.Bytes != int64(len(data)):
			t.Errorf("segment %+v: want base %d and %d bytes", s, next, len(data))
		case sha256.Sum256(data[:s.Content]) != s.SHA256:
			t.Errorf("the sha256 of %s is wrong", s.Path)
		}
		next += event.Seq(s.Count)
	}
	path, bytes, err := f.Prefix(0)
	if err != nil || path == sealed[len(sealed)-1].Path || int(bytes) != len(disk.ReadFile(path)) {
		t.Errorf("the open segment is %s with %d bytes, %v", path, bytes, err)
	}
}

func TestSegmentIsSealedWhenItIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, told := faultfs.NewMem(), make(chan journal.Segment, 9)
		o := on(disk)
		o.Now, o.OnSeal = time.Now, func(s journal.Segment) { told <- s }
		f := open(t, "/j", o)
		put(t, f, 0, 1)
		time.Sleep(40 * time.Minute)
		put(t, f, 1, 1)
		f.Close()
		time.Sleep(10 * time.Minute)
		f = open(t, "/j", o) // the age is counted from the first event, over a restart
		reopened := time.Now()
		if s := <-told; s.Count != 2 || time.Since(reopened) != 10*time.Minute {
			t.Errorf("sealed %d events %v after the restart", s.Count, time.Since(reopened))
		}
		time.Sleep(48 * time.Hour) // nothing to seal
		put(t, f, 2, 1)
		put(t, f, 3, 1)
		if s := <-told; s.Base != 3 || s.Count != 2 {
			t.Errorf("sealed %+v", s)
		}
		hold(t, f, 4)
		f.Close()
		if len(told) != 0 {
			t.Errorf("an empty segment was sealed: %+v", <-told)
		}
	})
}

func TestReadersSeeOnlyWhatIsDurable(t *testing.T) {
	disk := faultfs.NewMem()
	f := open(t, "/j", on(disk))
	put(t, f, 0, 1)
	waiting, release := disk.HoldSync()
	done := make(chan error, 1)
	go func() {
		_, err := add(f, 1, 1)
		done <- err
	}()
	<-waiting // the bytes are in the file
	hold(t, f, 1)
	path, bytes, err := f.Prefix(0)
	if written := len(disk.ReadFile(path)); err != nil || int(bytes) >= written {
		t.Errorf("%d of %d bytes are called durable, %v", bytes, written, err)
	}
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	hold(t, f, 2)
}

func TestLine(t *testing.T) {
	o := on(faultfs.NewMem())
	o.SegmentBytes = 2000
	f := open(t, "/j", o)
	for n := range 60 {
		put(t, f, n*5, 5)
	}
	for _, seq := range []event.Seq{1, 2, 5, 6, 149, 299, 300} {
		line, err := f.Line(t.Context(), 0, seq)
		if want := journaltest.Stamped("web", int(seq)-1, seq, epoch.UnixMicro()) + "\n"; err != nil || string(line) != want {
			t.Errorf("line %d is %s, %v", seq, line, err)
		}
	}
	for _, seq := range []event.Seq{0, -1, 301} {
		_, err := f.Line(t.Context(), 0, seq)
		wantError(t, err, event.NotFound)
	}
}

func TestLongestLine(t *testing.T) {
	f := open(t, "/j", on(faultfs.NewMem()))
	long := []byte(`{"source":"web","event":"` + strings.Repeat("x", journal.MaxLine-28) + `"}` + "\n")
	for len(long) < journal.MaxLine {
		long = append(long[:len(long)-3], []byte("x\"}\n")...)
	}
	if _, err := f.Append(t.Context(), 0, journal.Frame{Count: 1, Lines: long}); err != nil {
		t.Fatal(err)
	}
	if line, err := f.Line(t.Context(), 0, 1); err != nil || len(line) < journal.MaxLine {
		t.Errorf("%d bytes come back, %v", len(line), err)
	}
	longer := append(long[:len(long)-3], []byte("x\"}\n")...)
	_, err := f.Append(t.Context(), 0, journal.Frame{Count: 1, Lines: longer})
	wantError(t, err, event.TooLarge, "16777217", "16777216")
}

func TestOutOfDescriptorsIsNotTheEnd(t *testing.T) {
	disk := faultfs.NewMem()
	o := on(disk)
	o.FS = &noDescriptor{FS: disk}
	f := open(t, "/j", o)
	_, err := add(f, 0, 1)
	wantError(t, err, event.Unavailable, "too many open files")
	if f.Poisoned() != nil {
		t.Fatalf("poisoned: %v", f.Poisoned())
	}
	put(t, f, 0, 1)
	hold(t, f, 1)
}

// noDescriptor fails the first Create.
type noDescriptor struct {
	faultfs.FS
	failed bool
}

func (n *noDescriptor) Create(name string) (faultfs.Writer, error) {
	if !n.failed {
		n.failed = true
		return nil, syscall.EMFILE
	}
	return n.FS.Create(name)
}
