package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kith/event"
	"kith/govern"
	"kith/internal/sqlite"
	"kith/serve"
	"kith/source"
)

const (
	anna     = "anna@example.org"
	password = "correct horse battery"
)

// world is one running API with an owner, on fakes of what lies behind it.
type world struct {
	t       *testing.T
	server  *httptest.Server
	policy  *govern.Policy
	sources *source.Store
	sql     sqlFunc
	state   *state
	ready   []string
	log     *lines
	now     time.Time
}

type sqlFunc func(ctx context.Context, who govern.Principal, q serve.SQLRequest, out serve.SQLAnswer) error

// runner lets a test change what SQL does.
type runner struct{ w *world }

func (r runner) Run(ctx context.Context, who govern.Principal, q serve.SQLRequest, out serve.SQLAnswer) error {
	return r.w.sql(ctx, who, q, out)
}

type state struct{ refused []serve.Refused }

func (s *state) Status(context.Context) (serve.Status, error) {
	return serve.Status{Rows: 42, View: "7@100"}, nil
}

func (s *state) Quarantine(_ context.Context, from event.Seq, limit int) (page []serve.Refused, err error) {
	for _, r := range s.refused {
		if r.Seq >= from && len(page) < limit {
			page = append(page, r)
		}
	}
	return page, nil
}

func (s *state) Rejected() []serve.Rejected {
	return []serve.Rejected{{Door: "batch", Body: []byte("{")}}
}

// maintenance finds one thing right and one wrong.
type maintenance struct{}

func (maintenance) Commit(context.Context) error { return nil }

func (maintenance) Verify(_ context.Context, what string, say func(serve.Check)) error {
	say(serve.Check{Name: "journal", OK: true})
	say(serve.Check{Name: "lake", Problems: []string{"a file is gone"}})
	if what == "rebuild" {
		return event.Errorf(event.Corrupt, "the rebuild differs")
	}
	return nil
}

// lines is a log that a test can read.
type lines struct {
	sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.Buffer.Write(p)
}

func (l *lines) text() string {
	l.Lock()
	defer l.Unlock()
	return l.String()
}

