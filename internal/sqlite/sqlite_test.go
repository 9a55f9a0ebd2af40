package sqlite_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"kith/event"
	"kith/internal/sqlite"
)

func open(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestOpenSetsWhatDurabilityNeeds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder?with#odd%20letters")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(path, "control.db")
	db := open(t, path)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"} {
		var got string
		if err := db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", pragma, got, err, want)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file must be its owner's alone: %v, %v", info, err)
	}
}

func TestOpenNamesAFileThatIsNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.Open(path)
	if event.CodeOf(err) != event.Corrupt || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

func TestWritersWaitForEachOther(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	migrate(t, db, "CREATE TABLE n (n INTEGER) STRICT; INSERT INTO n VALUES (0)")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 5 {
				tx, err := db.Begin()
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				_ = tx.QueryRow("SELECT n FROM n").Scan(&n)
				if _, err := tx.Exec("UPDATE n SET n = ?", n+1); err != nil {
					t.Error(err)
				}
				if err := tx.Commit(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	var n int
	if err := db.QueryRow("SELECT n FROM n").Scan(&n); err != nil || n != 40 {
		t.Errorf("got %d, %v: a transaction read what another was changing", n, err)
	}
}

func migrate(t *testing.T, db *sql.DB, steps ...string) {
	t.Helper()
	if err := sqlite.Migrate(t.Context(), db, "thing", steps); err != nil {
		t.Fatal(err)
	}
}

func TestMigrateGoesOnWhereItStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db := open(t, path)
	first := "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1)"
	second := "ALTER TABLE a ADD COLUMN y INTEGER; UPDATE a SET y = x + 1"
	err := sqlite.Migrate(t.Context(), db, "thing", []string{first, "INSERT INTO a VALUES (2); SELECT nonsense"})
	if err == nil || !strings.Contains(err.Error(), "migrate thing: step 2") {
		t.Fatalf("got %v", err)
	}
	var rows int
	if err := db.QueryRow("SELECT count(*) FROM a").Scan(&rows); err != nil || rows != 1 {
		t.Errorf("a failed step must leave nothing behind: %d rows, %v", rows, err)
	}
	migrate(t, db, first, second)
	migrate(t, open(t, path), first, second)
	var y int
	if err := db.QueryRow("SELECT y FROM a").Scan(&y); err != nil || y != 2 {
		t.Errorf("got y = %d, %v", y, err)
	}
	if err := sqlite.Migrate(t.Context(), db, "other", []string{"CREATE TABLE b (x INTEGER)"}); err != nil {
		t.Errorf("each package has a version of its own: %v", err)
	}
}

func TestMigrateRefusesANewerVersion(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	migrate(t, db, "CREATE TABLE a (x INTEGER)", "CREATE TABLE b (x INTEGER)")
	err := sqlite.Migrate(t.Context(), db, "thing", []string{"CREATE TABLE a (x INTEGER)"})
	if event.CodeOf(err) != event.Conflict || !strings.Contains(err.Error(), "version 2") || !strings.Contains(err.Error(), "version 1") {
		t.Errorf("got %v", err)
	}
}

func TestMigrateTwiceAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	steps := []string{"CREATE TABLE a (x INTEGER)", "INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (2)"}
	var group sync.WaitGroup
	for range 4 {
		db := open(t, path)
		group.Go(func() {
			if err := sqlite.Migrate(t.Context(), db, "thing", steps); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	var rows int
	if err := open(t, path).QueryRow("SELECT count(*) FROM a").Scan(&rows); err != nil || rows != 2 {
		t.Errorf("got %d rows, %v", rows, err)
	}
}

func TestIsUnique(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	migrate(t, db, "CREATE TABLE a (x INTEGER PRIMARY KEY, y TEXT UNIQUE) STRICT; INSERT INTO a VALUES (1, 'a')")
	for statement, want := range map[string]bool{
		"INSERT INTO a VALUES (1, 'b')": true, "INSERT INTO a VALUES (2, 'a')": true, "INSERT INTO a VALUES ('x', 'c')": false, "nonsense": false,
	} {
		if _, err := db.Exec(statement); err == nil || sqlite.IsUnique(err) != want {
			t.Errorf("%s: %v", statement, err)
		}
	}
}
