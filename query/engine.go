// Package query answers SQL over the lake. A query only reads; it is judged by the tree that DuckDB's own parser
// makes of it, against a closed grammar, and then run as it stands in a locked process that sees the files of the
// tables it names and nothing else.
package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"kith/event"
	"kith/internal/duck"
)

// maxText is the longest query in bytes.
const maxText = 1 << 20

// maxParse is how long the parser may take. A query of a person takes under a millisecond; some that are made to harm
// take minutes.
const maxParse = 2 * time.Second

// Pool lends processes that run DuckDB. *duck.Pool is one.
type Pool interface {
	Session(ctx context.Context) (*duck.Session, error)
}

// Limits bound a query; 0 is the engine's own limit.
type Limits struct {
	Time  time.Duration // from the call to the last byte taken, waiting included
	Rows  int64
	Bytes int64 // of the answer as it is written
}

// Options are an engine's. Its limits are what a request has unless it asks for less.
type Options struct {
	Pool   Pool
	Source Source
	Limits Limits // 60 s, 10 million rows, 1 GiB
}

// Engine answers queries. It is safe for many goroutines.
type Engine struct {
	o       Options
	grammar *grammar
}

// New makes an engine.
func New(o Options) *Engine {
	o.Limits = o.Limits.or(Limits{Time: time.Minute, Rows: 10_000_000, Bytes: 1 << 30})
	return &Engine{o: o, grammar: newGrammar()}
}

// or fills what is not set.
func (l Limits) or(d Limits) Limits {
	if l.Time <= 0 {
		l.Time = d.Time
	}
	if l.Rows <= 0 {
		l.Rows = d.Rows
	}
	if l.Bytes <= 0 {
		l.Bytes = d.Bytes
	}
	return l
}

// within is what l asks for, and no more than most.
func (l Limits) within(most Limits) Limits {
	l = l.or(most)
	return Limits{Time: min(l.Time, most.Time), Rows: min(l.Rows, most.Rows), Bytes: min(l.Bytes, most.Bytes)}
}

// Request is one query.
type Request struct {
	SQL      string
	Format   duck.Format // JSON if empty
	At                   // the same can be said in SQL: AS OF SEQ n, AS OF SNAPSHOT n
	AfterSeq event.Seq   // wait until this event is visible; 0 is all that was acknowledged before the call
	Limits   Limits
}

// Header is what is known before the first row.
type Header struct {
	View     string // the name of the state that was read; empty where no table is
	Snapshot int64
	Upto     event.Seq
	Files    int // that may be read
	Format   duck.Format
	Columns  []duck.Column
}

// Answer takes what a query gives. Begin is called once, before the first Write; where a query fails before it has
// given much, it is not called at all. A Write that blocks holds the query and its process: a door sets a deadline.
type Answer interface {
	Begin(Header) error
	io.Writer
}

// Summary is what is known after the last row.
type Summary struct {
	Header
	Rows    int64
	Bytes   int64
	Elapsed time.Duration // all of it
	Running time.Duration // of that, in DuckDB
	Peak    int64         // memory of the process that ran it, in bytes
}

// Run answers r. Errors are *event.Error where there is something to say. When Begin was called before the error, JSON
// and NDJSON end in an "error" member or line; the other formats cannot say it, and the door has to cut the
// connection.
func (e *Engine) Run(ctx context.Context, r Request, answer Answer) (Summary, error) {
	began := time.Now()
	limits := r.Limits.within(e.o.Limits)
	limit := event.Errorf(event.TimedOut, "the query ran longer than its limit of %s", limits.Time).
		WithHint("read fewer days or columns, aggregate, or ask for a higher limit")
	ctx, cancel := context.WithTimeoutCause(ctx, limits.Time, limit)
	defer cancel()
	if r.Format == "" {
		r.Format = duck.JSON
	}
	text, at, err := check(r)
	if err != nil {
		return Summary{}, err
	}
	session, err := e.o.Pool.Session(ctx)
	if err != nil {
		return Summary{}, err
	}
	defer session.Close()
	out := &delivery{to: answer, header: Header{Format: r.Format}}
	done, err := e.run(ctx, session, task{text: text, want: Want{At: at, AfterSeq: r.AfterSeq}, limits: limits}, out)
	if err != nil {
		return Summary{Header: out.header}, out.fail(err)
	}
	if err := out.flush(); err != nil {
		return Summary{Header: out.header}, err
	}
	return Summary{Header: out.header, Rows: done.Rows, Bytes: done.Bytes, Elapsed: time.Since(began), Running: done.Elapsed, Peak: done.Peak}, nil
}

