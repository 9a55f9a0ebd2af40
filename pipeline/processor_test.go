package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kith/event"
	"kith/journal"
	"kith/lake"
	"kith/pipeline"
	"kith/prepare"
)

func TestEveryLineEndsInOnePlace(t *testing.T) {
	w := open(t, t.TempDir())
	w.send(timed("a", 1), wrong, timed("b", 30), control)
	w.send(timed("a", 1), undated("c"), noJSON, undated("c"), timed("a", 2))
	// An id at another time is another event: the resend of an event keeps its time.
	if got := w.rows(w.settle()); !slices.Equal(got, []string{"a", "b", "c", "a"}) {
		t.Errorf("rows %q", got)
	}
	if got := w.refused(); !slices.Equal(got, []string{"2 type_unknown", "7 not_json"}) {
		t.Errorf("quarantine %q", got)
	}
	want := pipeline.Counts{Lines: 9, Control: 1, Quarantined: 2, Duplicates: 2, Rows: 4}
	if got := w.counts(); got.Flushes < 1 || got != (pipeline.Counts{9, 1, 2, 2, 4, got.Flushes}) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

func TestAStopFlushesWhatWasCarried(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	w.send(timed("a", 1), timed("b", 1))
	w.carried()
	if v := w.lake.View(); v.Rows != 0 {
		t.Fatalf("%d rows are visible before anybody asks", v.Rows)
	} else {
		v.Release()
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	w = open(t, dir)
	v := w.lake.View()
	if v.Next != 3 || v.Rows != 2 {
		t.Errorf("after a restart the view is %s with %d rows", v.ID, v.Rows)
	}
	v.Release()
	if got := w.process.Next(); got != 3 {
		t.Errorf("it goes on at %d", got)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

// reframed is a journal that hands out all lines so far as one frame, as a broker may when it packs them anew.
type reframed struct{ lines []string }

func (r *reframed) Read(ctx context.Context, _ int, from event.Seq, fn func(journal.Frame) error) error {
	if int(from) <= len(r.lines) {
		if err := fn(journal.Frame{Base: 1, Count: len(r.lines), At: 1, Lines: []byte(strings.Join(r.lines, "\n") + "\n")}); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func TestGoesOnInTheMiddleOfAFrame(t *testing.T) {
	dir := t.TempDir()
	log := &reframed{}
	line := func(text string) {
		log.lines = append(log.lines, fmt.Sprintf(`{"seq":%d,"received_at":1764032527123456,%s`, len(log.lines)+1, text[1:]))
	}
	var w *world
	for round := range 3 {
		line(timed(strconv.Itoa(round), 1))
		line(timed("again", 1))
		w = open(t, dir, func(o *pipeline.Options) { o.Journal = log })
		v, err := w.process.Fresh(t.Context(), event.Seq(len(log.lines)+1))
		w.must(err)
		want := []string{"0", "again", "1", "2"}[:round+2]
		if got := w.rows(v); !slices.Equal(got, want) {
			t.Errorf("round %d: rows %q, want %q", round, got, want)
		}
		if c := w.counts(); c.Lines != 2 {
			t.Errorf("round %d carried %d lines, and 2 were new", round, c.Lines)
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOnceWhateverHappens runs a processor through sends, resends, readers, crashes and stops, and compares what is
// in the lake with a plain list.
func TestOnceWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root, err := os.MkdirTemp("", "pipeline")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(root)
		folders := 0
		folder := func() string { folders++; return filepath.Join(root, strconv.Itoa(folders)) }
		w := open(t, folder())
		defer func() { w.close() }()
		var want []string
		var refused []string
		next := event.Seq(1)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"send", "send", "read", "crash", "stop", "commit"}).Draw(t, "step") {
			case "send":
				var lines []string
				for range rapid.IntRange(1, 15).Draw(t, "lines") {
					kind, n := rapid.SampledFrom([]string{"timed", "timed", "undated", "wrong", "control"}).Draw(t, "kind"), rapid.IntRange(0, 30).Draw(t, "n")
					line, id := control, ""
					switch kind {
					case "timed":
						id = fmt.Sprint("t", n)
						line = timed(id, n*7)
					case "undated":
						id = fmt.Sprint("u", n)
						line = undated(id)
					case "wrong":
						line = wrong
						refused = append(refused, fmt.Sprintf("%d type_unknown", next))
					}
					lines = append(lines, line)
					next++
					if id != "" && !slices.Contains(want, id) {
						want = append(want, id)
					}
				}
				w.send(lines...)
			case "read":
				v := w.settle()
				if int(v.Rows) != len(want) {
					t.Fatalf("%d rows, want %d", v.Rows, len(want))
				}
				v.Release()
			case "crash":
				w.carried()
				w = open(t, w.crash(folder()))
			case "stop":
				w.must(w.close())
				w = open(t, w.dir)
			case "commit":
				w.settle().Release()
				w.must(w.lake.Commit(t.Context()))
			}
		}
		if got := w.rows(w.settle()); !slices.Equal(got, want) {
			t.Fatalf("rows %q, want %q", got, want)
		}
		if got := w.refused(); !slices.Equal(got, refused) {
			t.Fatalf("quarantine %q, want %q", got, refused)
		}
		w.counts()
	})
}

// tripping is a Preparer with a bug.
type tripping struct{ *prepare.Preparer }

func (t tripping) Line(line []byte, e *event.Event) event.Outcome {
	if strings.Contains(string(line), `"trip"`) {
		panic("index out of range")
	}
	outcome := t.Preparer.Line(line, e)
	if strings.Contains(string(line), `"stumble"`) {
		panic("nil pointer")
	}
	return outcome
}

func TestAPanicCostsOneEvent(t *testing.T) {
	w := open(t, t.TempDir(), func(o *pipeline.Options) { o.Prepare = tripping{prepare.New(prepare.Options{})} })
	w.send(timed("a", 1), timed("trip", 1), timed("b", 1), timed("stumble", 1), timed("c", 1))
	if got := w.rows(w.settle()); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("rows %q", got)
	}
	if got := w.refused(); !slices.Equal(got, []string{"2 internal", "4 internal"}) {
		t.Errorf("quarantine %q", got)
	}
	if c := w.counts(); c.Quarantined != 2 || c.Rows != 3 {
		t.Errorf("%+v", c)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

func TestFreshHonoursItsContext(t *testing.T) {
	w := open(t, t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := w.process.Fresh(ctx, 2) // which nobody sent
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	w.send(timed("a", 1))
	w.settle().Release()
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

// slow is a lake whose flushes take until they are let go.
type slow struct {
	*lake.Lake
	begun, free chan struct{}
}

func (s slow) Flush(ctx context.Context, cp lake.Checkpoint, sync func() error) error {
	s.begun <- struct{}{}
	<-s.free
	return s.Lake.Flush(ctx, cp, sync)
}

func TestAReaderLeavesWhileAFlushIsUnderWay(t *testing.T) {
	s := slow{begun: make(chan struct{}, 9), free: make(chan struct{})}
	w := open(t, t.TempDir(), func(o *pipeline.Options) { s.Lake = o.Lake.(*lake.Lake); o.Lake = s })
	next := w.send(timed("a", 1))
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { _, err := w.process.Fresh(ctx, next); left <- err }()
	<-s.begun
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the one who began it: %v", err)
	}
	if _, err := w.process.Fresh(ctx, next); !errors.Is(err, context.Canceled) {
		t.Errorf("the next: %v", err)
	}
	close(s.free)
	if got := w.rows(w.settle()); !slices.Equal(got, []string{"a"}) {
		t.Errorf("rows %q", got)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

var errDisk = errors.New("no space left on device")

// broken are stores of which one fails.
type brokenLake struct{ *lake.Lake }

func (brokenLake) Flush(context.Context, lake.Checkpoint, func() error) error { return errDisk }

type refusingLake struct{ *lake.Lake }

func (refusingLake) Append(*event.Event) error { return errDisk }

type brokenNames struct{ pipeline.Identities }

func (brokenNames) Flush() (int64, error) { return 0, errDisk }

type unsyncedNames struct{ pipeline.Identities }

func (unsyncedNames) Sync() error { return errDisk }

type brokenSeen struct{ pipeline.Seen }

func (brokenSeen) Flush() ([]byte, error) { return nil, errDisk }

type unsyncedSeen struct{ pipeline.Seen }

func (unsyncedSeen) Sync() error { return errDisk }

// TestAFailureStopsItAndIsTold breaks one store at a time. Nothing is made visible whose stores are not durable, those who wait
// are told, the process is told, and a processor opened anew goes on.
func TestAFailureStopsItAndIsTold(t *testing.T) {
	for name, breaks := range map[string]func(*pipeline.Options){
		"the lake's flush":    func(o *pipeline.Options) { o.Lake = brokenLake{o.Lake.(*lake.Lake)} },
		"the lake's append":   func(o *pipeline.Options) { o.Lake = refusingLake{o.Lake.(*lake.Lake)} },
		"identifiers":         func(o *pipeline.Options) { o.Identities = brokenNames{o.Identities} },
		"syncing identifiers": func(o *pipeline.Options) { o.Identities = unsyncedNames{o.Identities} },
		"message ids":         func(o *pipeline.Options) { o.Seen = brokenSeen{o.Seen} },
		"syncing message ids": func(o *pipeline.Options) { o.Seen = unsyncedSeen{o.Seen} },
		"the timer's own flush": func(o *pipeline.Options) {
			o.Lake = brokenLake{o.Lake.(*lake.Lake)}
			o.Pace.Quiet, o.Pace.Interval = time.Millisecond, time.Millisecond
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w := open(t, dir, breaks)
			next := w.send(timed("a", 1), wrong)
			_, err := w.process.Fresh(t.Context(), next)
			if event.CodeOf(err) != event.Unavailable || !errors.Is(err, errDisk) {
				t.Errorf("a reader is told %v", err)
			}
			if _, err := w.process.Fresh(t.Context(), next); event.CodeOf(err) != event.Unavailable {
				t.Errorf("the next reader is told %v", err)
			}
			v, err := w.process.Fresh(t.Context(), 1)
			if err != nil || v.Rows != 0 {
				t.Errorf("who asks for less than is there: %v", err)
			} else {
				v.Release()
			}
			w.send(timed("b", 1)) // the journal takes events all the same; that the lake has stopped is found by the next run at the latest
			if err := w.ended(); !errors.Is(err, errDisk) {
				t.Errorf("Run ends with %v", err)
			}
			if err := w.release(); err != nil {
				t.Fatal(err)
			}
			w = open(t, dir)
			if got := w.rows(w.settle()); !slices.Equal(got, []string{"a", "b"}) {
				t.Errorf("opened anew: rows %q", got)
			}
			if got := w.refused(); !slices.Equal(got, []string{"2 type_unknown"}) {
				t.Errorf("opened anew: quarantine %q", got)
			}
			if err := w.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

type endedJournal struct{ err error }

func (j endedJournal) Read(context.Context, int, event.Seq, func(journal.Frame) error) error {
	return j.err
}

func TestAJournalThatEndsStopsIt(t *testing.T) {
	for _, want := range []error{nil, errDisk} {
		w := open(t, t.TempDir(), func(o *pipeline.Options) { o.Journal = endedJournal{want} })
		if err := w.ended(); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("Run ends with %v", err)
		}
		if _, err := w.process.Fresh(t.Context(), 2); event.CodeOf(err) != event.Unavailable {
			t.Errorf("a reader is told %v", err)
		}
		if err := w.release(); err != nil {
			t.Error(err)
		}
	}
}

func TestFreshAfterTheEnd(t *testing.T) {
	w := open(t, t.TempDir())
	next := w.send(timed("a", 1))
	w.carried()
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	if v, err := w.process.Fresh(t.Context(), next); err != nil {
		t.Error("what the last flush made visible:", err)
	} else {
		v.Release()
	}
	if _, err := w.process.Fresh(t.Context(), next+1); event.CodeOf(err) != event.Unavailable {
		t.Errorf("what nobody will carry: %v", err)
	}
	w.stop = nil
	if err := w.release(); err != nil {
		t.Error(err)
	}
}
