package dedupe

import (
	"errors"
	"fmt"
	"os"
)

// Report is what Verify looked at.
type Report struct {
	Runs, Logs int
	IDs        int64
	Bytes      int64
}

// Verify reads everything that is on the disk and checks it: checksums, order, that filters know their ids, and that
// directories agree with what they list. It joins all that is wrong, each an Error of code Corrupt with file and byte.
// The index may be used meanwhile.
func (x *Index) Verify() (Report, error) {
	x.mu.Lock()
	if x.err != nil {
		defer x.mu.Unlock()
		return Report{}, x.err
	}
	runs := x.retainRuns()
	var logs []markLog
	var paths []string
	for _, l := range []*logFile{x.frozLog, x.log} {
		if l != nil {
			logs = append(logs, markLog{l.id, l.size})
			paths = append(paths, x.folder.path(l.name()))
		}
	}
	x.mu.Unlock()
	defer releaseAll(runs)

	var report Report
	var wrong []error
	for i, l := range logs {
		n, err := verifyLog(paths[i], l)
		if errors.Is(err, os.ErrNotExist) {
			continue // its run was written and committed since
		}
		report.Logs, report.IDs, report.Bytes = report.Logs+1, report.IDs+n, report.Bytes+l.size
		wrong = append(wrong, err)
	}
	for _, r := range runs {
		report.Runs, report.IDs, report.Bytes = report.Runs+1, report.IDs+r.entries, report.Bytes+r.size
		wrong = append(wrong, r.verify())
	}
	if err := errors.Join(wrong...); err != nil {
		return report, fmt.Errorf("verify dedupe index %s: %w", x.folder.dir, err)
	}
	return report, nil
}

func verifyLog(path string, l markLog) (n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	err = readLog(f, l, func(entry) error { n++; return nil })
	return n, err
}

// verify reads the whole run and returns the first thing that is wrong with it.
func (r *run) verify() error {
	var from reader
	var before key
	c := cursor{r: r}
	for i := range r.sections {
		s := &r.sections[i]
		m, err := from.summary(r, i)
		if err != nil {
			return err
		}
		entries := 0
		for b := range m.blocks {
			if err := r.verifyBlock(&c, m, b, &before); err != nil {
				return err
			}
			entries += c.block.n
		}
		if m.first(0) != s.first || entries != int(s.entries) || len(c.buf) != slack {
			return corrupt(r.f.Name(), s.offset, "section %d is not the one that the directory has", i)
		}
	}
	if before != r.last {
		return corrupt(r.f.Name(), r.size-trailerSize, "the last key is not the one that the trailer has")
	}
	return nil
}

// verifyBlock moves c on by a block, which must be block b of the summary's section and go on above before.
func (r *run) verifyBlock(c *cursor, m *summary, b int, before *key) error {
	ok, err := c.nextBlock()
	if err != nil {
		return err
	}
	s := &r.sections[c.section-1]
	if from, _ := m.extent(b, s.blockBytes); !ok || c.blockAt != s.offset+int64(from) || c.block.base != m.first(b) {
		return corrupt(r.f.Name(), c.blockAt, "the block is not the one that its section's index has")
	}
	for i := range c.block.n {
		k := c.block.key(i)
		if !before.less(k) {
			return corrupt(r.f.Name(), c.blockAt, "entry %d of the block is not above the one before", i)
		}
		if !m.filter.Contains(k.hash()) {
			return corrupt(r.f.Name(), c.blockAt, "the filter does not know entry %d of the block", i)
		}
		*before = k
	}
	return nil
}
