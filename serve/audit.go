package serve

import (
	"context"

	"kith/govern"
)

type (
	auditAsked struct {
		Before int64 `query:"before" minimum:"0" doc:"The id to go on before: next of the page before."`
		Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}
	auditPage struct {
		Entries []govern.AuditEntry `json:"entries"`
		Next    int64               `json:"next,omitempty" doc:"Give it as before for the next page; absent on the last."`
	}
)

// auditing is the route of the audit log.
func (a *API) auditing() {
	route(a, endpoint{id: "read-audit", method: "GET", path: "/audit", action: govern.ManageUsers,
		summary: "Reads the audit log, newest first: who saw or changed what."},
		func(ctx context.Context, _ visit, in *auditAsked) (auditPage, error) {
			all, err := a.o.Policy.AuditLog(ctx, in.Before, in.Limit+1)
			page := auditPage{Entries: all}
			if err == nil && len(all) > in.Limit {
				page.Entries = all[:in.Limit]
				page.Next = page.Entries[in.Limit-1].ID
			}
			return page, err
		})
}
