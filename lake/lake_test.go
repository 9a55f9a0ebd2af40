package lake_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kith/event"
	"kith/internal/sqlite"
	"kith/lake"
)

func TestRowsAreVisibleAfterTheirFlushAndStayThroughACommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, small(dir))
	expect(t, l, 1)
	add(t, l, 1, 6)
	expect(t, l, 1)
	if l.Pending() != 5 {
		t.Errorf("pending %d", l.Pending())
	}
	flush(t, l, 6)
	expect(t, l, 6)
	add(t, l, 6, 50) // two full groups, and an open file that replaces the first
	flush(t, l, 50)
	expect(t, l, 50)
	commit(t, l)
	expect(t, l, 50)
	if s := l.Status(); s.HotRows != 0 || s.Committed != 50 || s.Rows != 49 || s.LastCommit.IsZero() {
		t.Errorf("after the commit: %+v", s)
	}
	if left := files(t, filepath.Join(dir, "hot")); len(left) != 0 {
		t.Errorf("hot files stay after a commit: %v", left)
	}
	add(t, l, 50, 53)
	flush(t, l, 53)
	v := l.View()
	defer v.Release()
	if len(v.Files) != 2 || v.Files[0].Hot || !v.Files[1].Hot || !strings.HasSuffix(v.ID, "@53") {
		t.Errorf("view %s: %+v", v.ID, v.Files)
	}
	if r, err := l.Verify(t.Context()); err != nil || len(r.Problems) > 0 || r.Rows != 52 || r.Foreign != 0 {
		t.Errorf("verify: %+v, %v", r, err)
	}
}

func TestAReopenedLakeGoesOnFromItsCheckpoint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, small(dir))
	add(t, l, 1, 31)
	synced := false
	err := l.Flush(t.Context(), lake.Checkpoint{Next: 31, Identity: 7, Dedupe: []byte("mark")}, func() error { synced = true; return nil })
	if err != nil {
		t.Fatal(err)
	}
	add(t, l, 31, 40) // not flushed: forgotten
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if !synced {
		t.Error("Close did not finish the flush")
	}
	l = open(t, small(dir))
	if c := l.Checkpoint(); c.Next != 31 || c.Identity != 7 || string(c.Dedupe) != "mark" {
		t.Errorf("checkpoint %+v", c)
	}
	expect(t, l, 31)
	add(t, l, 31, 45)
	flush(t, l, 45)
	commit(t, l)
	expect(t, l, 45)
	l.Close()
	expect(t, open(t, small(dir)), 45)
}

