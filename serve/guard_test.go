package serve_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"kith/event"
	"kith/govern"
	"kith/internal/sqlite"
	"kith/serve"
)

func mounts(o *serve.Options) {
	handle := func(do http.HandlerFunc) http.Handler { return do }
	o.Mounts = []serve.Mount{
		{Pattern: "/v1/batch", AnyHost: true, Handler: handle(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "taken") })},
		{Pattern: "/panic", Handler: handle(func(http.ResponseWriter, *http.Request) { panic("a SECRET bug") })},
		{Pattern: "/half", Handler: handle(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half an ans")
			panic("a bug")
		})},
		{Pattern: "/", Handler: handle(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "console") })},
	}
}

func TestHosts(t *testing.T) {
	w := newWorld(t, mounts)
	for host, ok := range map[string]bool{
		"localhost": true, "localhost:8080": true, "LOCALHOST": true, "127.0.0.1:8080": true, "[::1]:8080": true, "[::1]": true, "192.168.1.7": true,
		"kith.example.org": true, "Kith.Example.org.:443": true, "kith.localhost": true,
		"evil.example": false, "kith.example.org.evil.example": false, "localhost.evil.example": false, "127.0.0.1.nip.io": false, "xlocalhost": false,
	} {
		for _, path := range []string{"/", "/api/v1/openapi.json", "/api/v1/nothing"} {
			r := w.send("GET", path, "", "Host", host)
			if refused := r.StatusCode == 403; refused == ok {
				t.Errorf("%s at %s: got %d", path, host, r.StatusCode)
			}
		}
		w.want(w.send("POST", "/v1/batch", "", "Host", host), 200, "taken")
	}
	w.want(w.send("GET", "/", "", "Host", "evil.example"), 403, "http.hosts")
}

func TestEveryAnswerHasTheHeaders(t *testing.T) {
	w := newWorld(t, mounts)
	for _, path := range []string{"/", "/healthz", "/api/v1/openapi.json", "/api/v1/status", "/api/v1/nothing", "/panic"} {
		r := w.send("GET", path, "")
		for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
			"Content-Security-Policy": "default-src 'self'"} {
			if !strings.HasPrefix(r.Header.Get(header), want) {
				t.Errorf("%s: %s is %q", path, header, r.Header.Get(header))
			}
		}
		if strings.Contains(r.Header.Get("Content-Security-Policy"), "unsafe") || len(r.Header.Get("X-Request-Id")) != 16 {
			t.Errorf("%s: got %v", path, r.Header)
		}
		if cached := r.Header.Get("Cache-Control"); strings.HasPrefix(path, "/api/") && cached != "no-store" {
			t.Errorf("%s: Cache-Control is %q", path, cached)
		}
	}
	if r := w.send("GET", "/", "", "X-Request-Id", "proxy-1_A"); r.Header.Get("X-Request-Id") != "proxy-1_A" {
		t.Error("a harmless id of a proxy must be kept")
	}
	if r := w.send("GET", "/", "", "X-Request-Id", `x" level=error`); len(r.Header.Get("X-Request-Id")) != 16 {
		t.Errorf("a harmful id is kept: %q", r.Header.Get("X-Request-Id"))
	}
}

func TestPanics(t *testing.T) {
	w := newWorld(t, mounts)
	r := w.send("GET", "/panic", "", "X-Request-Id", "id-of-the-panic")
	w.want(r, 500, `"code":"internal"`, "id-of-the-panic")
	if strings.Contains(r.body, "SECRET") || !strings.Contains(w.log.text(), "a SECRET bug") || !strings.Contains(w.log.text(), "request=id-of-the-panic") {
		t.Errorf("the log must say what the answer must not: %s\n%s", r.body, w.log.text())
	}
	answer, err := w.server.Client().Get(w.server.URL + "/half")
	if err == nil {
		_, err = io.ReadAll(answer.Body)
		answer.Body.Close()
	}
	if err == nil {
		t.Error("half an answer looks whole")
	}
	w.want(w.send("GET", "/healthz", ""), 200)
}

