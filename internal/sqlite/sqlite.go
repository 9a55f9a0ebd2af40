// Package sqlite opens Kith's SQLite databases and brings their tables to the version that this binary knows.
//
// A database is durable at every commit (synchronous FULL in write-ahead mode), checks foreign keys, and lets many
// connections read while one writes. A transaction that may write takes the write lock when it begins, so it never
// fails half-way because another got there first; it waits for the lock for ten seconds. Reads that need more than
// one statement begin with sql.TxOptions{ReadOnly: true}, which takes no lock.
package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"kith/event"
)

// connections is one writer and three readers. A connection costs about 2 MB with its page cache, and the databases
// are small: more would only hold memory.
const connections = 4

// Open opens the database in the file at path and makes it, readable by its owner only, if there is none. The folder
// must exist. A file that is no SQLite database, or a damaged one, is an event.Corrupt error that names it.
func Open(path string) (*sql.DB, error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	// SQLite would make it readable by all; its -wal and -shm files take the mode of the database.
	file, err := os.OpenFile(whole, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	options := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "trusted_schema(OFF)"},
	}
	name := url.URL{Scheme: "file", Path: whole, RawQuery: options.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	if err := readable(db, path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// readable reads one page, so that a wrong file is told of now and not by the first request.
func readable(db *sql.DB, path string) error {
	var version int
	err := db.QueryRow("PRAGMA schema_version").Scan(&version)
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		switch e.Code() & 0xff { // the rest of the number says where SQLite noticed
		case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
			return &event.Error{Code: event.Corrupt, Message: "this is not a readable SQLite database", Err: err,
				Place: event.Place{File: path}, Hint: "restore the file from a backup"}
		}
	}
	if err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	return nil
}

// IsDisk reports whether err says that the disk failed, is full or cannot be written: what may be over later.
func IsDisk(err error) bool {
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY:
			return true
		}
	}
	for _, disk := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS} {
		if errors.Is(err, disk) {
			return true
		}
	}
	return false
}

// IsUnique reports whether err says that a row with the same unique value stands already.
func IsUnique(err error) bool {
	e := (*sqlite.Error)(nil)
	return errors.As(err, &e) &&
		(e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}
