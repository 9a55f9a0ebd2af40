// Package lake keeps clean.events, the table of all accepted events: an Iceberg table that any engine can read, and
// the hot tail of the events that came since its last snapshot.
//
// An event is appended to a set of columns in memory. A flush writes the sets as small Parquet files, stores the
// checkpoint that covers them in one SQLite transaction and publishes a new View. A commit joins the flushed files
// by copying their row groups, one file per day of event time, into a new Iceberg snapshot that carries the number
// it reaches up to. A reader takes a View, a snapshot and the hot files behind it, and sees every event below the
// View's number exactly once for as long as it holds it. The folder is described in format.md.
package lake

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"kith/event"
	"kith/internal/sqlite"
)

// Options says where a lake lies and how it behaves. A zero value stands for the default that its comment names.
type Options struct {
	Dir string           // the lake's folder; made if it is missing
	Log *slog.Logger     // what happens in the background; nil for none
	Now func() time.Time // time.Now

	OpenRows  int // from this many rows a tail's file is not written again by the next flush; 8,000
	GroupRows int // a tail of this many rows is written at once, without waiting for a flush; 65,536
	Tails     int // days that have a tail of their own; 4

	CommitRows  int64         // with this many hot rows a commit is due after CommitAfter; 100,000
	CommitAfter time.Duration // 1 minute
	CommitLate  time.Duration // with fewer hot rows a commit is due after this; 10 minutes
	CommitBulk  int64         // with this many hot rows a commit is due at once; 2,000,000

	ExpireEvery int           // commits between two looks for expired snapshots; 20
	Keep        time.Duration // age from which a snapshot may be expired; 24 hours

	fail func(step string) error // tests: an error at a step stands for a crash there
}

func (o *Options) setDefaults() {
	set(&o.Log, slog.New(slog.DiscardHandler), o.Log == nil)
	set(&o.Now, time.Now, o.Now == nil)
	set(&o.OpenRows, 8_000, o.OpenRows == 0)
	set(&o.GroupRows, 65_536, o.GroupRows == 0)
	set(&o.Tails, 4, o.Tails == 0)
	set(&o.CommitRows, 100_000, o.CommitRows == 0)
	set(&o.CommitAfter, time.Minute, o.CommitAfter == 0)
	set(&o.CommitLate, 10*time.Minute, o.CommitLate == 0)
	set(&o.CommitBulk, 2_000_000, o.CommitBulk == 0)
	set(&o.ExpireEvery, 20, o.ExpireEvery == 0)
	set(&o.Keep, 24*time.Hour, o.Keep == 0)
}

func set[T any](field *T, value T, missing bool) {
	if missing {
		*field = value
	}
}

// Lake is an open lake. Append, Refuse, Pending and Flush belong to one goroutine, the processor's; all else is safe
// for any. One process has a folder open at a time; a second that opens it fences the first, whose next write
// answers event.Conflict.
type Lake struct {
	o       Options
	dir     string // absolute, links resolved
	writer  string // this opening's name; the stores accept writes of the last one only
	db      *sql.DB
	store   *store
	table   *eventsTable
	tails   *tails
	jobs    chan job
	commit  *committer
	encoded chan struct{} // closed when the encoder has ended
	done    sync.WaitGroup

	mu        sync.Mutex
	err       error // the lake is poisoned: it answers this and writes nothing more
	closed    bool
	stop      chan struct{} // closed by Close or by the first error
	hot       []*hotFile    // published, in order
	lake      []File        // of the newest snapshot
	snapshot  int64
	upto      event.Seq // what the newest snapshot reaches up to
	saved     Checkpoint
	refused   int64
	current   *pin
	published chan struct{} // closed and replaced at each publish
}

// Open opens the lake in o.Dir and brings it to its last checkpoint: what was written after it is removed, what the
// table holds already leaves the hot tail. A folder that was moved or restored elsewhere is registered anew.
//
// An event.Corrupt error names a file that the checkpoint lists and that is missing or not as it was written.
func Open(ctx context.Context, o Options) (*Lake, error) {
	o.setDefaults()
	l, err := open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open lake %s: %w", o.Dir, err)
	}
	go l.encode()
	l.done.Go(l.commit.run)
	return l, nil
}

func open(ctx context.Context, o Options) (_ *Lake, err error) {
	dir, err := prepareDir(o.Dir)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, 6)
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	l := &Lake{o: o, dir: dir, writer: hex.EncodeToString(nonce), jobs: make(chan job, 1),
		encoded: make(chan struct{}), stop: make(chan struct{}), published: make(chan struct{})}
	l.db, err = sqlite.Open(filepath.Join(dir, "lake.db"))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.db.Close())
		}
	}()
	if l.store, err = openStore(ctx, l.db, l.writer); err != nil {
		return nil, err
	}
	if l.table, err = openTable(ctx, l.db, l.store, dir, l.step); err != nil {
		return nil, err
	}
	l.tails = newTails(l)
	l.commit = newCommitter(l)
	return l, l.recover(ctx)
}

// prepareDir makes the lake's folders and empties the one for work in progress.
func prepareDir(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	if i := strings.IndexAny(dir, " %?#"); i >= 0 { // Iceberg engines disagree on how such a path is written in a URI
		return "", event.Errorf(event.Invalid, "the lake's folder must not have %q in its path", dir[i]).At("dir", dir)
	}
	if err := os.RemoveAll(filepath.Join(dir, "spill")); err != nil {
		return "", err
	}
	for _, sub := range []string{"hot", "spill", tablePath + "/data", tablePath + "/metadata"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "", err
		}
	}
	return dir, syncDir(dir)
}

// Checkpoint says up to where the last flush stored everything: what the processor resumes from.
type Checkpoint struct {
	Next     event.Seq // the first number that is not stored; 1 in an empty lake
	Identity int64     // length of the identity facts, bytes
	Dedupe   []byte    // the dedupe index's mark
}

// Checkpoint returns what the last stored flush was given.
func (l *Lake) Checkpoint() Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.saved
}

// Close writes the flushes that are under way and stops. Rows that were appended after the last Flush are forgotten,
// and no commit is made: who wants either calls Flush and Commit before. Views may be released after it.
func (l *Lake) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	l.tails.close()
	<-l.encoded
	l.mu.Lock()
	if l.err == nil {
		l.err = closed()
		close(l.stop)
	}
	l.mu.Unlock()
	l.done.Wait()
	return l.db.Close()
}

func closed() error { return event.Errorf(event.Unavailable, "the lake is closed") }

// poison makes every later call answer err. The files and the database stay as they are at this moment, which is
// a state that Open can begin from.
func (l *Lake) poison(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
		close(l.stop)
	}
	return l.err
}

// failed returns why the lake stopped, or nil.
func (l *Lake) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// step is a point at which a test may let the process die.
func (l *Lake) step(name string) error {
	if err := l.failed(); err != nil {
		return err
	}
	if l.o.fail == nil {
		return nil
	}
	if err := l.o.fail(name); err != nil {
		return l.poison(fmt.Errorf("at %s: %w", name, err))
	}
	return nil
}
