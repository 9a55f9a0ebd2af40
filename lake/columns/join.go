package columns

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"

	"github.com/apache/arrow-go/v18/parquet/metadata"

	"kith/event"
)

// Join makes one file of several, in their order: their row groups are copied byte for byte, with their statistics,
// under one footer. Nothing is decoded, so that it costs what copying costs. All sources must have the same schema.
// When Join fails there is no file dst; a damaged source is an error of code corrupt that names it.
func Join(dst string, srcs []string) (Info, error) {
	if len(srcs) == 0 {
		return Info{}, event.Errorf(event.Invalid, "there are no files to join into %s", dst)
	}
	j := joiner{}
	size, err := create(dst, func(w io.Writer) error {
		j.out = w
		return j.join(srcs)
	})
	if err != nil {
		return Info{}, fmt.Errorf("join %d files into %s: %w", len(srcs), dst, err)
	}
	return describe(dst, size, j.meta)
}

type joiner struct {
	out   io.Writer
	at    int64                  // how many bytes were written
	first string                 // the source whose schema all others must have
	meta  *metadata.FileMetaData // its footer, to which those of the others are added
}

func (j *joiner) join(srcs []string) error {
	if err := j.write([]byte(magic)); err != nil {
		return err
	}
	for _, path := range srcs {
		if err := j.add(path); err != nil {
			return err
		}
	}
	n, err := j.meta.WriteTo(j.out, nil)
	if err != nil {
		return err
	}
	return j.write(append(binary.LittleEndian.AppendUint32(nil, uint32(n)), magic...))
}

func (j *joiner) write(b []byte) error {
	n, err := j.out.Write(b)
	j.at += int64(n)
	return err
}

// add copies the column chunks of a file. Bloom filters and page indexes, which stand behind the chunks, stay behind.
func (j *joiner) add(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	foot, err := readFooter(f)
	if err != nil {
		return err
	}
	if err := j.take(path, foot.meta); err != nil {
		return err
	}
	const head = int64(len(magic))
	if _, err := f.Seek(head, io.SeekStart); err != nil {
		return err
	}
	n, err := io.CopyN(j.out, f, foot.end-head)
	j.at += n
	return err
}

// take adds the row groups of another footer, moved to where their chunks are about to be.
func (j *joiner) take(path string, meta *metadata.FileMetaData) error {
	shift := j.at - int64(len(magic))
	before := 0
	if j.meta != nil {
		before = j.meta.NumRowGroups()
	}
	if before+meta.NumRowGroups() > math.MaxInt16 {
		return event.Errorf(event.Invalid, "the joined file would have more than %d row groups", math.MaxInt16)
	}
	for i, group := range meta.RowGroups {
		ordinal := int16(before + i)
		group.Ordinal = &ordinal
		move(group.FileOffset, shift)
		for _, chunk := range group.Columns {
			if chunk.FileOffset != 0 {
				chunk.FileOffset += shift
			}
			chunk.MetaData.DataPageOffset += shift
			move(chunk.MetaData.DictionaryPageOffset, shift)
			chunk.MetaData.BloomFilterOffset, chunk.MetaData.BloomFilterLength = nil, nil
			chunk.OffsetIndexOffset, chunk.OffsetIndexLength = nil, nil
			chunk.ColumnIndexOffset, chunk.ColumnIndexLength = nil, nil
		}
	}
	if j.meta == nil {
		j.first, j.meta = path, meta
		return nil
	}
	if column, same := sameSchema(j.meta, meta); !same {
		e := event.Errorf(event.Invalid, "its schema is not that of %s: they differ at column %q", j.first, column).
			WithHint("join files of one schema only")
		e.Place.File = path
		return e
	}
	j.meta.RowGroups = append(j.meta.RowGroups, meta.RowGroups...)
	j.meta.NumRows += meta.NumRows
	return nil
}

func move(offset *int64, by int64) {
	if offset != nil {
		*offset += by
	}
}

// sameSchema compares all that two footers say of their columns, and names the first that differs.
func sameSchema(a, b *metadata.FileMetaData) (column string, same bool) {
	x, y := a.FileMetaData.Schema[1:], b.FileMetaData.Schema[1:] // the first is the root, which holds the columns
	for i := range min(len(x), len(y)) {
		if !reflect.DeepEqual(x[i], y[i]) {
			return y[i].Name, false
		}
	}
	switch {
	case len(x) > len(y):
		return x[len(y)].Name, false
	case len(x) < len(y):
		return y[len(x)].Name, false
	}
	return "", true
}
