package dedupe

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kith/event"
)

// damaged says whether err is Corrupt and names the file.
func damaged(err error, name string) bool {
	for _, e := range event.Errors(err) {
		if e.Code == event.Corrupt && strings.HasSuffix(e.Place.File, name) {
			return true
		}
	}
	return false
}

// TestFlippedBit flips bits in each file. Open, or else Verify, names the file; no look-up answers wrongly.
func TestFlippedBit(t *testing.T) {
	dir := tempDir(t)
	x := mustOpen(t, dir, nil, small(nil))
	const n = 100
	fill(x, n)
	idle(x)
	mark := mustFlush(t, x)
	x.Committed(mark)
	x.Close()
	files, _ := os.ReadDir(dir)
	if len(files) < 3 {
		t.Fatalf("only %v", files)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		b, _ := os.ReadFile(path)
		for i := 0; i < len(b); i += 5 {
			b[i] ^= 1 << (i % 8)
			os.WriteFile(path, b, 0o600)
			if !refused(t, dir, mark, f.Name(), n) {
				t.Errorf("%s: nobody saw the bit flipped in byte %d of %d", f.Name(), i, len(b))
			}
			b[i] ^= 1 << (i % 8)
			os.WriteFile(path, b, 0o600)
		}
	}
}

func refused(t *testing.T, dir string, mark []byte, name string, n int) bool {
	x, err := Open(dir, mark, small(nil))
	if err != nil {
		return damaged(err, name)
	}
	defer x.Close()
	for i := range n {
		seq, ok, err := x.Lookup(timedID(fmt.Sprint(i), int64(i%5)))
		if err != nil && !damaged(err, name) || err == nil && (!ok || seq != event.Seq(i+1)) {
			t.Errorf("id %d: %d %v %v", i, seq, ok, err)
		}
	}
	_, err = x.Verify()
	return damaged(err, name)
}

// TestPoisoned damages a run under an open index: nothing that was answered after it can be committed.
func TestPoisoned(t *testing.T) {
	dir := tempDir(t)
	x := mustOpen(t, dir, nil, small(nil))
	defer x.Close()
	fill(x, 24)
	idle(x)
	runs, _ := filepath.Glob(filepath.Join(dir, "*.run"))
	for _, path := range runs {
		b, _ := os.ReadFile(path)
		b[headerSize+blockHeader] ^= 1
		os.WriteFile(path, b, 0o600)
	}
	for i := range 24 {
		x.Add(timedID(fmt.Sprint(i), int64(i%5)), event.Seq(i+100))
	}
	if err := x.Err(); !damaged(err, ".run") {
		t.Errorf("poisoned by %v", err)
	}
	if mark, err := x.Flush(); mark != nil || !damaged(err, ".run") {
		t.Errorf("flushed: %v", err)
	}
	if err := x.Sync(); !damaged(err, ".run") {
		t.Errorf("synced: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	cases := map[string]struct {
		do   func(dir string, mark []byte) []byte
		want string
	}{
		"missing key": {func(dir string, mark []byte) []byte {
			os.Remove(filepath.Join(dir, "key"))
			return mark
		}, "key of the fingerprints is missing"},
		"another folder's key": {func(dir string, mark []byte) []byte {
			os.Remove(filepath.Join(dir, "key"))
			drawSecret(folder{dir: dir})
			return mark
		}, "not the key that the checkpoint was made with"},
		"newer key": {func(dir string, mark []byte) []byte {
			b, _ := os.ReadFile(filepath.Join(dir, "key"))
			b[8] = 2
			os.WriteFile(filepath.Join(dir, "key"), binary.LittleEndian.AppendUint32(b[:28:28], sum(b[:28])), 0o600)
			return mark
		}, "format version 2; this program reads version 1"},
		"missing run": {removeSome("*.run"), "the checkpoint lists this file, and it is missing"},
		"missing log": {removeSome("*.log"), "the checkpoint lists this file, and it is missing"},
		"short run":   {shorten("*.run"), "the checkpoint knows it with"},
		"short log":   {shorten("*.log"), "the file ends before byte"},
		"damaged mark": {func(dir string, mark []byte) []byte {
			mark[len(mark)/2] ^= 4
			return mark
		}, "mark of the dedupe index is damaged"},
		"empty mark": {func(dir string, mark []byte) []byte { return []byte{} }, "mark of the dedupe index is damaged"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := tempDir(t)
			x := mustOpen(t, dir, nil, small(nil))
			fill(x, 30)
			idle(x)
			mark := mustFlush(t, x)
			x.Close()
			_, err := Open(dir, c.do(dir, mark), small(nil))
			if err == nil || !strings.Contains(err.Error(), c.want) || event.CodeOf(err) != event.Corrupt {
				t.Errorf("got %v, want Corrupt with %q", err, c.want)
			}
		})
	}
}

func removeSome(pattern string) func(string, []byte) []byte {
	return func(dir string, mark []byte) []byte {
		for _, p := range glob(dir, pattern) {
			os.Remove(p)
		}
		return mark
	}
}

func shorten(pattern string) func(string, []byte) []byte {
	return func(dir string, mark []byte) []byte {
		for _, p := range glob(dir, pattern) {
			info, _ := os.Stat(p)
			os.Truncate(p, info.Size()-1)
		}
		return mark
	}
}

func glob(dir, pattern string) []string {
	found, _ := filepath.Glob(filepath.Join(dir, pattern))
	return found
}

// TestNilMark starts anew: what lies in the folder is not in any checkpoint.
func TestNilMark(t *testing.T) {
	dir := tempDir(t)
	x := mustOpen(t, dir, nil, small(nil))
	fill(x, 30)
	mustFlush(t, x)
	x.Close()
	x = mustOpen(t, dir, nil, small(nil))
	defer x.Close()
	if x.Len() != 0 || len(glob(dir, "*.run")) != 0 {
		t.Errorf("%d ids, runs %v", x.Len(), glob(dir, "*.run"))
	}
}
