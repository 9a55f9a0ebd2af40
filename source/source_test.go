package source_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kith/event"
	"kith/govern"
	"kith/internal/sqlite"
	"kith/source"
)

// world is a store whose clock the test moves.
type world struct {
	*source.Store
	t    *testing.T
	path string
	now  time.Time
	db   *sql.DB
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, path: filepath.Join(t.TempDir(), "control.db"), now: time.Date(2026, 5, 1, 12, 30, 0, 0, time.UTC)}
	w.open()
	t.Cleanup(func() { w.close() })
	return w
}

func (w *world) open() {
	var err error
	if w.db, err = sqlite.Open(w.path); err != nil {
		w.t.Fatal(err)
	}
	if w.Store, err = source.Open(w.t.Context(), w.db, source.Options{Now: func() time.Time { return w.now }}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	if err := w.Store.Close(); err != nil {
		w.t.Error(err)
	}
	w.db.Close()
}

func (w *world) reopen() { w.close(); w.open() }

func (w *world) create(name string, kind source.Kind) source.Source {
	w.t.Helper()
	s, err := w.Create(w.t.Context(), name, kind)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) known(key string) bool { _, ok := w.ByKey(key); return ok }

func (w *world) wantCode(err error, want event.Code, words ...string) {
	w.t.Helper()
	if err == nil || event.CodeOf(err) != want {
		w.t.Errorf("got %v, want the code %s", err, want)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			w.t.Errorf("%q does not say %q", err, word)
		}
	}
}

func TestTheLifeOfAKey(t *testing.T) {
	w := newWorld(t)
	web := w.create("web", source.Server)
	first := web.Keys[0].Secret
	if who, ok := w.ByKey(first); !ok || who != (govern.Principal{Kind: govern.Source, ID: int64(web.ID), Name: "web", Role: govern.SourceRole,
		Source: web.ID, SourceName: "web", KeyID: first[:8]}) {
		t.Fatalf("got %+v, %v", who, ok)
	}
	second, err := w.Rotate(t.Context(), "web")
	if err != nil || !w.known(first) || !w.known(second.Secret) {
		t.Fatalf("two keys must live at once: %v", err)
	}
	_, err = w.Rotate(t.Context(), "web")
	w.wantCode(err, event.Conflict, "two live keys", first[:8], second.ID, "kith source revoke web --key "+first[:8])

	revoked, err := w.Revoke(t.Context(), "web", "")
	if err != nil || revoked != first[:8] {
		t.Errorf("the oldest goes first: got %s, %v", revoked, err)
	}
	for range 3 {
		if w.known(first) {
			t.Error("a revoked key is let in")
		}
	}
	w.reopen()
	if w.known(first) || !w.known(second.Secret) {
		t.Error("a restart changes which keys are good")
	}
	keys := w.List()[0].Keys
	if len(keys) != 2 || keys[0].ID != second.ID || keys[1].RevokedUses != 4 || keys[1].RevokedAt == nil || keys[0].Secret != "" {
		t.Errorf("the list must show both keys, newest first, with the uses after the end and no server's secret: %+v", keys)
	}
	if hour := w.now.Truncate(time.Hour); keys[0].UsedAt == nil || !keys[0].UsedAt.Equal(hour) {
		t.Errorf("used at %v, want %v", keys[0].UsedAt, hour)
	}
	_, err = w.Revoke(t.Context(), "web", first[:8])
	w.wantCode(err, event.NotFound, "no such live key")
	if _, err = w.Revoke(t.Context(), "web", second.ID); err != nil || w.known(second.Secret) {
		t.Errorf("the last key can be revoked too: %v", err)
	}
	_, err = w.Revoke(t.Context(), "web", "")
	w.wantCode(err, event.NotFound)
}

func TestANameMayComeAgainANumberNever(t *testing.T) {
	w := newWorld(t)
	old := w.create("web", source.Browser)
	_, err := w.Create(t.Context(), "web", source.Server)
	w.wantCode(err, event.Conflict, `there is a source "web"`)
	if err := w.Delete(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.ByName("web"); ok || w.known(old.Keys[0].Secret) || len(w.List()) != 0 {
		t.Error("a deleted source is still there")
	}
	w.reopen()
	next := w.create("web", source.Browser)
	if id, ok := w.ByName("web"); !ok || id != next.ID {
		t.Errorf("by name: got %d, %v", id, ok)
	}
	if next.ID == old.ID || w.known(old.Keys[0].Secret) || !w.known(next.Keys[0].Secret) {
		t.Errorf("got number %d after %d", next.ID, old.ID)
	}
	w.wantCode(w.Delete(t.Context(), "shop"), event.NotFound, `there is no source "shop"`)
	_, err = w.Rotate(t.Context(), "shop")
	w.wantCode(err, event.NotFound)
}

func TestKeysAreStoredAsTheirKindSays(t *testing.T) {
	w := newWorld(t)
	server, browser := w.create("api", source.Server).Keys[0].Secret, w.create("web", source.Browser).Keys[0].Secret
	list := w.List()
	if list[0].Keys[0].Secret != "" || list[1].Keys[0].Secret != browser {
		t.Errorf("got %+v", list)
	}
	var found int
	err := w.db.QueryRow(`SELECT count(*) FROM write_keys WHERE instr(coalesce(secret, ''), ?) OR instr(hash, ?)`, server, server).Scan(&found)
	if err != nil || found != 0 {
		t.Errorf("a server's key stands in the database: %d, %v", found, err)
	}
}

func TestNames(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"", "Web", "a b", "ä", "x/y", strings.Repeat("x", 65), "web\n"} {
		_, err := w.Create(t.Context(), name, source.Server)
		w.wantCode(err, event.Invalid, "name", "use 1 to 64 of a-z")
	}
	_, err := w.Create(t.Context(), "ok", "mobile")
	w.wantCode(err, event.Invalid, "kind", "server and browser")
	w.create(strings.Repeat("x", 64), source.Server)
	w.create("a-b_9", source.Browser)
}

func TestAChangeIsTold(t *testing.T) {
	w := newWorld(t)
	told := w.Changed()
	select {
	case <-told:
		t.Fatal("nothing has changed")
	default:
	}
	w.create("web", source.Server)
	<-told
	told = w.Changed()
	if _, err := w.Rotate(t.Context(), "shop"); err == nil {
		t.Fatal("there is no shop")
	}
	select {
	case <-told:
		t.Error("a change that failed was told")
	default:
	}
}

func TestStrangeKeys(t *testing.T) {
	w := newWorld(t)
	key := w.create("web", source.Server).Keys[0].Secret
	for _, strange := range []string{"", key[:31], key + "x", strings.ToUpper(key), strings.Repeat("a", 32), strings.Repeat("a", 1<<20)} {
		if w.known(strange) {
			t.Errorf("%.40q is let in", strange)
		}
	}
}

func BenchmarkByKey(b *testing.B) {
	db, err := sqlite.Open(filepath.Join(b.TempDir(), "control.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	s, err := source.Open(b.Context(), db, source.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	web, err := s.Create(b.Context(), "web", source.Server)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := s.ByKey(web.Keys[0].Secret); !ok {
			b.Fatal("not known")
		}
	}
}
