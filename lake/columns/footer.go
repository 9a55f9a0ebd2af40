package columns

import (
	"encoding/binary"
	"fmt"
	"os"

	"github.com/apache/arrow-go/v18/parquet/metadata"

	"kith/event"
)

// A Parquet file is magic, the column chunks of its row groups, the footer, the footer's length in four bytes, magic.
const (
	magic     = "PAR1"
	tailBytes = 8
)

// footer is what the end of a file says about the rest of it.
type footer struct {
	meta *metadata.FileMetaData
	end  int64 // of the last column chunk
	info Info
}

// readFooter reads the footer of f and checks it against the file and against itself. Parquet keeps no checksum of a
// footer, and one that is believed with a wrong offset in it would make a joined file that nobody can read.
func readFooter(f *os.File) (*footer, error) {
	text, start, err := footerText(f)
	if err != nil {
		return nil, err
	}
	meta, err := parse(text)
	if err != nil {
		return nil, corrupt(f.Name(), "its footer cannot be read: %w", err)
	}
	end, err := check(meta, start)
	if err != nil {
		return nil, corrupt(f.Name(), "its footer contradicts itself: %w", err)
	}
	info, err := describe(f.Name(), start+int64(len(text))+tailBytes, meta)
	if err != nil {
		return nil, corrupt(f.Name(), "its footer is incomplete: %w", err)
	}
	return &footer{meta, end, info}, nil
}

// footerText returns the footer as it stands in f, and where.
func footerText(f *os.File) (text []byte, start int64, err error) {
	stat, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	size := stat.Size()
	if size < int64(len(magic)+tailBytes) {
		return nil, 0, corrupt(f.Name(), "it has only %d bytes", size)
	}
	var head [len(magic)]byte
	var tail [tailBytes]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return nil, 0, err
	}
	if _, err := f.ReadAt(tail[:], size-tailBytes); err != nil {
		return nil, 0, err
	}
	if string(head[:]) != magic || string(tail[4:]) != magic {
		return nil, 0, corrupt(f.Name(), "it does not begin and end as a Parquet file does")
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	start = size - tailBytes - length
	if start < int64(len(magic)) {
		return nil, 0, corrupt(f.Name(), "it has %d bytes, of which %d were to be the footer", size, length)
	}
	text = make([]byte, length)
	_, err = f.ReadAt(text, start)
	return text, start, err
}

// parse reads a footer. arrow-go panics at some that are damaged.
func parse(text []byte) (meta *metadata.FileMetaData, err error) {
	defer func() {
		if r := recover(); r != nil {
			meta, err = nil, fmt.Errorf("%v", r)
		}
	}()
	meta, err = metadata.NewFileMetaData(text, nil)
	if err == nil && meta.Size() != len(text) {
		err = fmt.Errorf("%d of its %d bytes say nothing", len(text)-meta.Size(), len(text))
	}
	return meta, err
}

// check makes sure that the column chunks lie end to end from the beginning of the file, before start, and that what
// the footer says more than once it says the same way. It returns where the last chunk ends. A file that has only
// plain columns is what Write makes and all that is taken.
func check(meta *metadata.FileMetaData, start int64) (end int64, err error) {
	if meta.IsSetEncryptionAlgorithm() {
		return 0, fmt.Errorf("it is encrypted")
	}
	columns := meta.Schema.NumColumns()
	if columns != meta.NumSchemaElements()-1 {
		return 0, fmt.Errorf("it has columns within columns")
	}
	end = int64(len(magic))
	var rows int64
	more := false // behind the chunks: page indexes or bloom filters
	for g, group := range meta.RowGroups {
		if len(group.Columns) != columns {
			return 0, fmt.Errorf("row group %d has %d columns instead of %d", g, len(group.Columns), columns)
		}
		if group.NumRows < 0 || group.Ordinal != nil && int(*group.Ordinal) != g || group.FileOffset != nil && *group.FileOffset != end {
			return 0, fmt.Errorf("row group %d is out of place", g)
		}
		var packed, unpacked int64
		for c := range group.Columns {
			size, err := checkChunk(meta, g, c, end)
			if err != nil {
				return 0, fmt.Errorf("row group %d, column %d: %w", g, c, err)
			}
			end += size
			packed += size
			chunk := group.Columns[c]
			unpacked += chunk.MetaData.TotalUncompressedSize
			more = more || chunk.OffsetIndexOffset != nil || chunk.ColumnIndexOffset != nil || chunk.MetaData.BloomFilterOffset != nil
			if end > start {
				return 0, fmt.Errorf("row group %d, column %d reaches into the footer", g, c)
			}
		}
		if group.TotalByteSize != unpacked || group.TotalCompressedSize != nil && *group.TotalCompressedSize != packed {
			return 0, fmt.Errorf("row group %d is not as large as its columns", g)
		}
		rows += group.NumRows
	}
	if end != start && !more {
		return 0, fmt.Errorf("%d bytes before it belong to no column", start-end)
	}
	if rows != meta.NumRows {
		return 0, fmt.Errorf("it has %d rows, its row groups %d", meta.NumRows, rows)
	}
	return end, nil
}

// checkChunk checks the chunk of column c in row group g, which has to begin at offset at, and returns its size.
func checkChunk(meta *metadata.FileMetaData, g, c int, at int64) (size int64, err error) {
	group := meta.RowGroups[g]
	chunk := group.Columns[c]
	if chunk == nil || chunk.MetaData == nil || chunk.FilePath != nil || chunk.CryptoMetadata != nil {
		return 0, fmt.Errorf("it stands elsewhere")
	}
	m, column := chunk.MetaData, meta.Schema.Column(c)
	first := m.DataPageOffset
	if m.DictionaryPageOffset != nil {
		first = min(first, *m.DictionaryPageOffset)
	}
	size = m.TotalCompressedSize
	switch {
	case int(m.Type) != int(column.PhysicalType()) || len(m.PathInSchema) != 1 || m.PathInSchema[0] != column.Name():
		return 0, fmt.Errorf("it is not %q of the schema", column.Name())
	case m.NumValues != group.NumRows:
		return 0, fmt.Errorf("it has %d values for %d rows", m.NumValues, group.NumRows)
	case first != at || chunk.FileOffset != 0 && chunk.FileOffset != at || m.IndexPageOffset != nil:
		return 0, fmt.Errorf("it begins at %d, not where the one before it ends", first)
	case size < 0 || m.DataPageOffset >= at+size && size > 0 || m.TotalUncompressedSize < 0:
		return 0, fmt.Errorf("it has %d bytes", size)
	}
	return size, nil
}

func corrupt(path, format string, args ...any) error {
	e := event.Errorf(event.Corrupt, format, args...).WithHint("bring the file back from a backup")
	e.Place.File = path
	return e
}
