package dedupe

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"kith/event"
)

// small makes tables, blocks, sections and tiers so small that a few ids spill and merge.
func small(hook func(op, name string)) Options {
	return Options{TableIDs: 12, FilterBytes: 1, shape: shape{block: 4, section: 16, fan: 2}, hook: hook}
}

// An oracle does what an Index does, with a map that keeps everything.
type oracle struct {
	timed   map[string]event.Seq
	untimed map[string][]sighting
}

type sighting struct {
	hour int64
	seq  event.Seq
}

func newOracle() *oracle { return &oracle{map[string]event.Seq{}, map[string][]sighting{}} }

func (o *oracle) clone() *oracle {
	c := &oracle{maps.Clone(o.timed), maps.Clone(o.untimed)}
	return c
}

func floorHour(micros int64) int64 {
	h := micros / hourMicros
	if h*hourMicros > micros {
		h--
	}
	return h
}

func (o *oracle) find(k Key) (event.Seq, bool) {
	id := fmt.Sprint(k.Source, string(k.MessageID))
	if k.HasTime {
		seq, ok := o.timed[fmt.Sprint(id, " ", floorHour(k.TS))]
		return seq, ok
	}
	for _, s := range o.untimed[id] {
		if age := floorHour(k.ReceivedAt) - s.hour; age >= 0 && age <= 48 {
			return s.seq, true
		}
	}
	return 0, false
}

func (o *oracle) add(k Key, seq event.Seq) (event.Seq, bool) {
	if first, ok := o.find(k); ok {
		return first, first != seq
	}
	id := fmt.Sprint(k.Source, string(k.MessageID))
	if k.HasTime {
		o.timed[fmt.Sprint(id, " ", floorHour(k.TS))] = seq
	} else {
		old := o.untimed[id]
		o.untimed[id] = append(old[:len(old):len(old)], sighting{floorHour(k.ReceivedAt), seq})
	}
	return seq, false
}

func (o *oracle) len() int64 {
	n := len(o.timed)
	for _, s := range o.untimed {
		n += len(s)
	}
	return int64(n)
}

func timedID(id string, hour int64) Key {
	return Key{Source: 1, MessageID: []byte(id), TS: hour * hourMicros, HasTime: true}
}

func untimedID(id string, hour int64) Key {
	return Key{Source: 1, MessageID: []byte(id), ReceivedAt: hour * hourMicros}
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func mustOpen(t fataler, dir string, mark []byte, o Options) *Index {
	t.Helper()
	x, err := Open(dir, mark, o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return x
}

func mustFlush(t fataler, x *Index) []byte {
	t.Helper()
	mark, err := x.Flush()
	if err == nil {
		err = x.Sync()
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return mark
}

// idle waits for the spill and the merges under way.
func idle(x *Index) {
	for {
		x.working.Wait()
		x.mu.Lock()
		busy := x.err == nil && (x.frozen != nil || x.merging)
		x.mu.Unlock()
		if !busy {
			return
		}
	}
}

// copyFolder copies what keep lets through: it returns how many bytes of a file, negative for all, or false for none.
func copyFolder(from, to string, keep func(name string) (int64, bool)) error {
	names, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, n := range names {
		size, ok := keep(n.Name())
		if !ok {
			continue
		}
		b, err := os.ReadFile(filepath.Join(from, n.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if size >= 0 && size < int64(len(b)) {
			b = b[:size]
		}
		if err := os.WriteFile(filepath.Join(to, n.Name()), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func runsOf(x *Index) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.runs)
}

// fill adds ids 0 to n-1 as events 1 to n, over a few hours.
func fill(x *Index, n int) {
	for i := range n {
		x.Add(timedID(fmt.Sprint(i), int64(i%5)), event.Seq(i+1))
	}
}

// tempDir is a folder, not made yet, in memory if it can be: these tests fsync thousands of times, and what a real disk
// would do with that is not what they are about.
func tempDir(t testing.TB) string {
	t.Helper()
	root, err := os.MkdirTemp("/dev/shm", "dedupe")
	if err != nil {
		root = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	return filepath.Join(root, "dedupe")
}
