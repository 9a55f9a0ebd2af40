package govern_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kith/event"
	"kith/govern"
)

// entries returns "who action object allowed detail" of the audit log, oldest first.
func (w *world) entries() (lines []string) {
	w.t.Helper()
	all, err := w.AuditLog(w.t.Context(), 0, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(all)
	for _, e := range all {
		verdict := "refused"
		if e.Allowed {
			verdict = "allowed"
		}
		lines = append(lines, strings.TrimSpace(strings.Join([]string{e.Kind, e.Who, e.Action, e.Object, verdict, e.Detail, e.Remote}, " ")))
	}
	return lines
}

func TestWhatIsWrittenDown(t *testing.T) {
	w := newWorld(t)
	ctx := govern.WithObject(t.Context(), "route")
	token := govern.Credential{Bearer: w.token(govern.Analyst, time.Time{}), Remote: netip.MustParseAddr("10.0.0.9")}
	who, err := w.Decide(ctx, token, govern.ReadSQL)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Record(ctx, who, govern.ReadSQL, "sql", "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	if lines := w.entries(); len(lines) != 2 { // what is written at once comes before what waits
		t.Fatal(lines)
	}
	_, _ = w.Decide(ctx, token, govern.WriteConfig)
	_ = w.entries()
	_, _ = w.Decide(ctx, token, govern.ReadStatus)                                   // counted
	_, _ = w.Decide(ctx, govern.Credential{Bearer: "kith_x"}, govern.ReadSQL)        // counted
	_, _ = w.Decide(ctx, govern.Credential{WriteKey: "webkey"}, govern.IngestEvents) // counted
	_, _ = w.Decide(ctx, govern.Credential{WriteKey: "webkey"}, govern.ReadSQL)      // counted
	_, _ = w.Decide(ctx, govern.LocalCredential("jo"), govern.Operate)
	w.user(anna, govern.Owner)
	_, _ = w.login(anna, "a wrong password", "10.0.0.1")
	_ = w.entries()
	_, _ = w.login("stranger@example.org", "a wrong password", "10.0.0.1") // counted
	_, _ = w.login(anna, password, "10.0.0.1")
	got, want := strings.Join(w.entries(), "\n"), strings.TrimSpace(`
token a token data:read route allowed  10.0.0.9
token a token data:read sql allowed SELECT 1
token a token config:write route refused  10.0.0.9
local jo system:operate route allowed
user anna@example.org login session refused  10.0.0.1
user anna@example.org login session allowed  10.0.0.1`)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	counts, unknown := w.Decisions()
	i := slices.IndexFunc(counts, func(d govern.Decision) bool { return d.Action == govern.ReadSQL })
	if unknown != 1 || counts[i] != (govern.Decision{Action: govern.ReadSQL, Allowed: 1, Refused: 1}) {
		t.Errorf("got %+v, %d unknown", counts, unknown)
	}
}

func TestNothingIsAllowedThatCannotBeWrittenDown(t *testing.T) {
	w := newWorld(t)
	owner := govern.Credential{Bearer: w.token(govern.Owner, time.Time{})}
	exec := func(statement string) {
		t.Helper()
		if _, err := w.db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	exec(`ALTER TABLE audit RENAME TO gone`)
	_, err := w.Decide(t.Context(), owner, govern.WriteConfig)
	w.want(err, event.Unavailable, "audit log")
	// A read may be let through until the writer has found out; then none is.
	want := 2
	if _, err = w.Decide(t.Context(), owner, govern.ReadSQL); err == nil {
		want++
	}
	_, found := w.AuditLog(t.Context(), 0, 1)
	w.want(found, event.Unavailable)
	for range 3 {
		_, err = w.Decide(t.Context(), owner, govern.ReadSQL)
		w.want(err, event.Unavailable)
	}
	_, err = w.Login(t.Context(), anna, password, netip.Addr{})
	w.want(err, event.Unauthenticated)
	if _, err := w.Decide(t.Context(), govern.Credential{WriteKey: "webkey"}, govern.IngestEvents); err != nil {
		t.Error("events must go on:", err)
	}
	exec(`ALTER TABLE gone RENAME TO audit`)
	for _, a := range []govern.Action{govern.ReadSQL, govern.WriteConfig} {
		if _, err := w.Decide(t.Context(), owner, a); err != nil {
			t.Errorf("%s: it must recover by itself: %v", a, err)
		}
	}
	if lines := w.entries(); len(lines) != want { // that read, and the last two
		t.Errorf("got %q, want %d", lines, want)
	}
}

func TestManyReadsAreAllWrittenDown(t *testing.T) {
	w := newWorld(t)
	owner := govern.Credential{Bearer: w.token(govern.Owner, time.Time{})}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 100 {
				a := govern.ReadSQL
				if i == 0 {
					a = govern.WriteConfig
				}
				if _, err := w.Decide(context.Background(), owner, a); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	w.close()
	w.open()
	var rows int
	if err := w.db.QueryRow(`SELECT count(*) FROM audit`).Scan(&rows); err != nil || rows != 800 {
		t.Errorf("got %d rows of 800, %v", rows, err)
	}
}
