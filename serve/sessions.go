package serve

import (
	"context"
	"net/http"
	"strings"
	"time"

	"kith/govern"
)

type (
	logIn struct {
		Body struct {
			Email    string `json:"email" maxLength:"254"`
			Password string `json:"password" maxLength:"1024"`
		}
	}
	setUp struct {
		Body struct {
			Token    string `json:"token" doc:"From the set-up link in the server's log."`
			Email    string `json:"email" maxLength:"254"`
			Password string `json:"password" maxLength:"1024" doc:"At least 10 characters."`
		}
	}
	loggedIn struct {
		User    govern.Account `json:"user"`
		Expires time.Time      `json:"expires_at"`
	}
	me struct {
		Kind   string          `json:"kind" enum:"user,token"`
		Name   string          `json:"name"`
		Role   string          `json:"role"`
		Rights []govern.Action `json:"rights"`
	}
	setUpState struct {
		Needed bool `json:"needed" doc:"There is no user yet."`
	}
)

// sessions are the routes by which somebody becomes known. They are open by their nature: the password, or the set-up
// token, is what they decide by, with lock-out (govern.Policy.Login).
func (a *API) sessions() {
	open(a, endpoint{id: "log-in", method: "POST", path: "/login", summary: "Begins a session; the answer sets its cookie."},
		func(ctx context.Context, v visit, in *logIn) (loggedIn, error) {
			s, err := a.o.Policy.Login(ctx, in.Body.Email, in.Body.Password, govern.CredentialOf(v.r).Remote)
			if err != nil {
				return loggedIn{}, err
			}
			return a.begun(v, s), nil
		})
	open(a, endpoint{id: "log-out", method: "POST", path: "/logout", summary: "Ends the session that the cookie carries."},
		func(ctx context.Context, v visit, _ *struct{}) (nothing, error) {
			http.SetCookie(v.w, govern.SessionCookie(govern.Session{}, a.secure(v.r)))
			session := govern.CredentialOf(v.r).Session
			if session == "" {
				return nothing{}, nil
			}
			return nothing{}, a.o.Policy.Logout(ctx, session)
		})
	open(a, endpoint{id: "set-up-state", method: "GET", path: "/setup", summary: "Says whether the first user is still to be made."},
		func(context.Context, visit, *struct{}) (setUpState, error) {
			_, needed := a.o.Policy.SetupToken()
			return setUpState{needed}, nil
		})
	open(a, endpoint{id: "set-up", method: "POST", path: "/setup", status: 201, summary: "Makes the first owner and logs them in."},
		func(ctx context.Context, v visit, in *setUp) (loggedIn, error) {
			user, err := a.o.Policy.Setup(ctx, in.Body.Token, in.Body.Email, in.Body.Password)
			if err != nil {
				return loggedIn{}, err
			}
			s, err := a.o.Policy.Begin(ctx, user)
			if err != nil {
				return loggedIn{}, err
			}
			return a.begun(v, s), nil
		})
	route(a, endpoint{id: "who-am-i", method: "GET", path: "/me", action: govern.ReadStatus, summary: "Says who the credential belongs to."},
		func(_ context.Context, v visit, _ *struct{}) (me, error) {
			return me{v.who.Kind, v.who.Name, v.who.Role, govern.Rights(v.who.Role)}, nil
		})
}

func (a *API) begun(v visit, s govern.Session) loggedIn {
	http.SetCookie(v.w, govern.SessionCookie(s, a.secure(v.r)))
	return loggedIn{s.User, s.Expires}
}

// secure reports whether the browser reached Kith over TLS, its own or a trusted proxy's.
func (a *API) secure(r *http.Request) bool {
	return a.o.TLS || r.TLS != nil || len(a.o.Proxies) > 0 && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}
