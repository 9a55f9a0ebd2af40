package lake

import (
	"context"
	"database/sql"
	"fmt"

	"kith/event"
	"kith/internal/sqlite"
)

// migrations are the steps of this package's tables in lake.db. iceberg-go owns the tables of the catalogue there.
//
// state has one row. hot and file list Parquet files with paths relative to the lake's folder, so that it can move;
// crc is the crc32c of the whole file as written. A pending file may or may not be in the table: its commit was
// under way.
func migrations() []string {
	return []string{`
	CREATE TABLE state (
		id INTEGER PRIMARY KEY CHECK (id = 1),
		root TEXT NOT NULL, -- the folder that the table's metadata names
		writer TEXT NOT NULL, -- the last opening; all others are fenced
		next INTEGER NOT NULL, identity INTEGER NOT NULL, dedupe BLOB,
		refused INTEGER NOT NULL) STRICT;
	INSERT INTO state VALUES (1, '', '', 1, 0, NULL, 0);
	CREATE TABLE hot (path TEXT PRIMARY KEY, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, crc INTEGER NOT NULL,
		min_seq INTEGER NOT NULL, max_seq INTEGER NOT NULL, min_ts INTEGER NOT NULL, max_ts INTEGER NOT NULL,
		upto INTEGER NOT NULL, place INTEGER NOT NULL) STRICT;
	CREATE TABLE file (path TEXT PRIMARY KEY, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, crc INTEGER NOT NULL,
		pending INTEGER NOT NULL) STRICT;
	CREATE INDEX file_pending ON file (path) WHERE pending;
	CREATE TABLE quarantine (seq INTEGER PRIMARY KEY, received_at INTEGER NOT NULL, source TEXT NOT NULL,
		reason TEXT NOT NULL, place TEXT NOT NULL, message TEXT NOT NULL) STRICT`}
}

// store is this package's part of lake.db. Every write of it begins by making sure that its opening is the last one.
type store struct {
	db     *sql.DB
	writer string
}

func openStore(ctx context.Context, db *sql.DB, writer string) (*store, error) {
	if err := sqlite.Migrate(ctx, db, "lake", migrations()); err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, `UPDATE state SET writer = ?`, writer); err != nil {
		return nil, err
	}
	return &store{db: db, writer: writer}, nil
}

// fenced is the error of a lake that another one took the folder from.
func fenced() error {
	return event.Errorf(event.Conflict, "another Kith has opened this data folder, so this one no longer writes to it").
		WithHint("stop one of the two servers")
}

// write runs fn in a transaction that only the last opening can complete.
func (s *store) write(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := s.owned(ctx, tx); err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// owned returns the error of a fenced lake if this is not the last opening.
func (s *store) owned(ctx context.Context, q rowQuerier) error {
	var writer string
	if err := q.QueryRowContext(ctx, `SELECT writer FROM state`).Scan(&writer); err != nil {
		return err
	}
	if writer != s.writer {
		return fenced()
	}
	return nil
}

func (s *store) checkpoint(ctx context.Context) (c Checkpoint, refused int64, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT next, identity, dedupe, refused FROM state`).
		Scan(&c.Next, &c.Identity, &c.Dedupe, &refused)
	return c, refused, err
}

func (s *store) root(ctx context.Context) (root string, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT root FROM state`).Scan(&root)
	return root, err
}

// setRoot stores the folder that the table's metadata names.
func (s *store) setRoot(ctx context.Context, dir string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE state SET root = ?`, dir)
		return err
	})
}

// hot returns the published hot files in the order of their publishing.
func (s *store) hot(ctx context.Context) (files []*hotFile, err error) {
	rows, err := s.db.QueryContext(ctx,
		`SELECT path, rows, bytes, crc, min_seq, max_seq, min_ts, max_ts, upto FROM hot ORDER BY place`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		h := &hotFile{File: File{Hot: true}}
		err := rows.Scan(&h.rel, &h.Rows, &h.Bytes, &h.crc, &h.MinSeq, &h.MaxSeq, &h.MinTS, &h.MaxTS, &h.upto)
		if err != nil {
			return nil, err
		}
		files = append(files, h)
	}
	return files, rows.Err()
}

// flush stores what one flush made visible: files in place of those they replace, refusals, and the checkpoint.
func (s *store) flush(ctx context.Context, c Checkpoint, files []staged, refused []Refusal) (fresh int64, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		for _, f := range files {
			if f.replaces != "" {
				if _, err := tx.ExecContext(ctx, `DELETE FROM hot WHERE path = ?`, f.replaces); err != nil {
					return err
				}
			}
			h := f.file
			_, err := tx.ExecContext(ctx, `INSERT INTO hot (path, rows, bytes, crc, min_seq, max_seq, min_ts, max_ts, upto, place)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(place), 0) + 1 FROM hot))`,
				h.rel, h.Rows, h.Bytes, h.crc, h.MinSeq, h.MaxSeq, h.MinTS, h.MaxTS, c.Next)
			if err != nil {
				return err
			}
		}
		if fresh, err = refuse(ctx, tx, refused); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE state SET next = ?, identity = ?, dedupe = ?, refused = refused + ?`,
			c.Next, c.Identity, c.Dedupe, fresh)
		return err
	})
	return fresh, err
}

