package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow-go/v18/parquet/file"

	"kith/event"
)

// Report is what Verify found.
type Report struct {
	View     string // that was looked at
	Files    int
	Rows     int64
	Bytes    int64
	Foreign  int            // files of other engines, which have no stored checksum
	Problems []*event.Error // event.Corrupt, each with the file it is about
}

// Verify reads every file of the newest View and compares it with what was stored when it was written: the checksum
// of all bytes, the footer, the rows, and that the bounds of hot files and table fit together. What is wrong stands in
// the Report; an error says that Verify could not do its work.
func (l *Lake) Verify(ctx context.Context) (Report, error) {
	v := l.View()
	defer v.Release()
	r := Report{View: v.ID}
	upto, hot := l.verifiable(v)
	seen := make(map[string]bool, len(v.Files))
	for i, f := range v.Files {
		if err := ctx.Err(); err != nil {
			return r, fmt.Errorf("verify lake: %w", err)
		}
		if seen[f.Path] {
			r.problem(f, "the file is listed twice")
		}
		seen[f.Path] = true
		want, err := l.stored(ctx, f, hot[i])
		if err != nil {
			return r, fmt.Errorf("verify lake: %w", err)
		}
		if !want.known {
			r.Foreign++
		}
		if f.Hot && f.MinSeq < upto {
			r.problem(f, "it holds event %d, which the table holds already: the table reaches up to %d", f.MinSeq, upto)
		}
		if f.MaxSeq >= v.Next || !f.Hot && f.MaxSeq >= upto {
			r.problem(f, "it holds event %d, which is beyond what is stored", f.MaxSeq)
		}
		r.check(f, want)
		r.Files++
		r.Rows += f.Rows
		r.Bytes += f.Bytes
	}
	if err := l.verifyTable(ctx, v, &r); err != nil {
		return r, fmt.Errorf("verify lake: %w", err)
	}
	if r.Rows != v.Rows {
		return r, event.Errorf(event.Internal, "the files hold %d rows together, and the view says %d", r.Rows, v.Rows)
	}
	return r, nil
}

// Damaged returns the first file of the View that is not as it was written, as an event.Corrupt error with its path; nil
// if there is none. It reads all of them.
func (v *View) Damaged(ctx context.Context) error {
	l := v.pin.lake
	for _, f := range v.Files {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("look for a damaged file: %w", err)
		}
		var hot *hotFile
		if i := slices.IndexFunc(v.pin.hot, func(h *hotFile) bool { return h.Path == f.Path }); i >= 0 {
			hot = v.pin.hot[i]
		}
		want, err := l.stored(ctx, f, hot)
		if err != nil {
			return fmt.Errorf("look for a damaged file: %w", err)
		}
		var r Report
		if r.check(f, want); len(r.Problems) > 0 {
			return r.Problems[0]
		}
	}
	return nil
}

// verifyTable reads the table's metadata again, all of it, and compares the files that it names with those of a View.
func (l *Lake) verifyTable(ctx context.Context, v *View, r *Report) error {
	if v.Snapshot == 0 {
		return nil
	}
	fresh := &eventsTable{cat: l.table.cat, seqID: l.table.seqID, tsID: l.table.tsID}
	t, err := fresh.cat.LoadTable(ctx, identifier())
	if err != nil {
		r.problem(File{Path: l.table.table().MetadataLocation()}, "the table's metadata cannot be read: %w", err)
		return ctx.Err()
	}
	s := t.SnapshotByID(v.Snapshot)
	if s == nil {
		return nil // expired since the View was taken
	}
	p, err := fresh.plan(ctx, t, s)
	if err != nil {
		r.problem(File{Path: s.ManifestList}, "the snapshot's manifests cannot be read: %w", err)
		return ctx.Err()
	}
	if inTable := v.Files[:len(v.Files)-len(v.pin.hot)]; !slices.Equal(p.files, inTable) {
		r.problem(File{Path: s.ManifestList}, "the snapshot names %d files, which are not the %d that were committed", len(p.files), len(inTable))
	}
	return nil
}

// verifiable returns what the table of a View reaches up to, and the hot file of each of its files that is one.
func (l *Lake) verifiable(v *View) (upto event.Seq, hot []*hotFile) {
	hot = make([]*hotFile, len(v.Files))
	copy(hot[len(v.Files)-len(v.pin.hot):], v.pin.hot)
	return v.pin.upto, hot
}

// written is what was stored about a file when it was written.
type written struct {
	crc   uint32
	bytes int64
	known bool
}

func (l *Lake) stored(ctx context.Context, f File, hot *hotFile) (w written, err error) {
	if hot != nil {
		return written{crc: hot.crc, bytes: hot.Bytes, known: true}, nil
	}
	rel, err := filepath.Rel(l.dir, f.Path)
	if err != nil {
		return w, err
	}
	w.crc, w.bytes, w.known, err = l.store.checksum(ctx, rel)
	return w, err
}

// check reads a file.
func (r *Report) check(f File, want written) {
	info, err := os.Stat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		r.problem(f, "the file is missing")
		return
	}
	if err != nil {
		r.problem(f, "the file cannot be read: %w", err)
		return
	}
	if info.Size() != f.Bytes || want.known && want.bytes != f.Bytes {
		r.problem(f, "the file has %d bytes, and was written with %d", info.Size(), max(want.bytes, f.Bytes))
		return
	}
	crc, err := checksum(f.Path)
	if err != nil {
		r.problem(f, "the file cannot be read: %w", err)
		return
	}
	if want.known && crc != want.crc {
		r.problem(f, "the file is not as it was written: its checksum is %08x, and was %08x", crc, want.crc)
		return
	}
	n, err := rowsOf(f.Path)
	if err != nil {
		r.problem(f, "its footer cannot be read: %w", err)
	} else if n != f.Rows {
		r.problem(f, "it holds %d rows, and is listed with %d", n, f.Rows)
	}
}

// rowsOf counts a file's rows by its footer.
func rowsOf(path string) (n int64, err error) {
	defer func() { // a footer that is no footer
		if p := recover(); p != nil {
			err = fmt.Errorf("not a Parquet file: %v", p)
		}
	}()
	r, err := file.OpenParquetFile(path, false)
	if err != nil {
		return 0, err
	}
	return r.NumRows(), r.Close()
}

func (r *Report) problem(f File, format string, args ...any) {
	e := event.Errorf(event.Corrupt, format, args...)
	e.Place.File = f.Path
	r.Problems = append(r.Problems, e)
}
