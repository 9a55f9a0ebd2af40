package serve_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kith/event"
	"kith/govern"
	"kith/serve"
)

func TestSQLPassesWhatWasAsked(t *testing.T) {
	w := newWorld(t)
	var got serve.SQLRequest
	var by govern.Principal
	w.sql = func(_ context.Context, who govern.Principal, q serve.SQLRequest, out serve.SQLAnswer) error {
		got, by = q, who
		out.Begin("7@100", "text/csv; charset=utf-8")
		_, err := io.WriteString(out, "n\n1\n")
		return err
	}
	analyst := bearer(w.token(govern.Analyst))
	r := w.send("POST", "/api/v1/sql", `{"query":"SELECT 'SECRET' AS n","format":"csv","as_of_seq":5,"after_seq":4,"timeout":"30s","max_rows":9}`, analyst...)
	w.want(r, 200, "n\n1\n")
	if r.Header.Get("Kith-View") != "7@100" || r.Header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("got %v", r.Header)
	}
	want := serve.SQLRequest{Query: "SELECT 'SECRET' AS n", Format: "csv", AsOfSeq: 5, AfterSeq: 4, Timeout: 30 * time.Second, MaxRows: 9}
	if got != want || by.Name != govern.Analyst || by.Kind != govern.Token {
		t.Errorf("got %+v by %+v", got, by)
	}
	w.want(w.send("POST", "/api/v1/sql", `{"query":"SELECT 1"}`, analyst...), 200)
	if got != (serve.SQLRequest{Query: "SELECT 1", Format: "json"}) {
		t.Errorf("got %+v", got)
	}
	w.want(w.send("GET", "/api/v1/audit", "", bearer(w.token(govern.Owner))...), 200, `"object":"sql","allowed":true,"detail":"SELECT 'SECRET' AS n"`)
	if strings.Contains(w.log.text(), "SECRET") {
		t.Error("the server's log has the query")
	}
}

func TestSQLThatFailsBeforeItBegins(t *testing.T) {
	w := newWorld(t)
	analyst := bearer(w.token(govern.Analyst))
	for _, c := range []struct {
		err    error
		status int
		words  string
	}{
		{event.Errorf(event.Invalid, "there is no table %q", "evnts").At("query", "").WithHint(`did you mean "events"?`), 400, "did you mean"},
		{event.Errorf(event.Resource, "the query needs more than 1 GB"), 422, "resource_exhausted"},
		{context.DeadlineExceeded, 504, "timed_out"},
		{errors.New("/secret/path is broken"), 500, "the log has it"},
		{nil, 500, "internal"},
	} {
		w.sql = func(context.Context, govern.Principal, serve.SQLRequest, serve.SQLAnswer) error { return c.err }
		r := w.send("POST", "/api/v1/sql", `{"query":"SELECT 1"}`, analyst...)
		w.want(r, c.status, c.words)
		if strings.Contains(r.body, "secret") {
			t.Errorf("an inner error is told: %s", r.body)
		}
	}
	if !strings.Contains(w.log.text(), "/secret/path is broken") {
		t.Error("the log does not say what went wrong")
	}
}

