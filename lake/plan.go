package lake

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/iceberg-go/table"

	"kith/event"
)

// plan is what a snapshot holds: planning reads every manifest, and a snapshot never changes.
type plan struct {
	snapshot int64
	next     event.Seq
	files    []File
}

// plansKept is how many snapshots' plans are remembered beside the newest one's, which every View shares.
const plansKept = 8

// newest returns the plan of the newest snapshot of t; a table without one has an empty plan.
func (e *eventsTable) newest(ctx context.Context, t *table.Table) (plan, error) {
	s := t.CurrentSnapshot()
	if s == nil {
		next, err := seqOf(t.Properties())
		return plan{next: next}, err
	}
	return e.plan(ctx, t, s)
}

// at returns the files of a snapshot and the number that it reaches up to.
func (e *eventsTable) at(ctx context.Context, snapshot int64) ([]File, event.Seq, error) {
	t := e.table()
	s := t.SnapshotByID(snapshot)
	if s == nil {
		return nil, 0, notFound(t, snapshot)
	}
	p, err := e.plan(ctx, t, s)
	if err != nil {
		if t = e.table(); t.SnapshotByID(snapshot) == nil { // it expired meanwhile
			return nil, 0, notFound(t, snapshot)
		}
		return nil, 0, err
	}
	return p.files, p.next, nil
}

func notFound(t *table.Table, snapshot int64) error {
	all := t.Metadata().Snapshots()
	err := event.Errorf(event.NotFound, "clean.events has no snapshot %d", snapshot)
	if len(all) == 0 {
		return err.WithHint("it has no snapshot yet")
	}
	oldest := slices.MinFunc(all, func(a, b table.Snapshot) int { return cmp.Compare(a.SequenceNumber, b.SequenceNumber) })
	return err.WithHint("the oldest that is kept is %d of %s; AS OF SEQ reaches back further", oldest.SnapshotID,
		time.UnixMilli(oldest.TimestampMs).UTC().Format(time.RFC3339))
}

// plan returns what s holds.
func (e *eventsTable) plan(ctx context.Context, t *table.Table, s *table.Snapshot) (plan, error) {
	e.mu.Lock()
	i := slices.IndexFunc(e.plans, func(p plan) bool { return p.snapshot == s.SnapshotID })
	if i >= 0 {
		defer e.mu.Unlock()
		return e.plans[i], nil
	}
	e.mu.Unlock()
	p := plan{snapshot: s.SnapshotID}
	var err error
	if s.Summary != nil {
		p.next, err = seqOf(s.Summary.Properties)
	}
	if s.Summary == nil || err != nil { // another engine's: it rewrites, and adds no event
		if p.next, err = seqOf(t.Properties()); err != nil {
			return plan{}, err
		}
	}
	tasks, err := t.Scan(table.WithSnapshotID(s.SnapshotID)).PlanFiles(ctx)
	if err != nil {
		return plan{}, fmt.Errorf("plan snapshot %d of clean.events: %w", s.SnapshotID, unplanned(ctx, t, s, err))
	}
	if p.files, err = e.filesOf(tasks, s); err != nil {
		return plan{}, err
	}
	e.remember(p)
	return p, nil
}

// extend remembers the plan of a snapshot that a commit has just added files to, without reading its manifests.
func (e *eventsTable) extend(before, after *table.Table, added []dataFile, upto event.Seq) {
	p := plan{snapshot: after.CurrentSnapshot().SnapshotID, next: upto}
	if s := before.CurrentSnapshot(); s != nil {
		e.mu.Lock()
		i := slices.IndexFunc(e.plans, func(p plan) bool { return p.snapshot == s.SnapshotID })
		if i >= 0 {
			p.files = slices.Clone(e.plans[i].files)
		}
		e.mu.Unlock()
		if i < 0 {
			return
		}
	}
	for _, f := range added {
		p.files = append(p.files, f.File)
	}
	sortFiles(p.files)
	e.remember(p)
}

func (e *eventsTable) remember(p plan) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.plans = slices.Insert(e.plans, 0, p)
	e.plans = e.plans[:min(len(e.plans), plansKept)]
}

// filesOf returns the files of a scan's tasks, each once: a scan splits large files into several tasks.
func (e *eventsTable) filesOf(tasks []table.FileScanTask, s *table.Snapshot) ([]File, error) {
	files := make([]File, 0, len(tasks))
	for _, task := range tasks {
		if len(task.DeleteFiles)+len(task.EqualityDeleteFiles)+len(task.DeletionVectorFiles) > 0 {
			return nil, event.Errorf(event.Corrupt, "snapshot %d of clean.events, made by %s, deletes rows by delete files, which Kith does not read",
				s.SnapshotID, engineOf(s)).WithHint("delete with copy-on-write, or roll the table back to the snapshot before it")
		}
		f := task.File
		files = append(files, File{
			Path: strings.TrimPrefix(f.FilePath(), fileScheme), Rows: f.Count(), Bytes: f.FileSizeBytes(),
			MinSeq: event.Seq(bound(f.LowerBoundValues(), e.seqID)), MaxSeq: event.Seq(bound(f.UpperBoundValues(), e.seqID)),
			MinTS: bound(f.LowerBoundValues(), e.tsID), MaxTS: bound(f.UpperBoundValues(), e.tsID),
		})
	}
	sortFiles(files)
	return slices.CompactFunc(files, func(a, b File) bool { return a.Path == b.Path }), nil
}

func sortFiles(files []File) {
	slices.SortFunc(files, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.MinTS, b.MinTS), cmp.Compare(a.MinSeq, b.MinSeq), cmp.Compare(a.Path, b.Path))
	})
}

func engineOf(s *table.Snapshot) string {
	if s.Summary != nil {
		p := s.Summary.Properties
		if name := cmp.Or(p["engine-name"], p["iceberg-version"]); name != "" {
			return name
		}
	}
	return "an unnamed engine"
}

// bound returns a smallest or largest value of a 64-bit column from an Iceberg data file's bounds.
func bound(bounds map[int][]byte, field int) int64 {
	b := bounds[field]
	if len(b) != 8 {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(b))
}
