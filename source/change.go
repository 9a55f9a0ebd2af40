package source

import (
	"context"
	"database/sql"
	"slices"

	"kith/event"
	"kith/govern"
	"kith/internal/sqlite"
)

// Create makes a source with one write key, which stands whole in the answer's Keys. Errors: event.Invalid for a name
// or kind that cannot be, event.Conflict if a source has the name.
func (s *Store) Create(ctx context.Context, name string, kind Kind) (Source, error) {
	if err := checkName(name); err != nil {
		return Source{}, err
	}
	if kind != Server && kind != Browser {
		return Source{}, event.Errorf(event.Invalid, "there is no such kind of source").At("kind", string(kind)).
			WithHint("the kinds are %s and %s", Server, Browser)
	}
	source := Source{Name: name, Kind: kind, CreatedAt: s.now()}
	err := s.change(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `INSERT INTO sources (name, kind, created_at) VALUES (?, ?, ?)`, name, string(kind), source.CreatedAt.UnixMicro())
		if sqlite.IsUnique(err) {
			return event.Errorf(event.Conflict, "there is a source %q", name).WithHint("rotate its key, or take another name")
		}
		if err != nil {
			return err
		}
		id, err := done.LastInsertId()
		if err != nil {
			return err
		}
		source.ID = event.SourceID(id)
		key, err := s.addKey(ctx, tx, source)
		source.Keys = []Key{key}
		return err
	})
	if err != nil {
		return Source{}, wrap("create source", err)
	}
	return source, nil
}

// Rotate gives a source another write key and returns it whole; the ones before stay live until they are revoked.
// Errors: event.NotFound, and event.Conflict if two are live already.
func (s *Store) Rotate(ctx context.Context, name string) (key Key, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		source, err := s.named(ctx, tx, name)
		if err != nil {
			return err
		}
		if live := s.set.Load().live(source.ID); len(live) >= maxLive {
			return event.Errorf(event.Conflict, "source %q has two live keys, %s and %s", name, live[0], live[1]).
				WithHint("revoke one first: kith source revoke %s --key %s", name, live[0])
		}
		key, err = s.addKey(ctx, tx, source)
		return err
	})
	return key, wrap("rotate", err)
}

// Revoke ends a live key of a source at once: the one with the id, or, for an empty id, the oldest. What is sent with
// it from then on is refused and counted. The last key may be revoked too: the source then takes nothing in.
// Errors: event.NotFound for a source or a live key that does not exist.
func (s *Store) Revoke(ctx context.Context, name, id string) (revoked string, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		source, err := s.named(ctx, tx, name)
		if err != nil {
			return err
		}
		live := s.set.Load().live(source.ID)
		if id == "" && len(live) > 0 {
			id = live[0]
		}
		if !slices.Contains(live, id) {
			return event.Errorf(event.NotFound, "source %q has no such live key", name).At("key", id).
				WithHint("kith source list shows the keys")
		}
		revoked = id
		_, err = tx.ExecContext(ctx, `UPDATE write_keys SET revoked_at = ? WHERE source_id = ? AND id = ?`, s.now().UnixMicro(), source.ID, id)
		return err
	})
	return revoked, wrap("revoke", err)
}

// Delete closes a source's doors: its keys are revoked, and its name is free. Its events stay, with its number.
// Errors: event.NotFound.
func (s *Store) Delete(ctx context.Context, name string) error {
	err := s.change(ctx, func(tx *sql.Tx) error {
		source, err := s.named(ctx, tx, name)
		if err != nil {
			return err
		}
		now := s.now().UnixMicro()
		if _, err := tx.ExecContext(ctx, `UPDATE sources SET deleted_at = ? WHERE id = ?`, now, source.ID); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE write_keys SET revoked_at = ? WHERE source_id = ? AND revoked_at IS NULL`, now, source.ID)
		return err
	})
	return wrap("delete source", err)
}

// change runs one change in a transaction and puts what came of it in memory.
func (s *Store) change(ctx context.Context, do func(*sql.Tx) error) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := do(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	// It is stored: the caller's going away must not leave the doors with what was before.
	return s.load(context.WithoutCancel(ctx))
}

func (s *Store) named(ctx context.Context, tx *sql.Tx, name string) (Source, error) {
	source := Source{Name: name}
	err := tx.QueryRowContext(ctx, `SELECT id, kind FROM sources WHERE name = ? AND deleted_at IS NULL`, name).Scan(&source.ID, &source.Kind)
	if err == sql.ErrNoRows {
		return source, errNoSource(name)
	}
	return source, err
}

func (s *Store) addKey(ctx context.Context, tx *sql.Tx, source Source) (Key, error) {
	key := Key{Secret: govern.Secret(), CreatedAt: s.now()}
	key.ID = key.Secret[:idLength]
	readable := sql.NullString{String: key.Secret, Valid: source.Kind == Browser}
	digest := govern.Digest(key.Secret)
	_, err := tx.ExecContext(ctx, `INSERT INTO write_keys (hash, source_id, id, secret, created_at) VALUES (?, ?, ?, ?, ?)`,
		digest[:], source.ID, key.ID, readable, key.CreatedAt.UnixMicro())
	return key, err
}