// TestSQLThatFailsOnTheWay: no client may take half an answer for a whole one.
func TestSQLThatFailsOnTheWay(t *testing.T) {
	w := newWorld(t)
	w.sql = func(_ context.Context, _ govern.Principal, _ serve.SQLRequest, out serve.SQLAnswer) error {
		out.Begin("7@100", "text/csv")
		if _, err := io.WriteString(out, strings.Repeat("a row\n", 1000)); err != nil {
			return err
		}
		return event.Errorf(event.Resource, "the query needs more than 1 GB")
	}
	ask := func(te string) (*http.Response, string, error) {
		r, err := http.NewRequestWithContext(t.Context(), "POST", w.server.URL+"/api/v1/sql", strings.NewReader(`{"query":"SELECT 1","format":"csv"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+w.token(govern.Analyst))
		if te != "" {
			r.Header.Set("TE", te)
		}
		answer, err := w.server.Client().Do(r)
		if err != nil {
			return nil, "", err // the connection broke before the header had gone
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		return answer, string(text), err
	}
	if _, text, err := ask(""); err == nil {
		t.Errorf("half an answer looks whole: %d bytes", len(text))
	}
	answer, text, err := ask("trailers")
	if err != nil || answer.StatusCode != 200 || len(text) != 6000 || !strings.Contains(answer.Trailer.Get("Kith-Error"), `"code":"resource_exhausted"`) {
		t.Errorf("got %v, %d bytes, trailer %v", err, len(text), answer.Trailer)
	}
	w.sql = func(_ context.Context, _ govern.Principal, _ serve.SQLRequest, out serve.SQLAnswer) error {
		out.Begin("7@100", "text/csv")
		return nil
	}
	if answer, _, err := ask("trailers"); err != nil || answer.Trailer.Get("Kith-Error") != "" {
		t.Errorf("a whole answer has an error: %v, %v", answer, err)
	}
}

func TestSQLEndsWithItsClient(t *testing.T) {
	w := newWorld(t)
	begun, ended := make(chan struct{}), make(chan error, 1)
	w.sql = func(ctx context.Context, _ govern.Principal, _ serve.SQLRequest, out serve.SQLAnswer) error {
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", w.server.URL+"/api/v1/sql", strings.NewReader(`{"query":"SELECT 1"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.token(govern.Analyst))
	go func() {
		<-begun
		leave()
	}()
	if _, err := w.server.Client().Do(r); err == nil {
		t.Error("an answer came")
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestSQLOutlivesTheBodysDeadline: the deadline for reading a body must not end a query that runs longer.
func TestSQLOutlivesTheBodysDeadline(t *testing.T) {
	w := newWorld(t, func(o *serve.Options) { o.BodyTimeout = 200 * time.Millisecond })
	w.sql = func(ctx context.Context, _ govern.Principal, _ serve.SQLRequest, out serve.SQLAnswer) error {
		long := time.NewTimer(300 * time.Millisecond)
		defer long.Stop()
		select {
		case <-long.C:
			out.Begin("7@100", "application/json")
			_, err := io.WriteString(out, "{}")
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.want(w.send("POST", "/api/v1/sql", `{"query":"SELECT 1"}`, bearer(w.token(govern.Analyst))...), 200, "{}")
}

// TestSQLIsNotRunUnaudited: a query whose text cannot be written down does not run.
func TestSQLIsNotRunUnaudited(t *testing.T) {
	w := newWorld(t)
	w.sql = func(context.Context, govern.Principal, serve.SQLRequest, serve.SQLAnswer) error {
		t.Error("the query ran")
		return nil
	}
	token := w.token(govern.Analyst)
	if err := w.policy.Close(); err != nil {
		t.Fatal(err)
	}
	w.want(w.send("POST", "/api/v1/sql", `{"query":"SELECT 1"}`, bearer(token)...), 503, "audit log")
}

func TestSQLStreams(t *testing.T) {
	w := newWorld(t)
	seen := make(chan struct{})
	w.sql = func(ctx context.Context, _ govern.Principal, _ serve.SQLRequest, out serve.SQLAnswer) error {
		out.Begin("7@100", "application/x-ndjson")
		for range 2000 { // more than the server's buffer
			if _, err := io.WriteString(out, `{"n":1}`+"\n"); err != nil {
				return err
			}
		}
		select { // the client must see rows before the last is made
		case <-seen:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", w.server.URL+"/api/v1/sql", strings.NewReader(`{"query":"SELECT 1","format":"ndjson"}`))
	r.RequestURI = ""
	r.Header.Set("Authorization", "Bearer "+w.token(govern.Analyst))
	answer, err := w.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.ReadFull(answer.Body, make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	close(seen)
	if rest, err := io.ReadAll(answer.Body); err != nil || len(rest) != 1999*8 {
		t.Errorf("%d bytes, %v", len(rest), err)
	}
}
