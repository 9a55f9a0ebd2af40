package lake

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"kith/event"
)

// recover brings a lake that was just opened to its last checkpoint and publishes it.
func (l *Lake) recover(ctx context.Context) error {
	var err error
	if l.saved, l.refused, err = l.store.checkpoint(ctx); err != nil {
		return err
	}
	p, err := l.table.newest(ctx, l.table.table())
	if err != nil {
		return err
	}
	if l.table.upto, err = seqOf(l.table.table().Properties()); err != nil {
		return err
	}
	if l.table.upto > l.saved.Next {
		return event.Errorf(event.Corrupt, "the table clean.events reaches up to event %d, but the checkpoint in lake.db only to %d",
			l.table.upto, l.saved.Next).WithHint("restore lake.db and the folder clean from one and the same backup")
	}
	l.lake, l.snapshot, l.upto = p.files, p.snapshot, l.table.upto
	if err := l.settle(ctx); err != nil {
		return err
	}
	if err := l.recoverHot(ctx); err != nil {
		return err
	}
	l.tails.next = l.saved.Next
	l.mu.Lock()
	defer l.mu.Unlock()
	l.publish()
	return nil
}

// settle decides the commits that did not come to their end. A file that the table names is in it, whatever happened
// after that; the others wait for this opening's first commit.
func (l *Lake) settle(ctx context.Context) error {
	pending, err := l.store.pending(ctx)
	if err != nil || len(pending) == 0 {
		return err
	}
	named := make(map[string]bool, len(l.lake))
	for _, f := range l.lake {
		named[f.Path] = true
	}
	var landed []dataFile
	for _, rel := range pending {
		if named[l.path(rel)] {
			landed = append(landed, dataFile{rel: rel})
		} else {
			l.commit.stale = append(l.commit.stale, rel)
		}
	}
	return l.store.committed(ctx, landed, nil)
}

// recoverHot reads the hot list. Files that the table holds already leave it; all others must be there as written.
func (l *Lake) recoverHot(ctx context.Context) error {
	listed, err := l.store.hot(ctx)
	if err != nil {
		return err
	}
	var held []*hotFile
	keep := make(map[string]bool, len(listed))
	for _, h := range listed {
		if h.upto <= l.table.upto {
			held = append(held, h)
			continue
		}
		h.Path = l.path(h.rel)
		info, err := os.Stat(h.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil || info.Size() != h.Bytes {
			e := event.Errorf(event.Corrupt, "a file of the hot tail, with the events %d to %d, is missing or not as long as it was written",
				h.MinSeq, h.MaxSeq).WithHint("restore the file; the events are in the journal, too")
			e.Place.File = h.Path
			return e
		}
		keep[filepath.Base(h.rel)] = true
		l.hot = append(l.hot, h)
	}
	if len(held) > 0 {
		err := l.store.write(ctx, func(tx *sql.Tx) error { return forgetHot(ctx, tx, held) })
		if err != nil {
			return err
		}
	}
	if err := removeOthers(l.path("hot"), func(name string) bool { return !keep[name] }); err != nil {
		return err
	}
	return removeOthers(l.path(tablePath+"/metadata"), func(name string) bool { return strings.HasPrefix(name, temporary) })
}

// removeOthers removes the files of a folder that are to go.
func removeOthers(dir string, gone func(name string) bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !gone(e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("remove what a crash left: %w", err)
		}
	}
	return nil
}
