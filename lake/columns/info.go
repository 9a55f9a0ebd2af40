package columns

import (
	"encoding/binary"
	"fmt"
	"os"

	"github.com/apache/arrow-go/v18/parquet/metadata"

	"kith/event"
)

// Info says what a file holds, as its footer has it. Bounds are zero where no row has the value.
type Info struct {
	Path           string
	Rows, Bytes    int64
	MinSeq, MaxSeq event.Seq
	MinTS, MaxTS   int64 // of the column ts: microseconds since 1970 UTC
}

// Stat returns what is in a file that Write or Join made. It reads the footer and nothing else. A damaged file is an
// error of code corrupt that names it.
func Stat(path string) (Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	foot, err := readFooter(f)
	if err != nil {
		return Info{}, fmt.Errorf("read the footer of %s: %w", path, err)
	}
	return foot.info, nil
}

func describe(path string, size int64, meta *metadata.FileMetaData) (Info, error) {
	info := Info{Path: path, Rows: meta.NumRows, Bytes: size}
	minSeq, maxSeq, err := bounds(meta, "seq")
	if err != nil {
		return Info{}, err
	}
	info.MinSeq, info.MaxSeq = event.Seq(minSeq), event.Seq(maxSeq)
	info.MinTS, info.MaxTS, err = bounds(meta, "ts")
	return info, err
}

// bounds returns the smallest and largest value of a column of 64-bit integers by the footer's statistics; zero where
// all rows are null.
func bounds(meta *metadata.FileMetaData, column string) (low, high int64, err error) {
	c := meta.Schema.ColumnIndexByName(column)
	if c < 0 {
		return 0, 0, fmt.Errorf("there is no column %s", column)
	}
	found := false
	for g, group := range meta.RowGroups {
		s := group.Columns[c].MetaData.Statistics
		switch {
		case s == nil || s.NullCount == nil:
			return 0, 0, fmt.Errorf("row group %d has no statistics of column %s", g, column)
		case *s.NullCount == group.NumRows:
			continue
		case len(s.MinValue) != 8 || len(s.MaxValue) != 8:
			return 0, 0, fmt.Errorf("row group %d has no bounds of column %s", g, column)
		}
		least, most := int64(binary.LittleEndian.Uint64(s.MinValue)), int64(binary.LittleEndian.Uint64(s.MaxValue))
		if least > most {
			return 0, 0, fmt.Errorf("row group %d has column %s from %d to %d", g, column, least, most)
		}
		if !found {
			low, high, found = least, most, true
		}
		low, high = min(low, least), max(high, most)
	}
	return low, high, nil
}
