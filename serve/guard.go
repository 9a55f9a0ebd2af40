package serve

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"kith/event"
)

// contentPolicy is the Content-Security-Policy of every answer: nothing from elsewhere, no inline script, no frame around it.
const contentPolicy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

type idKey struct{}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}

// guard stands before every route. Nothing that it logs can hold a secret: no header, no query, no body.
func (a *API) guard(next http.Handler) http.Handler {
	always := http.Header{
		"X-Content-Type-Options":     {"nosniff"},
		"Referrer-Policy":            {"no-referrer"},
		"Content-Security-Policy":    {contentPolicy},
		"X-Frame-Options":            {"DENY"},
		"Cross-Origin-Opener-Policy": {"same-origin"},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		id := idOf(r)
		r = r.WithContext(context.WithValue(r.Context(), idKey{}, id))
		a.unproxy(r)
		out := &recorder{ResponseWriter: w}
		header := w.Header()
		maps.Copy(header, always) // the values are shared: nobody changes one in place
		header.Set("X-Request-Id", id)
		if strings.HasPrefix(r.URL.Path, "/api/") {
			header.Set("Cache-Control", "no-store")
		}
		defer a.finish(out, r, began)
		if !a.hostAllowed(r) {
			a.refuse(out, r, event.Errorf(event.Forbidden, "this server does not answer to the name %q", hostOf(r.Host)).
				WithHint("if the name is right, add it to http.hosts (KITH_HTTP_HOSTS)"))
			return
		}
		next.ServeHTTP(out, r)
	})
}

// finish ends a request: a panic becomes a refusal, or, once an answer has begun, a broken connection, so that nobody
// takes half an answer for a whole one.
func (a *API) finish(w *recorder, r *http.Request, began time.Time) {
	broken := recover()
	if broken != nil && broken != http.ErrAbortHandler {
		a.o.Log.ErrorContext(r.Context(), "panic in a request", "request", requestID(r.Context()), "path", r.URL.Path, "panic", broken,
			"stack", string(debug.Stack()))
		if w.status == 0 {
			a.refuse(w, r, event.Errorf(event.Internal, "an error inside Kith; the log has it"))
			broken = nil
		}
	}
	took := time.Since(began)
	a.seen.observe(r.Pattern, w.code(), took)
	if a.o.Log.Enabled(r.Context(), slog.LevelDebug) {
		a.o.Log.DebugContext(r.Context(), "request", "request", requestID(r.Context()), "method", r.Method, "path", r.URL.Path,
			"status", w.code(), "bytes", w.bytes, "took", took, "remote", r.RemoteAddr)
	}
	if broken != nil {
		panic(http.ErrAbortHandler)
	}
}

// idOf takes the request's id from a proxy before us, if it is harmless, or makes one.
func idOf(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	harmless := func(c rune) bool {
		return c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	if id == "" || len(id) > 64 || strings.ContainsFunc(id, func(c rune) bool { return !harmless(c) }) {
		return strings.ToLower(rand.Text()[:16])
	}
	return id
}

// hostAllowed reports whether the request's Host is one that Kith goes by. A bare address always is: what a page at
// that address does, it does as itself. The doors for events and what is asked by machines take any name.
func (a *API) hostAllowed(r *http.Request) bool {
	host := hostOf(r.Host)
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		slices.ContainsFunc(a.o.Hosts, func(allowed string) bool { return strings.EqualFold(allowed, host) }) {
		return true
	}
	switch r.URL.Path {
	case "/healthz", "/readyz", "/metrics":
		return true
	}
	_, pattern := a.mux.Handler(r)
	return slices.ContainsFunc(a.o.Mounts, func(m Mount) bool { return m.AnyHost && m.Pattern == pattern })
}

func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// unproxy puts the client's address in the place of the proxies' that are trusted: the last in X-Forwarded-For that is
// none of them.
func (a *API) unproxy(r *http.Request) {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || len(a.o.Proxies) == 0 {
		return
	}
	addr := at.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && a.trusts(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	r.RemoteAddr = netip.AddrPortFrom(addr, at.Port()).String()
}

func (a *API) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(a.o.Proxies, func(p netip.Prefix) bool { return p.Contains(addr.WithZone("")) })
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status int // 0: nothing yet
	bytes  int64
}

func (w *recorder) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

// WriteHeader writes the status line.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write writes a part of the body.
func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush sends what is written so far.
func (w *recorder) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }
