package lake

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"kith/event"
	"kith/lake/columns"
)

const (
	dayMicros = 24 * 60 * 60 * 1_000_000
	lateDay   = math.MinInt64 // the late tail's day
	lateShare = 8             // a late day that had 1/8 of a flush's rows gets a tail of its own
)

// dayOf returns the day of event time, in days since 1970 UTC.
func dayOf(ts int64) int64 {
	day := ts / dayMicros
	if ts < day*dayMicros {
		day--
	}
	return day
}

func dayName(day int64) string { return time.Unix(day*86400, 0).UTC().Format(time.DateOnly) }

// tail collects the rows of one day, or the late ones of all days that have no tail of their own.
type tail struct {
	day     int64
	set     *columns.Set
	written int    // rows of set that the newest flush wrote
	open    string // the file they lie in, which the next one replaces; "" if there is none
	window  int    // rows since the last flush
}

// tails are the rows that are not sealed yet. The processor's goroutine appends to them and flushes them; the
// committer seals them when no row is waiting for a flush.
type tails struct {
	lake *Lake

	mu      sync.Mutex
	own     []*tail // at most Options.Tails
	late    *tail
	last    *tail // got the newest row
	counts  map[int64]int
	pending int
	refused []Refusal
	next    event.Seq // of the newest flush, stored or on its way
	cut     bool      // the committer waits for a flush that seals all
	closed  bool
	files   int // named so far
	free    chan *columns.Set
}

// freeSets is how many empty sets are kept for use: as many as the encoder may have at once.
const freeSets = 3

func newTails(l *Lake) *tails {
	return &tails{lake: l, counts: make(map[int64]int), free: make(chan *columns.Set, freeSets)}
}

// Append adds an event to the rows that the next Flush makes visible. It copies what it needs of e, whose TS must be
// set, and takes its Seqs in growing order. It waits while the encoder is three sets behind.
func (l *Lake) Append(e *event.Event) error {
	select {
	case <-l.stop:
		return l.failed()
	default:
	}
	t := l.tails
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return closed()
	}
	into := t.route(dayOf(e.TS))
	into.set.Append(e)
	into.window++
	t.pending++
	if into.set.Len() >= l.o.GroupRows {
		t.seal(into)
	}
	return nil
}

// Refuse adds a line that did not become an event; the next Flush stores it, once however often it is refused.
func (l *Lake) Refuse(r Refusal) {
	l.tails.mu.Lock()
	defer l.tails.mu.Unlock()
	l.tails.refused = append(l.tails.refused, r)
}

// Pending returns the number of rows that the next Flush would make visible.
func (l *Lake) Pending() int {
	l.tails.mu.Lock()
	defer l.tails.mu.Unlock()
	return l.tails.pending
}

// route returns the tail of a day: its own, a new one while there is room, or the late one.
func (t *tails) route(day int64) *tail {
	if t.last != nil && t.last.day == day {
		return t.last
	}
	i := slices.IndexFunc(t.own, func(x *tail) bool { return x.day == day })
	switch {
	case i >= 0:
		t.last = t.own[i]
	case len(t.own) < t.lake.o.Tails:
		t.last = &tail{day: day, set: t.emptySet()}
		t.own = append(t.own, t.last)
	default:
		if t.late == nil {
			t.late = &tail{day: lateDay, set: t.emptySet()}
		}
		t.counts[day]++
		return t.late
	}
	return t.last
}

func (t *tails) emptySet() *columns.Set {
	select {
	case s := <-t.free:
		return s
	default:
		return columns.New()
	}
}

// file names the next hot file.
func (t *tails) file(day int64) string {
	t.files++
	name := "late"
	if day != lateDay {
		name = dayName(day)
	}
	return fmt.Sprintf("hot/%s-%s-%06d.parquet", name, t.lake.writer, t.files)
}