func TestTheLogHasNoSecrets(t *testing.T) {
	w := newWorld(t, mounts)
	w.owner()
	token := w.token(govern.Owner)
	web, err := w.sources.Create(t.Context(), "web", "browser")
	if err != nil {
		t.Fatal(err)
	}
	key := web.Keys[0].Secret
	w.send("GET", "/api/v1/status?key="+key+"&token="+token, "", bearer(token)...)
	w.send("POST", "/v1/batch?write_key="+key, key, "Authorization", "Bearer "+key)
	login := w.send("POST", "/api/v1/login", `{"email":"`+anna+`","password":"`+password+`"}`)
	w.want(login, 200)
	session, _, _ := strings.Cut(strings.TrimPrefix(login.Header.Get("Set-Cookie"), "kith_session="), ";")
	w.send("GET", "/api/v1/me", "", "Cookie", "kith_session="+session)
	w.send("POST", "/api/v1/login", `{"email":"`+anna+`","password":"`+password+`x","extra":1}`)
	log := w.log.text()
	for name, secret := range map[string]string{"token": token, "key": key, "password": password, "session": session} {
		if secret == "" || strings.Contains(log, secret) {
			t.Errorf("the %s is in the log:\n%s", name, log)
		}
	}
	if !strings.Contains(log, "path=/api/v1/status status=") || !strings.Contains(log, "method=POST") {
		t.Errorf("the access log is missing:\n%s", log)
	}
}

func TestWithoutAConsole(t *testing.T) {
	w := newWorld(t)
	w.want(w.send("GET", "/", ""), 404)
	w.want(w.send("POST", "/v1/batch", ""), 404)
}

func TestCookiesUnderTLS(t *testing.T) {
	w := newWorld(t)
	w.owner()
	r := httptest.NewRequest("POST", "https://localhost/api/v1/login", strings.NewReader(`{"email":"`+anna+`","password":"`+password+`"}`))
	r.TLS = &tls.ConnectionState{}
	answer := httptest.NewRecorder()
	w.server.Config.Handler.ServeHTTP(answer, r)
	if answer.Code != 200 || !strings.Contains(answer.Header().Get("Set-Cookie"), "; Secure") {
		t.Errorf("got %d, %s", answer.Code, answer.Header())
	}
}

func TestCheckListen(t *testing.T) {
	for _, c := range []struct {
		address       string
		tls, insecure bool
		words         string // of the error; empty is none
	}{
		{"127.0.0.1:8080", false, false, ""}, {"localhost:8080", false, false, ""}, {"[::1]:0", false, false, ""}, {"127.9.9.9:1", false, false, ""},
		{"[::ffff:127.0.0.1]:1", false, false, ""},
		{":8080", false, false, "in the clear"}, {"0.0.0.0:8080", false, false, "http.insecure"}, {"[::]:8080", false, false, "in the clear"},
		{"192.168.1.7:8080", false, false, "in the clear"}, {"kith.example.org:443", false, false, "in the clear"},
		{":8443", true, false, ""}, {":8080", false, true, ""},
		{"8080", false, false, "no address"}, {"", true, true, "no address"},
	} {
		err := serve.CheckListen(c.address, c.tls, c.insecure)
		if (err == nil) != (c.words == "") || err != nil && (!strings.Contains(err.Error(), c.words) || event.CodeOf(err) != event.Invalid) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}

// BenchmarkGuard is what the guard adds to a request for events.
func BenchmarkGuard(b *testing.B) {
	db, err := sqlite.Open(filepath.Join(b.TempDir(), "control.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	policy, err := govern.Open(b.Context(), govern.Options{DB: db})
	if err != nil {
		b.Fatal(err)
	}
	defer policy.Close()
	o := serve.Options{Policy: policy}
	mounts(&o)
	handler := serve.New(o).Handler()
	r := httptest.NewRequest("POST", "http://localhost/v1/batch", nil)
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(discard{http.Header{}}, r)
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
