package lake

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// rows are the rows of one or several row groups in memory, column by column, as Parquet holds them.
type rows struct {
	columns []column
	n       int
}

// column is the values of one column, one a row.
type column interface {
	read(r file.ColumnChunkReader, n int) error // adds n rows
	reorder(order []int32)
	write(w file.ColumnChunkWriter, from, to int) error
	reset()
}

// newRows makes empty rows for the columns of a file. Optional columns of the types that clean.events has are all
// there may be.
func newRows(r *file.Reader) (*rows, error) {
	s := r.MetaData().Schema
	b := &rows{columns: make([]column, s.NumColumns())}
	for i := range b.columns {
		c := s.Column(i)
		if c.MaxDefinitionLevel() != 1 || c.MaxRepetitionLevel() != 0 {
			return nil, fmt.Errorf("column %s is not a plain optional one", c.Name())
		}
		switch c.PhysicalType() {
		case parquet.Types.Int64:
			b.columns[i] = &values[int64]{}
		case parquet.Types.Int32:
			b.columns[i] = &values[int32]{}
		case parquet.Types.Double:
			b.columns[i] = &values[float64]{}
		case parquet.Types.Boolean:
			b.columns[i] = &values[bool]{}
		case parquet.Types.ByteArray:
			b.columns[i] = &texts{}
		default:
			return nil, fmt.Errorf("column %s has the type %s", c.Name(), c.PhysicalType())
		}
	}
	return b, nil
}

// read adds the rows of a row group.
func (b *rows) read(g *file.RowGroupReader) error {
	n := int(g.NumRows())
	for i, c := range b.columns {
		r, err := g.Column(i)
		if err != nil {
			return err
		}
		if err := c.read(r, n); err != nil {
			return fmt.Errorf("column %s: %w", r.Descriptor().Name(), err)
		}
		if err := r.Close(); err != nil {
			return err
		}
	}
	b.n += n
	return nil
}

// reorder puts row order[i] in place i.
func (b *rows) reorder(order []int32) {
	for _, c := range b.columns {
		c.reorder(order)
	}
}

// write writes the rows from..to as one row group.
func (b *rows) write(w *file.Writer, from, to int) error {
	g, err := w.AppendRowGroupChecked()
	if err != nil {
		return err
	}
	for _, c := range b.columns {
		cw, err := g.NextColumn()
		if err != nil {
			return err
		}
		if err := c.write(cw, from, to); err != nil {
			return err
		}
		if err := cw.Close(); err != nil {
			return err
		}
	}
	return g.Close()
}

func (b *rows) reset() {
	for _, c := range b.columns {
		c.reset()
	}
	b.n = 0
}

// The two methods by which arrow-go's typed readers and writers differ only in the type.
type (
	batchReader[T any] interface {
		ReadBatch(n int64, values []T, defined, repeated []int16) (int64, int, error)
	}
	batchWriter[T any] interface {
		WriteBatch(values []T, defined, repeated []int16) (int64, error)
	}
)

// readAll hands the values of a chunk of n rows to take, in pieces of at most a page, together with the definition
// level of every row in the piece. The values are good until take returns.
func readAll[T any](r file.ColumnChunkReader, n int, take func(values []T, defined []int16) error) error {
	typed, ok := r.(batchReader[T])
	if !ok {
		return fmt.Errorf("unexpected reader %T", r)
	}
	const piece = 4096
	buffer, defined := make([]T, min(n, piece)), make([]int16, min(n, piece))
	for got := 0; got < n; {
		total, have, err := typed.ReadBatch(int64(min(n-got, piece)), buffer, defined, nil)
		if err != nil {
			return err
		}
		if total == 0 {
			return fmt.Errorf("%d of %d rows, then no more", got, n)
		}
		if err := take(buffer[:have], defined[:total]); err != nil {
			return err
		}
		got += int(total)
	}
	return nil
}

func writeAll[T any](w file.ColumnChunkWriter, values []T, defined []int16) error {
	typed, ok := w.(batchWriter[T])
	if !ok {
		return fmt.Errorf("unexpected writer %T", w)
	}
	_, err := typed.WriteBatch(values, defined, nil)
	return err
}

// values is a column of fixed width; the value of a row that has none is not used.
type values[T any] struct {
	defined []int16
	all     []T
	packed  []T // scratch: the values that are there
}

func (v *values[T]) read(r file.ColumnChunkReader, n int) error {
	return readAll(r, n, func(got []T, defined []int16) error {
		v.defined = append(v.defined, defined...)
		var none T
		for _, d := range defined {
			if d == 0 {
				v.all = append(v.all, none)
				continue
			}
			v.all = append(v.all, got[0])
			got = got[1:]
		}
		return nil
	})
}

func (v *values[T]) reorder(order []int32) {
	v.defined, v.all = reordered(v.defined, order), reordered(v.all, order)
}

func reordered[T any](all []T, order []int32) []T {
	out := make([]T, len(order))
	for i, from := range order {
		out[i] = all[from]
	}
	return out
}

func (v *values[T]) write(w file.ColumnChunkWriter, from, to int) error {
	v.packed = v.packed[:0]
	for i := from; i < to; i++ {
		if v.defined[i] != 0 {
			v.packed = append(v.packed, v.all[i])
		}
	}
	return writeAll(w, v.packed, v.defined[from:to])
}

func (v *values[T]) reset() { v.defined, v.all = v.defined[:0], v.all[:0] }

// texts is a column of texts, which lie one after the other in data.
type texts struct {
	defined []int16
	spans   []span
	data    []byte
	packed  []parquet.ByteArray // scratch
}

type span struct{ from, to uint32 }

func (t *texts) read(r file.ColumnChunkReader, n int) error {
	return readAll(r, n, func(got []parquet.ByteArray, defined []int16) error {
		t.defined = append(t.defined, defined...)
		for _, d := range defined {
			if d == 0 {
				t.spans = append(t.spans, span{})
				continue
			}
			if len(t.data)+len(got[0]) > math.MaxUint32 {
				return fmt.Errorf("more than 4 GB of text in one piece")
			}
			from := uint32(len(t.data))
			t.data = append(t.data, got[0]...)
			t.spans = append(t.spans, span{from, uint32(len(t.data))})
			got = got[1:]
		}
		return nil
	})
}

func (t *texts) reorder(order []int32) {
	t.defined, t.spans = reordered(t.defined, order), reordered(t.spans, order)
}

func (t *texts) write(w file.ColumnChunkWriter, from, to int) error {
	t.packed = t.packed[:0]
	for i := from; i < to; i++ {
		if s := t.spans[i]; t.defined[i] != 0 {
			t.packed = append(t.packed, t.data[s.from:s.to:s.to])
		}
	}
	return writeAll(w, t.packed, t.defined[from:to])
}

func (t *texts) reset() { t.defined, t.spans, t.data = t.defined[:0], t.spans[:0], t.data[:0] }
