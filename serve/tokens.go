package serve

import (
	"context"
	"time"

	"kith/govern"
)

type (
	tokenNew struct {
		Body struct {
			Name      string    `json:"name" minLength:"1" maxLength:"100" doc:"What it is for."`
			Role      string    `json:"role" enum:"owner,analyst,viewer,service,ingest"`
			ExpiresAt time.Time `json:"expires_at,omitzero" required:"false" doc:"Without it the token is good until it is revoked."`
		}
	}
	tokenMade struct {
		govern.APIToken
		Token string `json:"token" doc:"Shown this once."`
	}
	tokenList struct {
		Tokens []govern.APIToken `json:"tokens"`
	}
	numbered struct {
		ID int64 `path:"id"`
	}
)

// tokens are the routes of API tokens.
func (a *API) tokens() {
	route(a, endpoint{id: "list-tokens", method: "GET", path: "/tokens", action: govern.ManageUsers, summary: "Lists the live tokens."},
		func(ctx context.Context, _ visit, _ *struct{}) (tokenList, error) {
			all, err := a.o.Policy.Tokens(ctx)
			return tokenList{all}, err
		})
	route(a, endpoint{id: "create-token", method: "POST", path: "/tokens", action: govern.ManageUsers, status: 201,
		summary: "Makes a token for a program. The answer has it for the only time."},
		func(ctx context.Context, v visit, in *tokenNew) (tokenMade, error) {
			t, secret, err := a.o.Policy.CreateToken(ctx, v.who, in.Body.Name, in.Body.Role, in.Body.ExpiresAt)
			return tokenMade{t, secret}, err
		})
	route(a, endpoint{id: "revoke-token", method: "DELETE", path: "/tokens/{id}", action: govern.ManageUsers, summary: "Ends a token at once."},
		func(ctx context.Context, _ visit, in *numbered) (nothing, error) {
			return nothing{}, a.o.Policy.RevokeToken(ctx, in.ID)
		})
}
