package serve_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"kith/govern"
	"kith/source"
)

// operation is what the tests read of the OpenAPI document.
type operation struct {
	method, path string
	ID           string              `json:"operationId"`
	Action       govern.Action       `json:"x-kith-action"`
	Security     []map[string][]any  `json:"security"`
	Summary      string              `json:"summary"`
	Responses    map[string]struct{} `json:"responses"`
}

func (w *world) operations() (all []operation) {
	w.t.Helper()
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]operation
	}
	r := w.send("GET", "/api/v1/openapi.json", "")
	w.want(r, 200)
	if err := json.Unmarshal([]byte(r.body), &document); err != nil || !strings.HasPrefix(document.OpenAPI, "3.1") {
		w.t.Fatal(document.OpenAPI, err)
	}
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(document.Paths[path])) {
			o := document.Paths[path][method]
			o.method, o.path = strings.ToUpper(method), path
			all = append(all, o)
		}
	}
	return all
}

// TestEveryRouteAsks walks the OpenAPI document: no route answers without a decision, or to who lacks the right, and all
// answer who has it. The bodies are empty: what is answered 400 has passed the decision.
func TestEveryRouteAsks(t *testing.T) {
	w := newWorld(t)
	web, err := w.sources.Create(t.Context(), "web", source.Browser)
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{}
	for _, role := range govern.Roles() {
		tokens[role] = w.token(role)
	}
	isOpen := map[string]bool{"log-in": true, "log-out": true, "set-up": true, "set-up-state": true}
	all := w.operations()
	if len(all) < 20 {
		t.Fatalf("only %d routes", len(all))
	}
	for _, o := range all {
		if !strings.HasPrefix(o.path, "/api/v1/") || o.Summary == "" || o.ID == "" {
			t.Errorf("%+v is not described", o)
		}
		path := strings.NewReplacer("{name}", "nonesuch", "{id}", "999").Replace(o.path)
		if isOpen[o.ID] {
			delete(isOpen, o.ID)
			if o.Action != "" || len(o.Security) != 0 {
				t.Errorf("%s is open and says otherwise", o.ID)
			}
			continue
		}
		if o.Action == "" || len(o.Security) == 0 {
			t.Errorf("%s %s has no action", o.method, o.path)
		}
		for name, with := range map[string][]string{"no credential": nil, "an unknown token": bearer("kith_x"), "an unknown key": bearer("x"),
			"an unknown session": {"Cookie", "kith_session=x", "Origin", w.server.URL}, "an empty bearer": bearer("")} {
			if r := w.send(o.method, path, "", with...); r.StatusCode != 401 {
				t.Errorf("%s %s with %s: got %d", o.method, path, name, r.StatusCode)
			} else {
				w.problem(r)
			}
		}
		w.want(w.send(o.method, path, "", bearer(web.Keys[0].Secret)...), 403)
		for role, token := range tokens {
			r := w.send(o.method, path, "", bearer(token)...)
			if allowed := slices.Contains(govern.Rights(role), o.Action); allowed == (r.StatusCode == 403 || r.StatusCode == 401) || r.StatusCode >= 500 {
				t.Errorf("%s %s as %s: got %d", o.method, path, role, r.StatusCode)
			}
		}
	}
	if len(isOpen) > 0 {
		t.Errorf("these are gone: %v", isOpen)
	}
}

// TestTheDecisionComesBeforeTheBody: somebody without the right is not even told that the body is wrong.
func TestTheDecisionComesBeforeTheBody(t *testing.T) {
	w := newWorld(t)
	w.want(w.send("POST", "/api/v1/sources", strings.Repeat("{", 3<<20), bearer("kith_x")...), 401)
}

func TestRefusalsOfTheFramework(t *testing.T) {
	w := newWorld(t)
	owner := bearer(w.token(govern.Owner))
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		words              []string
	}{
		"no JSON":         {"POST", "/api/v1/sources", `{"name":`, 400, []string{`"code":"invalid"`}},
		"no body":         {"POST", "/api/v1/sources", ``, 400, []string{"body is required"}},
		"wrong type":      {"POST", "/api/v1/sources", `{"name":7}`, 400, []string{`"path":"name","value":"7"`}},
		"two things":      {"POST", "/api/v1/sources", `{"name":"A B","kind":"x"}`, 400, []string{`"errors":[{`, `"path":"kind"`}},
		"unknown member":  {"POST", "/api/v1/sources", `{"name":"a","knd":"x"}`, 400, []string{`"path":"knd"`}},
		"unknown query":   {"GET", "/api/v1/quarantine?limt=3", ``, 400, []string{`"path":"limt"`}},
		"query range":     {"GET", "/api/v1/quarantine?limit=0", ``, 400, []string{`"path":"limit"`}},
		"path":            {"DELETE", "/api/v1/tokens/x", ``, 400, []string{`"path":"id","value":"x"`}},
		"too large":       {"POST", "/api/v1/sources", `{"name":"` + strings.Repeat("x", 2<<20) + `"}`, 413, []string{`"code":"too_large"`}},
		"duration":        {"POST", "/api/v1/sql", `{"query":"SELECT 1","timeout":"soon"}`, 400, []string{`"path":"timeout","value":"soon"`}},
		"both as of":      {"POST", "/api/v1/sql", `{"query":"SELECT 1","as_of_seq":1,"as_of_snapshot":1}`, 400, []string{"exclude"}},
		"format":          {"POST", "/api/v1/sql", `{"query":"SELECT 1","format":"xml"}`, 400, []string{`"path":"format","value":"xml"`}},
		"no such path":    {"GET", "/api/v1/nothing", ``, 404, []string{`"code":"not_found"`, "openapi.json"}},
		"no such path 2":  {"GET", "/api", ``, 404, nil},
		"no such page":    {"GET", "/nothing", ``, 404, nil},
		"no such method":  {"PUT", "/api/v1/sources", ``, 405, []string{`"code":"method_not_allowed"`}},
		"password hidden": {"POST", "/api/v1/users", `{"email":"a@b.c","password":54321,"role":"viewer"}`, 400, []string{`"path":"password"`}},
	} {
		r := w.send(c.method, c.path, c.body, owner...)
		w.want(r, c.status, c.words...)
		if strings.Contains(r.body, "54321") {
			t.Errorf("%s: a password is told back: %s", name, r.body)
		}
		if c.status == 405 && fmt.Sprint(r.Header.Values("Allow")) != "[GET HEAD POST]" {
			t.Errorf("got Allow %v", r.Header.Values("Allow"))
		}
	}
}

// TestTheDocument: each route is on the page that people read, and says how it refuses.
func TestTheDocument(t *testing.T) {
	w := newWorld(t)
	page := w.send("GET", "/api/docs", "")
	w.want(page, 200, "kith token create", "body, required", "json | ndjson | csv | arrow | parquet")
	if !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || strings.Contains(page.body, "<script") || strings.Contains(page.body, "style=") {
		t.Error("the page must do without what the Content-Security-Policy forbids")
	}
	for _, o := range w.operations() {
		if !strings.Contains(page.body, `<h2 id="`+o.ID+`"><code>`+o.method+" "+o.path+"</code>") {
			t.Errorf("%s is not on the page", o.ID)
		}
		if _, ok := o.Responses["default"]; !ok || len(o.Responses) != 2 {
			t.Errorf("%s documents the answers %v", o.ID, o.Responses)
		}
	}
	w.want(w.send("GET", "/api/v1/openapi.json", ""), 200, `"Problem":{`, `application/problem+json`, `"Kith-View"`)
}
