package duck

import (
	"fmt"
	"io"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"kith/event"
)

// arrowType is a type's type in Arrow and Parquet. Integers of 128 bits are decimal(38,0), as far as they fit;
// blobs are binary; UUID, interval, time with zone, bit, enum and the nested types are text as appendText writes it.
func arrowType(t *logical) arrow.DataType {
	switch t.id {
	case duckdb.TypeBoolean:
		return arrow.FixedWidthTypes.Boolean
	case duckdb.TypeTinyInt:
		return arrow.PrimitiveTypes.Int8
	case duckdb.TypeSmallInt:
		return arrow.PrimitiveTypes.Int16
	case duckdb.TypeInteger:
		return arrow.PrimitiveTypes.Int32
	case duckdb.TypeBigInt:
		return arrow.PrimitiveTypes.Int64
	case duckdb.TypeUTinyInt:
		return arrow.PrimitiveTypes.Uint8
	case duckdb.TypeUSmallInt:
		return arrow.PrimitiveTypes.Uint16
	case duckdb.TypeUInteger:
		return arrow.PrimitiveTypes.Uint32
	case duckdb.TypeUBigInt:
		return arrow.PrimitiveTypes.Uint64
	case duckdb.TypeHugeInt, duckdb.TypeUHugeInt:
		return &arrow.Decimal128Type{Precision: 38, Scale: 0}
	case duckdb.TypeDecimal:
		return &arrow.Decimal128Type{Precision: int32(t.width), Scale: int32(t.scale)}
	case duckdb.TypeFloat:
		return arrow.PrimitiveTypes.Float32
	case duckdb.TypeDouble:
		return arrow.PrimitiveTypes.Float64
	case duckdb.TypeBlob:
		return arrow.BinaryTypes.Binary
	case duckdb.TypeDate:
		return arrow.FixedWidthTypes.Date32
	case duckdb.TypeTime:
		return arrow.FixedWidthTypes.Time64us
	case duckdb.TypeTimestamp:
		return &arrow.TimestampType{Unit: arrow.Microsecond}
	case duckdb.TypeTimestampS:
		return &arrow.TimestampType{Unit: arrow.Second}
	case duckdb.TypeTimestampMS:
		return &arrow.TimestampType{Unit: arrow.Millisecond}
	case duckdb.TypeTimestampNS:
		return &arrow.TimestampType{Unit: arrow.Nanosecond}
	case duckdb.TypeTimestampTZ:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	}
	return arrow.BinaryTypes.String
}

// batcher turns chunks into Arrow record batches.
type batcher struct {
	columns []Column
	schema  *arrow.Schema
	build   *array.RecordBuilder
}

func newBatcher(columns []Column, types []*logical) *batcher {
	fields := make([]arrow.Field, len(types))
	for i, t := range types {
		fields[i] = arrow.Field{Name: columns[i].Name, Type: arrowType(t), Nullable: true}
	}
	schema := arrow.NewSchema(fields, nil)
	return &batcher{columns: columns, schema: schema, build: array.NewRecordBuilder(memory.DefaultAllocator, schema)}
}

func (b *batcher) batch(r *rows) (arrow.RecordBatch, error) {
	for i := range r.vectors {
		if err := appendColumn(b.build.Field(i), &r.vectors[i], r.size); err != nil {
			return nil, &Failure{Code: event.Invalid, Position: -1, Hint: "cast it to VARCHAR or DOUBLE",
				Message: fmt.Sprintf("column %q: %v", b.columns[i].Name, err)}
		}
	}
	return b.build.NewRecordBatch(), nil
}

