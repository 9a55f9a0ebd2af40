package govern_test

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kith/event"
	"kith/govern"
	"kith/internal/sqlite"
)

const (
	anna     = "anna@example.org"
	password = "correct horse battery"
)

// keys knows one write key.
type keys struct{}

func (keys) ByKey(secret string) (govern.Principal, bool) {
	return govern.Principal{Kind: govern.Source, ID: 7, Name: "web", Role: govern.SourceRole, Source: 7, SourceName: "web", KeyID: "webkey"},
		secret == "webkey"
}

// world is a policy whose clock the test moves.
type world struct {
	*govern.Policy
	t    *testing.T
	path string
	db   *sql.DB
	now  time.Time
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, path: filepath.Join(t.TempDir(), "control.db"), now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	w.open()
	t.Cleanup(func() { w.close() })
	return w
}

func (w *world) open() {
	var err error
	if w.db, err = sqlite.Open(w.path); err != nil {
		w.t.Fatal(err)
	}
	w.Policy, err = govern.Open(w.t.Context(), govern.Options{DB: w.db, Keys: keys{}, Now: func() time.Time { return w.now },
		Password: govern.Argon2{Memory: 64, Passes: 1, Threads: 1}})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	if err := w.Policy.Close(); err != nil {
		w.t.Error(err)
	}
	w.db.Close()
}