func TestAClosedLakeAnswers(t *testing.T) {
	t.Parallel()
	l := open(t, small(t.TempDir()))
	l.Close()
	for name, err := range map[string]error{
		"append": l.Append(happened(1, today)),
		"flush":  l.Flush(t.Context(), lake.Checkpoint{Next: 2}, nil),
		"commit": l.Commit(t.Context()),
		"wait":   second(l.Wait(t.Context(), 2)),
	} {
		if event.CodeOf(err) != event.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[A, B any](_ A, b B) B { return b }

func TestLateRowsAreSortedIntoTheirDays(t *testing.T) {
	t.Parallel()
	l := open(t, small(t.TempDir()))
	const n = 400
	for seq := event.Seq(1); seq < n; seq++ { // 80 days, most without a tail of their own; some before 1970
		ts := today - int64(seq%80)*300*day + int64(seq)
		if err := l.Append(happened(seq, ts)); err != nil {
			t.Fatal(err)
		}
		if seq%37 == 0 {
			flush(t, l, seq+1)
			expect(t, l, seq+1)
		}
	}
	flush(t, l, n)
	v := l.View()
	mixed := slices.ContainsFunc(v.Files, func(f lake.File) bool { return f.MaxTS-f.MinTS > day })
	v.Release()
	if !mixed {
		t.Error("no file holds several days: the test does not test anything")
	}
	commit(t, l)
	expect(t, l, n)
	v = l.View()
	defer v.Release()
	if len(v.Files) != 80 {
		t.Errorf("%d files, want one for each of 80 days", len(v.Files))
	}
	for _, f := range v.Files {
		if !strings.Contains(f.Path, "ts_day="+time.UnixMicro(f.MinTS).UTC().Format(time.DateOnly)) || f.MaxTS-f.MinTS > day {
			t.Errorf("%s holds %v to %v", f.Path, time.UnixMicro(f.MinTS).UTC(), time.UnixMicro(f.MaxTS).UTC())
		}
	}
}

func TestADayWithManyLateRowsGetsATailOfItsOwn(t *testing.T) {
	t.Parallel()
	l := open(t, small(t.TempDir()))
	seq := event.Seq(1)
	for range 3 {
		for i := range 30 {
			ts := today - int64(min(i, 5))*day // the sixth day comes last and has most rows
			if err := l.Append(happened(seq, ts)); err != nil {
				t.Fatal(err)
			}
			seq++
		}
		flush(t, l, seq)
	}
	expect(t, l, seq)
	v := l.View()
	defer v.Release()
	own := time.UnixMicro(today - 5*day).UTC().Format(time.DateOnly)
	if !slices.ContainsFunc(v.Files, func(f lake.File) bool { return strings.HasPrefix(filepath.Base(f.Path), own) }) {
		t.Errorf("the day %s has no file of its own", own)
	}
}

func TestAViewKeepsItsFiles(t *testing.T) {
	t.Parallel()
	l := open(t, small(t.TempDir()))
	add(t, l, 1, 5)
	flush(t, l, 5)
	old := l.View()
	add(t, l, 5, 9)
	flush(t, l, 9) // writes the open file again
	newer := l.View()
	commit(t, l)
	if err := errors.Join(whole(old), whole(newer)); err != nil {
		t.Error(err)
	}
	older := old.Files[0].Path
	old.Release()
	old.Release()
	if _, err := os.Stat(older); !os.IsNotExist(err) {
		t.Errorf("the file of a released view: %v", err)
	}
	if err := whole(newer); err != nil {
		t.Error(err)
	}
	newer.Release()
}

func TestWaitReturnsWhenTheFlushIsVisible(t *testing.T) {
	t.Parallel()
	l := open(t, small(t.TempDir()))
	done := make(chan error)
	go func() {
		v, err := l.Wait(context.Background(), 8)
		if err == nil {
			err = whole(v)
			v.Release()
		}
		done <- err
	}()
	add(t, l, 1, 4)
	flush(t, l, 4)
	add(t, l, 4, 9)
	flush(t, l, 9)
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Wait(ctx, 100); event.CodeOf(err) != event.Canceled {
		t.Errorf("a wait that is given up: %v", err)
	}
}

func TestRefusalsAreStoredOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, small(dir))
	r := lake.Refusal{Seq: 2, ReceivedAt: today, Source: "web", Reason: "type_unknown", Place: "type", Message: "there is no type x"}
	l.Refuse(r)
	l.Refuse(r)
	l.Refuse(lake.Refusal{Seq: 4, Reason: "no_json"})
	flush(t, l, 5)
	l.Refuse(r) // again, after a restart of the processor
	flush(t, l, 6)
	if s := l.Status(); s.Refused != 2 {
		t.Errorf("refused: %d", s.Refused)
	}
	l.Close()
	l = open(t, small(dir))
	if s := l.Status(); s.Refused != 2 {
		t.Errorf("refused, after a restart: %d", s.Refused)
	}
	var got []lake.Refusal
	if err := l.Quarantine(t.Context(), 0, func(r lake.Refusal) bool { got = append(got, r); return true }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0] != r || got[1].Seq != 4 {
		t.Errorf("quarantine: %+v", got)
	}
}

