package lake

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"

	"kith/lake/columns"
)

// job is a piece of work for the encoder, in the order in which it was made.
type job struct {
	set      *columns.Set // sealed rows to write, to the file rel in place of replaces
	rel      string
	replaces string
	flush    *flush // then: publish all that was written
	cut      bool   // then: give the committer the hot list
}

// flush is one Flush on its way.
type flush struct {
	Checkpoint
	files   []staged
	refused []Refusal
	sync    func() error
}

// staged is a file that the next flush publishes.
type staged struct {
	file     *hotFile
	replaces string
}

// encode does the jobs until there are none any more. After an error it only takes them.
func (l *Lake) encode() {
	defer close(l.encoded)
	var files []staged
	for j := range l.jobs {
		if l.failed() != nil {
			continue
		}
		if err := l.do(j, &files); err != nil {
			l.poison(err)
		}
	}
}

func (l *Lake) do(j job, files *[]staged) error {
	if j.set != nil {
		if err := l.step("seal"); err != nil {
			return err
		}
		file, err := l.writeHot(j.set, j.rel)
		if err != nil {
			return err
		}
		*files = append(*files, staged{file: file, replaces: j.replaces})
		j.set.Reset()
		l.tails.recycle(j.set)
	}
	if j.flush != nil {
		j.flush.files = append(*files, j.flush.files...)
		*files = nil
		if err := l.save(j.flush); err != nil {
			return fmt.Errorf("flush up to event %d: %w", j.flush.Next, err)
		}
	}
	if j.cut {
		l.mu.Lock()
		c := cut{hot: slices.Clone(l.hot), upto: l.saved.Next}
		l.mu.Unlock()
		l.commit.cuts <- c // has room: the committer asks for one at a time
	}
	return nil
}

// save stores one flush and publishes it.
func (l *Lake) save(f *flush) error {
	if err := l.step("flush.files"); err != nil {
		return err
	}
	if f.sync != nil {
		if err := f.sync(); err != nil {
			return err
		}
	}
	if err := l.step("flush.sync"); err != nil {
		return err
	}
	fresh, err := l.store.flush(context.Background(), f.Checkpoint, f.files, f.refused)
	if err != nil {
		return err
	}
	if err := l.step("flush.stored"); err != nil {
		return err
	}
	l.mu.Lock()
	for _, s := range f.files {
		s.file.upto = f.Next
		if s.replaces != "" {
			l.hot = slices.DeleteFunc(l.hot, func(h *hotFile) bool { return h.rel == s.replaces })
		}
		l.hot = append(l.hot, s.file)
	}
	l.saved = f.Checkpoint
	l.refused += fresh
	gone := l.publish()
	l.mu.Unlock()
	l.remove(gone)
	l.commit.notice()
	return nil
}

// writeHot writes a set as a hot file.
func (l *Lake) writeHot(set *columns.Set, rel string) (*hotFile, error) {
	info, err := set.Write(l.path(rel))
	if err != nil {
		return nil, err
	}
	crc, err := checksum(l.path(rel))
	if err != nil {
		return nil, err
	}
	return &hotFile{rel: rel, crc: crc, File: File{Path: l.path(rel), Rows: info.Rows, Bytes: info.Bytes, Hot: true,
		MinSeq: info.MinSeq, MaxSeq: info.MaxSeq, MinTS: info.MinTS, MaxTS: info.MaxTS}}, nil
}

// checksum returns the crc32c of a file.
func checksum(path string) (uint32, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	if _, err := io.Copy(sum, file); err != nil {
		return 0, fmt.Errorf("checksum of %s: %w", filepath.Base(path), err)
	}
	return sum.Sum32(), nil
}
