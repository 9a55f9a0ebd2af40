package lake_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"kith/event"
	"kith/lake"
)

// steps are all points at which a process may die in a flush or a commit.
var steps = []string{"seal", "flush.files", "flush.sync", "flush.stored", "commit.joined", "commit.announced",
	"commit.placed", "commit.appended", "commit.stored", "commit.swept", "expire", "expired"}

// A lake that dies at any step, and again while it does the work over, holds every event below its checkpoint once.
func TestACrashAtEachStepLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := small(dir)
			o.ExpireEvery, o.Keep = 1, 1
			var crashed atomic.Bool
			died := o.FailAt(func(at string) error {
				if at == step {
					crashed.Store(true)
					return lake.ErrCrash
				}
				return nil
			})
			l := open(t, o)
			add(t, l, 1, 26)
			flush(t, l, 26)
			commit(t, l)
			add(t, l, 26, 30)
			flush(t, l, 30)
			l.Crash()
			if step == "commit.swept" { // needs files that a commit left behind
				l = open(t, o.FailAt(func(at string) error {
					if at == "commit.placed" {
						return lake.ErrCrash
					}
					return nil
				}))
				if err := l.Commit(t.Context()); !errors.Is(err, lake.ErrCrash) {
					t.Fatal(err)
				}
				l.Crash()
			}
			for range 2 {
				l = open(t, died)
				next := l.Checkpoint().Next
				expect(t, l, next)
				work(t, l, next, next+25)
				l.Crash()
			}
			if !crashed.Load() {
				t.Fatalf("no lake ever came to %s", step)
			}
			l = open(t, o)
			next := l.Checkpoint().Next
			expect(t, l, next)
			add(t, l, next, 150)
			flush(t, l, 150)
			commit(t, l)
			expect(t, l, 150)
			if r, err := l.Verify(t.Context()); err != nil || len(r.Problems) > 0 || r.Foreign > 0 {
				t.Errorf("verify: %+v, %v", r, err)
			}
			if left := len(dataFiles(t, dir)); left != len(l.View().Files) {
				t.Errorf("%d data files, and the table names %d", left, len(l.View().Files))
			}
		})
	}
}

// work appends, flushes and commits until the lake dies.
func work(t *testing.T, l *lake.Lake, from, to event.Seq) {
	t.Helper()
	for seq := from; seq < to; seq++ {
		if l.Append(happened(seq, today-int64(seq%6)*day)) != nil {
			return
		}
	}
	if l.Flush(t.Context(), lake.Checkpoint{Next: to}, nil) != nil {
		return
	}
	if v, err := l.Wait(t.Context(), to); err == nil {
		v.Release()
	}
	if err := l.Commit(t.Context()); err != nil && !errors.Is(err, lake.ErrCrash) {
		t.Errorf("commit: %v", err)
	}
}

func dataFiles(t testing.TB, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "clean/events/data"), func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".parquet") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// Whatever a lake goes through, it holds exactly the events below its checkpoint, and the checkpoint is never behind
// what was once visible.
func TestAnyCourseOfEvents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		o := small(dir)
		o.Tails, o.ExpireEvery, o.Keep = rapid.IntRange(1, 3).Draw(rt, "tails"), 2, 1
		var die atomic.Value // the step at which it happens, once
		die.Store("")
		o = o.FailAt(func(step string) error {
			if die.CompareAndSwap(step, "") {
				return lake.ErrCrash
			}
			return nil
		})
		l := open(t, o)
		next, visible := event.Seq(1), event.Seq(1)
		reopen := func() {
			l.Crash()
			die.Store("")
			l = open(t, o)
			next = l.Checkpoint().Next
			if next < visible {
				rt.Fatalf("the checkpoint is %d, and %d was visible", next, visible)
			}
			visible = next
			expect(t, l, next)
		}
		for range rapid.IntRange(1, 8).Draw(rt, "actions") {
			switch rapid.SampledFrom([]string{"append", "append", "flush", "flush", "commit", "crash", "die"}).Draw(rt, "action") {
			case "append":
				days := rapid.IntRange(1, 9).Draw(rt, "days")
				for range rapid.IntRange(1, 45).Draw(rt, "rows") {
					if l.Append(happened(next, today-rand.Int64N(int64(days))*day)) != nil {
						reopen()
						break
					}
					next++
				}
			case "flush":
				if l.Flush(t.Context(), lake.Checkpoint{Next: next}, nil) != nil {
					reopen()
					continue
				}
				v, err := l.Wait(t.Context(), next)
				if err != nil {
					reopen()
					continue
				}
				visible = next
				if err := whole(v); err != nil {
					rt.Fatal(err)
				}
				v.Release()
			case "commit":
				if l.Pending() > 0 { // it would wait for the flush
					continue
				}
				if l.Commit(t.Context()) != nil {
					reopen()
				}
				expect(t, l, visible)
			case "crash":
				reopen()
			case "die":
				die.Store(rapid.SampledFrom(steps).Draw(rt, "step"))
			}
			if t.Failed() {
				rt.FailNow()
			}
		}
		l.Crash()
	})
}

// Readers that come at any moment see every event below their View's number once, while flushes and commits go on.
func TestReadersNeverSeeAGapOrADouble(t *testing.T) {
	t.Parallel()
	o := small(t.TempDir())
	o.ExpireEvery, o.Keep = 2, 1
	l := open(t, o)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for reads := 0; ; reads++ {
				select {
				case <-stop:
					if reads == 0 {
						t.Error("no read was made")
					}
					return
				default:
				}
				v := l.View()
				if err := whole(v); err != nil {
					t.Error(err)
				}
				v.Release()
			}
		})
	}
	var commits sync.WaitGroup
	commits.Go(func() {
		for range 6 {
			if err := l.Commit(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	next := event.Seq(1)
	for i := range 25 {
		for range 1 + i%3*15 {
			if err := l.Append(happened(next, today-int64(next%7)*day)); err != nil {
				t.Fatal(err)
			}
			next++
		}
		if err := l.Flush(t.Context(), lake.Checkpoint{Next: next}, nil); err != nil {
			t.Fatal(err)
		}
	}
	v, err := l.Wait(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	v.Release()
	commits.Wait()
	close(stop)
	readers.Wait()
	expect(t, l, next)
}
