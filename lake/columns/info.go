package columns

import (
	"encoding/binary"
	"fmt"
	"os"

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
		return Info{}, err
	}
	return foot.info, nil
}

func (f *footer) describe() (err error) {
	f.info.Rows = f.meta.number(fileRowsID, int64s)
	low, high, err := f.bounds("seq")
	if err != nil {
		return err
	}
	f.info.MinSeq, f.info.MaxSeq = event.Seq(low), event.Seq(high)
	f.info.MinTS, f.info.MaxTS, err = f.bounds("ts")
	return err
}

// bounds returns the smallest and the largest value of a column of 64-bit integers, by its statistics; zero where all
// rows are null.
func (f *footer) bounds(column string) (low, high int64, err error) {
	c := 0
	for c < len(f.columns) && string(f.columns[c].text(elementNameID)) != column {
		c++
	}
	if c == len(f.columns) {
		return 0, 0, fmt.Errorf("there is no column %q", column)
	}
	found := false
	for g := range f.groups {
		rows := f.groups[g].number(groupRowsID, int64s)
		stats := f.groups[g].list(groupChunksID)[c].field(chunkMetaID, record).field(metaStatisticsID, record)
		smallest, largest := stats.text(statsMinID), stats.text(statsMaxID)
		switch nulls := stats.number(statsNullsID, int64s); {
		case nulls == rows:
			continue
		case nulls < 0 || nulls > rows || len(smallest) != 8 || len(largest) != 8:
			return 0, 0, fmt.Errorf("row group %d has no bounds of column %q", g, column)
		}
		least, most := int64(binary.LittleEndian.Uint64(smallest)), int64(binary.LittleEndian.Uint64(largest))
		if least > most {
			return 0, 0, fmt.Errorf("row group %d has column %q from %d to %d", g, column, least, most)
		}
		if !found {
			low, high, found = least, most, true
		}
		low, high = min(low, least), max(high, most)
	}
	return low, high, nil
}
