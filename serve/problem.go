package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"kith/event"
	"kith/govern"
)

const problemType = "application/problem+json"

// Problem is the body of a refusal (RFC 9457). The members of the first error stand at the top; where there are more,
// errors has all.
type Problem struct {
	Title     string         `json:"title" doc:"What the status means."`
	Status    int            `json:"status"`
	Code      event.Code     `json:"code" doc:"What sort of thing went wrong; the list does not change."`
	Detail    string         `json:"detail" doc:"For the person who can do something about it."`
	Place     *event.Place   `json:"place,omitempty" doc:"Where, as far as it is known."`
	Hint      string         `json:"hint,omitempty" doc:"What to do."`
	RequestID string         `json:"request_id,omitempty" doc:"What the server's log calls this request."`
	Errors    []*event.Error `json:"errors,omitempty" doc:"All that is wrong, where it is more than one thing."`
}

var _ huma.StatusError = (*Problem)(nil)

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is for huma.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is for huma.
func (p *Problem) ContentType(string) string { return problemType }

func problemSchema(registry huma.Registry) *huma.Schema {
	return registry.Schema(reflect.TypeFor[Problem](), true, "Problem")
}

// newProblem makes the problem of errors, of which there is at least one.
func newProblem(all []*event.Error, status int, id string) *Problem {
	first := all[0]
	p := &Problem{Title: http.StatusText(status), Status: status, Code: first.Code, Detail: first.Message, Hint: first.Hint, RequestID: id}
	if status == event.Canceled.HTTP() {
		p.Title = "Client Closed Request"
	}
	if first.Place != (event.Place{}) {
		p.Place = &first.Place
	}
	if len(all) > 1 {
		p.Errors = all
	}
	return p
}

// problem makes the answer to an error that a handler returned, and logs what the answer does not tell.
func (a *API) problem(w http.ResponseWriter, r *http.Request, err error) *Problem {
	code := event.CodeOf(err)
	p := newProblem(event.Errors(err), code.HTTP(), requestID(r.Context()))
	switch code {
	case event.Internal, event.Corrupt, event.Unavailable:
		a.o.Log.ErrorContext(r.Context(), "request failed", "request", p.RequestID, "path", r.URL.Path, "code", code, "error", err, "cause", causes(err))
	case event.Unauthenticated:
		w.Header().Set("WWW-Authenticate", `Bearer realm="kith"`)
	}
	if locked := (*govern.Locked)(nil); errors.As(err, &locked) {
		seconds := int(locked.Until.Sub(a.o.Now()).Seconds()) + 1
		w.Header().Set("Retry-After", strconv.Itoa(max(seconds, 1)))
	}
	return p
}

// causes are what an event.Error keeps from those outside.
func causes(err error) string {
	var all []string
	for _, e := range event.Errors(err) {
		if e.Err != nil {
			all = append(all, e.Err.Error())
		}
	}
	return strings.Join(all, "; ")
}

// refuse answers an error outside of huma's routes.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := a.problem(w, r, err)
	w.Header().Set("Content-Type", problemType)
	w.Header().Del("Content-Length")
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(p) // the client has gone
	}
}

// own turns what huma itself refuses, such as a body of another shape, into a Problem with our status.
func own(ctx huma.Context, _ string, answer any) (any, error) {
	model, refused := answer.(*huma.ErrorModel)
	if !refused {
		return answer, nil
	}
	code, status := codeOf(model.Status)
	var all []*event.Error
	for _, d := range model.Errors {
		all = append(all, &event.Error{Code: code, Message: d.Message, Place: placeOf(d)})
	}
	if len(all) == 0 {
		all = []*event.Error{{Code: code, Message: model.Detail}}
	}
	if x, ok := ctx.(*exchange); ok {
		x.status = status
	}
	return newProblem(all, status, requestID(ctx.Context())), nil
}

// codeOf translates the statuses that huma refuses with.
func codeOf(status int) (event.Code, int) {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return event.TooLarge, status
	case http.StatusRequestTimeout: // the client was slow, not we: no 504
		return event.TimedOut, status
	case http.StatusUnsupportedMediaType, http.StatusNotAcceptable:
		return event.Invalid, status
	case http.StatusInternalServerError: // it says so when the body cannot be read: the client has gone
		return event.Canceled, event.Canceled.HTTP()
	}
	return event.Invalid, event.Invalid.HTTP()
}

// placeOf says where huma found something. What stood there is told only where it is short, plain and no secret.
func placeOf(d *huma.ErrorDetail) event.Place {
	path := d.Location
	for _, prefix := range []string{"body.", "query.", "path."} {
		path = strings.TrimPrefix(path, prefix)
	}
	e := event.Error{}
	e.At(path, "")
	switch d.Value.(type) {
	case string, bool, float64, int, int64:
		if d.Location != "body" && !secret(path) {
			e.At(path, fmt.Sprint(d.Value))
		}
	}
	return e.Place
}

func secret(path string) bool {
	for _, word := range []string{"password", "token", "secret", "key"} {
		if strings.Contains(strings.ToLower(path), word) {
			return true
		}
	}
	return false
}
