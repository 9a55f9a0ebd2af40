package columns

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"slices"

	"kith/event"
)

// Join makes one file of several, in their order: their row groups are copied byte for byte, with their statistics,
// under one footer. Nothing is decoded, so that it costs what copying costs. All sources must have the same schema.
// When Join fails there is no file dst; a damaged source is an error of code corrupt that names it.
func Join(dst string, srcs []string) (Info, error) {
	if len(srcs) == 0 {
		return Info{}, event.Errorf(event.Invalid, "there are no files to join into %s", dst)
	}
	info, err := create(dst, func(w io.Writer) error {
		j := joiner{out: w}
		return j.join(srcs)
	})
	if err != nil {
		return Info{}, fmt.Errorf("join %d files into %s: %w", len(srcs), dst, err)
	}
	return info, nil
}

type joiner struct {
	out   io.Writer
	at    int64   // how many bytes were written
	first string  // the source whose schema all others must have
	foot  *footer // its footer, to which the row groups of the others are added
	rows  int64
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
	j.foot.meta.field(fileRowsID, int64s).num = j.rows
	j.foot.meta.field(fileGroupsID, list).members = j.foot.groups
	text := appendStruct(nil, j.foot.meta)
	text = binary.LittleEndian.AppendUint32(text, uint32(len(text)))
	return j.write(append(text, magic...))
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
	if err := j.take(path, foot); err != nil {
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
func (j *joiner) take(path string, foot *footer) error {
	if j.foot == nil {
		j.first, j.foot = path, &footer{meta: foot.meta, columns: foot.columns}
	}
	if column, same := sameColumns(j.foot.columns, foot.columns); !same {
		e := event.Errorf(event.Invalid, "its schema is not that of %s: they differ at column %q", j.first, column).
			WithHint("join files of one schema only")
		e.Place.File = path
		return e
	}
	if len(j.foot.groups)+len(foot.groups) > math.MaxInt16 {
		return event.Errorf(event.Invalid, "the joined file would have more than %d row groups", math.MaxInt16)
	}
	shift := j.at - int64(len(magic))
	for i := range foot.groups {
		group := &foot.groups[i]
		if ordinal := group.field(groupOrdinalID, int16s); ordinal != nil {
			ordinal.num = int64(len(j.foot.groups))
		}
		moveGroup(group, shift)
		j.foot.groups = append(j.foot.groups, *group)
	}
	j.rows += foot.info.Rows
	return nil
}

func moveGroup(group *node, by int64) {
	move(group.field(groupOffsetID, int64s), by)
	for i := range group.list(groupChunksID) {
		chunk := &group.list(groupChunksID)[i]
		if offset := chunk.field(chunkOffsetID, int64s); offset != nil && offset.num != 0 {
			move(offset, by)
		}
		drop(chunk, chunkOffsetIndexID, chunkEndIndexesID)
		meta := chunk.field(chunkMetaID, record)
		move(meta.field(metaDataID, int64s), by)
		move(meta.field(metaDictionaryID, int64s), by)
		drop(meta, metaBloomID, metaBloomLengthID)
	}
}

func move(offset *node, by int64) {
	if offset != nil {
		offset.num += by
	}
}

// drop takes the fields from one id to another out of a struct.
func drop(n *node, from, to int16) {
	n.members = slices.DeleteFunc(n.members, func(m node) bool { return from <= m.id && m.id <= to })
}

// sameColumns compares all that two schemas say of their columns, and names the first column that differs.
func sameColumns(a, b []node) (name string, same bool) {
	for i := range max(len(a), len(b)) {
		switch {
		case i == len(a) || i < len(b) && !reflect.DeepEqual(a[i], b[i]):
			return string(b[i].text(elementNameID)), false
		case i == len(b):
			return string(a[i].text(elementNameID)), false
		}
	}
	return "", true
}
