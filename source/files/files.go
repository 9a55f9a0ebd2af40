// Package files reads CSV and Parquet files as events: a Mapping says what each column is, a Reader gives one event as
// JSON for each row, in the form of the native door.
package files

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"kith/event"
)

// Row is one row of a file.
type Row struct {
	Number int64  // counted from 1, without the header
	Line   int    // where it begins in the file; 0 where the format has no lines
	Event  []byte // JSON; valid until the next call
	Bad    error  // why the row cannot be read; Event then holds what it says and the text, for quarantine
}

// Reader gives the rows of one file in order, at the end io.EOF.
type Reader interface {
	Next() (Row, error)
	Progress() (done, total int64) // bytes or rows, whichever the format knows
	Close() error
}

// table is a format: rows of cells under named columns.
type table interface {
	columns() []string
	// next returns the cells of the next row; they are valid until it is called again. A *rowError is one bad row,
	// any other error the end.
	next() ([]cell, int, error)
	progress() (done, total int64)
	close() error
}

// rowError is one row that cannot be read.
type rowError struct {
	line int
	text string
	err  *event.Error
}

func (e *rowError) Error() string { return e.err.Error() }

// Open opens the file as its ending says, .csv, .tsv or .parquet, and checks that the mapping names columns it has.
func Open(path string, m *Mapping) (Reader, error) {
	open := openCSV
	switch ending := strings.ToLower(filepath.Ext(path)); ending {
	case ".csv", ".tsv", ".txt":
	case ".parquet":
		open = openParquet
	default:
		return nil, (&event.Error{Code: event.Invalid, Message: fmt.Sprintf("cannot import a file that ends in %q", ending), Place: event.Place{File: path}}).
			WithHint("CSV (.csv, .tsv, .txt) and Parquet (.parquet) can be imported")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, &event.Error{Code: event.NotFound, Message: "cannot be opened: " + reason(err), Place: event.Place{File: path}, Err: err}
	}
	t, err := open(file, m)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	e, err := newEncoder(m, t.columns())
	if err != nil {
		t.close()
		return nil, err
	}
	return &reader{table: t, encoder: e}, nil
}

// reason is why the system refused a path, without the path: the error's place has that.
func reason(err error) string {
	if path := (*os.PathError)(nil); errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

type reader struct {
	table
	*encoder
	rows int64
}

func (r *reader) Next() (Row, error) {
	cells, line, err := r.table.next()
	if err == io.EOF {
		return Row{}, io.EOF
	}
	bad, isBad := err.(*rowError)
	if err != nil && !isBad {
		return Row{}, err
	}
	r.rows++
	if isBad {
		return Row{r.rows, bad.line, r.encoder.bad(r.rows, bad), bad.err}, nil
	}
	return Row{Number: r.rows, Line: line, Event: r.encoder.encode(r.rows, cells)}, nil
}

func (r *reader) Progress() (done, total int64) { return r.table.progress() }
func (r *reader) Close() error                  { return r.table.close() }