func (w *world) want(err error, want event.Code, words ...string) {
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

func (w *world) user(email, role string) govern.Account {
	w.t.Helper()
	a, err := w.CreateUser(w.t.Context(), email, password, role)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) token(role string, expires time.Time) string {
	w.t.Helper()
	_, secret, err := w.CreateToken(w.t.Context(), govern.Principal{Name: anna}, "a token", role, expires)
	if err != nil {
		w.t.Fatal(err)
	}
	return secret
}

func (w *world) login(email, pass, from string) (govern.Session, error) {
	return w.Login(w.t.Context(), email, pass, netip.MustParseAddr(from))
}

func TestWhoMayDoWhat(t *testing.T) {
	w := newWorld(t)
	all := []govern.Action{govern.IngestEvents, govern.BackfillEvents, govern.ReadSQL, govern.ReadStatus, govern.ReadConfig,
		govern.WriteConfig, govern.ManageUsers, govern.Operate}
	may := map[string]string{ // one letter an action, as in all
		govern.Owner: "yyyyyyyy", govern.Analyst: "--yyy---", govern.Viewer: "---y----", govern.Service: "yyyyyy-y", govern.Ingest: "yy------",
	}
	check := func(who string, c govern.Credential, want string) {
		for i, a := range all {
			p, err := w.Decide(t.Context(), c, a)
			if allowed := err == nil; allowed != (want[i] == 'y') {
				t.Errorf("%s, %s: allowed = %v, %v", who, a, allowed, err)
			}
			if err != nil && (event.CodeOf(err) != event.Forbidden || p != govern.Principal{}) {
				t.Errorf("%s, %s: got %v with %+v", who, a, err, p)
			}
		}
	}
	for _, role := range govern.Roles() {
		check("a token with "+role, govern.Credential{Bearer: w.token(role, time.Time{})}, may[role])
		w.user(role+"@example.org", role)
		s, err := w.login(role+"@example.org", password, "10.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		check("a user with "+role, govern.Credential{Session: s.Secret}, may[role])
		if rights := govern.Rights(role); len(rights) != strings.Count(may[role], "y") {
			t.Errorf("rights of %s: %v", role, rights)
		}
	}
	check("a write key", govern.Credential{WriteKey: "webkey"}, "y-------")
	check("a write key as bearer", govern.Credential{Bearer: "webkey"}, "y-------")
	check("the machine's user", govern.LocalCredential("jo"), "yyyyyyyy")
}

func TestDecideFailsClosed(t *testing.T) {
	w := newWorld(t)
	over, revoked := w.token(govern.Owner, w.now.Add(time.Minute)), w.token(govern.Owner, time.Time{})
	w.now = w.now.Add(time.Minute)
	list, err := w.Tokens(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	if err := w.RevokeToken(t.Context(), list[0].ID); err != nil {
		t.Fatal(err)
	}
	w.want(w.RevokeToken(t.Context(), list[0].ID), event.NotFound)
	for name, c := range map[string]govern.Credential{
		"nothing": {}, "an unknown token": {Bearer: "kith_" + govern.Secret()}, "an empty token": {Bearer: "kith_"}, "a token that is over": {Bearer: over},
		"a revoked token": {Bearer: revoked}, "an unknown key": {WriteKey: "x"}, "an unknown session": {Session: "x"},
		"an unknown key beside a good session": {WriteKey: "x", Session: "y"},
	} {
		who, err := w.Decide(t.Context(), c, govern.ReadStatus)
		if event.CodeOf(err) != event.Unauthenticated || who != (govern.Principal{}) {
			t.Errorf("%s: got %+v, %v", name, who, err)
		}
	}
	_, err = w.Decide(t.Context(), govern.LocalCredential("jo"), "data:rule")
	w.want(err, event.Internal, "data:rule")
	if _, unknown := w.Decisions(); unknown != 8 {
		t.Errorf("got %d unknown credentials", unknown)
	}
}

func TestLogIn(t *testing.T) {
	w := newWorld(t)
	w.user(" Anna@Example.org ", govern.Owner)
	s, err := w.login("ANNA@example.org", password, "10.0.0.1")
	if err != nil || s.User.Email != anna || s.User.Role != govern.Owner || len(s.Secret) < 52 {
		t.Fatal(s, err)
	}
	who, err := w.Decide(t.Context(), govern.Credential{Session: s.Secret}, govern.ManageUsers)
	if err != nil || who.Kind != govern.User || who.Name != anna {
		t.Fatal(who, err)
	}
	for _, wrong := range [][2]string{{anna, "correct horse batterx"}, {anna, ""}, {"bo@example.org", password}, {"no address", password}, {anna, strings.Repeat("x", 2000)}} {
		_, err := w.login(wrong[0], wrong[1], "10.0.0.2")
		w.want(err, event.Unauthenticated, "the address or the password is wrong")
	}
	if err := w.Logout(t.Context(), s.Secret); err != nil {
		t.Fatal(err)
	}
	_, err = w.Decide(t.Context(), govern.Credential{Session: s.Secret}, govern.ReadStatus)
	w.want(err, event.Unauthenticated, "this session is over")
}

func TestSessionsEnd(t *testing.T) {
	w := newWorld(t)
	user := w.user(anna, govern.Owner)
	good := func(s govern.Session) bool {
		_, err := w.Decide(t.Context(), govern.Credential{Session: s.Secret}, govern.ReadStatus)
		return err == nil
	}
	begin := func() govern.Session {
		s, err := w.login(anna, password, "10.0.0.1")
		if err != nil || !good(s) {
			t.Fatal(err)
		}
		return s
	}
	idle, busy := begin(), begin()
	for range 5 {
		w.now = w.now.Add(6 * 24 * time.Hour)
		if w.now.Before(busy.Expires) && !good(busy) {
			t.Errorf("a session in use ended at %v", w.now)
		}
	}
	if good(idle) || good(busy) {
		t.Error("a session lives past its time")
	}
	s := begin()
	if err := w.SetPassword(t.Context(), user.ID, "another good password"); err != nil || good(s) {
		t.Errorf("a new password must end sessions: %v", err)
	}
	_, err := w.login(anna, password, "10.0.0.1")
	w.want(err, event.Unauthenticated)
	s, err = w.login(anna, "another good password", "10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	bo := w.user("bo@example.org", govern.Owner)
	if err := w.EndSessions(t.Context(), bo.ID); err != nil || !good(s) {
		t.Error("sessions of another ended", err)
	}
	if err := w.DeleteUser(t.Context(), user.ID); err != nil || good(s) {
		t.Errorf("a removed user's session must end: %v", err)
	}
	w.want(w.DeleteUser(t.Context(), bo.ID), event.Conflict, "last owner")
	w.want(w.DeleteUser(t.Context(), user.ID), event.NotFound)
	w.want(w.SetPassword(t.Context(), user.ID, password), event.NotFound)
}

func TestSetUp(t *testing.T) {
	w := newWorld(t)
	token, needed := w.SetupToken()
	if !needed || len(token) < 52 {
		t.Fatal("a new installation offers no set-up")
	}
	_, err := w.Setup(t.Context(), "guess", anna, password)
	w.want(err, event.Forbidden, "set-up token")
	_, err = w.Setup(t.Context(), token, anna, "short")
	w.want(err, event.Invalid, "too short")
	user, err := w.Setup(t.Context(), token, anna, password)
	if err != nil || user.Role != govern.Owner {
		t.Fatal(user, err)
	}
	_, err = w.Setup(t.Context(), token, "eve@example.org", password)
	w.want(err, event.Conflict, "set up already")
	if created, err := w.EnsureAdmin(t.Context(), "eve@example.org", password); err != nil || created {
		t.Error("a second administrator was made", err)
	}
	w.close()
	w.open()
	if _, needed := w.SetupToken(); needed {
		t.Error("set-up is offered although there is a user")
	}
	_, err = w.Setup(t.Context(), "", "eve@example.org", password)
	w.want(err, event.Conflict)
}

func TestFirstAdministratorUnattended(t *testing.T) {
	w := newWorld(t)
	_, err := w.EnsureAdmin(t.Context(), "nobody", password)
	w.want(err, event.Invalid, "no e-mail address")
	if created, err := w.EnsureAdmin(t.Context(), anna, password); err != nil || !created {
		t.Fatal(err)
	}
	if _, needed := w.SetupToken(); needed {
		t.Error("set-up is still offered")
	}
	if _, err := w.login(anna, password, "10.0.0.1"); err != nil {
		t.Error(err)
	}
}

func TestWhatAUserMustBe(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ email, password, role, want string }{
		{"x", password, govern.Owner, "email: this is no e-mail address"},
		{"Anna <anna@example.org>", password, govern.Owner, "email"},
		{anna, "123456789", govern.Owner, "password: the password is too short: 9 characters; take at least 10"},
		{anna, password, "root", "role: there is no such role (got \"root\"); the roles are owner"},
		{anna, password, govern.SourceRole, "role"},
	} {
		_, err := w.CreateUser(t.Context(), c.email, c.password, c.role)
		w.want(err, event.Invalid, c.want)
		if strings.Contains(err.Error(), c.password) {
			t.Errorf("the password is in %q", err)
		}
	}
	w.user(anna, govern.Owner)
	_, err := w.CreateUser(t.Context(), "ANNA@example.org", password, govern.Viewer)
	w.want(err, event.Conflict)
	if users, err := w.Users(t.Context()); err != nil || len(users) != 1 || users[0].Email != anna {
		t.Error(users, err)
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(t)
	secret := w.token(govern.Analyst, time.Time{})
	if _, err := w.Decide(t.Context(), govern.Credential{Bearer: secret}, govern.ReadSQL); err != nil {
		t.Fatal(err)
	}
	w.close()
	w.open()
	if _, err := w.Decide(t.Context(), govern.Credential{Bearer: secret}, govern.ReadSQL); err != nil {
		t.Error("a token must survive a restart:", err)
	}
	list, err := w.Tokens(t.Context())
	if err != nil || len(list) != 1 || list[0].UsedAt == nil || list[0].CreatedBy != anna || !strings.HasPrefix(secret, list[0].Hint) || len(list[0].Hint) > 16 {
		t.Errorf("got %+v, %v", list, err)
	}
	for _, c := range []struct {
		name, role string
		expires    time.Time
		want       string
	}{{"", govern.Viewer, time.Time{}, "name"}, {"x", govern.SourceRole, time.Time{}, "role"}, {"x", govern.Viewer, w.now, "expires_at"}} {
		_, _, err := w.CreateToken(t.Context(), govern.Principal{}, c.name, c.role, c.expires)
		w.want(err, event.Invalid, c.want)
	}
}

func TestPasswordHashesCarryTheirParameters(t *testing.T) {
	w := newWorld(t)
	w.user(anna, govern.Owner)
	stored := func() (hash string) {
		if err := w.db.QueryRow(`SELECT password FROM users`).Scan(&hash); err != nil {
			t.Fatal(err)
		}
		return hash
	}
	if hash := stored(); !strings.HasPrefix(hash, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("got %s", hash)
	}
	dearer, err := govern.Open(t.Context(), govern.Options{DB: w.db, Password: govern.Argon2{Memory: 128, Passes: 2, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer dearer.Close()
	if _, err := dearer.Login(t.Context(), anna, password, netip.Addr{}); err != nil {
		t.Error(err)
	}
	if hash := stored(); !strings.HasPrefix(hash, "$argon2id$v=19$m=128,t=2,p=1$") {
		t.Errorf("a log-in must bring the hash up to date: %s", hash)
	}
	if _, err := w.db.Exec(`UPDATE users SET password = 'x'`); err != nil {
		t.Fatal(err)
	}
	_, err = w.login(anna, "x", "10.0.0.1")
	w.want(err, event.Corrupt)
}

func TestCredentialOf(t *testing.T) {
	for name, c := range map[string]struct {
		method  string
		headers map[string]string
		want    govern.Credential
	}{
		"none":                 {"GET", nil, govern.Credential{}},
		"bearer":               {"POST", map[string]string{"Authorization": "bearer  kith_x "}, govern.Credential{Bearer: "kith_x"}},
		"Segment's libraries":  {"POST", map[string]string{"Authorization": "Basic d2Via2V5Og=="}, govern.Credential{WriteKey: "webkey"}},
		"another scheme":       {"POST", map[string]string{"Authorization": "Digest x"}, govern.Credential{}},
		"cookie":               {"GET", map[string]string{"Cookie": "kith_session=s"}, govern.Credential{Session: "s"}},
		"cookie, own page":     {"POST", map[string]string{"Cookie": "kith_session=s", "Sec-Fetch-Site": "same-origin"}, govern.Credential{Session: "s"}},
		"cookie, own page 2":   {"DELETE", map[string]string{"Cookie": "kith_session=s", "Origin": "http://example.com"}, govern.Credential{Session: "s"}},
		"bearer beside cookie": {"POST", map[string]string{"Cookie": "kith_session=s", "Sec-Fetch-Site": "same-origin", "Authorization": "Bearer x"}, govern.Credential{Session: "s", Bearer: "x"}},
	} {
		r := httptest.NewRequest(c.method, "http://example.com/", nil)
		for k, v := range c.headers {
			r.Header.Set(k, v)
		}
		c.want.Remote = netip.MustParseAddr("192.0.2.1")
		if got := govern.CredentialOf(r); got != c.want {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// FuzzCredentialOf: whatever the headers say, a session is never taken from a request that another site may have made.
func FuzzCredentialOf(f *testing.F) {
	f.Add("Bearer kith_x", "kith_session=s", "http://evil.example", "cross-site")
	f.Add("Basic d2Via2V5Og==", "a=b; kith_session=\"s\"", "null", "")
	f.Add("basic :", "kith_session=", "://", "same-origin")
	f.Fuzz(func(t *testing.T, authorization, cookie, origin, site string) {
		r := httptest.NewRequest("POST", "http://example.com/", nil)
		r.Header.Set("Authorization", authorization)
		r.Header.Set("Cookie", cookie)
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", site)
		own := site == "same-origin" || site == "" && strings.Contains(strings.ToLower(origin), "example.com")
		if c := govern.CredentialOf(r); c.Session != "" && !own {
			t.Errorf("origin %q, site %q: the session is taken", origin, site)
		}
	})
}

func TestAnotherSiteCannotUseASession(t *testing.T) {
	w := newWorld(t)
	w.user(anna, govern.Owner)
	s, err := w.login(anna, password, "10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, headers := range []map[string]string{
		{}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://evil.example"}, {"Origin": "null"},
		{"Origin": "http://example.com:8080"}, {"Sec-Fetch-Site": "cross-site", "Origin": "http://example.com"}, {"Origin": "http://example.com.evil.example"},
	} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "FOO"} {
			r := httptest.NewRequest(method, "http://example.com/", nil)
			r.AddCookie(govern.SessionCookie(s, false))
			for k, v := range headers {
				r.Header.Set(k, v)
			}
			_, err := w.Decide(t.Context(), govern.CredentialOf(r), govern.ReadStatus)
			w.want(err, event.Forbidden, "own pages")
		}
	}
}

func TestTheCookie(t *testing.T) {
	s := govern.Session{Secret: "x", Expires: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	if got := govern.SessionCookie(s, true).String(); got != "kith_session=x; Path=/; Expires=Mon, 01 Jun 2026 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax" {
		t.Error(got)
	}
	if got := govern.SessionCookie(govern.Session{}, false); got.MaxAge >= 0 || got.Secure || !got.HttpOnly || got.SameSite != http.SameSiteLaxMode {
		t.Error(got)
	}
}

func BenchmarkDecide(b *testing.B) {
	db, err := sqlite.Open(filepath.Join(b.TempDir(), "control.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	p, err := govern.Open(b.Context(), govern.Options{DB: db, Keys: keys{}})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	_, token, err := p.CreateToken(b.Context(), govern.Principal{}, "t", govern.Owner, time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	for name, c := range map[string]govern.Credential{"key": {WriteKey: "webkey"}, "token": {Bearer: token}} {
		for _, a := range []govern.Action{govern.IngestEvents, govern.ReadSQL} {
			if name == "key" && a == govern.ReadSQL {
				continue
			}
			b.Run(name+" "+string(a), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := p.Decide(b.Context(), c, a); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
