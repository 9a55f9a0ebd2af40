package serve

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"kith/govern"
)

// Maintenance is what can be asked of the stores by hand.
type Maintenance interface {
	// Commit moves the hot tail into the Iceberg table.
	Commit(ctx context.Context) error
	// Verify runs the checks, or the one that what names, and says each as it ends.
	Verify(ctx context.Context, what string, say func(Check)) error
}

// Check is what one check found.
type Check struct {
	Name     string   `json:"name"`
	OK       bool     `json:"ok"`
	Detail   string   `json:"detail,omitempty" doc:"What was looked at."`
	Problems []string `json:"problems,omitempty"`
	Seconds  float64  `json:"seconds"`
}

type verifyAsked struct {
	Body struct {
		What string `json:"what,omitempty" enum:"journal,lake,dedupe,rebuild" doc:"One check; without it journal, lake and dedupe."`
	}
}

// maintaining are the routes of maintenance. A verification may take minutes: it streams a line for each check.
func (a *API) maintaining() {
	route(a, endpoint{id: "commit-lake", method: "POST", path: "/lake/commit", action: govern.Operate,
		summary: "Moves the hot tail into the Iceberg table."},
		func(ctx context.Context, _ visit, _ *struct{}) (nothing, error) {
			return nothing{}, a.o.Maintenance.Commit(ctx)
		})
	lines := map[string]*huma.Response{"200": {Description: "A line of JSON for each check, as it ends; the last line of a run that failed has the member error.",
		Content: map[string]*huma.MediaType{"application/x-ndjson": {}}}}
	route(a, endpoint{id: "verify", method: "POST", path: "/verify", action: govern.Operate, responses: lines, summary: "Checks what lies in the data folder."},
		func(ctx context.Context, v visit, in *verifyAsked) (stream, error) {
			return func(huma.Context) { a.verify(ctx, v, in.Body.What) }, nil
		})
}

func (a *API) verify(ctx context.Context, v visit, what string) {
	control := http.NewResponseController(v.w)
	_ = control.SetWriteDeadline(time.Time{}) // the client waits as long as it likes
	v.w.Header().Set("Content-Type", "application/x-ndjson")
	lines := json.NewEncoder(v.w)
	err := a.o.Maintenance.Verify(ctx, what, func(c Check) {
		_ = lines.Encode(c) // the client has gone; the context ends
		_ = control.Flush()
	})
	if err != nil {
		_ = lines.Encode(map[string]any{"error": a.problem(v.w, v.r, err)})
	}
}
