package columns

import (
	"encoding/binary"
	"fmt"
	"os"

	"kith/event"
)

// A Parquet file is magic, the column chunks of its row groups, the footer, the footer's length in four bytes, magic.
const (
	magic     = "PAR1"
	tailBytes = 8
)

// The ids of the footer's fields that matter here, by parquet.thrift.
const (
	fileSchemaID     = 2
	fileRowsID       = 3
	fileGroupsID     = 4
	fileEncryptionID = 8

	elementTypeID     = 1
	elementRepeatID   = 3
	elementNameID     = 4
	elementChildrenID = 5

	groupChunksID   = 1
	groupUnpackedID = 2
	groupRowsID     = 3
	groupOffsetID   = 5
	groupPackedID   = 6
	groupOrdinalID  = 7

	chunkFileID        = 1
	chunkOffsetID      = 2
	chunkMetaID        = 3
	chunkOffsetIndexID = 4 // and its length, and the same of the column index
	chunkColumnIndexID = 6
	chunkEndIndexesID  = 7
	chunkCryptoID      = 8

	metaTypeID        = 1
	metaPathID        = 3
	metaValuesID      = 5
	metaUnpackedID    = 6
	metaPackedID      = 7
	metaDataID        = 9
	metaIndexID       = 10
	metaDictionaryID  = 11
	metaStatisticsID  = 12
	metaBloomID       = 14
	metaBloomLengthID = 15

	statsNullsID = 3
	statsMaxID   = 5
	statsMinID   = 6
)

// footer is what the end of a file says about the rest of it.
type footer struct {
	meta    *node
	columns []node // the elements of the schema, without the root that holds them
	groups  []node
	end     int64 // of the last column chunk
	info    Info
}