// check is what can be said about a request without a parser. It returns the text to parse and run.
func check(r Request) (string, At, error) {
	switch {
	case len(r.SQL) > maxText:
		return "", At{}, event.Errorf(event.TooLarge, "the query has %d bytes; the limit is %d", len(r.SQL), maxText)
	case !utf8.ValidString(r.SQL) || strings.ContainsRune(r.SQL, 0):
		return "", At{}, event.Errorf(event.Usage, "the query is not UTF-8 text")
	case !r.Format.Known():
		return "", At{}, event.Errorf(event.Usage, "there is no format %q", r.Format).WithHint("formats: %v", duck.Formats())
	}
	text, said, err := cutAsOf(r.SQL)
	if err != nil {
		return "", At{}, err
	}
	at, err := agree(said, r.At)
	return text, at, err
}

// task is a query on its way.
type task struct {
	text   string
	want   Want
	limits Limits
}

func (e *Engine) run(ctx context.Context, session *duck.Session, t task, out *delivery) (duck.Done, error) {
	p, err := e.judge(ctx, session, t.text)
	if err != nil {
		return duck.Done{}, err
	}
	job := duck.Job{Query: t.text, Format: out.header.Format, MaxRows: t.limits.Rows, MaxBytes: t.limits.Bytes}
	var search func(context.Context) error
	switch {
	case p.listTables:
		job.Query = listTables()
	case len(p.uses) > 0:
		pinned, err := e.pin(ctx, p, t.want)
		if err != nil {
			return duck.Done{}, err
		}
		if pinned.Release != nil {
			defer pinned.Release()
		}
		if job.Views, job.Paths, err = prepare(p, pinned, session.Folder); err != nil {
			return duck.Done{}, err
		}
		out.header.View, out.header.Snapshot, out.header.Upto = pinned.View, pinned.Snapshot, pinned.Upto
		out.header.Files = len(job.Paths)
		search = pinned.Damaged
	}
	if job.Head, err = head(out.header); err != nil {
		return duck.Done{}, err
	}
	done, err := session.Run(ctx, job, out)
	return done, named(ctx, explain(err, t.text, job.Paths), search)
}

// judge parses text and says what it reads, or why it may not run.
func (e *Engine) judge(ctx context.Context, session *duck.Session, text string) (plan, error) {
	limit := event.Errorf(event.Resource, "the query took longer than %s to parse", maxParse).WithHint("nest it less")
	ctx, cancel := context.WithTimeoutCause(ctx, maxParse, limit)
	defer cancel()
	tree, err := session.Parse(ctx, text)
	if err != nil {
		return plan{}, explain(err, text, nil)
	}
	return e.grammar.validate(text, tree)
}

func (e *Engine) pin(ctx context.Context, p plan, want Want) (*Tables, error) {
	for _, name := range p.uses {
		switch name {
		case "clean.events":
			want.Events = true
		case "clean.quarantine":
			want.Quarantine = true
		case "raw.events":
			want.Raw = true
		}
	}
	pinned, err := e.o.Source.Tables(ctx, want)
	if err != nil && ctx.Err() != nil {
		if limit := (*event.Error)(nil); errors.As(context.Cause(ctx), &limit) {
			return nil, limit
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the tables: %w", err)
	}
	return pinned, nil
}

// head is what stands first in an answer in JSON.
func head(h Header) (json.RawMessage, error) {
	if h.View == "" {
		return nil, nil
	}
	return json.Marshal(struct {
		View     string    `json:"view"`
		Snapshot int64     `json:"snapshot,omitempty"`
		Upto     event.Seq `json:"upto"`
		Files    int       `json:"files"`
	}{h.View, h.Snapshot, h.Upto, h.Files})
}

// listTables answers SHOW TABLES.
func listTables() string {
	var rows []string
	for _, t := range tables() {
		rows = append(rows, fmt.Sprintf("(%s, %s, %s)", quote(t.schema), quote(t.short), quote(t.doc)))
	}
	return "SELECT * FROM (VALUES " + strings.Join(rows, ", ") + `) AS t("schema", "table", "holds")`
}
