package columns

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"kith/event"
)

// The sizes that a file is built by. Values are handed over a batch at a time, and a page is closed after the batch
// that fills it: a batch of the longest texts (1 MB) must stay well under the 2 GB that a page may have.
const (
	pageBytes       = 1 << 20
	dictionaryBytes = 4 << 20 // a larger dictionary gives way to plain values
	batchRows       = 1024
	boundBytes      = 256 // a smallest or largest value that is longer stands in no footer
)

// Write stores all rows as one Parquet file with one row group. The file appears under its name when it is whole and
// on disk. The Set keeps its rows: it may go on growing and be written again, as a whole, under another name.
func (s *Set) Write(path string) (Info, error) {
	if s.rows == 0 {
		return Info{}, event.Errorf(event.Invalid, "there are no rows to write to %s", path)
	}
	info, err := create(path, s.encode)
	if err != nil {
		return Info{}, fmt.Errorf("write %d rows to %s: %w", s.rows, path, err)
	}
	return info, nil
}

func (s *Set) encode(w io.Writer) error {
	f, err := file.NewParquetWriterWithError(w, s.schema, file.WithWriterProps(s.properties))
	if err != nil {
		return err
	}
	group, err := f.AppendRowGroupChecked()
	if err != nil {
		return err
	}
	s.scratch.levels = append(s.scratch.levels[:0], make([]int16, s.rows)...)
	for i, c := range s.cells {
		if err := encodeColumn(group, c, &s.scratch); err != nil {
			return fmt.Errorf("column %s: %w", table[i].name, err)
		}
	}
	return f.Close()
}

func encodeColumn(group file.SerialRowGroupWriter, c cells, s *scratch) error {
	w, err := group.NextColumn()
	if err != nil {
		return err
	}
	if err := c.write(w, s); err != nil {
		return err
	}
	return w.Close()
}

// fileSchema is table as Parquet has it: the field id in every column, the exact logical types.
func fileSchema() *schema.GroupNode {
	fields := make(schema.FieldList, len(table))
	for i, d := range table {
		fields[i] = schema.MustPrimitive(schema.NewPrimitiveNodeLogical(d.name, parquet.Repetitions.Optional,
			d.value.logical, d.value.physical, -1, int32(d.id)))
	}
	return schema.MustGroup(schema.NewGroupNode(parquet.DefaultRootName, parquet.Repetitions.Required, fields, -1))
}

func properties() *parquet.WriterProperties {
	all := []parquet.WriterProperty{
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithCompressionLevel(1),
		parquet.WithDictionaryDefault(false),
		parquet.WithDictionaryPageSizeLimit(dictionaryBytes),
		parquet.WithDataPageSize(pageBytes),
		parquet.WithBatchSize(batchRows),
		parquet.WithMaxStatsSize(boundBytes),
	}
	for _, d := range table {
		switch d.encoding {
		case dict:
			all = append(all, parquet.WithDictionaryFor(d.name, true))
		case delta:
			all = append(all, parquet.WithEncodingFor(d.name, parquet.Encodings.DeltaBinaryPacked))
		case unique:
			all = append(all, parquet.WithEncodingFor(d.name, parquet.Encodings.DeltaLengthByteArray))
		case long:
			all = append(all, parquet.WithStatsFor(d.name, false))
		}
	}
	return parquet.NewWriterProperties(all...)
}
