package govern

// schema is the tables' history; see sqlite.Migrate. Times are microseconds since 1970 UTC.
func schema() []string {
	return []string{`
CREATE TABLE users (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	email      TEXT NOT NULL UNIQUE, -- in lower case
	password   TEXT NOT NULL,        -- $argon2id$v=19$m=…,t=…,p=…$salt$hash
	role       TEXT NOT NULL,
	created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE sessions (
	hash       BLOB PRIMARY KEY, -- SHA-256 of the cookie's value
	user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	used_at    INTEGER NOT NULL  -- to the hour
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_user ON sessions (user_id);
CREATE TABLE tokens (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	name       TEXT NOT NULL,
	hash       BLOB NOT NULL UNIQUE, -- SHA-256 of the token
	hint       TEXT NOT NULL,        -- its first characters, to tell tokens apart
	role       TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	created_by TEXT NOT NULL,
	expires_at INTEGER,              -- null: never
	revoked_at INTEGER,
	used_at    INTEGER               -- to the hour
) STRICT;
CREATE TABLE failures (              -- of log-ins
	subject    TEXT PRIMARY KEY,     -- account:… or address:…
	count      INTEGER NOT NULL,
	at         INTEGER NOT NULL      -- of the last one
) STRICT, WITHOUT ROWID;
CREATE INDEX failures_at ON failures (at);
CREATE TABLE audit (
	id         INTEGER PRIMARY KEY,
	at         INTEGER NOT NULL,
	kind       TEXT NOT NULL,
	who_id     INTEGER NOT NULL,
	who        TEXT NOT NULL,
	role       TEXT NOT NULL,
	action     TEXT NOT NULL,
	object     TEXT NOT NULL,
	allowed    INTEGER NOT NULL,
	detail     TEXT NOT NULL,
	remote     TEXT NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);
`}
}
