package lake

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	sqlcat "github.com/apache/iceberg-go/catalog/sql"
	"github.com/apache/iceberg-go/table"

	"kith/event"
)

const (
	catalogName = "kith" // the same in every engine that reads the catalogue
	tablePath   = "clean/events"
	seqKey      = "kith.seq"    // the table holds every event below this number
	commitKey   = "kith.commit" // names a commit in its snapshot's summary
)

// eventsTable is clean.events in its catalogue.
type eventsTable struct {
	cat   catalogue
	store *store
	dir   string // the lake's folder
	step  func(name string) error
	seqID int // field ids
	tsID  int

	// The committer's own: what the table must reach up to before a commit, and how many this opening has tried.
	upto   event.Seq
	commit int

	mu    sync.Mutex
	t     *table.Table
	plans []plan // of the snapshots read last, newest first
}

func identifier() table.Identifier { return table.Identifier{"clean", "events"} }

// openTable opens the table, makes it in a new folder, and registers it anew in a moved one.
func openTable(ctx context.Context, db *sql.DB, s *store, dir string, step func(string) error) (*eventsTable, error) {
	useDurableFiles()
	cat, err := sqlcat.NewCatalog(catalogName, db, sqlcat.SQLite, iceberg.Properties{
		"init_catalog_tables": "true", "warehouse": fileScheme + dir})
	if err != nil {
		return nil, fmt.Errorf("open catalogue: %w", err)
	}
	e := &eventsTable{cat: catalogue{cat}, store: s, dir: dir, step: step}
	root, err := s.root(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case root == "":
		err = e.createFirst(ctx)
	case root != dir:
		err = e.move(ctx, root)
	}
	if err != nil {
		return nil, err
	}
	if e.t, err = e.load(ctx); err != nil {
		return nil, fmt.Errorf("open table clean.events: %w", err)
	}
	return e, e.checkSchema()
}

// createFirst makes the table of a new lake. A start that was cut short here begins again.
func (e *eventsTable) createFirst(ctx context.Context) error {
	exists, err := e.cat.CheckTableExists(ctx, identifier())
	if err != nil {
		return err
	}
	if !exists {
		if _, err := e.create(ctx, identifier()); err != nil {
			return err
		}
	}
	return e.store.setRoot(ctx, e.dir)
}

func (e *eventsTable) create(ctx context.Context, id table.Identifier) (*table.Table, error) {
	namespace := table.Identifier{id[0]}
	exists, err := e.cat.CheckNamespaceExists(ctx, namespace)
	if err == nil && !exists {
		err = e.cat.CreateNamespace(ctx, namespace, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("create namespace %s: %w", id[0], err)
	}
	schema, err := icebergSchema()
	if err != nil {
		return nil, err
	}
	spec, err := iceberg.NewPartitionSpecOpts(iceberg.WithSpecID(0),
		iceberg.AddPartitionFieldByName("ts", "ts_day", iceberg.DayTransform{}, schema, nil))
	if err != nil {
		return nil, err
	}
	_, err = e.cat.CreateTable(ctx, id, schema, catalog.WithPartitionSpec(&spec),
		catalog.WithProperties(tableProperties()), catalog.WithLocation(fileScheme+filepath.Join(e.dir, tablePath)))
	if err != nil {
		return nil, fmt.Errorf("create table clean.events: %w", err)
	}
	return e.cat.LoadTable(ctx, id)
}

// table returns the newest state that this opening knows.
func (e *eventsTable) table() *table.Table {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.t
}

func (e *eventsTable) setTable(t *table.Table) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.t = t
}

// seqOf returns the number that a table or a snapshot reaches up to.
func seqOf(properties iceberg.Properties) (event.Seq, error) {
	n, err := strconv.ParseInt(properties[seqKey], 10, 64)
	if err != nil {
		return 0, event.Errorf(event.Corrupt, "clean.events has no usable property %s", seqKey).At(seqKey, properties[seqKey])
	}
	return event.Seq(n), nil
}

// append adds files to the table in a snapshot that reaches up to upto, if the table still reaches up to where this
// opening knows it to. A table that does not was written by another Kith: event.Conflict. Any other error, except errUnknown, means
// that nothing was committed.
func (e *eventsTable) append(ctx context.Context, files []dataFile, upto event.Seq) (snapshot int64, err error) {
	e.commit++
	name := fmt.Sprintf("%s-%d", e.store.writer, e.commit)
	t := e.table()
	for range 3 {
		if err := e.mayCommit(ctx, t); err != nil {
			return 0, err
		}
		after, err := e.tryAppend(ctx, t, files, upto, name)
		if err == nil {
			e.setTable(after)
			e.extend(t, after, files, upto)
			e.upto = upto
			return after.CurrentSnapshot().SnapshotID, nil
		}
		// The table decides what happened: another engine may have committed first, or our own commit may stand
		// although its answer was lost.
		if t, err = e.reload(ctx, err); err != nil {
			return 0, err
		}
		for _, s := range t.Metadata().Snapshots() {
			if s.Summary != nil && s.Summary.Properties[commitKey] == name {
				e.upto = upto
				return t.CurrentSnapshot().SnapshotID, nil
			}
		}
	}
	return 0, event.Errorf(event.Unavailable, "another engine commits to clean.events all the time")
}

// errUnknown marks a commit that may or may not stand.
var errUnknown = errors.New("whether the commit stands is not known")

// reload reads the table again after a failed commit. A cause that is no conflict is given back.
func (e *eventsTable) reload(ctx context.Context, cause error) (*table.Table, error) {
	t, err := e.cat.LoadTable(context.WithoutCancel(ctx), identifier())
	if err != nil {
		return nil, errors.Join(errUnknown, cause, err)
	}
	before := e.table().CurrentSnapshot()
	after := t.CurrentSnapshot()
	e.setTable(t)
	if !errors.Is(cause, table.ErrCommitFailed) && (after == nil || before != nil && before.SnapshotID == after.SnapshotID) {
		return nil, cause
	}
	return t, nil
}

// mayCommit fails if another Kith has opened the folder or written to the table.
func (e *eventsTable) mayCommit(ctx context.Context, t *table.Table) error {
	if err := e.store.owned(ctx, e.store.db); err != nil {
		return err
	}
	seq, err := seqOf(t.Properties())
	if err == nil && seq != e.upto {
		return fenced()
	}
	return err
}

func (e *eventsTable) tryAppend(ctx context.Context, t *table.Table, files []dataFile, upto event.Seq, name string) (*table.Table, error) {
	fs, err := t.FS(ctx)
	if err != nil {
		return nil, err
	}
	entries := make([]iceberg.DataFile, len(files))
	for i, f := range files {
		entries[i], err = table.FileToDataFile(ctx, fs, fileScheme+f.Path, t.Schema(), t.Spec(), 0, t.Properties())
		if err != nil {
			return nil, fmt.Errorf("describe %s: %w", f.rel, err)
		}
	}
	tx := t.NewTransaction()
	if err := tx.AssertRefSnapshotID(table.MainBranch); err != nil {
		return nil, err
	}
	seq := strconv.FormatInt(int64(upto), 10)
	err = tx.AddDataFiles(ctx, entries, iceberg.Properties{seqKey: seq, commitKey: name},
		table.WithoutDuplicateCheck(), table.WithoutAutoNameMapping())
	if err != nil {
		return nil, err
	}
	if err := tx.SetProperties(iceberg.Properties{seqKey: seq}); err != nil {
		return nil, err
	}
	return tx.Commit(ctx)
}
