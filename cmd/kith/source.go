package main

import (
	"context"
	"fmt"
	"net/url"

	"kith/source"
)

type sourceCommand struct {
	Create sourceCreate `cmd:"" help:"Add a source and print its write key, e.g. kith source create web --kind browser"`
	List   sourceList   `cmd:"" help:"List sources and the state of their keys."`
	Rotate sourceRotate `cmd:"" help:"Print a second write key; the first stays live until it is revoked."`
	Revoke sourceRevoke `cmd:"" help:"Revoke a write key: the oldest, or the one named by its id."`
	Delete sourceDelete `cmd:"" help:"Close a source's doors. Its events stay."`
}

type sourceCreate struct {
	Name string `arg:"" help:"a-z, 0-9, - and _."`
	Kind string `default:"server" enum:"server,browser" help:"Where the key is kept: browser keys can be read again."`
}

// Run prints the write key alone, so that a script can take it.
func (s *sourceCreate) Run(ctx context.Context, t *target, o *output) error {
	return t.with(ctx, func(c *client) error {
		var made source.Source
		if err := c.call(ctx, "POST", "/api/v1/sources", map[string]any{"name": s.Name, "kind": s.Kind}, &made); err != nil {
			return err
		}
		fmt.Fprintf(o.err, "source %s (number %d); its write key:\n", made.Name, made.ID)
		_, err := fmt.Fprintln(o.out, made.Keys[0].Secret)
		return err
	})
}

type sourceList struct {
	formatFlag
}

// Run lists every key of every source.
func (s *sourceList) Run(ctx context.Context, t *target, o *output) error {
	return t.with(ctx, func(c *client) error {
		var list struct {
			Sources []source.Source `json:"sources"`
		}
		if err := c.call(ctx, "GET", "/api/v1/sources", nil, &list); err != nil {
			return err
		}
		rows := newTable("id", "source", "kind", "key", "state", "last used", "tried after revoked")
		for _, src := range list.Sources {
			for _, k := range src.Keys {
				state, used, tried := "live", "never", ""
				if k.RevokedAt != nil {
					state, tried = "revoked", fmt.Sprint(k.RevokedUses)
				}
				if k.UsedAt != nil {
					used = k.UsedAt.UTC().Format("2006-01-02 15:04")
				}
				rows.add(fmt.Sprint(src.ID), src.Name, string(src.Kind), k.ID+"…", state, used, tried)
			}
		}
		return rows.print(o.out, s.Format)
	})
}

type sourceRotate struct {
	Name string `arg:"" help:"The source."`
}

// Run prints the new key.
func (s *sourceRotate) Run(ctx context.Context, t *target, o *output) error {
	return t.with(ctx, func(c *client) error {
		var key source.Key
		if err := c.call(ctx, "POST", "/api/v1/sources/"+url.PathEscape(s.Name)+"/rotate", struct{}{}, &key); err != nil {
			return err
		}
		_, err := fmt.Fprintln(o.out, key.Secret)
		return err
	})
}

type sourceRevoke struct {
	Name string `arg:"" help:"The source."`
	Key  string `arg:"" optional:"" help:"The key's id; the oldest live one if it is not named."`
}

// Run says which key went.
func (s *sourceRevoke) Run(ctx context.Context, t *target, o *output) error {
	return t.with(ctx, func(c *client) error {
		var gone struct {
			Key string `json:"key"`
		}
		if err := c.call(ctx, "POST", "/api/v1/sources/"+url.PathEscape(s.Name)+"/revoke", map[string]string{"key": s.Key}, &gone); err != nil {
			return err
		}
		_, err := fmt.Fprintf(o.out, "key %s… is revoked\n", gone.Key)
		return err
	})
}

type sourceDelete struct {
	Name string `arg:"" help:"The source."`
}

// Run closes the source.
func (s *sourceDelete) Run(ctx context.Context, t *target) error {
	return t.with(ctx, func(c *client) error {
		return c.call(ctx, "DELETE", "/api/v1/sources/"+url.PathEscape(s.Name), nil, nil)
	})
}
