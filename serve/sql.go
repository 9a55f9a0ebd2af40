package serve

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"kith/event"
	"kith/govern"
)

// SQL runs governed queries; package query has it.
type SQL interface {
	// Run runs one query for the principal and writes its answer to out. It calls out.Begin before the first Write, and
	// ends soon after ctx does. An error before Begin is answered as a problem, one after it breaks the answer off.
	Run(ctx context.Context, who govern.Principal, q SQLRequest, out SQLAnswer) error
}

// SQLAnswer takes the answer of a query as it is made.
type SQLAnswer interface {
	// Begin says in which view the query runs (snapshot@seq) and what its answer is.
	Begin(view, contentType string)
	Write(p []byte) (int, error)
}

// SQLRequest is one query.
type SQLRequest struct {
	Query        string
	Format       string        // json, ndjson, csv, arrow, parquet
	AsOfSeq      event.Seq     // see nothing that was received after this seq; 0 is now
	AsOfSnapshot int64         // see this Iceberg snapshot; 0 is now
	AfterSeq     event.Seq     // wait until this seq can be seen; 0 waits for what was received before the query
	Timeout      time.Duration // 0 is the server's own limit
	MaxRows      int64         // 0 is no limit
}

type sqlAsked struct {
	Body struct {
		Query        string    `json:"query" minLength:"1" doc:"One SELECT statement."`
		Format       string    `json:"format,omitempty" enum:"json,ndjson,csv,arrow,parquet" default:"json"`
		AsOfSeq      event.Seq `json:"as_of_seq,omitempty" minimum:"0" doc:"See it as it was when this seq had arrived: nothing after it."`
		AsOfSnapshot int64     `json:"as_of_snapshot,omitempty" minimum:"0" doc:"See this Iceberg snapshot."`
		AfterSeq     event.Seq `json:"after_seq,omitempty" minimum:"0" doc:"Wait until this seq can be seen."`
		Timeout      string    `json:"timeout,omitempty" doc:"Such as 30s; at most the server's own limit."`
		MaxRows      int64     `json:"max_rows,omitempty" minimum:"0" doc:"A longer answer is an error."`
	}
}

func (in *sqlAsked) request() (q SQLRequest, err error) {
	b := &in.Body
	q = SQLRequest{Query: b.Query, Format: b.Format, AsOfSeq: b.AsOfSeq, AsOfSnapshot: b.AsOfSnapshot, AfterSeq: b.AfterSeq, MaxRows: b.MaxRows}
	if b.AsOfSeq != 0 && b.AsOfSnapshot != 0 {
		return q, event.Errorf(event.Invalid, "as_of_seq and as_of_snapshot exclude each other").At("as_of_snapshot", "")
	}
	if b.Timeout != "" {
		if q.Timeout, err = time.ParseDuration(b.Timeout); err != nil || q.Timeout <= 0 {
			return q, event.Errorf(event.Invalid, "must be a duration above 0").At("timeout", b.Timeout).WithHint(`such as "500ms" or "30s"`)
		}
	}
	return q, nil
}

// querying is the route of SQL. A query whose text the audit log does not take is not run.
//
// The answer streams. When a query fails after the answer has begun, the status is long gone, so the answer is broken
// off: the connection is closed in the middle of the chunked body, which every client reports, and no half answer is
// taken for a whole one. A client that sends "TE: trailers" gets instead the end of the body and the trailer
// Kith-Error, which holds the problem as JSON and is absent after a whole answer.
func (a *API) querying() {
	text := map[string]*huma.MediaType{}
	for _, kind := range []string{"application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"} {
		text[kind] = &huma.MediaType{}
	}
	answers := map[string]*huma.Response{"200": {
		Description: "The rows, streamed. If the query fails on the way the body breaks off, or, for a client that sends TE: trailers, " +
			"ends with the trailer Kith-Error.",
		Content: text,
		Headers: map[string]*huma.Param{"Kith-View": {Description: "What the query saw: snapshot@seq.", Schema: &huma.Schema{Type: "string"}}},
	}}
	route(a, endpoint{id: "run-sql", method: "POST", path: "/sql", action: govern.ReadSQL, responses: answers, summary: "Runs one query."},
		func(ctx context.Context, v visit, in *sqlAsked) (stream, error) {
			q, err := in.request()
			if err != nil {
				return nil, err
			}
			if err := a.o.Policy.Record(ctx, v.who, govern.ReadSQL, "sql", q.Query); err != nil {
				return nil, err
			}
			return func(huma.Context) { a.runSQL(ctx, v, q) }, nil
		})
}

func (a *API) runSQL(ctx context.Context, v visit, q SQLRequest) {
	out := &sqlStream{w: v.w, control: http.NewResponseController(v.w), trailers: takesTrailers(v.r)}
	err := a.o.SQL.Run(ctx, v.who, q, out)
	out.extend()
	switch {
	case err == nil && !out.begun:
		a.refuse(v.w, v.r, event.Errorf(event.Internal, "the query gave no answer"))
	case err == nil:
	case !out.begun:
		a.refuse(v.w, v.r, err)
	case out.trailers:
		p := a.problem(v.w, v.r, err)
		text, _ := json.Marshal(p) // of plain strings and numbers
		v.w.Header().Set(errorTrailer, string(text))
	default:
		a.problem(v.w, v.r, err) // for the log
		panic(http.ErrAbortHandler)
	}
}

const errorTrailer = "Kith-Error"

func takesTrailers(r *http.Request) bool {
	for _, value := range r.Header.Values("TE") {
		if strings.Contains(strings.ToLower(value), "trailers") {
			return true
		}
	}
	return false
}

// sqlStream writes an answer to the client. The client has pieceTimeout for each piece: who stops reading must not hold a
// query for ever.
type sqlStream struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	trailers bool
	begun    bool
}

func (s *sqlStream) Begin(view, contentType string) {
	if s.begun {
		return
	}
	s.begun = true
	header := s.w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Kith-View", view)
	if s.trailers {
		header.Set("Trailer", errorTrailer)
	}
	s.extend()
	s.w.WriteHeader(http.StatusOK)
}

func (s *sqlStream) Write(p []byte) (int, error) {
	if !s.begun {
		return 0, event.Errorf(event.Internal, "an answer was written before it was begun")
	}
	s.extend()
	return s.w.Write(p)
}

// extend fails on a writer without deadlines, such as a test's, which needs none.
func (s *sqlStream) extend() { _ = s.control.SetWriteDeadline(time.Now().Add(pieceTimeout)) }
