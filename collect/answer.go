package collect

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"kith/event"
)

// retryAfter is how many seconds a sender is asked to wait before the same request may succeed.
const retryAfter = 5

// refuse answers a request that failed. What is Kith's own fault goes into the log, and not to the sender.
func (c *Collector) refuse(w http.ResponseWriter, r *http.Request, d *door, err error) {
	e := event.Errors(err)[0]
	switch e.Code {
	case event.Internal, event.Corrupt:
		c.log.ErrorContext(r.Context(), "events were not taken", "door", d.name, "error", err)
	case event.Unauthenticated:
		w.Header().Set("WWW-Authenticate", `Bearer realm="kith"`)
	}
	if e.Code.Retry() {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	d.refuse(w, e)
}

// problem is an error as RFC 9457 has it, with Kith's members.
type problem struct {
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Code   event.Code   `json:"code"`
	Detail string       `json:"detail"`
	Place  *event.Place `json:"place,omitempty"`
	Hint   string       `json:"hint,omitempty"`
}

func refuseProblem(w http.ResponseWriter, e *event.Error) {
	p := problem{Title: title(e.Code), Status: e.Code.HTTP(), Code: e.Code, Detail: e.Message, Hint: e.Hint}
	if e.Place != (event.Place{}) {
		p.Place = &e.Place
	}
	var body bytes.Buffer
	text := json.NewEncoder(&body)
	text.SetEscapeHTML(false)
	_ = text.Encode(p) // it has only strings and numbers
	write(w, p.Status, "application/problem+json", body.Bytes())
}

// title is the same for every problem of a code.
func title(code event.Code) string {
	if text := http.StatusText(code.HTTP()); text != "" {
		return text
	}
	return "Canceled"
}

func write(w http.ResponseWriter, status int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // nobody is left to tell
}
