package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"kith/event"
)

// Migrate runs the steps that the database has not had yet. Step i brings the tables that the package called name
// owns from version i to i+1; a step may be several statements and is never changed once it was released, only
// followed by another. Each runs in a transaction of its own together with the new version, so a start that was cut
// short goes on where it stopped, and two processes that start at once do each step once.
//
// Tables of a newer version than len(steps) are refused with an event.Conflict error that says both versions: a
// newer Kith wrote them, and this one would not understand them.
func Migrate(ctx context.Context, db *sql.DB, name string, steps []string) error {
	_, err := db.ExecContext(ctx,
		`CREATE TABLE IF NOT EXISTS migrations (package TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT`)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", name, err)
	}
	for {
		more, err := migrateOne(ctx, db, name, steps)
		if err != nil {
			return fmt.Errorf("migrate %s: %w", name, err)
		}
		if !more {
			return nil
		}
	}
}

// migrateOne runs the next step, if there is one, and reports whether it did.
func migrateOne(ctx context.Context, db *sql.DB, name string, steps []string) (more bool, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback()
	var version int
	err = tx.QueryRowContext(ctx, `SELECT version FROM migrations WHERE package = ?`, name).Scan(&version)
	if err != nil && err != sql.ErrNoRows {
		return false, err
	}
	switch {
	case version > len(steps):
		return false, event.Errorf(event.Conflict, "the tables of %s are version %d, and this Kith knows them up to version %d",
			name, version, len(steps)).WithHint("start the newer Kith that wrote them, or restore a backup made by this one")
	case version == len(steps):
		return false, nil
	}
	if _, err := tx.ExecContext(ctx, steps[version]); err != nil {
		return false, fmt.Errorf("step %d: %w", version+1, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO migrations (package, version) VALUES (?, ?)
		ON CONFLICT (package) DO UPDATE SET version = excluded.version`, name, version+1)
	if err != nil {
		return false, fmt.Errorf("step %d: %w", version+1, err)
	}
	return true, tx.Commit()
}