func newWorld(t *testing.T, change ...func(*serve.Options)) *world {
	w := &world{t: t, state: &state{}, log: &lines{}, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	w.sql = func(_ context.Context, _ govern.Principal, _ serve.SQLRequest, out serve.SQLAnswer) error {
		out.Begin("7@100", "application/json")
		_, err := io.WriteString(out, `{"rows":[[1]]}`)
		return err
	}
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "control.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if w.sources, err = source.Open(t.Context(), db, source.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.sources.Close() })
	now := func() time.Time { return w.now }
	w.policy, err = govern.Open(t.Context(), govern.Options{DB: db, Keys: w.sources, Now: now, Password: govern.Argon2{Memory: 64, Passes: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.policy.Close() })
	o := serve.Options{Policy: w.policy, Sources: w.sources, SQL: runner{w}, State: w.state, Maintenance: maintenance{}, Ready: func() []string { return w.ready },
		Metrics: prometheus.NewRegistry(), Hosts: []string{"kith.example.org"}, Now: now,
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Version: "test"}
	for _, c := range change {
		c(&o)
	}
	w.server = httptest.NewServer(serve.New(o).Handler())
	t.Cleanup(w.server.Close)
	return w
}

// owner makes the first user.
func (w *world) owner() {
	w.t.Helper()
	if _, err := w.policy.CreateUser(w.t.Context(), anna, password, govern.Owner); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) token(role string) string {
	w.t.Helper()
	_, secret, err := w.policy.CreateToken(w.t.Context(), govern.Principal{Name: "test"}, role, role, time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	return secret
}

// reply is an answer, read whole.
type reply struct {
	*http.Response
	body string
}

// send sends a request; with are pairs of header and value. A Host sets the host.
func (w *world) send(method, path, body string, with ...string) reply {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(with); i += 2 {
		if with[i] == "Host" {
			r.Host = with[i+1]
		}
		r.Header.Set(with[i], with[i+1])
	}
	answer, err := w.server.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return reply{answer, string(text)}
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

func (w *world) want(r reply, status int, words ...string) {
	w.t.Helper()
	if r.StatusCode != status {
		w.t.Errorf("%s %s: got %d, want %d: %s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, r.body)
	}
	for _, word := range words {
		if !strings.Contains(r.body, word) {
			w.t.Errorf("%s %s: %q is not in %s", r.Request.Method, r.Request.URL.Path, word, r.body)
		}
	}
	if status >= 400 {
		w.problem(r)
	}
}

// problem checks that a refusal has the one shape.
func (w *world) problem(r reply) serve.Problem {
	w.t.Helper()
	var p serve.Problem
	decoder := json.NewDecoder(strings.NewReader(r.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil || r.Header.Get("Content-Type") != "application/problem+json" {
		w.t.Errorf("%s %s: no problem: %v, %s, %s", r.Request.Method, r.Request.URL.Path, err, r.Header.Get("Content-Type"), r.body)
	}
	if p.Status != r.StatusCode || p.Code == "" || p.Detail == "" || p.Title == "" || p.RequestID != r.Header.Get("X-Request-Id") || p.RequestID == "" {
		w.t.Errorf("%s %s: something is missing in %s", r.Request.Method, r.Request.URL.Path, r.body)
	}
	return p
}

func (w *world) into(r reply, to any) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(r.body), to); err != nil {
		w.t.Fatalf("%v: %s", err, r.body)
	}
}

func TestASourceFromStartToEnd(t *testing.T) {
	w := newWorld(t)
	owner := bearer(w.token(govern.Owner))
	made := w.send("POST", "/api/v1/sources", `{"name":"web","kind":"browser"}`, owner...)
	w.want(made, 201)
	var s source.Source
	w.into(made, &s)
	if _, ok := w.sources.ByKey(s.Keys[0].Secret); !ok {
		t.Errorf("the key that was shown is not good: %s", made.body)
	}
	w.want(w.send("POST", "/api/v1/sources", `{"name":"web"}`, owner...), 409, `"code":"conflict"`, "rotate its key")
	w.want(w.send("POST", "/api/v1/sources/web/rotate", "", owner...), 200, `"secret"`)
	w.want(w.send("POST", "/api/v1/sources/web/rotate", "", owner...), 409, "two live keys")
	w.want(w.send("POST", "/api/v1/sources/web/revoke", "", owner...), 200, s.Keys[0].ID)
	w.want(w.send("POST", "/api/v1/sources/web/revoke", `{"key":"nonesuch"}`, owner...), 404, `"path":"key","value":"nonesuch"`)
	w.want(w.send("GET", "/api/v1/sources", "", owner...), 200, `"revoked_at"`, `"kind":"browser"`)
	w.want(w.send("DELETE", "/api/v1/sources/web", "", owner...), 204)
	w.want(w.send("DELETE", "/api/v1/sources/web", "", owner...), 404)
	w.want(w.send("GET", "/api/v1/sources", "", owner...), 200, `"sources":[]`)
}

func TestTokensAndUsers(t *testing.T) {
	w := newWorld(t)
	owner := bearer(w.token(govern.Owner))
	made := w.send("POST", "/api/v1/tokens", `{"name":"ci","role":"ingest","expires_at":"2026-06-01T00:00:00Z"}`, owner...)
	w.want(made, 201, `"token":"kith_`, `"role":"ingest"`)
	var token struct {
		ID    int64
		Token string
	}
	w.into(made, &token)
	w.want(w.send("GET", "/api/v1/status", "", bearer(token.Token)...), 403, "ingest does not have the right status:read")
	w.want(w.send("GET", "/api/v1/tokens", "", owner...), 200, `"expires_at"`, `"created_by":"owner"`)
	w.want(w.send("DELETE", "/api/v1/tokens/"+string(rune('0'+token.ID)), "", owner...), 204)
	w.want(w.send("GET", "/api/v1/status", "", bearer(token.Token)...), 401)
	w.want(w.send("POST", "/api/v1/tokens", `{"name":"ci","role":"viewer"}`, owner...), 201)

	made = w.send("POST", "/api/v1/users", `{"email":"bo@example.org","password":"`+password+`","role":"viewer"}`, owner...)
	w.want(made, 201, `"email":"bo@example.org"`)
	w.want(w.send("POST", "/api/v1/users", `{"email":"bo@example.org","password":"short","role":"viewer"}`, owner...), 400, `"path":"password"`)
	w.want(w.send("POST", "/api/v1/users/1/password", `{"password":"another password"}`, owner...), 204)
	w.want(w.send("POST", "/api/v1/users/9/password", `{"password":"another password"}`, owner...), 404)
	w.want(w.send("GET", "/api/v1/users", "", owner...), 200, "bo@example.org")
	w.want(w.send("DELETE", "/api/v1/users/1", "", owner...), 204)
	for _, text := range []string{w.log.text(), made.body} {
		if strings.Contains(text, password) || strings.Contains(text, token.Token) {
			t.Errorf("a secret is in %s", text)
		}
	}
}

func TestABrowsersSession(t *testing.T) {
	w := newWorld(t)
	w.owner()
	login := w.send("POST", "/api/v1/login", `{"email":"`+anna+`","password":"`+password+`"}`, "Origin", w.server.URL)
	w.want(login, 200, anna)
	cookie := login.Header.Get("Set-Cookie")
	if !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") || strings.Contains(cookie, "Secure") {
		t.Errorf("got the cookie %s", cookie)
	}
	cookie, _, _ = strings.Cut(cookie, ";")
	w.want(w.send("GET", "/api/v1/me", "", "Cookie", cookie), 200, anna, `"role":"owner"`, `"users:manage"`)
	source := func(with ...string) reply {
		return w.send("POST", "/api/v1/sources", `{"name":"web"}`, append(with, "Cookie", cookie)...)
	}
	for _, with := range [][]string{{}, {"Origin", "http://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
		w.want(source(with...), 403, "own pages")
	}
	w.want(source("Origin", w.server.URL), 201)
	w.want(w.send("POST", "/api/v1/logout", "", "Cookie", cookie, "Origin", "http://evil.example"), 403)
	out := w.send("POST", "/api/v1/logout", "", "Cookie", cookie, "Origin", w.server.URL)
	w.want(out, 204)
	if !strings.Contains(out.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("the cookie stays: %s", out.Header.Get("Set-Cookie"))
	}
	w.want(w.send("GET", "/api/v1/me", "", "Cookie", cookie), 401, "session is over")
	w.want(w.send("POST", "/api/v1/login", `{"email":"`+anna+`","password":"`+password+`"}`, "Origin", "http://evil.example"), 403)
}

func TestLockOut(t *testing.T) {
	w := newWorld(t)
	w.owner()
	for range 5 {
		w.want(w.send("POST", "/api/v1/login", `{"email":"`+anna+`","password":"a wrong password"}`), 401)
	}
	locked := w.send("POST", "/api/v1/login", `{"email":"`+anna+`","password":"`+password+`"}`)
	w.want(locked, 429, "too many log-ins failed")
	if locked.Header.Get("Retry-After") != "31" {
		t.Errorf("got Retry-After %s", locked.Header.Get("Retry-After"))
	}
	w.now = w.now.Add(31 * time.Second)
	w.want(w.send("POST", "/api/v1/login", `{"email":"`+anna+`","password":"`+password+`"}`), 200)
}

func TestSetUp(t *testing.T) {
	w := newWorld(t)
	token, _ := w.policy.SetupToken()
	w.want(w.send("GET", "/api/v1/setup", ""), 200, `"needed":true`)
	w.want(w.send("POST", "/api/v1/setup", `{"token":"guess","email":"`+anna+`","password":"`+password+`"}`), 403)
	done := w.send("POST", "/api/v1/setup", `{"token":"`+token+`","email":"`+anna+`","password":"`+password+`"}`)
	w.want(done, 201, anna)
	cookie, _, _ := strings.Cut(done.Header.Get("Set-Cookie"), ";")
	w.want(w.send("GET", "/api/v1/users", "", "Cookie", cookie), 200, anna)
	w.want(w.send("POST", "/api/v1/setup", `{"token":"`+token+`","email":"eve@example.org","password":"`+password+`"}`), 409)
	w.want(w.send("GET", "/api/v1/setup", ""), 200, `"needed":false`)
}

func TestTheStateAndItsPages(t *testing.T) {
	w := newWorld(t)
	w.state.refused = []serve.Refused{{Seq: 3, Reason: "type_unknown"}, {Seq: 5}, {Seq: 9}}
	analyst := bearer(w.token(govern.Analyst))
	w.want(w.send("GET", "/api/v1/status", "", analyst...), 200, `"rows":42`, `"view":"7@100"`)
	w.want(w.send("GET", "/api/v1/quarantine?limit=2", "", analyst...), 200, `"seq":3`, `"seq":5`, `"next":5`)
	last := w.send("GET", "/api/v1/quarantine?limit=2&after=5", "", analyst...)
	w.want(last, 200, `"seq":9`)
	if strings.Contains(last.body, "next") {
		t.Errorf("the last page names another: %s", last.body)
	}
	w.want(w.send("GET", "/api/v1/quarantine?after=9", "", analyst...), 200, `"events":[]`)
	w.want(w.send("GET", "/api/v1/rejected", "", analyst...), 200, `"body":"ew=="`)
	w.want(w.send("GET", "/api/v1/audit?limit=2", "", bearer(w.token(govern.Owner))...), 200, `"next":`, `"action":"data:read"`)
}

func TestMaintenance(t *testing.T) {
	w := newWorld(t)
	service := bearer(w.token(govern.Service))
	w.want(w.send("POST", "/api/v1/lake/commit", "", service...), 204)
	found := w.send("POST", "/api/v1/verify", "{}", service...)
	w.want(found, 200, `{"name":"journal","ok":true`, `"problems":["a file is gone"]`)
	if strings.Count(found.body, "\n") != 2 {
		t.Errorf("got %q", found.body)
	}
	w.want(w.send("POST", "/api/v1/verify", `{"what":"rebuild"}`, service...), 200, `{"error":{`, `"code":"corrupt"`)
	w.want(w.send("POST", "/api/v1/verify", `{"what":"all"}`, service...), 400, `"path":"what"`)
}

func TestHealth(t *testing.T) {
	w := newWorld(t)
	w.want(w.send("GET", "/healthz", "", "Host", "pod-7.internal"), 200, "ok")
	w.want(w.send("GET", "/readyz", ""), 200)
	w.ready = []string{"the journal is poisoned"}
	if r := w.send("GET", "/readyz", ""); r.StatusCode != 503 || !strings.Contains(r.body, "poisoned") {
		t.Errorf("got %d %s", r.StatusCode, r.body)
	}
	w.want(w.send("GET", "/metrics", ""), 401)
	w.want(w.send("GET", "/metrics", "", bearer(w.token(govern.Viewer))...), 200, `kith_decisions_total{action="status:read",allowed="true"} 1`,
		`kith_http_request_duration_seconds_count{code="200",route="GET /readyz"} 1`, "kith_credentials_unknown_total 1")
}

func TestTwoInstances(t *testing.T) {
	one, other := newWorld(t), newWorld(t)
	one.want(other.send("GET", "/api/v1/status", "", bearer(one.token(govern.Owner))...), 401)
}

func TestProxies(t *testing.T) {
	w := newWorld(t, func(o *serve.Options) {
		o.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	})
	w.owner()
	login := func(from string) reply {
		return w.send("POST", "/api/v1/login", `{"email":"`+anna+`","password":"`+password+`"}`, "X-Forwarded-For", from, "X-Forwarded-Proto", "https")
	}
	r := login("1.2.3.4, 203.0.113.9, 10.1.1.1")
	w.want(r, 200)
	if !strings.Contains(r.Header.Get("Set-Cookie"), "; Secure") {
		t.Error("the cookie must be Secure behind a proxy with TLS")
	}
	w.want(w.send("GET", "/api/v1/audit", "", bearer(w.token(govern.Owner))...), 200, `"remote":"203.0.113.9"`)
	if !strings.Contains(w.log.text(), "remote=203.0.113.9:") {
		t.Error(w.log.text())
	}
}
