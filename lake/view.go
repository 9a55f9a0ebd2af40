package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"

	"kith/event"
)

// File is one Parquet file of clean.events. All columns are found by their field ids, those of columns.Columns.
type File struct {
	Path           string // absolute
	Rows, Bytes    int64
	MinSeq, MaxSeq event.Seq
	MinTS, MaxTS   int64 // event time, microseconds since 1970 UTC
	Hot            bool  // not in an Iceberg snapshot yet
}

// View is clean.events at one moment: every event below Next, each in exactly one of Files. It never changes, and its
// files stay until it is released.
type View struct {
	ID       string // "<snapshot>@<next>"
	Snapshot int64  // of the Iceberg table; 0 before the first
	Next     event.Seq
	Files    []File
	Rows     int64 // in Files

	// Limit, where it is not 0, is the last event of the View: rows of Files with a greater seq are not part of it,
	// and the reader leaves them out. Rows counts them.
	Limit event.Seq

	pin      *pin
	released atomic.Bool
}

// hotFile is a published file of the hot tail.
type hotFile struct {
	File
	rel  string    // path in the lake's folder
	upto event.Seq // Next of the flush that published it
	crc  uint32
	pins int // that list it; guarded by Lake.mu
}

// pin is what the holders of one published state share.
type pin struct {
	lake *Lake
	view *View     // ID to Rows
	upto event.Seq // what the table's files among them reach up to
	hot  []*hotFile
	refs int // holders and, while it is the newest, the lake itself; guarded by Lake.mu
}

// View returns the newest state, pinned. The caller releases it. It never waits.
func (l *Lake) View() *View {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current.hold()
}

// Wait returns the newest state that holds every event below next, as soon as there is one. It fails when ctx ends
// or the lake stops.
func (l *Lake) Wait(ctx context.Context, next event.Seq) (*View, error) {
	for {
		l.mu.Lock()
		if l.current.view.Next >= next {
			defer l.mu.Unlock()
			return l.current.hold(), nil
		}
		err, published := l.err, l.published
		l.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-published:
		case <-l.stop:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for event %d: %w", next-1, ctx.Err())
		}
	}
}

// hold returns a View of the pin. The caller holds Lake.mu.
func (p *pin) hold() *View {
	p.refs++
	v := p.view
	return &View{ID: v.ID, Snapshot: v.Snapshot, Next: v.Next, Files: v.Files, Rows: v.Rows, pin: p}
}

// Release lets the lake remove files that no one reads any more. It may be called more than once.
func (v *View) Release() {
	if v.released.Swap(true) {
		return
	}
	l := v.pin.lake
	l.mu.Lock()
	gone := v.pin.release()
	l.mu.Unlock()
	l.remove(gone)
}

// release returns the files that no View lists any more. The caller holds Lake.mu.
func (p *pin) release() (gone []*hotFile) {
	p.refs--
	if p.refs > 0 {
		return nil
	}
	for _, h := range p.hot {
		h.pins--
		if h.pins == 0 {
			gone = append(gone, h)
		}
	}
	return gone
}

// remove deletes hot files that the checkpoint does not list. One that cannot be deleted goes at the next start.
func (l *Lake) remove(files []*hotFile) {
	for _, h := range files {
		if err := os.Remove(h.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.o.Log.Warn("remove hot file", "file", h.rel, "err", err)
		}
	}
}

// publish makes the lake's state what readers see. The caller holds Lake.mu, and removes what it returns after
// letting go of it.
func (l *Lake) publish() (gone []*hotFile) {
	v := &View{ID: viewID(l.snapshot, l.saved.Next), Snapshot: l.snapshot, Next: l.saved.Next}
	v.Files = make([]File, 0, len(l.lake)+len(l.hot))
	v.Files = append(v.Files, l.lake...)
	for _, h := range l.hot {
		h.pins++
		v.Files = append(v.Files, h.File)
	}
	for _, f := range v.Files {
		v.Rows += f.Rows
	}
	old := l.current
	l.current = &pin{lake: l, view: v, upto: l.upto, hot: slices.Clone(l.hot), refs: 1}
	if old != nil {
		gone = old.release()
	}
	close(l.published)
	l.published = make(chan struct{})
	return gone
}

func viewID(snapshot int64, next event.Seq) string { return fmt.Sprintf("%d@%d", snapshot, next) }

// Restrict returns v as of event last: no event after it. It is pinned like v and released on its own.
func (v *View) Restrict(last event.Seq) *View {
	l := v.pin.lake
	l.mu.Lock()
	v.pin.refs++
	l.mu.Unlock()
	r := &View{Snapshot: v.Snapshot, Next: min(v.Next, last+1), Limit: last, pin: v.pin}
	if v.Limit != 0 {
		r.Limit = min(v.Limit, last)
	}
	r.ID = viewID(r.Snapshot, r.Next)
	for _, f := range v.Files {
		if f.MinSeq <= r.Limit {
			r.Files = append(r.Files, f)
			r.Rows += f.Rows
		}
	}
	return r
}

// At returns the table as it was in an older snapshot: every event below the number that its commit carried, without
// a hot tail. A snapshot that is expired, or never was, is event.NotFound.
func (l *Lake) At(ctx context.Context, snapshot int64) (*View, error) {
	files, next, err := l.table.at(ctx, snapshot)
	if err != nil {
		return nil, err
	}
	v := &View{ID: viewID(snapshot, next), Snapshot: snapshot, Next: next, Files: files,
		pin: &pin{lake: l, upto: next, refs: 1}}
	for _, f := range files {
		v.Rows += f.Rows
	}
	return v, nil
}