// appendColumn copies a column. The builder is of the type that arrowType gave.
func appendColumn(to array.Builder, v *vector, size int) error {
	to.Reserve(size)
	valid := make([]bool, size)
	for i := range valid {
		valid[i] = !v.null(i)
	}
	switch b := to.(type) {
	case *array.BooleanBuilder:
		b.AppendValues(values[bool](v, size), valid)
	case *array.Int8Builder:
		b.AppendValues(values[int8](v, size), valid)
	case *array.Int16Builder:
		b.AppendValues(values[int16](v, size), valid)
	case *array.Int32Builder:
		b.AppendValues(values[int32](v, size), valid)
	case *array.Int64Builder:
		b.AppendValues(values[int64](v, size), valid)
	case *array.Uint8Builder:
		b.AppendValues(values[uint8](v, size), valid)
	case *array.Uint16Builder:
		b.AppendValues(values[uint16](v, size), valid)
	case *array.Uint32Builder:
		b.AppendValues(values[uint32](v, size), valid)
	case *array.Uint64Builder:
		b.AppendValues(values[uint64](v, size), valid)
	case *array.Float32Builder:
		b.AppendValues(values[float32](v, size), valid)
	case *array.Float64Builder:
		b.AppendValues(values[float64](v, size), valid)
	case *array.Date32Builder:
		b.AppendValues(values[arrow.Date32](v, size), valid)
	case *array.Time64Builder:
		b.AppendValues(values[arrow.Time64](v, size), valid)
	case *array.TimestampBuilder:
		b.AppendValues(values[arrow.Timestamp](v, size), valid)
	case *array.Decimal128Builder:
		return appendDecimals(b, v, valid)
	case *array.BinaryBuilder:
		appendEach(b, valid, func(_ []byte, i int) []byte { return v.bytes(i) })
	case *array.StringBuilder:
		appendEach(b.BinaryBuilder, valid, v.appendText)
	default:
		return fmt.Errorf("no way to build %s", to.Type())
	}
	return nil
}

// values is a column of fixed width, read where DuckDB has it; the builder copies it.
func values[T any](v *vector, size int) []T { return unsafe.Slice((*T)(v.data), size) }

func appendEach(b *array.BinaryBuilder, valid []bool, text func(scratch []byte, i int) []byte) {
	var scratch []byte
	for i, ok := range valid {
		if !ok {
			b.AppendNull()
			continue
		}
		scratch = text(scratch[:0], i)
		b.Append(scratch)
	}
}

func appendDecimals(b *array.Decimal128Builder, v *vector, valid []bool) error {
	wide := v.id != duckdb.TypeDecimal
	for i, ok := range valid {
		switch {
		case !ok:
			b.AppendNull()
		case !wide && v.storage != duckdb.TypeHugeInt:
			b.Append(decimal128.FromI64(v.integer(i)))
		default:
			h := at[huge](v, i)
			n := decimal128.New(h.high, h.low)
			if wide && (!n.FitsInPrecision(38) || v.id == duckdb.TypeUHugeInt && h.high < 0) {
				return fmt.Errorf("%s has more than the 38 digits that this format can hold", h.big(v.id == duckdb.TypeUHugeInt))
			}
			b.Append(n)
		}
	}
	return nil
}

// arrowEncoder writes an IPC stream, a record batch a chunk.
type arrowEncoder struct {
	*batcher
	w *ipc.Writer
}

func newArrowEncoder(columns []Column, types []*logical, out *output) *arrowEncoder {
	b := newBatcher(columns, types)
	return &arrowEncoder{batcher: b, w: ipc.NewWriter(out, ipc.WithSchema(b.schema))}
}

func (e *arrowEncoder) chunk(r *rows) error {
	batch, err := e.batch(r)
	if err != nil {
		return err
	}
	defer batch.Release()
	return e.w.Write(batch)
}

func (e *arrowEncoder) end(int64, float64) error { return e.w.Close() }

// A row group ends at this many rows or bytes: what the child has to hold.
const (
	groupRows  = 122_880
	groupBytes = 16 << 20
)

type parquetEncoder struct {
	*batcher
	w    *pqarrow.FileWriter
	rows int
}

func newParquetEncoder(columns []Column, types []*logical, out *output) (*parquetEncoder, error) {
	b := newBatcher(columns, types)
	w, err := pqarrow.NewFileWriter(b.schema, struct{ io.Writer }{out},
		parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithMaxRowGroupLength(groupRows)),
		pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, fmt.Errorf("begin a Parquet file: %w", err)
	}
	return &parquetEncoder{batcher: b, w: w}, nil
}

func (e *parquetEncoder) chunk(r *rows) error {
	batch, err := e.batch(r)
	if err != nil {
		return err
	}
	defer batch.Release()
	if e.rows+r.size > groupRows || e.w.RowGroupTotalBytesWritten() > groupBytes {
		e.w.NewBufferedRowGroup()
		e.rows = 0
	}
	e.rows += r.size
	return e.w.WriteBuffered(batch)
}

func (e *parquetEncoder) end(int64, float64) error { return e.w.Close() }
