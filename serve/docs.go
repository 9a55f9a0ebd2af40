package serve

import (
	"bytes"
	_ "embed"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsPage string

// documented is one route as the page of the API shows it.
type documented struct {
	Method, Path, ID, Summary, Action string
	Fields                            []documentedField
}

type documentedField struct{ Name, In, Type, Doc string }

// documents adds /api/docs: the OpenAPI document as a page to read. It is made here and not by a script from elsewhere, so
// it works without a network and under the same Content-Security-Policy as everything.
func (a *API) documents() {
	page := template.Must(template.New("docs").Parse(docsPage))
	var text bytes.Buffer
	if err := page.Execute(&text, map[string]any{"Version": a.o.Version, "Routes": a.documented()}); err != nil {
		panic(err) // the template and the routes are the same in every process
	}
	a.mux.HandleFunc("GET /api/docs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(text.Bytes()) // the client has gone
	})
}

func (a *API) documented() (all []documented) {
	document := a.huma.OpenAPI()
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		item := document.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			d := documented{Method: op.Method, Path: path, ID: op.OperationID, Summary: op.Summary}
			d.Action, _ = op.Extensions["x-kith-action"].(string)
			for _, p := range op.Parameters {
				d.Fields = append(d.Fields, field(p.Name, p.In, p.Schema))
			}
			d.Fields = append(d.Fields, bodyFields(document.Components.Schemas, op)...)
			all = append(all, d)
		}
	}
	return all
}

func bodyFields(schemas huma.Registry, op *huma.Operation) (all []documentedField) {
	if op.RequestBody == nil || op.RequestBody.Content["application/json"] == nil {
		return nil
	}
	schema := op.RequestBody.Content["application/json"].Schema
	if schema.Ref != "" {
		schema = schemas.SchemaFromRef(schema.Ref)
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		f := field(name, "body", schema.Properties[name])
		if slices.Contains(schema.Required, name) {
			f.In = "body, required"
		}
		all = append(all, f)
	}
	return all
}

func field(name, in string, s *huma.Schema) documentedField {
	kind := s.Type
	if s.Format != "" {
		kind = s.Format
	}
	if len(s.Enum) > 0 {
		var words []string
		for _, word := range s.Enum {
			if text, ok := word.(string); ok {
				words = append(words, text)
			}
		}
		kind = strings.Join(words, " | ")
	}
	return documentedField{Name: name, In: in, Type: kind, Doc: s.Description}
}
