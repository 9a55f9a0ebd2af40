package columns

import (
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"kith/event"
)

// Set collects rows of clean.events, column by column. It is made to be filled, written and emptied over and over: in
// the steady state nothing is allocated. A Set belongs to one goroutine at a time.
type Set struct {
	cells []cells // in the order of table
	rows  int
	bytes int

	schema     *schema.GroupNode
	properties *parquet.WriterProperties
	scratch    scratch
}

// New returns an empty Set.
func New() *Set {
	s := &Set{cells: make([]cells, len(table)), schema: fileSchema(), properties: properties()}
	for i := range table {
		s.cells[i] = table[i].value.cells()
	}
	return s
}

// Append adds a row. All that it keeps of e is copied.
func (s *Set) Append(e *event.Event) {
	for _, c := range s.cells {
		s.bytes += c.add(e, s.rows)
	}
	s.rows++
}

// Len returns the number of rows.
func (s *Set) Len() int { return s.rows }

// Bytes returns about how much memory the rows take.
func (s *Set) Bytes() int { return s.bytes }

// Reset takes all rows out.
func (s *Set) Reset() {
	for _, c := range s.cells {
		c.reset()
	}
	s.rows, s.bytes = 0, 0
}
