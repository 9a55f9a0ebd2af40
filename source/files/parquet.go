package files

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"kith/event"
)

// batchRows is how many rows are decoded at once; it bounds the memory of a file of any size.
const batchRows = 4096

// parquetTable reads a Parquet file batch by batch.
type parquetTable struct {
	file  *file.Reader
	read  pqarrow.RecordReader
	names []string
	zone  *time.Location
	batch arrow.RecordBatch
	row   int
	done  int64
	cells []cell
	text  []byte
}

func openParquet(f *os.File, m *Mapping) (table, error) {
	zone, err := time.LoadLocation(m.Zone)
	if err != nil {
		return nil, fmt.Errorf("load zone %s: %w", m.Zone, err)
	}
	r, err := file.NewParquetReader(f, file.WithReadProps(parquet.NewReaderProperties(memory.DefaultAllocator)))
	if err != nil {
		return nil, event.Errorf(event.Invalid, "this is not a Parquet file: %w", err)
	}
	arrows, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{BatchSize: batchRows}, memory.DefaultAllocator)
	if err != nil {
		return nil, event.Errorf(event.Invalid, "this Parquet file cannot be read: %w", err)
	}
	read, err := arrows.GetRecordReader(context.Background(), nil, nil)
	if err != nil {
		return nil, event.Errorf(event.Invalid, "this Parquet file cannot be read: %w", err)
	}
	t := &parquetTable{file: r, read: read, zone: zone}
	for _, field := range read.Schema().Fields() {
		t.names = append(t.names, field.Name)
	}
	t.cells = make([]cell, len(t.names))
	return t, nil
}

func (t *parquetTable) columns() []string { return t.names }

func (t *parquetTable) next() ([]cell, int, error) {
	for t.batch == nil || t.row == int(t.batch.NumRows()) {
		if !t.read.Next() {
			if err := t.read.Err(); err != nil && err != io.EOF {
				return nil, 0, &event.Error{Code: event.Invalid, Message: fmt.Sprintf("the file is damaged after row %d", t.done), Err: err}
			}
			return nil, 0, io.EOF
		}
		t.batch, t.row = t.read.RecordBatch(), 0
	}
	t.text = t.text[:0]
	for i := range t.cells {
		t.cells[i] = t.cell(t.batch.Column(i), t.row)
	}
	t.row++
	t.done++
	return t.cells, 0, nil
}

// cell writes one value into the row's text. Numbers keep all their digits, instants become RFC 3339; a time without a
// zone is in the mapping's.
func (t *parquetTable) cell(a arrow.Array, i int) cell {
	if a.IsNull(i) {
		return cell{}
	}
	start, k := len(t.text), literal
	switch a := a.(type) {
	case *array.String:
		t.text, k = append(t.text, a.Value(i)...), isText
	case *array.LargeString:
		t.text, k = append(t.text, a.Value(i)...), isText
	case *array.Binary:
		t.text, k = append(t.text, a.Value(i)...), isText
	case *array.Boolean:
		t.text = strconv.AppendBool(t.text, a.Value(i))
	case *array.Int64:
		t.text = strconv.AppendInt(t.text, a.Value(i), 10)
	case *array.Int32:
		t.text = strconv.AppendInt(t.text, int64(a.Value(i)), 10)
	case *array.Int16, *array.Int8, *array.Uint8, *array.Uint16, *array.Uint32, *array.Uint64, *array.Decimal128, *array.Decimal256:
		t.text = append(t.text, a.ValueStr(i)...)
	case *array.Float64:
		t.text = float(t.text, a.Value(i), 64)
	case *array.Float32:
		t.text = float(t.text, float64(a.Value(i)), 32)
	case *array.Timestamp:
		t.text, k = t.instant(a, i), isTime
	case *array.Date32:
		t.text, k = t.wall(a.Value(i).ToTime()), isTime
	default:
		value, err := json.Marshal(a.GetOneForMarshal(i))
		if err != nil {
			value = strconv.AppendQuote(nil, a.ValueStr(i))
		}
		t.text = append(t.text, value...)
	}
	if text := t.text[start:]; k == literal && len(text) > 0 && (text[len(text)-1] == 'N' || text[len(text)-1] == 'f') {
		return cell{isText, text} // NaN and Inf are no JSON numbers
	}
	return cell{k, t.text[start:len(t.text):len(t.text)]}
}

func (t *parquetTable) instant(a *array.Timestamp, i int) []byte {
	unit := a.DataType().(*arrow.TimestampType)
	at := a.Value(i).ToTime(unit.Unit)
	if unit.TimeZone == "" {
		return t.wall(at)
	}
	return at.UTC().AppendFormat(t.text, time.RFC3339Nano)
}

// wall reads a time without a zone as a clock on the wall of the mapping's zone.
func (t *parquetTable) wall(at time.Time) []byte {
	at = at.UTC()
	local := time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), t.zone)
	return local.UTC().AppendFormat(t.text, time.RFC3339Nano)
}

func (t *parquetTable) progress() (done, total int64) { return t.done, t.file.NumRows() }

func (t *parquetTable) close() error {
	t.read.Release()
	return t.file.Close()
}