func TestOlderStatesCanBeRead(t *testing.T) {
	t.Parallel()
	o := small(t.TempDir())
	o.ExpireEvery, o.Keep = 4, time.Nanosecond
	l := open(t, o)
	var snapshots []int64
	for next := event.Seq(11); next <= 31; next += 10 {
		add(t, l, next-10, next)
		flush(t, l, next)
		commit(t, l)
		snapshots = append(snapshots, l.Status().Snapshot)
	}
	for i, id := range snapshots {
		v, err := l.At(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if want := event.Seq(i*10 + 11); v.Next != want || v.Snapshot != id || whole(v) != nil {
			t.Errorf("as of snapshot %d: next %d, want %d: %v", id, v.Next, want, whole(v))
		}
		v.Release()
	}
	add(t, l, 31, 36)
	flush(t, l, 36)
	v := l.View()
	defer v.Release()
	for _, last := range []event.Seq{0, 1, 10, 15, 30, 33, 35, 99} {
		r := v.Restrict(last)
		if r.Next != min(36, last+1) || whole(r) != nil {
			t.Errorf("as of event %d: next %d, %v", last, r.Next, whole(r))
		}
		if last == 10 && len(r.Files) != 1 {
			t.Errorf("as of event 10: %d files are to be read, want 1", len(r.Files))
		}
		r.Release()
	}
	commit(t, l) // the fourth: expires all but itself
	_, err := l.At(t.Context(), snapshots[0])
	if event.CodeOf(err) != event.NotFound || !strings.Contains(err.Error(), "oldest") {
		t.Errorf("an expired snapshot: %v", err)
	}
	expect(t, l, 36)
	if err := whole(v); err != nil {
		t.Errorf("a view over the expiry: %v", err)
	}
	left := files(t, filepath.Join(o.Dir, "clean/events/metadata"))
	if lists := count(left, "snap-"); lists != 1 {
		t.Errorf("%d manifest lists stay: %v", lists, left)
	}
}

func count(names []string, prefix string) (n int) {
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			n++
		}
	}
	return n
}

func TestASecondLakeFencesTheFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, small(dir))
	add(t, first, 1, 6)
	flush(t, first, 6)
	second := open(t, small(dir))
	expect(t, second, 6)
	if err := first.Commit(t.Context()); event.CodeOf(err) != event.Conflict {
		t.Errorf("the first one's commit: %v", err)
	}
	if err := first.Append(happened(6, today)); event.CodeOf(err) != event.Conflict {
		t.Errorf("the first one goes on: %v", err)
	}
	add(t, second, 6, 12)
	flush(t, second, 12)
	commit(t, second)
	expect(t, second, 12)

	third := open(t, small(dir))
	add(t, second, 12, 14)
	if err := second.Flush(t.Context(), lake.Checkpoint{Next: 14}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Wait(t.Context(), 14); event.CodeOf(err) != event.Conflict {
		t.Errorf("a fenced lake's flush: %v", err)
	}
	if second.Status().Err == nil {
		t.Error("a fenced lake says that it is well")
	}
	expect(t, third, 12)
}

func TestAMovedFolderHoldsTheSameRows(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	at := filepath.Join(parent, "a")
	l := open(t, small(at))
	add(t, l, 1, 30)
	flush(t, l, 30)
	commit(t, l)
	if err := l.Append(happened(30, today-3*day)); err != nil {
		t.Fatal(err)
	}
	flush(t, l, 31)
	commit(t, l)
	add(t, l, 31, 35)
	flush(t, l, 35)
	before := l.Status()
	l.Close()
	for _, name := range []string{"b", "c"} {
		to := filepath.Join(parent, name)
		if err := os.Rename(at, to); err != nil {
			t.Fatal(err)
		}
		at = to
		_, err := lake.Open(t.Context(), small(at).FailAt(func(step string) error { // dies in the middle, once
			if step == "move.registered" {
				return lake.ErrCrash
			}
			return nil
		}))
		if !errors.Is(err, lake.ErrCrash) {
			t.Fatal(err)
		}
		l = open(t, small(at))
		expect(t, l, 35)
		if s := l.Status(); s.Committed != before.Committed || s.HotRows != before.HotRows {
			t.Errorf("moved to %s: %+v, was %+v", name, s, before)
		}
		v := l.View()
		for _, f := range v.Files {
			if !strings.HasPrefix(f.Path, at+"/") {
				t.Errorf("moved to %s: reads %s", name, f.Path)
			}
		}
		v.Release()
		if r, err := l.Verify(t.Context()); err != nil || len(r.Problems) > 0 || r.Foreign > 0 {
			t.Errorf("verify: %+v, %v", r, err)
		}
		l.Close()
	}
	l = open(t, small(at))
	add(t, l, 35, 60)
	flush(t, l, 60)
	commit(t, l)
	expect(t, l, 60)
}

func TestACommitThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Unix(1_800_000_000, 0)
	var mu sync.Mutex
	o := small(dir)
	o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	l := open(t, o)
	add(t, l, 1, 6)
	flush(t, l, 6)
	spill := filepath.Join(dir, "spill")
	if err := errors.Join(os.Remove(spill), os.WriteFile(spill, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := l.Commit(t.Context()); err == nil {
		t.Fatal("the commit did not fail")
	}
	if f := l.Status().Failing; f == nil || !f.Since.Equal(now) || f.Tries != 1 || f.Err == nil {
		t.Errorf("failing: %+v", f)
	}
	expect(t, l, 6)
	add(t, l, 6, 30)
	flush(t, l, 30)
	expect(t, l, 30)
	if err := errors.Join(os.Remove(spill), os.Mkdir(spill, 0o755)); err != nil {
		t.Fatal(err)
	}
	commit(t, l)
	expect(t, l, 30)
	if s := l.Status(); s.Failing != nil || s.HotRows != 0 {
		t.Errorf("after the next commit: %+v", s)
	}
}

func TestAFlushThatFailsPoisonsTheLake(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, small(dir))
	add(t, l, 1, 6)
	flush(t, l, 6)
	add(t, l, 6, 9)
	broken := errors.New("no fsync")
	if err := l.Flush(t.Context(), lake.Checkpoint{Next: 9}, func() error { return broken }); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Wait(t.Context(), 9); !errors.Is(err, broken) {
		t.Errorf("wait: %v", err)
	}
	if err := l.Append(happened(9, today)); !errors.Is(err, broken) {
		t.Errorf("append: %v", err)
	}
	expect(t, l, 6)
	l.Close()
	l = open(t, small(dir))
	expect(t, l, 6)
	if left := files(t, filepath.Join(dir, "hot")); len(left) != 1 {
		t.Errorf("hot files that no checkpoint lists stay: %v", left)
	}
}

func TestCommitsComeOnTheirOwn(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*lake.Options){
		"many rows, after a while": func(o *lake.Options) { o.CommitRows, o.CommitAfter = 10, time.Millisecond },
		"few rows, late":           func(o *lake.Options) { o.CommitLate = time.Millisecond },
		"a bulk load, at once":     func(o *lake.Options) { o.CommitBulk = 10 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := small(t.TempDir())
			set(&o)
			committed := make(chan struct{}, 1)
			l := open(t, o.FailAt(func(step string) error {
				if step == "commit.stored" {
					committed <- struct{}{}
				}
				return nil
			}))
			add(t, l, 1, 12)
			flush(t, l, 12)
			<-committed
			commit(t, l) // in order behind it, with nothing to do
			if s := l.Status(); s.Committed != 12 || s.HotRows != 0 {
				t.Errorf("after the commit: %+v", s)
			}
			expect(t, l, 12)
		})
	}
}

func TestAFlushWaitsForTheCommitOfABulkLoad(t *testing.T) {
	t.Parallel()
	o := small(t.TempDir())
	o.CommitBulk = 10
	working, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	l := open(t, o.FailAt(func(step string) error {
		if step == "commit.joined" {
			once.Do(func() { close(working); <-goOn })
		}
		return nil
	}))
	add(t, l, 1, 40)
	flush(t, l, 40)
	<-working
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	add(t, l, 40, 45)
	if err := l.Flush(ctx, lake.Checkpoint{Next: 45}, nil); event.CodeOf(err) != event.Canceled {
		t.Errorf("a flush on top of four bulk commits' rows: %v", err)
	}
	close(goOn)
	flush(t, l, 45)
	commit(t, l)
	expect(t, l, 45)
}

// Even if nobody notices that the folder was opened twice, a table that another one wrote to takes no commit.
func TestATableThatReachesElsewhereTakesNoCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := sqlite.Open(filepath.Join(dir, "lake.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	placed, goOn := make(chan struct{}), make(chan struct{})
	first := open(t, small(dir).FailAt(func(step string) error {
		if step == "commit.placed" {
			close(placed)
			<-goOn
		}
		return nil
	}))
	var writer string
	if err := db.QueryRow(`SELECT writer FROM state`).Scan(&writer); err != nil {
		t.Fatal(err)
	}
	add(t, first, 1, 6)
	flush(t, first, 6)
	answer := make(chan error, 1)
	go func() { answer <- first.Commit(context.Background()) }()
	<-placed
	commit(t, open(t, small(dir)))
	if _, err := db.Exec(`UPDATE state SET writer = ?`, writer); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if err := <-answer; event.CodeOf(err) != event.Conflict {
		t.Errorf("the first one's commit: %v", err)
	}
	first.Close()
	expect(t, open(t, small(dir)), 6)
}
