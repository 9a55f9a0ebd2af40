package serve

import (
	"context"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"kith/event"
	"kith/govern"
)

const apiPath = "/api/v1"

func newHuma(mux *http.ServeMux, version string) huma.API {
	config := huma.DefaultConfig("Kith", version)
	config.CreateHooks = nil // no $schema in answers
	config.OpenAPIPath = apiPath + "/openapi"
	config.DocsPath, config.SchemasPath = "", ""
	config.RejectUnknownQueryParameters = true
	config.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	config.Transformers = []huma.Transformer{own}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "An API token: kith token create."},
		"session": {Type: "apiKey", In: "cookie", Name: "kith_session", Description: "A log-in in the console."},
	}
	return humago.New(mux, config)
}

// endpoint is what is said of a route beside its types.
type endpoint struct {
	id, method, path string
	summary          string
	action           govern.Action
	status           int // of success; 0 is 200, or 204 where nothing is answered
	responses        map[string]*huma.Response
}

// visit is one request whose sender is known.
type visit struct {
	who govern.Principal // zero on an open route
	w   http.ResponseWriter
	r   *http.Request
}

type visitKey struct{}

// nothing is what a route answers that answers only a status.
type nothing struct{}

// route registers an operation. The action is decided before the request is read, and no error is answered that is not
// in event's table.
func route[In, Out any](a *API, e endpoint, do func(ctx context.Context, v visit, in *In) (Out, error)) {
	if e.action == "" {
		panic("serve: route " + e.id + " has no action")
	}
	register(a, e, a.decide(e), do)
}

// open registers an operation for somebody who is not known yet. A browser may use it only from Kith's own pages.
func open[In, Out any](a *API, e endpoint, do func(ctx context.Context, v visit, in *In) (Out, error)) {
	register(a, e, a.admit, do)
}

func register[In, Out any](a *API, e endpoint, first func(huma.Context, func(huma.Context)), do func(context.Context, visit, *In) (Out, error)) {
	op := huma.Operation{OperationID: e.id, Method: e.method, Path: apiPath + e.path, Summary: e.summary, DefaultStatus: e.status,
		Middlewares: huma.Middlewares{first}, BodyReadTimeout: a.o.BodyTimeout, Responses: a.responses(e)}
	if e.action != "" {
		op.Security = []map[string][]string{{"token": {}}, {"session": {}}}
		op.Extensions = map[string]any{"x-kith-action": string(e.action)}
	}
	call := func(ctx context.Context, in *In) (out Out, err error) {
		v := ctx.Value(visitKey{}).(visit)
		out, err = do(ctx, v, in)
		if err != nil {
			err = a.problem(v.w, v.r, err)
		}
		return out, err
	}
	switch any(*new(Out)).(type) {
	case nothing:
		huma.Register(a.huma, op, func(ctx context.Context, in *In) (*struct{}, error) {
			_, err := call(ctx, in)
			return nil, err
		})
	case stream:
		huma.Register(a.huma, op, func(ctx context.Context, in *In) (*huma.StreamResponse, error) {
			out, err := call(ctx, in)
			if err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: any(out).(stream)}, nil
		})
	default:
		type answer struct{ Body Out }
		huma.Register(a.huma, op, func(ctx context.Context, in *In) (*answer, error) {
			out, err := call(ctx, in)
			if err != nil {
				return nil, err
			}
			return &answer{out}, nil
		})
	}
}

// stream is the answer of a route that writes it itself.
type stream func(huma.Context)

// responses documents the error answer, and what the route says of its own answers.
func (a *API) responses(e endpoint) map[string]*huma.Response {
	all := map[string]*huma.Response{"default": {
		Description: "A refusal, with its reason.",
		Content:     map[string]*huma.MediaType{problemType: {Schema: problemSchema(a.huma.OpenAPI().Components.Schemas)}},
	}}
	for status, r := range e.responses {
		all[status] = r
	}
	return all
}

// decide asks the policy, and lets the request in with who sent it.
func (a *API) decide(e endpoint) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		who, err := a.o.Policy.Decide(govern.WithObject(r.Context(), e.id), govern.CredentialOf(r), e.action)
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		enter(ctx, visit{who: who, w: w, r: r}, next)
	}
}

func (a *API) admit(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	if (r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != "") && !govern.SameOrigin(r) {
		a.refuse(w, r, event.Errorf(event.Forbidden, "this can be done only from Kith's own pages"))
		return
	}
	enter(ctx, visit{w: w, r: r}, next)
}

func enter(ctx huma.Context, v visit, next func(huma.Context)) {
	next(&exchange{humaContext: huma.WithValue(ctx, visitKey{}, v)})
}

// exchange lets own choose the status of what huma refuses: huma knows other ones than event's table.
type exchange struct {
	humaContext
	status int // 0: huma's
}

type humaContext = huma.Context // under its own name the field would hide the method

// Unwrap is for humago.Unwrap.
func (e *exchange) Unwrap() huma.Context { return e.humaContext }

// SetStatus writes the status line.
func (e *exchange) SetStatus(status int) {
	if e.status != 0 {
		status = e.status
	}
	e.humaContext.SetStatus(status)
}

// unknown answers for paths that nobody has, and for methods that a path does not have.
func (a *API) unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		probe := &http.Request{Method: method, Host: r.Host, URL: r.URL}
		if _, pattern := a.mux.Handler(probe); pattern != "/api/" && pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		for _, method := range allowed {
			w.Header().Add("Allow", method)
		}
		a.refuse(w, r, event.Errorf(event.NotAllowed, "%s is not allowed on %s", r.Method, r.URL.Path))
		return
	}
	a.refuse(w, r, event.Errorf(event.NotFound, "there is nothing at %s", r.URL.Path).WithHint("%s/openapi.json lists what there is", apiPath))
}

func root() *url.URL { return &url.URL{Path: "/"} }
