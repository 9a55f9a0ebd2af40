// Package serve has the doors that answers leave through: the HTTP API, described by OpenAPI, and what operates Kith
// (health, readiness, metrics). It puts the doors that events come in by, and the console, beside its own routes, and
// one guard before all of them: request ids, the Host check, security headers, panics, the access log.
//
// # Adding a route
//
// A route is one call of route in the file of its kind (sources.go, tokens.go, …). It names the govern.Action that is
// decided before the request's body is read; there is no way to register one without. The few that come before anyone
// is known (log in, set up) are registered by open, and a test names each of them.
//
// # Errors
//
// Every refusal is application/problem+json (RFC 9457): status, title, code (event.Code), detail, place, hint,
// request_id and, where more than one thing is wrong, all errors.
//
// # Browsers
//
// A session is a cookie (HttpOnly, SameSite=Lax, Secure under TLS). It can change something only in a request that the
// browser marks as made by a page of the same origin; see govern.CredentialOf. Requests to a host name that is not
// configured are refused, so that no foreign name can be pointed at Kith in a visitor's browser (DNS rebinding).
package serve

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"kith/govern"
	"kith/source"
)

// Options are what an API needs. Policy, Sources, SQL, State and Maintenance are required.
type Options struct {
	Policy      *govern.Policy
	Sources     *source.Store
	SQL         SQL
	State       State
	Maintenance Maintenance
	Ready       func() []string      // why this process is not ready; empty when it is
	Metrics     *prometheus.Registry // what /metrics shows; the API adds its own to it
	Mounts      []Mount              // doors for events, the console
	Hosts       []string             // names browsers reach Kith by, beside localhost and bare addresses
	Proxies     []netip.Prefix       // whose X-Forwarded-For and -Proto are believed
	TLS         bool                 // served over TLS: cookies are Secure
	Version     string               // of Kith, for the OpenAPI document
	Now         func() time.Time
	Log         *slog.Logger

	BodyTimeout time.Duration // how long the body of an API request may take; 0 is 10 s
}

// Mount is a handler beside the API that makes its own decisions: a door for events, the console's files.
type Mount struct {
	Pattern string // as of http.ServeMux
	Handler http.Handler
	// AnyHost lets requests to any host name in: for doors that take no session, which a foreign name cannot abuse.
	AnyHost bool
}

// API answers over HTTP.
type API struct {
	o    Options
	huma huma.API
	mux  *http.ServeMux
	seen requests
}

// New assembles the API. It panics on a route or a metric that stands twice, which is the programmer's mistake.
func New(o Options) *API {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Ready == nil {
		o.Ready = func() []string { return nil }
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	if o.BodyTimeout == 0 {
		o.BodyTimeout = 10 * time.Second
	}
	a := &API{o: o, mux: http.NewServeMux(), seen: newRequests(o.Metrics)}
	a.huma = newHuma(a.mux, o.Version)
	a.sources()
	a.tokens()
	a.users()
	a.sessions()
	a.auditing()
	a.querying()
	a.stating()
	a.maintaining()
	a.documents()
	a.operate()
	for _, m := range o.Mounts {
		a.mux.Handle(m.Pattern, m.Handler)
	}
	a.mux.HandleFunc("/api/", a.unknown)
	if _, pattern := a.mux.Handler(&http.Request{Method: "GET", Host: "localhost", URL: root()}); pattern == "" {
		a.mux.HandleFunc("/", a.unknown)
	}
	return a
}

// Handler answers every request, behind the guard.
func (a *API) Handler() http.Handler { return a.guard(a.mux) }
