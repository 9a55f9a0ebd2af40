package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"go.uber.org/goleak"

	"kith/event"
	"kith/identity"
	"kith/journal"
	"kith/lake"
	"kith/pipeline"
	"kith/pipeline/dedupe"
	"kith/prepare"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		f.Value.Set("8") // each opens stores and syncs files several times: more by -rapid.checks
	}
	goleak.VerifyTestMain(m)
}

// fataler is what the worlds need of a test, also of one that rapid runs.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

// world is a journal on disk and a processor at work on it with real stores.
type world struct {
	t       fataler
	dir     string
	log     *journal.File
	writer  *journal.Writer
	lake    *lake.Lake
	process *pipeline.Processor
	carries *carries
	stop    func() error // ends the processor as a server that is told to stop does; returns what Run does
	ended   func() error // waits until it ends by itself
	closers []func() error
}

// open opens the stores of a folder and runs the processor. Nothing is flushed but for a reader, unless change asks
// for it.
func open(t fataler, dir string, change ...func(*pipeline.Options)) *world {
	t.Helper()
	w := &world{t: t, dir: dir}
	var err error
	w.log, err = journal.OpenFile(filepath.Join(dir, "journal"), journal.FileOptions{MinFree: -1})
	w.must(err)
	w.closes(w.log.Close)
	w.writer = journal.NewWriter(w.log, 0, journal.WriterOptions{})
	w.lake, err = lake.Open(t.Context(), lake.Options{Dir: filepath.Join(dir, "lake"), OpenRows: 8, GroupRows: 20})
	w.must(err)
	w.closes(w.lake.Close)
	at := w.lake.Checkpoint()
	names, err := identity.Open(filepath.Join(dir, "identity"), at.Identity, identity.Options{})
	w.must(err)
	w.closes(names.Close)
	seen, err := dedupe.Open(filepath.Join(dir, "dedupe"), at.Dedupe, dedupe.Options{})
	w.must(err)
	w.closes(seen.Close)
	w.carries = &carries{Journal: w.log, news: make(chan struct{}), end: at.Next}
	o := pipeline.Options{Journal: w.carries, Prepare: prepare.New(prepare.Options{}), Seen: seen, Identities: names, Lake: w.lake, Pace: onlyReaders()}
	for _, c := range change {
		c(&o)
	}
	w.run(o)
	return w
}

// onlyReaders is a pace that flushes for readers alone.
func onlyReaders() pipeline.Pace {
	return pipeline.Pace{Interval: time.Hour, Watched: time.Hour, Quiet: time.Hour, Rows: 1 << 30}
}

func (w *world) run(o pipeline.Options) {
	w.process = pipeline.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	ready := make(chan struct{})
	go func() { ended <- w.process.Run(ctx, func() { close(ready) }) }()
	<-ready
	w.stop = func() error { cancel(); return <-ended }
	w.ended = func() error { defer cancel(); w.stop = nil; return <-ended }
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(errors.Join(err, w.close()))
	}
}

func (w *world) closes(fn func() error) { w.closers = append(w.closers, fn) }

// close stops the processor, which flushes, and closes the stores.
func (w *world) close() (err error) {
	if w.stop != nil {
		err = w.stop()
		w.stop = nil
	}
	return errors.Join(err, w.release())
}

// release closes the stores alone.
func (w *world) release() (err error) {
	for _, fn := range slices.Backward(w.closers) {
		err = errors.Join(err, fn())
	}
	w.closers = nil
	return err
}

// crash returns a folder with what the disk holds at this moment, which is what a kill leaves, and lets go of this one.
// Nothing may be under way.
func (w *world) crash(to string) string {
	w.t.Helper()
	w.must(os.CopyFS(to, os.DirFS(w.dir)))
	w.must(w.close())
	return to
}

// send makes lines durable as one frame.
func (w *world) send(lines ...string) event.Seq {
	w.t.Helper()
	var all bytes.Buffer
	for _, line := range lines {
		all.WriteString(line + "\n")
	}
	first, err := w.writer.Append(context.Background(), all.Bytes(), len(lines))
	w.must(err)
	return first + event.Seq(len(lines))
}

