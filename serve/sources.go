package serve

import (
	"context"

	"kith/govern"
	"kith/source"
)

type (
	sourceNew struct {
		Body struct {
			Name string      `json:"name" minLength:"1" maxLength:"64" pattern:"^[a-z0-9_-]+$" doc:"a-z, 0-9, - and _."`
			Kind source.Kind `json:"kind,omitempty" enum:"server,browser" default:"server" doc:"Where its key is kept: browser keys can be read again."`
		}
	}
	sourceNamed struct {
		Name string `path:"name"`
	}
	sourceRevoke struct {
		Name string `path:"name"`
		Body *struct {
			Key string `json:"key,omitempty" doc:"The key's id; without one the oldest goes."`
		} `required:"false"`
	}
	sourceList struct {
		Sources []source.Source `json:"sources"`
	}
	revoked struct {
		Key string `json:"key" doc:"The id of the key that was revoked."`
	}
)

// sources are the routes of sources and their write keys.
func (a *API) sources() {
	route(a, endpoint{id: "list-sources", method: "GET", path: "/sources", action: govern.ReadConfig,
		summary: "Lists the sources with their keys."},
		func(context.Context, visit, *struct{}) (sourceList, error) {
			return sourceList{a.o.Sources.List()}, nil
		})
	route(a, endpoint{id: "create-source", method: "POST", path: "/sources", action: govern.WriteConfig, status: 201,
		summary: "Makes a source. The answer has its write key, a server's for the only time."},
		func(ctx context.Context, _ visit, in *sourceNew) (source.Source, error) {
			return a.o.Sources.Create(ctx, in.Body.Name, in.Body.Kind)
		})
	route(a, endpoint{id: "rotate-source", method: "POST", path: "/sources/{name}/rotate", action: govern.WriteConfig,
		summary: "Gives a source another write key. The one before stays live until it is revoked; two are the most."},
		func(ctx context.Context, _ visit, in *sourceNamed) (source.Key, error) {
			return a.o.Sources.Rotate(ctx, in.Name)
		})
	route(a, endpoint{id: "revoke-source", method: "POST", path: "/sources/{name}/revoke", action: govern.WriteConfig,
		summary: "Ends a write key at once. Its later uses are refused and counted."},
		func(ctx context.Context, _ visit, in *sourceRevoke) (revoked, error) {
			id := ""
			if in.Body != nil {
				id = in.Body.Key
			}
			id, err := a.o.Sources.Revoke(ctx, in.Name, id)
			return revoked{id}, err
		})
	route(a, endpoint{id: "delete-source", method: "DELETE", path: "/sources/{name}", action: govern.WriteConfig,
		summary: "Closes a source. Its events stay, with its number; its name is free."},
		func(ctx context.Context, _ visit, in *sourceNamed) (nothing, error) {
			return nothing{}, a.o.Sources.Delete(ctx, in.Name)
		})
}
