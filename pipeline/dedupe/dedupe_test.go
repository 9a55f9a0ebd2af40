package dedupe

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"kith/event"
)

func TestAdd(t *testing.T) {
	const year = 365 * 24
	cases := []struct {
		name      string
		key       Key
		seq       event.Seq
		first     event.Seq
		duplicate bool
	}{
		{"new", timedID("a", 100), 1, 1, false},
		{"resent", timedID("a", 100), 2, 1, true},
		{"the same event again, after a crash", timedID("a", 100), 1, 1, false},
		{"another hour is another event", timedID("a", 101), 3, 3, false},
		{"within the hour", Key{1, []byte("a"), 101*hourMicros - 1, true, 0}, 4, 1, true},
		{"another source", Key{2, []byte("a"), 100 * hourMicros, true, 0}, 5, 5, false},
		{"source and id are not run together", Key{0x6101, []byte(""), 100 * hourMicros, true, 0}, 6, 6, false},
		{"no id", Key{1, nil, 100 * hourMicros, true, 0}, 7, 7, false},
		{"no id, resent", Key{1, nil, 100 * hourMicros, true, 0}, 8, 7, true},
		{"before 1970", timedID("a", -1), 9, 9, false},
		{"before 1970, resent", Key{1, []byte("a"), -1, true, 0}, 10, 9, true},
		{"the first hour is remembered years later", timedID("a", 100+7*year), 11, 11, false},
		{"resent years later", timedID("a", 100), 12, 1, true},
		{"the end of time", Key{1, []byte("a"), math.MaxInt64, true, 0}, 13, 13, false},
		{"the end of time, resent", Key{1, []byte("a"), math.MaxInt64, true, 0}, 14, 13, true},
		{"the beginning of time", Key{1, []byte("a"), math.MinInt64, true, 0}, 15, 15, false},
		{"without time", untimedID("a", 100), 20, 20, false},
		{"without time, resent", untimedID("a", 100), 21, 20, true},
		{"without time, after 48 hours", untimedID("a", 148), 22, 20, true},
		{"without time, after 49 hours", untimedID("a", 149), 23, 23, false},
		{"the second is remembered from then on", untimedID("a", 197), 24, 23, true},
		{"without time, the beginning of time", Key{1, []byte("a"), 0, false, math.MinInt64}, 25, 25, false},
	}
	x := mustOpen(t, tempDir(t), nil, Options{})
	defer x.Close()
	for _, c := range cases {
		first, duplicate := x.Add(c.key, c.seq)
		if first != c.first || duplicate != c.duplicate {
			t.Errorf("%s: got %d %v, want %d %v", c.name, first, duplicate, c.first, c.duplicate)
		}
		if seq, ok := x.Find(c.key); !ok || seq != c.first {
			t.Errorf("%s: found %d %v, want %d", c.name, seq, ok, c.first)
		}
	}
}

// drawKey draws from so few ids and hours that most come again.
func drawKey(t *rapid.T, received int64) Key {
	k := Key{Source: event.SourceID(rapid.IntRange(1, 2).Draw(t, "source")), ReceivedAt: received,
		MessageID: []byte(fmt.Sprint("m", rapid.IntRange(0, 60).Draw(t, "id")))}
	if k.HasTime = rapid.IntRange(0, 3).Draw(t, "timed") > 0; k.HasTime {
		k.TS = rapid.Int64Range(-2, 6).Draw(t, "hour")*hourMicros + rapid.Int64Range(0, hourMicros-1).Draw(t, "micros")
	}
	return k
}

// TestOracle compares an Index with a map through spills, merges, checkpoints and crashes.
func TestOracle(t *testing.T) {
	root := tempDir(t)
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		dir := filepath.Join(root, fmt.Sprint(runs))
		defer os.RemoveAll(dir)
		w := &world{dir: dir, o: newOracle(), durable: newOracle(), next: 1}
		w.x = mustOpen(t, dir, nil, small(nil))
		defer func() { w.x.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"add": w.add, "add more": w.add, "checkpoint": w.checkpoint, "flush only": w.flush, "crash": w.crash,
			"find": w.find, "idle": func(*rapid.T) { idle(w.x) }, "verify": w.verify, "": w.check,
		})
	})
}

// A world is an Index, what it should know, and what the last checkpoint knew.
type world struct {
	dir      string
	x        *Index
	o        *oracle
	next     event.Seq
	received int64

	mark        []byte // in the last checkpoint
	durable     *oracle
	durableNext event.Seq
}

func (w *world) add(t *rapid.T) {
	for range rapid.IntRange(1, 20).Draw(t, "events") {
		w.received += rapid.SampledFrom([]int64{0, 1, hourMicros / 2, hourMicros, 30 * hourMicros}).Draw(t, "passed")
		k := drawKey(t, w.received)
		want, wantDuplicate := w.o.add(k, w.next)
		if first, duplicate := w.x.Add(k, w.next); first != want || duplicate != wantDuplicate {
			t.Fatalf("add %+v as %d: got %d %v, want %d %v", k, w.next, first, duplicate, want, wantDuplicate)
		}
		w.next++
	}
}

func (w *world) checkpoint(t *rapid.T) {
	w.mark, w.durable, w.durableNext = mustFlush(t, w.x), w.o.clone(), w.next
	if rapid.Bool().Draw(t, "committed") {
		w.x.Committed(w.mark)
	}
}