// settle waits until everything sent can be seen.
func (w *world) settle() *lake.View {
	w.t.Helper()
	v, err := w.process.Fresh(context.Background(), w.writer.Durable())
	w.must(err)
	return v
}

// carried waits until everything sent has been carried, which makes nothing visible.
func (w *world) carried() { w.carries.wait(w.writer.Durable()) }

// carries is a journal that knows what its reader is done with.
type carries struct {
	pipeline.Journal
	mu   sync.Mutex
	end  event.Seq
	news chan struct{} // closed and replaced when end grows
}

func (c *carries) Read(ctx context.Context, part int, from event.Seq, fn func(journal.Frame) error) error {
	return c.Journal.Read(ctx, part, from, func(f journal.Frame) error {
		if err := fn(f); err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.end = f.End()
		close(c.news)
		c.news = make(chan struct{})
		return nil
	})
}

func (c *carries) wait(next event.Seq) {
	for {
		c.mu.Lock()
		end, news := c.end, c.news
		c.mu.Unlock()
		if end >= next {
			return
		}
		<-news
	}
}

// rows returns the message ids in clean.events by seq, and releases the view.
func (w *world) rows(v *lake.View) (ids []string) {
	w.t.Helper()
	defer v.Release()
	type row struct {
		seq int64
		id  string
	}
	var all []row
	for _, f := range v.Files {
		r, err := file.OpenParquetFile(f.Path, false)
		w.must(err)
		for i := range r.NumRowGroups() {
			g := r.RowGroup(i)
			n := g.NumRows()
			seqs, texts := make([]int64, n), make([]parquet.ByteArray, n)
			levels := make([]int16, n)
			numbers, err := g.Column(r.MetaData().Schema.ColumnIndexByName("seq"))
			w.must(err)
			names, err := g.Column(r.MetaData().Schema.ColumnIndexByName("message_id"))
			w.must(err)
			_, _, err = numbers.(*file.Int64ColumnChunkReader).ReadBatch(n, seqs, levels, nil)
			w.must(err)
			_, have, err := names.(*file.ByteArrayColumnChunkReader).ReadBatch(n, texts, levels, nil)
			w.must(err)
			if int64(have) != n {
				w.t.Fatalf("%d of %d rows have a message id", have, n)
			}
			for k := range seqs {
				all = append(all, row{seqs[k], string(texts[k])})
			}
		}
		w.must(r.Close())
	}
	slices.SortFunc(all, func(a, b row) int { return int(a.seq - b.seq) })
	for _, r := range all {
		ids = append(ids, r.id)
	}
	return ids
}

// refused returns the seq and reason of what is in quarantine.
func (w *world) refused() (all []string) {
	w.t.Helper()
	w.must(w.lake.Quarantine(context.Background(), 1, func(r lake.Refusal) bool {
		all = append(all, fmt.Sprintf("%d %s", r.Seq, r.Reason))
		return true
	}))
	return all
}

// counts checks that every line is in exactly one of them, and returns them.
func (w *world) counts() pipeline.Counts {
	w.t.Helper()
	c := w.process.Counts()
	if c.Lines != c.Control+c.Quarantined+c.Duplicates+c.Rows {
		w.t.Fatalf("they do not add up: %+v", c)
	}
	return c
}

// timed is an event with a time of its own, undated is one without.
func timed(id string, hour int) string {
	return fmt.Sprintf(`{"source":"web","source_id":1,"door":"events","event":{"type":"track","event":"Seen","messageId":%q,"userId":"ana","timestamp":"2026-01-%02dT%02d:00:00Z"}}`, id, 1+hour/24, hour%24)
}

func undated(id string) string {
	return fmt.Sprintf(`{"source":"web","source_id":1,"door":"events","event":{"type":"track","event":"Seen","messageId":%q,"userId":"ana"}}`, id)
}

const (
	control = `{"control":{"defined":"nothing"}}`
	wrong   = `{"source":"web","source_id":1,"door":"events","event":{"type":"sing","userId":"ana"}}`
	noJSON  = `{"source":"web","source_id":1,"door":"events","bytes":"eyI="}`
)
