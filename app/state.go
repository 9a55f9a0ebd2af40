package app

import (
	"context"
	"fmt"
	"time"

	"kith/event"
	"kith/govern"
	"kith/internal/duck"
	"kith/lake"
	"kith/pipeline"
	"kith/query"
	"kith/serve"
)

// state tells the API how the journey goes: serve.State.
type state struct{ app *App }

func (s state) Status(ctx context.Context) (serve.Status, error) {
	a := s.app
	first, next, err := a.journal.Bounds(ctx, partition)
	if err != nil {
		return serve.Status{}, err
	}
	segments, err := a.journal.Segments(partition)
	if err != nil {
		return serve.Status{}, err
	}
	_, open, err := a.journal.Prefix(partition)
	if err != nil {
		return serve.Status{}, err
	}
	var l lake.Status
	var counts pipeline.Counts
	if kept, err := a.kept.get(); err == nil {
		l, counts = kept.lake.Status(), kept.processor.Counts()
	}
	status := serve.Status{Version: a.version, Started: a.started, Received: int64(next - first), Rows: l.Rows, Quarantined: l.Refused,
		Duplicates: counts.Duplicates, Lag: int64(next - max(l.Next, 1)), View: fmt.Sprintf("%d@%d", l.Snapshot, l.Next), Snapshot: l.Snapshot,
		Next: l.Next, Segments: int64(len(segments)), Bytes: open, HotFiles: l.HotFiles, Notes: a.reasons()}
	for _, s := range segments {
		status.Bytes += s.Bytes
	}
	if open > 0 {
		status.Segments++
	}
	if f := l.Failing; f != nil {
		status.Notes = append(status.Notes, fmt.Sprintf("commits to the lake fail since %s: %v", f.Since.UTC().Format(time.RFC3339), f.Err))
	}
	return status, nil
}

func (s state) Quarantine(ctx context.Context, from event.Seq, limit int) (all []serve.Refused, err error) {
	kept, err := s.app.kept.get()
	if err != nil {
		return nil, err
	}
	err = kept.lake.Quarantine(ctx, from, func(r lake.Refusal) bool {
		all = append(all, serve.Refused{Seq: r.Seq, ReceivedAt: time.UnixMicro(r.ReceivedAt).UTC(), Source: r.Source, Reason: r.Reason, Place: r.Place, Message: r.Message})
		return len(all) < limit
	})
	return all, err
}

func (s state) Rejected() (all []serve.Rejected) {
	for _, r := range s.app.collector.Rejected() {
		all = append(all, serve.Rejected{At: r.At, Door: r.Door, Source: r.Source, Address: r.Address, Reason: r.Reason, Size: r.Size, Body: r.Body})
	}
	return all
}

// reasons says why this process cannot do its whole work; nothing when it can.
func (a *App) reasons() (why []string) {
	if err := a.journal.Poisoned(); err != nil {
		why = append(why, "events are not taken: "+err.Error())
	} else if err := a.journal.Space(); err != nil {
		why = append(why, "events are not taken: "+err.Error())
	}
	if since, err := a.kept.failing(); err != nil {
		why = append(why, fmt.Sprintf("no event goes to the lake since %s: %v", since.UTC().Format(time.RFC3339), err))
	}
	return why
}

// sqlDoor runs queries for the API: serve.SQL.
type sqlDoor struct{ engine *query.Engine }

func (d sqlDoor) Run(ctx context.Context, _ govern.Principal, q serve.SQLRequest, out serve.SQLAnswer) error {
	_, err := d.engine.Run(ctx, query.Request{SQL: q.Query, Format: duck.Format(q.Format), At: query.At{Seq: q.AsOfSeq, Snapshot: q.AsOfSnapshot},
		AfterSeq: q.AfterSeq, Limits: query.Limits{Time: q.Timeout, Rows: q.MaxRows}}, sqlAnswer{out})
	return err
}

type sqlAnswer struct{ serve.SQLAnswer }

func (s sqlAnswer) Begin(h query.Header) error {
	s.SQLAnswer.Begin(h.View, h.Format.ContentType())
	return nil
}
