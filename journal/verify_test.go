package journal_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kith/event"
	"kith/journal"
	"kith/journal/journaltest"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// stored copies the journal that the first release wrote: three sealed segments of 20 events in 5 frames, and an open
// one of 4 in 1.
func stored(t *testing.T) (dir string, segments []string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/v1")); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(dir + "/0/*.jsonl.zst")
	if err != nil || len(segments) != 4 {
		t.Fatalf("%d segments, %v", len(segments), err)
	}
	return dir, segments
}

// edit changes a file.
func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(data), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte { b[at] ^= 4; return b }
}

func report(t *testing.T, dir string) (journal.Report, string) {
	t.Helper()
	r, err := journal.Verify(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.Print(&text); err != nil {
		t.Fatal(err)
	}
	return r, strings.ReplaceAll(text.String(), dir, "DIR")
}

func TestVerify(t *testing.T) {
	cases := []struct {
		name    string
		damage  func(t *testing.T, s []string)
		damaged bool
	}{
		{"whole", func(*testing.T, []string) {}, false},
		{"payload", func(t *testing.T, s []string) { edit(t, s[0], flip(100)) }, true},
		{"header", func(t *testing.T, s []string) { edit(t, s[1], flip(20)) }, true},
		{"seal", func(t *testing.T, s []string) { edit(t, s[1], func(b []byte) []byte { return flip(len(b) - 50)(b) }) }, true},
		{"cut", func(t *testing.T, s []string) { edit(t, s[1], func(b []byte) []byte { return b[:500] }) }, true},
		{"missing", func(t *testing.T, s []string) { os.Remove(s[1]) }, true},
		{"torn", func(t *testing.T, s []string) { edit(t, s[3], func(b []byte) []byte { return b[:len(b)-3] }) }, false},
		{"appended", func(t *testing.T, s []string) { edit(t, s[0], func(b []byte) []byte { return append(b, 0) }) }, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir, segments := stored(t)
			c.damage(t, segments)
			r, text := report(t, dir)
			if r.Damaged() != c.damaged {
				t.Errorf("damaged: %v", r.Damaged())
			}
			golden(t, "verify-"+c.name+".txt", text)
		})
	}
}

// TestResync: whatever is damaged, afterwards the journal verifies, opens, reads to its end without a gap, and every
// event is itself or a stub.
func TestResync(t *testing.T) {
	cases := []struct {
		name   string
		damage func(t *testing.T, s []string)
		lost   [][2]event.Seq
	}{
		{"payload", func(t *testing.T, s []string) { edit(t, s[0], flip(100)) }, [][2]event.Seq{{1, 4}}},
		{"header in the middle", func(t *testing.T, s []string) { edit(t, s[1], flip(200)) }, [][2]event.Seq{{25, 28}}},
		{"seal", func(t *testing.T, s []string) { edit(t, s[1], func(b []byte) []byte { return flip(len(b) - 50)(b) }) }, nil},
		{"cut", func(t *testing.T, s []string) { edit(t, s[1], func(b []byte) []byte { return b[:500] }) },
			[][2]event.Seq{{29, 40}}},
		{"emptied", func(t *testing.T, s []string) { edit(t, s[2], func([]byte) []byte { return nil }) },
			[][2]event.Seq{{41, 60}}},
		{"two at once", func(t *testing.T, s []string) { edit(t, s[0], flip(100)); edit(t, s[2], flip(100)) },
			[][2]event.Seq{{1, 4}, {41, 44}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir, segments := stored(t)
			c.damage(t, segments)
			repairs, err := journal.Resync(dir, 0)
			if err != nil {
				t.Fatal(err)
			}
			var lost [][2]event.Seq
			for _, r := range repairs {
				for _, l := range r.Lost {
					lost = append(lost, [2]event.Seq{l.From, l.To})
				}
				if _, err := os.Stat(r.Kept); err != nil {
					t.Errorf("the damaged file is not kept: %v", err)
				}
			}
			if len(repairs) == 0 || len(lost) != len(c.lost) {
				t.Fatalf("%d repairs lost %v, want %v", len(repairs), lost, c.lost)
			}
			if r, text := report(t, dir); r.Damaged() {
				t.Errorf("still damaged:\n%s", text)
			}
			f := open(t, dir, journal.FileOptions{Now: atEpoch, MinFree: -1})
			put(t, f, 64, 4)
			lines, err := journaltest.Collect(t.Context(), f, 0, 1, 68)
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range lines {
				seq, gone := event.Seq(i+1), false
				for n, l := range c.lost {
					if lost[n] != l {
						t.Errorf("lost %v, want %v", lost[n], l)
					}
					gone = gone || seq >= l[0] && seq <= l[1]
				}
				whole := line.Text == journaltest.Stamped("web", i, seq, line.At)
				if line.At != epoch.UnixMicro() {
					t.Errorf("seq %d was received at %d", seq, line.At)
				}
				if stub := strings.Contains(line.Text, `,"control":{"lost":"`); stub != gone || whole == gone {
					t.Errorf("seq %d is %s", seq, line.Text)
				}
			}
		})
	}
}

func TestResyncOfDamageThatStopsTheStart(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, journal.FileOptions{Now: atEpoch, MinFree: -1})
	for n := range 3 {
		put(t, f, n*4, 4)
	}
	path, _, _ := f.Prefix(0)
	if _, err := journal.Resync(dir, 0); event.CodeOf(err) != event.Conflict {
		t.Errorf("resync beside a server: %v", err)
	}
	f.Close()
	edit(t, path, flip(230))
	_, err := journal.OpenFile(dir, journal.FileOptions{Now: atEpoch})
	wantError(t, err, event.Corrupt, path, "--resync")
	if _, err := journal.Resync(dir, 0); err != nil {
		t.Fatal(err)
	}
	f = open(t, dir, journal.FileOptions{Now: atEpoch, MinFree: -1})
	if first, next, err := f.Bounds(t.Context(), 0); first != 1 || next != 13 || err != nil {
		t.Errorf("bounds %d to %d, %v", first, next, err)
	}
	if line, err := f.Line(t.Context(), 0, 5); !strings.Contains(string(line), `"control":{"lost":`) || err != nil {
		t.Errorf("line 5 is %s, %v", line, err)
	}
}

func TestInspect(t *testing.T) {
	_, segments := stored(t)
	next, frames := event.Seq(21), 0
	err := journal.Inspect(segments[1], func(i journal.FrameInfo) error {
		if i.Base != next || i.Append != next || i.Count != 4 || i.At != epoch.UnixMicro() || i.Raw == 0 || i.Compressed == 0 {
			t.Errorf("frame %+v, want seq %d", i, next)
		}
		next += 4
		frames++
		return nil
	})
	if err != nil || frames != 5 {
		t.Errorf("%d frames, %v", frames, err)
	}
	edit(t, segments[0], flip(30))
	wantError(t, journal.Inspect(segments[0], func(journal.FrameInfo) error { return nil }), event.Corrupt, "byte 0")
}
