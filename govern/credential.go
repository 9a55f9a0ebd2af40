package govern

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const cookieName = "kith_session"

// Credential is what a request shows to say who sends it. At most one of the secrets is used: the write key before
// the bearer before the session.
type Credential struct {
	Bearer   string // an API token, or a write key where the door has no other place for it
	WriteKey string
	Session  string // the cookie's value
	Remote   netip.Addr

	forged bool   // the session came from another site's page
	local  string // see LocalCredential
}

// CredentialOf reads a request's headers: Authorization (Bearer, or Basic with the write key as the user, as Segment's
// libraries send it) and the session cookie. A write key in a body or a query is the door's to find.
//
// A browser sends the cookie with every request to Kith, whichever page asked for it. So for a method that can change
// something (all but GET, HEAD and OPTIONS) the session counts only if the browser says that Kith's own page asked:
// SameOrigin. Other credentials are not sent by a browser on its own and need no such check.
func CredentialOf(r *http.Request) Credential {
	c := Credential{Remote: remote(r.RemoteAddr), local: localOf(r.Context())}
	header := r.Header.Get("Authorization")
	if scheme, token, ok := strings.Cut(header, " "); ok && strings.EqualFold(scheme, "Bearer") {
		c.Bearer = strings.TrimSpace(token)
	} else if user, _, ok := r.BasicAuth(); ok {
		c.WriteKey = user
	}
	if cookie, err := r.Cookie(cookieName); err == nil && cookie.Value != "" {
		if SameOrigin(r) {
			c.Session = cookie.Value
		} else {
			c.forged = true
		}
	}
	return c
}

// SameOrigin reports whether the request can change nothing, or was made by a page of the host that it is sent to. A
// request that says nothing of where it comes from is not of the same origin: every browser in use says it when a
// page sends a POST.
func SameOrigin(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && origin.Host != "" && strings.EqualFold(origin.Host, r.Host)
}

// LocalCredential is that of somebody who opened the data folder on this machine with the files' own rights; name is
// the machine's name for them. Over HTTP only a connection marked by TrustLocal carries it.
func LocalCredential(name string) Credential {
	if name == "" {
		name = "local"
	}
	return Credential{local: name}
}

// SessionCookie is the cookie that carries a session, or, for an empty session, one that takes it away. Secure is
// whether browsers reach Kith over TLS.
func SessionCookie(s Session, secure bool) *http.Cookie {
	c := &http.Cookie{Name: cookieName, Value: s.Secret, Path: "/", Expires: s.Expires, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: secure}
	if s.Secret == "" {
		c.Expires, c.MaxAge = time.Unix(0, 0), -1
	}
	return c
}

func remote(address string) netip.Addr {
	if at, err := netip.ParseAddrPort(address); err == nil {
		return at.Addr().Unmap()
	}
	return netip.Addr{}
}

type localKey struct{}

// TrustLocal marks a connection's context: its requests come through the socket in the data folder, which only who may
// read the files beside it can open, and carry LocalCredential's right where they show no other credential.
func TrustLocal(ctx context.Context) context.Context {
	return context.WithValue(ctx, localKey{}, "local")
}

func localOf(ctx context.Context) string {
	name, _ := ctx.Value(localKey{}).(string)
	return name
}

type objectKey struct{}

// WithObject names, for the audit log, what the decision is about: a route, a table, a source.
func WithObject(ctx context.Context, object string) context.Context {
	return context.WithValue(ctx, objectKey{}, object)
}

func objectOf(ctx context.Context) string {
	object, _ := ctx.Value(objectKey{}).(string)
	return object
}
