package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"kith/event"
	"kith/journal/faultfs"
)

const suffix = ".jsonl.zst"

// Segment is one sealed file of the raw zone: nothing is added to it any more.
type Segment struct {
	Part         int
	Path         string
	Base         event.Seq // of its first event
	Count        int64     // events, control lines among them
	MinAt, MaxAt int64     // received_at of its first and last event, microseconds UTC
	Bytes        int64     // the file's length
	SHA256       [32]byte  // of the first Content bytes: all but the seal itself
	Content      int64
}

func (s seal) segment(path string, bytes int64) Segment {
	return Segment{
		Part: int(s.part), Path: path, Base: s.base, Count: int64(s.next - s.base), MinAt: s.minAt, MaxAt: s.maxAt,
		Bytes: bytes, SHA256: s.sum, Content: s.content,
	}
}

func segmentPath(dir string, part int, base event.Seq) string {
	return filepath.Join(dir, strconv.Itoa(part), fmt.Sprintf("%020d%s", base, suffix))
}

// segmentBase is the seq in a segment's file name; false if it is another sort of file.
func segmentBase(name string) (event.Seq, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	base, err := strconv.ParseInt(digits, 10, 64)
	return event.Seq(base), err == nil && base > 0
}

// listSegments returns the bases of a partition's segments, ascending.
func listSegments(fs faultfs.FS, dir string, part int) ([]event.Seq, error) {
	names, err := fs.ReadDir(filepath.Join(dir, strconv.Itoa(part)))
	if err != nil {
		return nil, err
	}
	var bases []event.Seq
	for _, name := range names {
		if base, ok := segmentBase(name); ok {
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	return bases, nil
}

// listPartitions returns the numbers of the partitions that have a folder, ascending.
func listPartitions(fs faultfs.FS, dir string) ([]int, error) {
	names, err := fs.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var parts []int
	for _, name := range names {
		if part, err := strconv.Atoi(name); err == nil && part >= 0 && strconv.Itoa(part) == name {
			parts = append(parts, part)
		}
	}
	slices.Sort(parts)
	return parts, nil
}

// readSeal returns the seal at a segment's end; false if there is none.
func readSeal(fs faultfs.FS, path string, part int) (seal, int64, bool, error) {
	s, err := openScanner(fs, path, part)
	if err != nil {
		return seal{}, 0, false, err
	}
	defer s.close()
	if s.limit < sealSize {
		return seal{}, s.limit, false, nil
	}
	b, err := s.block(s.limit - sealSize)
	if d := (*damage)(nil); errors.As(err, &d) {
		return seal{}, s.limit, false, nil
	}
	if err != nil {
		return seal{}, s.limit, false, err
	}
	if b.kind != kindSeal || b.seal.content != s.limit-sealSize {
		return seal{}, s.limit, false, nil
	}
	return b.seal, s.limit, true, nil
}

// writeNew makes a file that holds data, durable but for its name.
func writeNew(fs faultfs.FS, path string, data []byte) error {
	w, err := fs.Create(path)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	if err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}
