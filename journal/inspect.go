package journal

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"

	"kith/event"
	"kith/journal/faultfs"
)

// Print writes the report as a table, one line a segment, and the damage below.
func (r Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "segment\tseq\tevents\tframes\tbytes\traw bytes\tfirst received\tlast received\tstate\n")
	for _, s := range r.Segments {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", filepath.Base(s.Path), s.span(), s.Count, s.Frames, s.Bytes,
			s.RawBytes, moment(s.MinAt), moment(s.MaxAt), s.state())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, s := range r.Segments {
		if s.Damage != nil {
			if _, err := fmt.Fprintf(w, "%s: byte %d: %s\n", s.Path, s.Damage.Offset, s.Damage.Reason); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s SegmentReport) span() string {
	if s.Count == 0 {
		return "none"
	}
	return fmt.Sprintf("%d-%d", s.Base, int64(s.Base)+s.Count-1)
}

func (s SegmentReport) state() string {
	switch {
	case s.Damage != nil:
		return "damaged"
	case s.Torn > 0:
		return fmt.Sprintf("open, %d bytes not finished", s.Torn)
	case s.Sealed:
		return "sealed"
	}
	return "open"
}

func moment(µs int64) string {
	if µs == 0 {
		return "-"
	}
	return time.UnixMicro(µs).UTC().Format(time.RFC3339Nano)
}

// FrameInfo is a frame's header.
type FrameInfo struct {
	Offset     int64     // of the header in the segment
	Base       event.Seq // of its first event
	Append     event.Seq // of the first event of the append it came with
	Count      int
	At         int64 // received_at, microseconds UTC
	Compressed int   // bytes
	Raw        int   // bytes
}

// Inspect calls fn for each frame of a segment file, in order, without reading what it holds. Damage ends it with a
// Corrupt error.
func Inspect(path string, fn func(FrameInfo) error) error {
	part, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
	if err != nil {
		return event.Errorf(event.Invalid, "%s is not in a partition's folder", path)
	}
	s, err := openScanner(faultfs.OS{}, path, part)
	if err != nil {
		return err
	}
	defer s.close()
	for {
		b, err := s.next()
		if d, ok := err.(*damage); ok {
			return d.corrupt(part)
		}
		if err == io.EOF || err == nil && b.kind == kindSeal {
			return nil
		}
		if err != nil {
			return err
		}
		info := FrameInfo{Offset: b.off, Base: b.base, Append: b.first, Count: int(b.count), At: b.at,
			Compressed: int(b.header.payload), Raw: int(b.raw)}
		if err := fn(info); err != nil {
			return err
		}
	}
}
