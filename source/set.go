package source

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"sync/atomic"
	"time"

	"kith/event"
	"kith/govern"
)

// set is all that the doors ask for, replaced as a whole at each change.
type set struct {
	sources []Source                   // live ones by name, without keys
	keys    []*key                     // of all sources, oldest first
	byHash  map[[sha256.Size]byte]*key // 300 bytes a key; there are tens
	changed chan struct{}              // closed when another set replaces this one
}

// key is one write key in memory. It lives on from set to set, with its counts.
type key struct {
	hash    [sha256.Size]byte
	who     govern.Principal
	secret  string
	created int64
	revoked atomic.Int64
	used    atomic.Int64                // to the hour
	tried   atomic.Int64                // uses after it was revoked
	saved   struct{ used, tried int64 } // what is stored of both; guarded by Store.changing
}

// live returns the ids of the live keys of a source, oldest first.
func (s *set) live(id event.SourceID) (ids []string) {
	for _, k := range s.keys {
		if k.who.Source == id && k.revoked.Load() == 0 {
			ids = append(ids, k.who.KeyID)
		}
	}
	return ids
}

// ByKey returns the source that a write key belongs to. A revoked key belongs to none, and its use is counted.
func (s *Store) ByKey(secret string) (govern.Principal, bool) {
	if len(secret) != keyLength {
		return govern.Principal{}, false
	}
	k := s.set.Load().byHash[govern.Digest(secret)]
	if k == nil {
		return govern.Principal{}, false
	}
	hour := s.now().Truncate(time.Hour).UnixMicro()
	if k.revoked.Load() != 0 {
		if n := k.tried.Add(1); n%1024 == 1 {
			s.poke()
		}
		return govern.Principal{}, false
	}
	if k.used.Load() != hour && k.used.Swap(hour) != hour {
		s.poke()
	}
	return k.who, true
}

// ByName returns the number of the live source of a name.
func (s *Store) ByName(name string) (event.SourceID, bool) {
	for _, source := range s.set.Load().sources {
		if source.Name == name {
			return source.ID, true
		}
	}
	return 0, false
}

// Changed returns a channel that is closed at the next change of sources or keys. Who keeps something made of them
// asks for the channel first, then reads.
func (s *Store) Changed() <-chan struct{} { return s.set.Load().changed }

// List returns the live sources by name, with their keys.
func (s *Store) List() []Source {
	set := s.set.Load()
	all := make([]Source, 0, len(set.sources))
	for _, source := range set.sources {
		source.Keys = []Key{}
		for i := len(set.keys) - 1; i >= 0; i-- {
			if k := set.keys[i]; k.who.Source == source.ID {
				source.Keys = append(source.Keys, k.shown())
			}
		}
		all = append(all, source)
	}
	return all
}

func (k *key) shown() Key {
	return Key{ID: k.who.KeyID, Secret: k.secret, CreatedAt: time.UnixMicro(k.created).UTC(), UsedAt: timeOf(k.used.Load()),
		RevokedAt: timeOf(k.revoked.Load()), RevokedUses: k.tried.Load()}
}

func timeOf(micros int64) *time.Time {
	if micros == 0 {
		return nil
	}
	t := time.UnixMicro(micros).UTC()
	return &t
}

// load reads the tables into a new set. The caller holds changing, or is Open.
func (s *Store) load(ctx context.Context) error {
	old, next := s.set.Load(), &set{byHash: map[[sha256.Size]byte]*key{}, changed: make(chan struct{})}
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return wrap("load sources", err)
	}
	defer tx.Rollback()
	if err := next.readSources(ctx, tx); err != nil {
		return wrap("load sources", err)
	}
	if err := next.readKeys(ctx, tx, old); err != nil {
		return wrap("load write keys", err)
	}
	s.set.Store(next)
	if old != nil {
		close(old.changed)
	}
	return nil
}

func (s *set) readSources(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT id, name, kind, created_at FROM sources WHERE deleted_at IS NULL ORDER BY name`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var source Source
		var created int64
		if err := rows.Scan(&source.ID, &source.Name, &source.Kind, &created); err != nil {
			return err
		}
		source.CreatedAt = time.UnixMicro(created).UTC()
		s.sources = append(s.sources, source)
	}
	return rows.Err()
}

func (s *set) readKeys(ctx context.Context, tx *sql.Tx, old *set) error {
	rows, err := tx.QueryContext(ctx, `SELECT k.hash, k.source_id, s.name, k.id, coalesce(k.secret, ''), k.created_at,
		coalesce(k.revoked_at, 0), k.used_at, k.revoked_uses
		FROM write_keys k JOIN sources s ON s.id = k.source_id ORDER BY k.number`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		k := &key{who: govern.Principal{Kind: govern.Source, Role: govern.SourceRole}}
		var hash []byte
		var revoked int64
		err := rows.Scan(&hash, &k.who.ID, &k.who.Name, &k.who.KeyID, &k.secret, &k.created, &revoked, &k.saved.used, &k.saved.tried)
		if err != nil {
			return err
		}
		k.hash = [sha256.Size]byte(hash)
		k.who.Source, k.who.SourceName = event.SourceID(k.who.ID), k.who.Name
		k.used.Store(k.saved.used)
		k.tried.Store(k.saved.tried)
		if old != nil && old.byHash[k.hash] != nil {
			k = old.byHash[k.hash]
		}
		k.revoked.Store(revoked)
		s.keys = append(s.keys, k)
		s.byHash[k.hash] = k
	}
	return rows.Err()
}
