package query

import (
	"context"
	"slices"
	"strings"

	"kith/event"
)

// table is a name that a query may read.
type table struct{ schema, short, doc string }

func (t table) name() string { return t.schema + "." + t.short }

// tables are all of them, the most asked for first.
func tables() []table {
	return []table{
		{"clean", "events", "what happened, each event once"},
		{"clean", "quarantine", "what was refused, and why"},
		{"raw", "events", "every line as it was received, resends too"},
	}
}

func isTable(name string) bool {
	return slices.ContainsFunc(tables(), func(t table) bool { return t.name() == name })
}

func tableList() string {
	var names []string
	for _, t := range tables() {
		names = append(names, t.name())
	}
	return strings.Join(names, ", ")
}

// nearestTable is the table that name was probably meant to be: the same name in a schema, or one with a slip.
func nearestTable(name string) string {
	all := map[string]bool{}
	for _, t := range tables() {
		if t.short == name {
			return t.name()
		}
		all[t.name()] = true
	}
	return nearest(name, all)
}

// At says which state of the lake a query reads. The zero value is now.
type At struct {
	Seq      event.Seq // as it was when this event had arrived, and none after it
	Snapshot int64     // as it was in this snapshot of the lake
}

func (a At) isZero() bool { return a == At{} }

// Want is what a query needs of a Source. Only the tables that it names are wanted.
type Want struct {
	At
	AfterSeq                event.Seq // this event must be visible; 0 is whatever was acknowledged before the query
	Events, Raw, Quarantine bool
}

// Source gives a query its files. The lake is one.
type Source interface {
	// Tables pins what want names until Release is called. It waits for what has to be visible, as long as ctx
	// allows. An AS OF that cannot be served is an *event.Error.
	Tables(ctx context.Context, want Want) (*Tables, error)
}

// Tables is the pinned state that a query reads.
type Tables struct {
	View     string    // its name in the answer, as the lake gives it
	Snapshot int64     // 0 is none
	Upto     event.Seq // the last event that is visible

	// Through leaves out the rows with a greater seq, in all tables; 0 leaves out none. Files that hold only
	// such rows need not be given.
	Through event.Seq

	Columns    []Column // of clean.events, always
	Events     []string // Parquet files of clean.events; absolute paths
	Segments   []Segment
	Quarantine func(yield func(Refusal) error) error // calls yield for each row; stops at its error

	// Damaged looks for a file that is not as it was written, after a query could not read one that DuckDB did not name.
	// Its event.Corrupt error has the path. May be nil.
	Damaged func(ctx context.Context) error

	Release func() // may be nil
}

// Column is a column of clean.events. ID is the Parquet field id, which a rename keeps.
type Column struct {
	ID   int
	Name string
	Type string // as Iceberg names it: long, int, string, double, boolean, timestamptz, date, decimal(18,4)
}

// Segment is a file of the journal: frames of zstd that hold a JSON object a line.
type Segment struct {
	Path  string
	Bytes int64 // how much of it is durable; 0 is all, which a sealed file is
}

// Refusal is a row of clean.quarantine.
type Refusal struct {
	Seq                            event.Seq
	ReceivedAt                     int64 // microseconds since 1970 UTC
	Source, Reason, Place, Message string
}