// refuse adds the refusals that are not stored yet and returns how many those were.
func refuse(ctx context.Context, tx *sql.Tx, refused []Refusal) (fresh int64, err error) {
	if len(refused) == 0 {
		return 0, nil
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`)
	if err != nil {
		return 0, err
	}
	defer insert.Close()
	for _, r := range refused {
		result, err := insert.ExecContext(ctx, r.Seq, r.ReceivedAt, r.Source, r.Reason, r.Place, r.Message)
		if err != nil {
			return 0, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return 0, err
		}
		fresh += n
	}
	return fresh, nil
}

// announce stores the files that a commit is about to put into the table's folder, so that a later start knows them.
func (s *store) announce(ctx context.Context, files []dataFile) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		for _, f := range files {
			_, err := tx.ExecContext(ctx, `INSERT INTO file (path, rows, bytes, crc, pending) VALUES (?, ?, ?, ?, 1)`,
				f.rel, f.Rows, f.Bytes, f.crc)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// committed ends a commit: files are in the table, hot files that it took leave the list.
func (s *store) committed(ctx context.Context, files []dataFile, taken []*hotFile) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		for _, f := range files {
			if _, err := tx.ExecContext(ctx, `UPDATE file SET pending = 0 WHERE path = ?`, f.rel); err != nil {
				return err
			}
		}
		return forgetHot(ctx, tx, taken)
	})
}

func forgetHot(ctx context.Context, tx *sql.Tx, files []*hotFile) error {
	for _, h := range files {
		if _, err := tx.ExecContext(ctx, `DELETE FROM hot WHERE path = ?`, h.rel); err != nil {
			return err
		}
	}
	return nil
}

// pending returns the files of commits that did not come to their end.
func (s *store) pending(ctx context.Context) (paths []string, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT path FROM file WHERE pending`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var path string
		if err := rows.Scan(&path); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, rows.Err()
}

// checksum returns what was stored about a data file when it was written; known is false for a file of another engine.
func (s *store) checksum(ctx context.Context, path string) (crc uint32, bytes int64, known bool, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT crc, bytes FROM file WHERE path = ?`, path).Scan(&crc, &bytes)
	if err == sql.ErrNoRows {
		return 0, 0, false, nil
	}
	return crc, bytes, err == nil, err
}

// Refusal is one line of the journal that did not become an event, and why.
type Refusal struct {
	Seq        event.Seq
	ReceivedAt int64  // microseconds since 1970 UTC
	Source     string // the name the source had
	Reason     string // a stable word, for grouping: "type_unknown"
	Place      string // the field
	Message    string // for a person
}

// Quarantine calls fn with the refusals from seq on, in order, until fn returns false.
func (l *Lake) Quarantine(ctx context.Context, from event.Seq, fn func(Refusal) bool) error {
	rows, err := l.db.QueryContext(ctx,
		`SELECT seq, received_at, source, reason, place, message FROM quarantine WHERE seq >= ? ORDER BY seq`, from)
	if err != nil {
		return fmt.Errorf("read quarantine: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r Refusal
		if err := rows.Scan(&r.Seq, &r.ReceivedAt, &r.Source, &r.Reason, &r.Place, &r.Message); err != nil {
			return fmt.Errorf("read quarantine: %w", err)
		}
		if !fn(r) {
			break
		}
	}
	return rows.Err()
}
