package lake

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"kith/event"
)

// move registers the table of a folder that was at from and is now at e.dir. Iceberg's metadata names every file by
// its absolute path; none of it is edited. The data files of the newest snapshot go into a new table, made beside the
// old one in the catalogue, and one transaction puts it in the old one's place: a start that is cut short before that
// begins again, one after it is done.
func (e *eventsTable) move(ctx context.Context, from string) error {
	old, err := e.loadMoved(ctx, from)
	if err != nil {
		return fmt.Errorf("read the table of the folder that was at %s: %w", from, err)
	}
	before, err := metadataFiles(filepath.Join(e.dir, tablePath, "metadata"))
	if err != nil {
		return err
	}
	staging := table.Identifier{"clean", "events_moved"}
	if exists, err := e.cat.CheckTableExists(ctx, staging); err != nil {
		return err
	} else if exists {
		if err := e.cat.DropTable(ctx, staging); err != nil {
			return err
		}
	}
	if err := e.registerAt(ctx, old, from, staging); err != nil {
		return fmt.Errorf("register the data files at %s: %w", e.dir, err)
	}
	if err := e.step("move.registered"); err != nil {
		return err
	}
	if err := e.takePlace(ctx, staging); err != nil {
		return err
	}
	for _, path := range before { // of the old table, and of an attempt that was cut short
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// loadMoved reads the old table's metadata at its new place.
func (e *eventsTable) loadMoved(ctx context.Context, from string) (*table.Table, error) {
	location, err := e.location(ctx)
	if err != nil {
		return nil, err
	}
	moved := func(context.Context) (iceio.IO, error) { return movedFS{from: from, to: e.dir}, nil }
	t, err := table.NewFromLocation(ctx, identifier(), location, moved, e.cat)
	if err != nil && ctx.Err() == nil {
		return nil, unreadable(location, err)
	}
	return t, err
}

// registerAt makes the table id with the data files of old's newest snapshot, in one commit.
func (e *eventsTable) registerAt(ctx context.Context, old *table.Table, from string, id table.Identifier) error {
	upto, err := seqOf(old.Properties())
	if err != nil {
		return err
	}
	e.t = old
	if err := e.checkSchema(); err != nil {
		return err
	}
	p, err := e.newest(ctx, old)
	if err != nil {
		return err
	}
	e.plans = nil // of the old place
	files := make([]dataFile, len(p.files))
	for i, f := range p.files {
		rel, err := filepath.Rel(from, f.Path)
		if err != nil || strings.HasPrefix(rel, "..") {
			return event.Errorf(event.Corrupt, "a data file lies outside of the folder that was moved").At("path", f.Path)
		}
		f.Path = filepath.Join(e.dir, rel)
		files[i] = dataFile{File: f, rel: rel}
	}
	t, err := e.create(ctx, id)
	if err != nil || len(files) == 0 {
		return err
	}
	_, err = e.tryAppend(ctx, t, files, upto, e.store.writer+"-moved")
	return err
}

// takePlace gives the staged table the name clean.events and stores the folder.
func (e *eventsTable) takePlace(ctx context.Context, staging table.Identifier) error {
	return e.store.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM iceberg_tables
			WHERE catalog_name = ? AND table_namespace = 'clean' AND table_name = 'events'`, catalogName)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE iceberg_tables SET table_name = 'events'
			WHERE catalog_name = ? AND table_namespace = 'clean' AND table_name = ?`, catalogName, staging[1])
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE state SET root = ?`, e.dir)
		return err
	})
}

func metadataFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, entry := range entries {
		paths = append(paths, filepath.Join(dir, entry.Name()))
	}
	return slices.Clip(paths), nil
}

// movedFS reads files by the paths that they had before their folder was moved.
type movedFS struct {
	iceio.LocalFS
	from, to string
}

func (m movedFS) at(name string) string {
	path := strings.TrimPrefix(name, fileScheme)
	if rest, ok := strings.CutPrefix(path, m.from+"/"); ok {
		return filepath.Join(m.to, rest)
	}
	return path
}

func (m movedFS) Open(name string) (iceio.File, error) { return m.LocalFS.Open(m.at(name)) }
func (m movedFS) ReadFile(name string) ([]byte, error) { return m.LocalFS.ReadFile(m.at(name)) }
