package dedupe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"kith/event"
)

// A disaster stops the world at every step on the disk and looks what Open makes of it: after a kill, which leaves all
// that was written, and after a power cut, which leaves only what was synced, under names that were synced.
type disaster struct {
	t       *testing.T
	dir     string
	copies  string
	n       int
	steps   map[string]int // how many of each kind were looked at
	sizes   map[string]int64
	names   map[string]bool
	holding sync.Mutex // the checkpoint and all above

	mark []byte // the checkpoint
	keys []Key  // what it knows: event i+1 has keys[i]
	all  []Key
}

func (d *disaster) step(op, name string) {
	if op != "remove" { // removals come from Committed, which holds it
		d.holding.Lock()
		defer d.holding.Unlock()
	}
	switch op {
	case "sync":
		if info, err := os.Stat(filepath.Join(d.dir, name)); err == nil {
			d.sizes[strings.TrimSuffix(name, ".new")] = info.Size()
		}
	case "names":
		d.names = map[string]bool{}
		found, _ := os.ReadDir(d.dir)
		for _, f := range found {
			d.names[f.Name()] = true
		}
	}
	d.steps[op+filepath.Ext(name)]++
	d.look("kill", func(string) (int64, bool) { return -1, true })
	d.look("power cut", func(name string) (int64, bool) { return d.sizes[name], d.names[name] })
}

func (d *disaster) look(what string, keep func(string) (int64, bool)) {
	d.n++
	dir := filepath.Join(d.copies, fmt.Sprint(d.n))
	defer os.RemoveAll(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := copyFolder(d.dir, dir, keep); err != nil {
		d.t.Fatal(err)
	}
	x, err := Open(dir, d.mark, small(nil))
	if err != nil {
		d.t.Errorf("%s at step %d: %v", what, d.n, err)
		return
	}
	defer x.Close()
	if n := x.Len(); n != int64(len(d.keys)) {
		d.t.Errorf("%s at step %d: %d ids, want %d", what, d.n, n, len(d.keys))
	}
	for i, k := range d.all {
		seq, ok := x.Find(k)
		if known := i < len(d.keys); ok != known || known && seq != event.Seq(i+1) {
			d.t.Errorf("%s at step %d: id %d of %d: %d %v", what, d.n, i, len(d.keys), seq, ok)
			return
		}
	}
	if _, err := x.Verify(); err != nil {
		d.t.Errorf("%s at step %d: %v", what, d.n, err)
	}
}

func TestCrashAtEachStep(t *testing.T) {
	d := &disaster{t: t, dir: tempDir(t), copies: tempDir(t), steps: map[string]int{}, sizes: map[string]int64{}, names: map[string]bool{}}
	for i := range 75 {
		d.all = append(d.all, timedID(fmt.Sprint(i), int64(i%4)))
	}
	x := mustOpen(t, d.dir, nil, small(d.step))
	defer x.Close()
	for i, k := range d.all {
		x.Add(k, event.Seq(i+1))
		if i%5 != 4 {
			continue
		}
		if i%2 == 0 {
			idle(x) // the mark lists runs that were made since the last one, and perhaps no new log
			mustFlush(t, x)
		}
		mark := mustFlush(t, x)
		if i%4 == 0 {
			idle(x) // the mark is older than the runs
		}
		d.holding.Lock()
		d.mark, d.keys = mark, d.all[:i+1]
		x.Committed(mark)
		d.holding.Unlock()
	}
	idle(x)
	if err := x.Err(); err != nil {
		t.Fatal(err)
	}
	for _, op := range []string{"create.run", "write.run", "sync.run", "create.log", "write.log", "sync.log", "names", "remove.run", "remove.log"} {
		if d.steps[op] == 0 {
			t.Errorf("no crash at a step %q: %v", op, d.steps)
		}
	}
}

// TestOlderMark keeps the files of every mark that may still be opened.
func TestOlderMark(t *testing.T) {
	dir := tempDir(t)
	x := mustOpen(t, dir, nil, small(nil))
	fill(x, 5)
	old := mustFlush(t, x)
	x.Committed(old)
	for n := 10; n <= 200; n += 10 { // checkpoints that the catalogue never took
		fill(x, n)
		mustFlush(t, x)
		idle(x)
	}
	x.Close()
	x = mustOpen(t, dir, old, small(nil))
	if x.Len() != 5 {
		t.Errorf("%d ids", x.Len())
	}
	fill(x, 200)
	idle(x)
	mark := mustFlush(t, x)
	x.Committed(mark)
	x.Close()
	if _, err := Open(dir, old, small(nil)); err == nil || event.Errors(err)[0].Code != event.Corrupt {
		t.Errorf("an old mark whose files are gone: %v", err)
	}
}

// TestSpillFails has a file in the way of the next run, as a disk that takes no more.
func TestSpillFails(t *testing.T) {
	dir := tempDir(t)
	x := mustOpen(t, dir, nil, small(nil))
	fill(x, 5)
	mark := mustFlush(t, x)
	if err := os.WriteFile(filepath.Join(dir, fileName(x.nextID+1, runSuffix)), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fill(x, 100)
	if first, duplicate := x.Add(timedID("0", 0), 999); first != 999 || duplicate {
		t.Errorf("poisoned, it still answers %d %v", first, duplicate)
	}
	if _, err := x.Flush(); !errors.Is(err, os.ErrExist) {
		t.Errorf("flushed: %v", err)
	}
	x.Close()
	x = mustOpen(t, dir, mark, small(nil))
	defer x.Close()
	fill(x, 100)
	mustFlush(t, x)
	if x.Len() != 100 {
		t.Errorf("%d ids", x.Len())
	}
}
