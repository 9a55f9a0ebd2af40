package duck

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"kith/event"
)

// Format is how an answer is written.
type Format string

// The formats. In all of them NULL, numbers, times and nested values follow appendText and appendJSON.
const (
	JSON    Format = "json"    // {"columns":[{"name","type"}],"rows":[[…],…],"row_count":n,"elapsed_ms":n}
	NDJSON  Format = "ndjson"  // an object a row and line
	CSV     Format = "csv"     // RFC 4180 with a header line and \n; NULL is nothing, an empty text is ""
	Arrow   Format = "arrow"   // an Arrow IPC stream
	Parquet Format = "parquet" // one file, zstd
)

// Known reports whether f is one of them.
func (f Format) Known() bool { return slices.Contains(Formats(), f) }

// Formats lists them.
func Formats() []Format { return []Format{JSON, NDJSON, CSV, Arrow, Parquet} }

// ContentType is the media type of the format; of an unknown one, that of mere bytes.
func (f Format) ContentType() string {
	switch f {
	case JSON:
		return "application/json"
	case NDJSON:
		return "application/x-ndjson"
	case CSV:
		return "text/csv; charset=utf-8"
	case Arrow:
		return "application/vnd.apache.arrow.stream"
	case Parquet:
		return "application/vnd.apache.parquet"
	}
	return "application/octet-stream"
}

// Column is one column of an answer. Names are made distinct: a second "n" is "n_2".
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"` // as SQL writes it: "DECIMAL(18,4)"
}

func columnsOf(s *statement) ([]Column, error) {
	columns := make([]Column, len(s.types))
	taken := make(map[string]bool, len(s.types))
	for i, t := range s.types {
		name := s.names[i]
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", s.names[i], n)
		}
		taken[name] = true
		columns[i] = Column{Name: name, Type: t.String()}
		if !t.supported() {
			return nil, &Failure{Code: event.Invalid, Position: -1,
				Message: fmt.Sprintf("column %q has the type %s, which cannot be given out", name, t),
				Hint:    fmt.Sprintf("cast it: %q::VARCHAR", name)}
		}
	}
	return columns, nil
}

// encoder writes an answer in one format.
type encoder interface {
	chunk(r *rows) error
	end(rows int64, elapsedMillis float64) error
}

func newEncoder(job Job, columns []Column, types []*logical, out *output) (encoder, error) {
	switch job.Format {
	case JSON:
		return newJSONEncoder(job.Head, columns, out), nil
	case NDJSON:
		return newLineEncoder(columns, out), nil
	case CSV:
		return newCSVEncoder(columns, out), nil
	case Arrow:
		return newArrowEncoder(columns, types, out), nil
	}
	return newParquetEncoder(columns, types, out)
}

func formatList() string {
	var names []string
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// pieceSize is when a piece of an answer is sent: the pipe's own size, so that the reader sets the pace.
const pieceSize = 64 << 10

// output gathers an answer and sends it in pieces. A piece ends where a row ends unless the row is over 1 MB.
type output struct {
	w     io.Writer
	buf   []byte
	sent  int64
	limit int64
}

// row is called after each row that was put into buf.
func (o *output) row() error {
	if len(o.buf) < pieceSize {
		return nil
	}
	return o.flush()
}

func (o *output) flush() error {
	if o.sent += int64(len(o.buf)); o.limit > 0 && o.sent > o.limit {
		return &Failure{Code: event.Resource, Position: -1,
			Message: fmt.Sprintf("the answer is larger than the limit of %d bytes", o.limit),
			Hint:    "select fewer columns or rows, aggregate, or ask for a higher limit"}
	}
	for rest := o.buf; len(rest) > 0; {
		n := min(len(rest), 1<<20)
		if err := writeFrame(o.w, frameData, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if o.buf = o.buf[:0]; cap(o.buf) > 4<<20 {
		o.buf = nil
	}
	return nil
}

// Write is for encoders that write binary pieces of their own.
func (o *output) Write(p []byte) (int, error) {
	o.buf = append(o.buf, p...)
	return len(p), o.row()
}
