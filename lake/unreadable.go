package lake

import (
	"context"
	"strings"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"kith/event"
)

// iceberg-go does not say which file it could not read. These errors do.

// load reads the table as the catalogue has it now.
func (e *eventsTable) load(ctx context.Context) (*table.Table, error) {
	t, err := e.cat.LoadTable(ctx, identifier())
	if err == nil || ctx.Err() != nil {
		return t, err
	}
	location, unknown := e.location(ctx)
	if unknown != nil {
		return nil, err
	}
	return nil, unreadable(location, err)
}

// location is where the catalogue says that the table's metadata lies.
func (e *eventsTable) location(ctx context.Context) (location string, err error) {
	err = e.store.db.QueryRowContext(ctx, `SELECT metadata_location FROM iceberg_tables
		WHERE catalog_name = ? AND table_namespace = 'clean' AND table_name = 'events'`, catalogName).Scan(&location)
	return location, err
}

// unplanned names the file for which a snapshot of t could not be planned: its manifest list, or the first manifest
// that cannot be read by itself either.
func unplanned(ctx context.Context, t *table.Table, s *table.Snapshot, cause error) error {
	if ctx.Err() != nil {
		return cause
	}
	files, err := t.FS(ctx)
	if err != nil {
		return cause
	}
	return unreadable(culprit(files, s), cause)
}

func culprit(files iceio.IO, s *table.Snapshot) string {
	manifests, err := s.Manifests(files)
	if err != nil {
		return s.ManifestList
	}
	for _, m := range manifests {
		for _, err := range m.Entries(files, false) {
			if err != nil {
				return m.FilePath()
			}
		}
	}
	return s.ManifestList
}

func unreadable(location string, cause error) error {
	return &event.Error{Code: event.Corrupt, Message: "a file of the table's metadata cannot be read: " + cause.Error(), Err: cause,
		Place: event.Place{File: strings.TrimPrefix(location, fileScheme)},
		Hint:  "restore it from a backup, or build the lake again from the journal"}
}
