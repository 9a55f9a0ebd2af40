// Package source keeps the sources events come from and the write keys that their senders show.
//
// A source has a number that is never given twice and a name that may be: after a source was deleted another may take
// its name, while the events of the first keep its number. A source has at most two live write keys, so that senders
// can change from one to the next without a gap. Keys for servers are stored as digests and shown once; keys for
// browsers stand in public pages anyway and can be read again.
package source

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"kith/event"
	"kith/govern"
	"kith/internal/sqlite"
)

// Kind says where a source's key is kept.
type Kind string

// The kinds.
const (
	Server  Kind = "server"
	Browser Kind = "browser"
)

// Source is one sender of events, such as a site, an app or a service.
type Source struct {
	ID        event.SourceID `json:"id" doc:"Never given twice."`
	Name      string         `json:"name"`
	Kind      Kind           `json:"kind" enum:"server,browser"`
	CreatedAt time.Time      `json:"created_at"`
	Keys      []Key          `json:"keys" doc:"Live and revoked, newest first."`
}

// Key is one write key of a source.
type Key struct {
	ID          string     `json:"id" doc:"The key's first 8 characters."`
	Secret      string     `json:"secret,omitempty" doc:"The whole key: a server's only when it is made, a browser's always."`
	CreatedAt   time.Time  `json:"created_at"`
	UsedAt      *time.Time `json:"used_at,omitempty" doc:"The last use, to the hour."`
	RevokedAt   *time.Time `json:"revoked_at,omitempty"`
	RevokedUses int64      `json:"revoked_uses" doc:"How often it was tried after it was revoked."`
}

const (
	maxName   = 64
	idLength  = 8
	maxLive   = 2
	keyLength = 32 // what govern.Secret makes
)

// Options are what a Store needs beside its database.
type Options struct {
	Now func() time.Time
	Log *slog.Logger
}

// Store is the sources of one control.db. It is safe for many goroutines. ByKey and ByName answer from memory.
type Store struct {
	db  *sql.DB
	now func() time.Time
	log *slog.Logger

	changing sync.Mutex // one change at a time, so that the set in memory is the last one stored
	set      atomic.Pointer[set]

	wake chan struct{} // tells run that uses want to be stored
	stop chan struct{}
	done chan struct{}
}

var _ govern.Keys = (*Store)(nil)

// Open brings the tables up to date and loads the sources. Close ends what it started; the database stays open.
func Open(ctx context.Context, db *sql.DB, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := sqlite.Migrate(ctx, db, "source", schema()); err != nil {
		return nil, err
	}
	s := &Store{db: db, now: o.Now, log: o.Log, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	go s.run()
	return s, nil
}

// Close stores the uses of keys that are not stored yet.
func (s *Store) Close() error {
	close(s.stop)
	<-s.done
	return s.saveUses(context.Background())
}

// schema is the tables' history; see sqlite.Migrate. Times are microseconds since 1970 UTC.
func schema() []string {
	return []string{`
CREATE TABLE sources (
	id         INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
	name       TEXT NOT NULL,
	kind       TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	deleted_at INTEGER
) STRICT;
CREATE UNIQUE INDEX sources_name ON sources (name) WHERE deleted_at IS NULL;
CREATE TABLE write_keys (
	number       INTEGER PRIMARY KEY AUTOINCREMENT, -- the order they were made in
	hash         BLOB NOT NULL UNIQUE, -- SHA-256 of the key
	source_id    INTEGER NOT NULL REFERENCES sources (id),
	id           TEXT NOT NULL,     -- its first 8 characters
	secret       TEXT,              -- of a browser's key, else null
	created_at   INTEGER NOT NULL,
	revoked_at   INTEGER,
	used_at      INTEGER NOT NULL DEFAULT 0, -- to the hour; 0: never
	revoked_uses INTEGER NOT NULL DEFAULT 0,
	UNIQUE (source_id, id)
) STRICT;
`}
}

func checkName(name string) error {
	if ok, _ := regexp.MatchString(`^[a-z0-9_-]{1,64}$`, name); ok {
		return nil
	}
	return event.Errorf(event.Invalid, "this is no name for a source").At("name", name).
		WithHint("use 1 to %d of a-z, 0-9, - and _", maxName)
}

func errNoSource(name string) error {
	return event.Errorf(event.NotFound, "there is no source %q", name).WithHint("kith source list shows them")
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
