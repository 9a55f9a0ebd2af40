package app

import (
	"context"
	"errors"
	"fmt"

	"kith/event"
	"kith/journal"
	"kith/lake"
	"kith/lake/columns"
	"kith/query"
)

// tables gives queries the lake's files: query.Source.
type tables struct {
	journal *journal.File
	durable func() event.Seq // every event below it is acknowledged
	stores  func() (*stores, error)
	stands  bool // no processor runs: what is stored can be read, nothing new becomes visible
}

var _ query.Source = tables{}

// Tables pins the state that the query asks for. Without AS OF that is all that was acknowledged before the call.
func (t tables) Tables(ctx context.Context, want query.Want) (*query.Tables, error) {
	if t.stands {
		return nil, event.Errorf(event.Unavailable, "this process only collects events").WithHint("start it with role single to query them")
	}
	s, err := t.stores()
	if err != nil {
		return nil, err
	}
	view, err := t.pin(ctx, s, want)
	if err != nil {
		return nil, err
	}
	pinned := &query.Tables{View: view.ID, Snapshot: view.Snapshot, Upto: view.Next - 1, Through: view.Limit, Columns: eventColumns(), Release: view.Release}
	for _, f := range view.Files {
		pinned.Events = append(pinned.Events, f.Path)
	}
	pinned.Damaged = func(ctx context.Context) error { return t.damaged(ctx, want, view) }
	if want.Quarantine {
		pinned.Quarantine = func(yield func(query.Refusal) error) error { return refusals(ctx, s.lake, view.Next, yield) }
	}
	if want.Raw {
		if pinned.Segments, err = t.segments(); err != nil {
			view.Release()
			return nil, err
		}
		if pinned.Through == 0 {
			pinned.Through = view.Next - 1 // lines that came after the view was pinned are not part of it
		}
	}
	return pinned, nil
}

func (t tables) pin(ctx context.Context, s *stores, want query.Want) (*lake.View, error) {
	if want.Snapshot != 0 {
		return s.lake.At(ctx, want.Snapshot)
	}
	durable := t.durable()
	if want.Seq >= durable || want.AfterSeq >= durable {
		return nil, event.Errorf(event.NotFound, "event %d has not been received; the last one is %d", max(want.Seq, want.AfterSeq), durable-1)
	}
	next := durable
	if want.Seq != 0 {
		next = max(want.Seq, want.AfterSeq) + 1
	}
	view, err := s.processor.Fresh(ctx, next)
	if e := (*event.Error)(nil); errors.As(err, &e) && e.Code == event.Unavailable {
		if stored := s.lake.Checkpoint().Next; stored > 1 && stored < next {
			return nil, e.WithHint("AS OF SEQ %d reads what is stored; the log of the server says why the rest is not", stored-1)
		}
	}
	if err != nil || want.Seq == 0 {
		return view, err
	}
	defer view.Release()
	return view.Restrict(want.Seq), nil
}

// damaged looks for a file of the tables that is not as it was written.
func (t tables) damaged(ctx context.Context, want query.Want, view *lake.View) error {
	if want.Events {
		if err := view.Damaged(ctx); err != nil {
			return err
		}
	}
	if !want.Raw {
		return nil
	}
	first, _, err := t.journal.Bounds(ctx, partition)
	if err != nil {
		return err
	}
	whole := errors.New("read to the end")
	err = t.journal.Read(ctx, partition, first, func(f journal.Frame) error {
		if f.End() >= view.Next {
			return whole
		}
		return nil
	})
	if errors.Is(err, whole) {
		return nil
	}
	return err
}

func refusals(ctx context.Context, l *lake.Lake, next event.Seq, yield func(query.Refusal) error) error {
	var failed error
	err := l.Quarantine(ctx, 1, func(r lake.Refusal) bool {
		if r.Seq < next {
			failed = yield(query.Refusal{Seq: r.Seq, ReceivedAt: r.ReceivedAt, Source: r.Source, Reason: r.Reason, Place: r.Place, Message: r.Message})
		}
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// segments lists the journal's files; of the one that is written, its durable part. That one is looked at first: if it
// is sealed meanwhile it stands in the list too, and is taken once.
func (t tables) segments() (all []query.Segment, err error) {
	path, bytes, err := t.journal.Prefix(partition)
	if err != nil {
		return nil, fmt.Errorf("find the open segment: %w", err)
	}
	sealed, err := t.journal.Segments(partition)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	for _, s := range sealed {
		all = append(all, query.Segment{Path: s.Path})
		if s.Path == path {
			bytes = 0
		}
	}
	if bytes > 0 {
		all = append(all, query.Segment{Path: path, Bytes: bytes})
	}
	return all, nil
}

func eventColumns() []query.Column {
	var all []query.Column
	for _, c := range columns.Columns() {
		all = append(all, query.Column{ID: c.ID, Name: c.Name, Type: c.Type})
	}
	return all
}
