package columns

import (
	"fmt"
	"math/bits"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"kith/event"
)

// cells holds the values of one column. A row without a value takes a bit at most.
type cells interface {
	add(e *event.Event, row int) (bytes int) // what the row takes in memory
	reset()
	write(w file.ColumnChunkWriter, s *scratch) error
}

// scratch is what cells of every column need while they are written, one after the other.
type scratch struct {
	levels []int16 // one for each row
	views  []parquet.ByteArray
}

// presence marks the rows that have a value. It ends with the last of them: rows without one cost nothing to add.
type presence []uint64

func (p *presence) mark(row int) {
	for row>>6 >= len(*p) {
		*p = append(*p, 0)
	}
	(*p)[row>>6] |= 1 << (row & 63)
}

// levels writes a definition level for each row: 1 where there is a value, 0 where there is none.
func (p presence) levels(levels []int16) {
	clear(levels)
	for i, w := range p {
		for ; w != 0; w &= w - 1 {
			levels[i<<6+bits.TrailingZeros64(w)] = 1
		}
	}
}

// dense holds the values that there are, one after the other.
type dense[T any] struct {
	present presence
	values  []T
}

func (d *dense[T]) put(row int, v T) {
	d.present.mark(row)
	d.values = append(d.values, v)
}

func (d *dense[T]) reset() { d.present, d.values = emptied(d.present), emptied(d.values) }

func (d *dense[T]) write(w file.ColumnChunkWriter, s *scratch) error {
	d.present.levels(s.levels)
	return writeBatch(w, d.values, s.levels)
}

// roomKept is how many elements an emptied slice may have room for and not use.
const roomKept = 16 << 20

// emptied returns s without its elements. It keeps their room for the next ones, unless most of it went unused: a
// column that was once full of very long texts must not hold memory for ever.
func emptied[S ~[]T, T any](s S) S {
	if cap(s) > roomKept && len(s) < cap(s)/4 {
		return nil
	}
	return s[:0]
}

// batchWriter is what arrow-go's writers of the several physical types have in common.
type batchWriter[T any] interface {
	WriteBatch(values []T, definition, repetition []int16) (int64, error)
}

func writeBatch[T any](w file.ColumnChunkWriter, values []T, levels []int16) error {
	b, ok := w.(batchWriter[T])
	if !ok {
		return fmt.Errorf("a column of %s does not take %T", w.Type(), values)
	}
	_, err := b.WriteBatch(values, levels, nil)
	return err
}

// numbers takes zero for none.
type numbers[T int32 | int64] struct {
	dense[T]
	take func(*event.Event) T
}

func (n *numbers[T]) add(e *event.Event, row int) int {
	v := n.take(e)
	if v == 0 {
		return 0
	}
	n.put(row, v)
	return 8
}

// optionals is told whether there is a value.
type optionals[T int64 | float64 | bool] struct {
	dense[T]
	take func(*event.Event) (T, bool)
}

func (o *optionals[T]) add(e *event.Event, row int) int {
	v, ok := o.take(e)
	if !ok {
		return 0
	}
	o.put(row, v)
	return 8
}

// run holds texts end to end. It keeps their lengths and not where they begin, so that it may grow over 4 GB.
type run struct {
	dense[uint32]
	data []byte
}

func (r *run) reset() {
	r.dense.reset()
	r.data = emptied(r.data)
}

func (r *run) write(w file.ColumnChunkWriter, s *scratch) error {
	r.present.levels(s.levels)
	s.views = s.views[:0]
	at := 0
	for _, n := range r.values {
		s.views = append(s.views, r.data[at:at+int(n):at+int(n)])
		at += int(n)
	}
	err := writeBatch(w, s.views, s.levels)
	clear(s.views) // they would keep the texts alive
	return err
}

// texts copies what it takes: an event's texts are good for one run only.
type texts struct {
	run
	take func(*event.Event) event.Text
}

func (t *texts) add(e *event.Event, row int) int {
	v := t.take(e)
	if v == nil {
		return 0
	}
	t.data = append(t.data, v...)
	t.put(row, uint32(len(v)))
	return len(v) + 4
}

// words takes what the user agent says; empty is none.
type words struct {
	run
	take func(*event.Agent) string
}

func (w *words) add(e *event.Event, row int) int {
	if e.Agent == nil {
		return 0
	}
	v := w.take(e.Agent)
	if v == "" {
		return 0
	}
	w.data = append(w.data, v...)
	w.put(row, uint32(len(v)))
	return len(v) + 4
}