// flush is a checkpoint whose transaction never came.
func (w *world) flush(t *rapid.T) { mustFlush(t, w.x) }

func (w *world) crash(t *rapid.T) {
	w.x.Close()
	if rapid.Bool().Draw(t, "torn") {
		names, _ := filepath.Glob(filepath.Join(w.dir, "*.log"))
		for _, n := range append(names, filepath.Join(w.dir, "9999999999.run")) {
			f, err := os.OpenFile(n, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			f.Write(rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(t, "garbage"))
			f.Close()
		}
	}
	w.x = mustOpen(t, w.dir, w.mark, small(nil))
	w.o, w.next = w.durable.clone(), max(w.durableNext, 1)
}

func (w *world) find(t *rapid.T) {
	k := drawKey(t, w.received)
	want, wantOK := w.o.find(k)
	if seq, ok := w.x.Find(k); seq != want || ok != wantOK {
		t.Fatalf("find %+v: got %d %v, want %d %v", k, seq, ok, want, wantOK)
	}
}

func (w *world) verify(t *rapid.T) {
	mustFlush(t, w.x)
	if report, err := w.x.Verify(); err != nil || report.IDs != w.o.len() {
		t.Fatalf("verified %+v, want %d ids: %v", report, w.o.len(), err)
	}
}

func (w *world) check(t *rapid.T) {
	if err := w.x.Err(); err != nil {
		t.Fatal(err)
	}
	if n := w.x.Len(); n != w.o.len() {
		t.Fatalf("holds %d ids, want %d", n, w.o.len())
	}
}

// TestBounds fills an index far beyond its table and cache and looks at what it holds on to.
func TestBounds(t *testing.T) {
	dir := tempDir(t)
	o := small(nil)
	o.shape.fan = 4
	x := mustOpen(t, dir, nil, o)
	defer x.Close()
	const n = 3_000
	for i := range n {
		x.Add(timedID(fmt.Sprint(i), int64(i*7919%1000)), event.Seq(i+1))
	}
	idle(x)
	x.Committed(mustFlush(t, x))
	if runs := runsOf(x); runs > 24 {
		t.Errorf("%d runs after merging", runs)
	}
	if x.active.n > o.TableIDs || len(x.filters.slots) != 8 {
		t.Errorf("table of %d, %d slots", x.active.n, len(x.filters.slots))
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.*"))
	if len(files) != runsOf(x)+1 {
		t.Errorf("%d files for %d runs and a log", len(files), runsOf(x))
	}
	for i := range n {
		if first, duplicate := x.Add(timedID(fmt.Sprint(i), int64(i*7919%1000)), n+1); first != event.Seq(i+1) || !duplicate {
			t.Fatalf("id %d: got %d %v", i, first, duplicate)
		}
	}
}

// TestSameIDEverywhere is the client that numbers its events anew every hour, or not at all.
func TestSameIDEverywhere(t *testing.T) {
	x := mustOpen(t, tempDir(t), nil, Options{TableIDs: 3000})
	defer x.Close()
	for i := range 10_000 {
		if _, duplicate := x.Add(timedID("1", int64(i)), event.Seq(i+1)); duplicate {
			t.Fatalf("hour %d is taken for another", i)
		}
	}
	idle(x)
	for i := range 10_000 {
		if first, ok := x.Find(timedID("1", int64(i))); !ok || first != event.Seq(i+1) {
			t.Fatalf("hour %d: found %d %v", i, first, ok)
		}
	}
}

// TestTogether uses every method from its own goroutine; the race detector is the judge.
func TestTogether(t *testing.T) {
	x := mustOpen(t, tempDir(t), nil, small(nil))
	var readers sync.WaitGroup
	done := make(chan struct{})
	for _, read := range []func(){
		func() { x.Find(timedID("7", 2)) }, func() { x.Verify() }, func() { x.Len() },
		func() { x.Sync() }, func() { x.Find(untimedID("7", 2)) },
	} {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					read()
				}
			}
		})
	}
	marks := make(chan []byte, 3)
	readers.Go(func() {
		for m := range marks {
			x.Sync()
			x.Committed(m)
		}
	})
	for i := range 600 {
		x.Add(timedID(fmt.Sprint(i%580), int64(i%5)), event.Seq(i+1))
		if i%50 == 0 {
			m, err := x.Flush()
			if err != nil {
				t.Fatal(err)
			}
			marks <- m
		}
	}
	close(marks)
	close(done)
	readers.Wait()
	if _, err := x.Verify(); err != nil {
		t.Error(err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	if _, err := x.Flush(); err == nil {
		t.Error("a closed index was flushed")
	}
}

func TestSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		half := rapid.Uint64Range(0, 3)
		es := rapid.SliceOf(rapid.Custom(func(t *rapid.T) entry {
			return entry{key{half.Draw(t, "a")<<62 | half.Draw(t, "b")<<13 | half.Draw(t, "c"), half.Draw(t, "d")}, 0}
		})).Draw(t, "entries")
		want := slices.Clone(es)
		slices.SortFunc(want, func(a, b entry) int {
			if a.less(b.key) {
				return -1
			}
			return 1
		})
		if got := sorted(es, make([]entry, len(es))); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