// readFooter reads the footer of f and checks it against the file and against itself. Parquet keeps no checksum of a
// footer, and one that is believed with a wrong offset in it would make a joined file that nobody can read.
func readFooter(f *os.File) (*footer, error) {
	text, start, err := footerText(f)
	if err != nil {
		return nil, err
	}
	meta, err := parseStruct(text)
	if err != nil {
		return nil, corrupt(f.Name(), "its footer cannot be read: %w", err)
	}
	foot := &footer{meta: meta, groups: meta.list(fileGroupsID)}
	if err := foot.check(start); err != nil {
		return nil, corrupt(f.Name(), "its footer contradicts itself: %w", err)
	}
	if err := foot.describe(); err != nil {
		return nil, corrupt(f.Name(), "its footer is incomplete: %w", err)
	}
	foot.info.Path, foot.info.Bytes = f.Name(), start+int64(len(text))+tailBytes
	return foot, nil
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

// check makes sure that the column chunks lie end to end from the beginning of the file to the footer, which begins
// at start, and that what the footer says twice it says the same way. It takes files whose columns hold plain values,
// which are all that Write makes.
func (f *footer) check(start int64) error {
	if f.meta.field(fileEncryptionID, record) != nil {
		return fmt.Errorf("it is encrypted")
	}
	if err := f.checkSchema(); err != nil {
		return err
	}
	f.end = int64(len(magic))
	var rows int64
	for g := range f.groups {
		if err := f.checkGroup(g); err != nil {
			return fmt.Errorf("row group %d: %w", g, err)
		}
		if rows += f.groups[g].number(groupRowsID, int64s); f.end > start || rows < 0 {
			return fmt.Errorf("row group %d: it ends at %d, in the footer", g, f.end)
		}
	}
	if f.end != start && !f.hasMore() {
		return fmt.Errorf("%d bytes before it belong to no column", start-f.end)
	}
	if n := f.meta.number(fileRowsID, int64s); n != rows {
		return fmt.Errorf("it has %d rows, its row groups %d", n, rows)
	}
	return nil
}

func (f *footer) checkSchema() error {
	elements := f.meta.list(fileSchemaID)
	if len(elements) == 0 || elements[0].number(elementChildrenID, int32s) != int64(len(elements)-1) {
		return fmt.Errorf("it has a schema of %d elements that is not a list of columns", len(elements))
	}
	f.columns = elements[1:]
	for i := range f.columns {
		c := &f.columns[i]
		if c.number(elementTypeID, int32s) < 0 || c.number(elementRepeatID, int32s) > 1 ||
			c.number(elementChildrenID, int32s) > 0 || len(c.text(elementNameID)) == 0 {
			return fmt.Errorf("column %d is not one of plain values", i)
		}
	}
	return nil
}

// checkGroup moves end to where row group g ends.
func (f *footer) checkGroup(g int) error {
	group := &f.groups[g]
	chunks := group.list(groupChunksID)
	offset, ordinal := group.number(groupOffsetID, int64s), group.number(groupOrdinalID, int16s)
	switch {
	case len(chunks) != len(f.columns):
		return fmt.Errorf("it has %d columns instead of %d", len(chunks), len(f.columns))
	case group.number(groupRowsID, int64s) < 0:
		return fmt.Errorf("it has no number of rows")
	case offset != absent && offset != f.end || ordinal != absent && ordinal != int64(g):
		return fmt.Errorf("it is number %d, at %d", ordinal, offset)
	}
	start, unpacked := f.end, int64(0)
	for c := range chunks {
		if err := f.checkChunk(group, &chunks[c], &f.columns[c]); err != nil {
			return fmt.Errorf("column %q: %w", f.columns[c].text(elementNameID), err)
		}
		unpacked += chunks[c].field(chunkMetaID, record).number(metaUnpackedID, int64s)
	}
	packed := group.number(groupPackedID, int64s)
	if group.number(groupUnpackedID, int64s) != unpacked || packed != absent && packed != f.end-start {
		return fmt.Errorf("it is not as large as its columns")
	}
	return nil
}

// checkChunk moves end from where the chunk must begin to where it ends.
func (f *footer) checkChunk(group, chunk, column *node) error {
	meta := chunk.field(chunkMetaID, record)
	if meta == nil || chunk.field(chunkFileID, binaries) != nil || chunk.field(chunkCryptoID, record) != nil {
		return fmt.Errorf("it stands elsewhere")
	}
	path := meta.list(metaPathID)
	data, dictionary := meta.number(metaDataID, int64s), meta.number(metaDictionaryID, int64s)
	first := data
	if dictionary != absent {
		first = min(first, dictionary)
	}
	offset, size := chunk.number(chunkOffsetID, int64s), meta.number(metaPackedID, int64s)
	switch {
	case meta.number(metaTypeID, int32s) != column.number(elementTypeID, int32s):
		return fmt.Errorf("it is of another type than the schema says")
	case len(path) != 1 || string(path[0].bytes) != string(column.text(elementNameID)):
		return fmt.Errorf("it has another name than in the schema")
	case meta.number(metaValuesID, int64s) != group.number(groupRowsID, int64s):
		return fmt.Errorf("it has %d values for %d rows", meta.number(metaValuesID, int64s), group.number(groupRowsID, int64s))
	case first != f.end || offset != 0 && offset != f.end || meta.field(metaIndexID, int64s) != nil:
		return fmt.Errorf("it begins at %d, and what is before it ends at %d", first, f.end)
	case size <= data-first || size > 1<<48 || meta.number(metaUnpackedID, int64s) < 0:
		return fmt.Errorf("it has %d bytes", size)
	}
	f.end += size
	return nil
}

// hasMore reports whether page indexes or bloom filters stand behind the column chunks.
func (f *footer) hasMore() bool {
	for g := range f.groups {
		for _, chunk := range f.groups[g].list(groupChunksID) {
			if chunk.field(chunkOffsetIndexID, int64s) != nil || chunk.field(chunkColumnIndexID, int64s) != nil ||
				chunk.field(chunkMetaID, record).field(metaBloomID, int64s) != nil {
				return true
			}
		}
	}
	return false
}

func corrupt(path, format string, args ...any) error {
	e := event.Errorf(event.Corrupt, format, args...).WithHint("bring the file back from a backup")
	e.Place.File = path
	return e
}