// seal hands a tail's rows to the encoder for good. If a flush has written all of them already, that file is it.
func (t *tails) seal(x *tail) {
	if n := x.set.Len(); n > 0 && n == x.written {
		x.set.Reset()
	} else if n > 0 {
		t.lake.jobs <- job{set: x.set, rel: t.file(x.day), replaces: x.open}
		x.set = t.emptySet()
	}
	x.open, x.written = "", 0
}

// Flush makes all rows that were appended visible, together with the checkpoint and the refusals, in the background
// and in order; Wait tells when. Before the checkpoint is stored, sync must have made durable what it speaks of; it
// is called from another goroutine.
//
// A flush that fails poisons the lake: this and every later call answers its error, and the processor goes on from
// the last checkpoint in a lake opened anew.
func (l *Lake) Flush(ctx context.Context, cp Checkpoint, sync func() error) error {
	if err := l.commit.room(ctx); err != nil {
		return err
	}
	t := l.tails
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := l.failed(); err != nil {
		return err
	}
	if t.closed {
		return closed()
	}
	if cp.Next < t.next {
		return event.Errorf(event.Internal, "a flush up to event %d came after one up to %d", cp.Next, t.next)
	}
	j := job{flush: &flush{Checkpoint: cp, refused: t.refused, sync: sync}, cut: t.cut}
	for _, x := range t.all() {
		if t.cut || x.set.Len() >= l.o.OpenRows {
			t.seal(x)
		} else if x.set.Len() > x.written {
			file, err := t.write(x)
			if err != nil {
				return l.poison(err)
			}
			j.flush.files = append(j.flush.files, file)
		}
	}
	l.jobs <- j
	t.replan()
	t.pending, t.refused, t.next, t.cut = 0, nil, cp.Next, false
	return nil
}

// all returns the tails that there are, in no particular order.
func (t *tails) all() []*tail {
	if t.late == nil {
		return t.own
	}
	return append(slices.Clip(t.own), t.late)
}

// write writes a tail that goes on growing. It does so here and not in the encoder, which would make the processor
// wait for the larger sets before it.
func (t *tails) write(x *tail) (staged, error) {
	rel := t.file(x.day)
	file, err := t.lake.writeHot(x.set, rel)
	if err != nil {
		return staged{}, err
	}
	s := staged{file: file, replaces: x.open}
	x.open, x.written = rel, x.set.Len()
	return s, nil
}

// replan gives days with many late rows a tail of their own, in the place of the day that had the fewest rows. Days
// that are empty lose theirs after a cut.
func (t *tails) replan() {
	rows := 0
	for _, x := range t.all() {
		rows += x.window
	}
	for day, n := range t.counts {
		if n*lateShare < rows || n < t.lake.o.OpenRows/lateShare {
			continue
		}
		least := slices.MinFunc(t.own, func(a, b *tail) int { return a.window - b.window })
		if least.window < n {
			t.seal(least)
			t.recycle(least.set)
			*least = tail{day: day, set: t.emptySet(), window: n}
		}
	}
	clear(t.counts)
	t.last = nil
	if t.cut {
		for _, x := range t.own {
			t.recycle(x.set)
		}
		t.own = nil
	}
	for _, x := range t.all() {
		x.window = 0
	}
}

// recycle keeps an empty set, if there is room.
func (t *tails) recycle(s *columns.Set) {
	select {
	case t.free <- s:
	default:
	}
}

// requestCut brings a cut on its way: a point between two flushes at which every row that is visible lies in a
// sealed file. If rows are waiting for a flush, that flush is it.
func (t *tails) requestCut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.lake.failed() != nil {
		return
	}
	if t.pending > 0 {
		t.cut = true
		return
	}
	for _, x := range t.all() {
		t.seal(x)
	}
	t.lake.jobs <- job{cut: true}
	t.own, t.late, t.last = nil, nil, nil // nothing is on its way: an idle lake keeps no room for it
	for range freeSets {
		select {
		case <-t.free:
		default:
		}
	}
}

// close ends the encoder's work after what was handed to it.
func (t *tails) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	close(t.lake.jobs)
}

func (l *Lake) path(rel string) string { return filepath.Join(l.dir, rel) }
