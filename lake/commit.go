package lake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"kith/event"
)

// committer moves hot rows into the table. Its timer runs only while rows are hot.
type committer struct {
	lake  *Lake
	wake  chan struct{}
	cuts  chan cut
	asked chan chan error

	files int      // named so far
	stale []string // announced by earlier openings, in no snapshot

	mu      sync.Mutex
	since   time.Time // of the oldest hot row; zero if there is none
	last    time.Time // of the newest commit
	commits int
	failing *Failure
	working chan struct{} // not nil while a commit works on its cut; closed when it ends
}

// cut is the hot list between two flushes, every file in it sealed.
type cut struct {
	hot  []*hotFile
	upto event.Seq
}

// Failure says that commits fail, and since when. Rows stay hot and can be read meanwhile.
type Failure struct {
	Since time.Time
	Tries int
	Next  time.Time // of the next try
	Err   error
}

// The wait before another try of a commit that failed.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

func newCommitter(l *Lake) *committer {
	return &committer{lake: l, wake: make(chan struct{}, 1), cuts: make(chan cut, 1), asked: make(chan chan error)}
}

// notice tells the committer that a flush was published.
func (c *committer) notice() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Commit moves every row that is visible into the table, and returns when that is done. If rows are waiting for a
// flush, it waits for that one.
func (l *Lake) Commit(ctx context.Context) error {
	reply := make(chan error, 1)
	select {
	case l.commit.asked <- reply:
	case <-l.stop:
		return l.failed()
	case <-ctx.Done():
		return fmt.Errorf("commit: %w", ctx.Err())
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return fmt.Errorf("commit: %w", ctx.Err())
	}
}

func (c *committer) run() {
	for {
		wait, armed := c.due()
		var timer *time.Timer
		var fire <-chan time.Time
		if armed {
			timer = time.NewTimer(wait)
			fire = timer.C
		}
		select {
		case <-c.lake.stop:
		case <-c.wake:
		case <-fire:
			if err := c.once(); err != nil && c.lake.failed() == nil {
				c.lake.o.Log.Warn("commit to clean.events failed; its rows stay in the hot tail", "err", err)
			}
		case reply := <-c.asked:
			reply <- c.once()
		}
		if timer != nil {
			timer.Stop()
		}
		if c.lake.failed() != nil {
			return
		}
	}
}

// due returns how long to wait for the next commit, if one is to come.
func (c *committer) due() (wait time.Duration, armed bool) {
	rows, _ := c.lake.hotSize()
	now := c.lake.o.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if rows == 0 {
		c.since = time.Time{}
		return 0, false
	}
	if c.since.IsZero() {
		c.since = now
	}
	at := c.since.Add(c.lake.o.CommitLate)
	switch {
	case c.failing != nil:
		at = c.failing.Next
	case rows >= c.lake.o.CommitBulk:
		at = now
	case rows >= c.lake.o.CommitRows:
		at = c.since.Add(c.lake.o.CommitAfter)
	}
	return max(0, at.Sub(now)), true
}

func (l *Lake) hotSize() (rows int64, files int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.hot {
		rows += h.Rows
	}
	return rows, len(l.hot)
}

// once makes one commit of what is visible now.
func (c *committer) once() error {
	l := c.lake
	began := l.o.Now()
	l.tails.requestCut()
	var taken cut
	select {
	case taken = <-c.cuts:
	case <-l.stop:
		return l.failed()
	}
	if len(taken.hot) == 0 {
		return nil
	}
	c.mu.Lock()
	working := make(chan struct{})
	c.working = working
	c.mu.Unlock()
	err := l.commitCut(context.Background(), taken)
	if errors.Is(err, errUnknown) || event.CodeOf(err) == event.Conflict {
		err = l.poison(fmt.Errorf("commit to clean.events: %w", err))
	}
	c.mu.Lock()
	c.working = nil
	close(working)
	c.record(began, err)
	look := err == nil && c.commits%l.o.ExpireEvery == 0
	c.mu.Unlock()
	if look {
		if err := l.expire(context.Background()); err != nil && l.failed() == nil {
			l.o.Log.Warn("expire snapshots of clean.events", "err", err)
		}
	}
	return err
}

// record keeps how a commit ended. The caller holds c.mu.
func (c *committer) record(began time.Time, err error) {
	if err == nil {
		c.failing, c.since, c.last = nil, began, began
		c.commits++
		return
	}
	now := c.lake.o.Now()
	if c.failing == nil {
		c.failing = &Failure{Since: now}
	}
	wait := min(lastRetry, firstRetry<<min(c.failing.Tries, 10))
	c.failing = &Failure{Since: c.failing.Since, Tries: c.failing.Tries + 1, Next: now.Add(wait), Err: err}
}

// hotLimit is how many bulk commits' rows may be hot before a flush waits for the commit that is at work: a load
// that is faster than the commits is slowed to their pace.
const hotLimit = 3

// room waits while too many rows are hot and a commit is moving them.
func (c *committer) room(ctx context.Context) error {
	for {
		rows, _ := c.lake.hotSize()
		c.mu.Lock()
		working := c.working
		c.mu.Unlock()
		if working == nil || rows < hotLimit*c.lake.o.CommitBulk {
			return nil
		}
		select {
		case <-working:
		case <-c.lake.stop:
			return c.lake.failed()
		case <-ctx.Done():
			return fmt.Errorf("wait for a commit: %w", ctx.Err())
		}
	}
}

// commitCut puts the rows of a cut into the table.
func (l *Lake) commitCut(ctx context.Context, c cut) error {
	files, err := l.join(c)
	if err != nil {
		return fmt.Errorf("join hot files: %w", err)
	}
	if err := l.step("commit.joined"); err != nil {
		return err
	}
	if err := l.store.announce(ctx, files); err != nil {
		return err
	}
	if err := l.step("commit.announced"); err != nil {
		return err
	}
	snapshot, err := l.appendFiles(ctx, files, c.upto)
	if err != nil {
		if l.failed() == nil && !errors.Is(err, errUnknown) && event.CodeOf(err) != event.Conflict {
			l.discard(ctx, files)
		}
		return err
	}
	if err := l.step("commit.appended"); err != nil {
		return err
	}
	if err := l.store.committed(ctx, files, c.hot); err != nil {
		return errors.Join(errUnknown, err)
	}
	if err := l.step("commit.stored"); err != nil {
		return err
	}
	p, err := l.table.newest(ctx, l.table.table())
	if err != nil || p.snapshot != snapshot {
		return errors.Join(errUnknown, err)
	}
	l.mu.Lock()
	l.hot = slices.DeleteFunc(l.hot, func(h *hotFile) bool { return slices.Contains(c.hot, h) })
	l.lake, l.snapshot, l.upto = p.files, p.snapshot, c.upto
	gone := l.publish()
	l.mu.Unlock()
	l.remove(gone)
	return l.sweep(ctx)
}

// appendFiles puts finished files under the table's folder and into the table.
func (l *Lake) appendFiles(ctx context.Context, files []dataFile, upto event.Seq) (snapshot int64, err error) {
	if err := l.place(files); err != nil {
		return 0, err
	}
	if err := l.step("commit.placed"); err != nil {
		return 0, err
	}
	return l.table.append(ctx, files, upto)
}
