package lake

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"kith/lake/columns"
)

// dataFile is a finished file of a commit.
type dataFile struct {
	File
	rel string // its place under the table, in the lake's folder
	tmp string // where it was written, absolute
	crc uint32
}

// join makes one file per day of the rows of a cut, in the spill folder: files that hold one day by copying their row
// groups, the others by sorting their rows into days first.
func (l *Lake) join(c cut) (files []dataFile, err error) {
	days := make(map[int64][]string)
	var mixed []string
	for _, h := range c.hot {
		if day := dayOf(h.MinTS); day == dayOf(h.MaxTS) {
			days[day] = append(days[day], h.Path)
		} else {
			mixed = append(mixed, h.Path)
		}
	}
	spill := l.path("spill")
	defer func() {
		if err != nil && l.failed() == nil {
			err = errors.Join(err, emptyDir(spill))
		}
	}()
	sorted, err := splitByDay(mixed, spill, l.o.GroupRows)
	if err != nil {
		return nil, err
	}
	for _, s := range sorted {
		if pure := days[s.day]; pure == nil { // it is the day's file as it stands
			files = append(files, l.finished(s, c))
			continue
		}
		days[s.day] = append(days[s.day], s.Path)
	}
	for day, sources := range days {
		f, err := l.joinDay(day, sources, c)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b dataFile) int { return cmp.Compare(a.MinTS, b.MinTS) })
	return files, nil
}

// name gives the day's file of a cut its places, in the end and until it is finished.
func (l *Lake) name(day int64, c cut) dataFile {
	l.commit.files++
	name := fmt.Sprintf("%012d-%s-%06d.parquet", c.upto, l.writer, l.commit.files)
	return dataFile{rel: filepath.Join(tablePath, "data", "ts_day="+dayName(day), name), tmp: filepath.Join(l.path("spill"), name)}
}

// finished makes a file of a split the day's file.
func (l *Lake) finished(s dayFile, c cut) dataFile {
	f := l.name(s.day, c)
	f.File, f.tmp, f.crc = s.File, s.Path, s.crc
	f.Path = l.path(f.rel)
	return f
}

// joinDay copies the row groups of a day's files into one.
func (l *Lake) joinDay(day int64, sources []string, c cut) (dataFile, error) {
	f := l.name(day, c)
	info, err := columns.Join(f.tmp, sources)
	if err != nil {
		return dataFile{}, err
	}
	if f.crc, err = checksum(f.tmp); err != nil {
		return dataFile{}, err
	}
	f.File = File{Path: l.path(f.rel), Rows: info.Rows, Bytes: info.Bytes,
		MinSeq: info.MinSeq, MaxSeq: info.MaxSeq, MinTS: info.MinTS, MaxTS: info.MaxTS}
	return f, nil
}

// place moves finished files under the table's folder.
func (l *Lake) place(files []dataFile) error {
	var dirs []string
	for _, f := range files {
		dir := filepath.Dir(f.Path)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.Rename(f.tmp, f.Path); err != nil {
			return err
		}
		dirs = append(dirs, dir)
	}
	if err := emptyDir(l.path("spill")); err != nil { // pieces of days that were joined
		return err
	}
	return syncDirs(l.path(tablePath+"/data"), slices.Compact(dirs))
}

// discard takes back the files of a commit that did not happen.
func (l *Lake) discard(ctx context.Context, files []dataFile) {
	var rels []string
	for _, f := range files {
		rels = append(rels, f.rel)
	}
	if err := errors.Join(emptyDir(l.path("spill")), l.forget(ctx, rels)); err != nil {
		l.o.Log.Warn("remove the files of a failed commit", "err", err)
	}
}

// sweep removes the files that earlier openings announced and never committed. Only now, after a commit of this
// opening, is it certain that no commit of theirs is still on its way to success.
func (l *Lake) sweep(ctx context.Context) error {
	stale := l.commit.stale
	l.commit.stale = nil
	if len(stale) == 0 {
		return nil
	}
	if err := l.forget(ctx, stale); err != nil {
		l.o.Log.Warn("remove files of an unfinished commit", "err", err)
	}
	return l.step("commit.swept")
}

// forget removes data files that no snapshot names, and what is stored about them.
func (l *Lake) forget(ctx context.Context, rels []string) error {
	for _, rel := range rels {
		if err := os.Remove(l.path(rel)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return l.store.write(ctx, func(tx *sql.Tx) error {
		for _, rel := range rels {
			if _, err := tx.ExecContext(ctx, `DELETE FROM file WHERE path = ? AND pending`, rel); err != nil {
				return err
			}
		}
		return nil
	})
}

func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
