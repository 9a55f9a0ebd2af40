package main

import (
	"context"
	"fmt"
	"time"

	"kith/govern"
)

type tokenCommand struct {
	Create tokenCreate `cmd:"" help:"Make an API token and print it once, e.g. kith token create nightly --role analyst"`
	List   tokenList   `cmd:"" help:"List the live tokens."`
	Revoke tokenRevoke `cmd:"" help:"End a token at once."`
}

type tokenCreate struct {
	Name    string        `arg:"" help:"What it is for."`
	Role    string        `required:"" enum:"owner,analyst,viewer,service,ingest" help:"owner, analyst, viewer, service or ingest."`
	Expires time.Duration `help:"How long it is good for; for ever if it is not given."`
}

// Run prints the token alone, so that a script can take it.
func (t *tokenCreate) Run(ctx context.Context, to *target, o *output) error {
	return to.with(ctx, func(c *client) error {
		in := map[string]any{"name": t.Name, "role": t.Role}
		if t.Expires > 0 {
			in["expires_at"] = time.Now().Add(t.Expires)
		}
		var made struct {
			Token string `json:"token"`
		}
		if err := c.call(ctx, "POST", "/api/v1/tokens", in, &made); err != nil {
			return err
		}
		_, err := fmt.Fprintln(o.out, made.Token)
		return err
	})
}

type tokenList struct {
	formatFlag
}

// Run lists them.
func (t *tokenList) Run(ctx context.Context, to *target, o *output) error {
	return to.with(ctx, func(c *client) error {
		var list struct {
			Tokens []govern.APIToken `json:"tokens"`
		}
		if err := c.call(ctx, "GET", "/api/v1/tokens", nil, &list); err != nil {
			return err
		}
		rows := newTable("id", "name", "role", "made")
		for _, k := range list.Tokens {
			rows.add(fmt.Sprint(k.ID), k.Name, k.Role, k.CreatedAt.UTC().Format("2006-01-02 15:04"))
		}
		return rows.print(o.out, t.Format)
	})
}

type tokenRevoke struct {
	ID int64 `arg:"" help:"The token's id, as kith token list shows it."`
}

// Run ends it.
func (t *tokenRevoke) Run(ctx context.Context, to *target) error {
	return to.with(ctx, func(c *client) error {
		return c.call(ctx, "DELETE", fmt.Sprintf("/api/v1/tokens/%d", t.ID), nil, nil)
	})
}
