package duck

import (
	"encoding/json"
	"strings"
	"time"
)

// Job is one query for a child. Nothing in it is checked there: whoever makes a Job has decided that the query may
// run. What it can reach is bounded by the lock all the same.
type Job struct {
	Views    []View          `json:"views,omitempty"`
	Paths    []string        `json:"paths,omitempty"` // the files that may be read; absolute
	Query    string          `json:"query"`           // one statement
	Format   Format          `json:"format"`
	Head     json.RawMessage `json:"head,omitempty"` // of JSON: an object whose members come first in the answer
	MaxRows  int64           `json:"max_rows"`       // 0 is no limit
	MaxBytes int64           `json:"max_bytes"`      // of the answer as it is written; 0 is no limit
}

// View is a name that a query finds, and the SQL behind it. Schema is raw, clean or curated.
type View struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
	SQL    string `json:"sql"`
}

func (v View) statement() string {
	return "CREATE VIEW kith." + identifier(v.Schema) + "." + identifier(v.Name) + " AS " + v.SQL
}

func identifier(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// Done is what a complete answer was.
type Done struct {
	Rows    int64
	Bytes   int64         // as written
	Elapsed time.Duration // in the child, from the opening of DuckDB to the last row
	Peak    int64         // resident memory of the child at its highest, in bytes; 0 is unknown
}

// Sink takes an answer as it is made. It sets the pace: while it takes nothing, the child waits.
type Sink interface {
	Columns([]Column) error // once, before the first Write
	Write([]byte) (int, error)
}
