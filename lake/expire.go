package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/apache/iceberg-go/table"
)

// expire forgets the snapshots that are older than Options.Keep, but for the newest, and removes their manifests. It
// never removes a data file: commits only add files, so the newest snapshot names them all, and a View
// reads nothing else.
func (l *Lake) expire(ctx context.Context) error {
	if err := l.step("expire"); err != nil {
		return err
	}
	before := l.table.table()
	tx := before.NewTransaction()
	if err := tx.AssertRefSnapshotID(table.MainBranch); err != nil {
		return err
	}
	err := tx.ExpireSnapshots(table.WithOlderThan(l.o.Keep), table.WithRetainLast(1), table.WithPostCommit(false))
	if err != nil {
		return err
	}
	if err := l.store.owned(ctx, l.db); err != nil {
		return err
	}
	after, err := tx.Commit(ctx)
	if err != nil {
		return err
	}
	l.table.setTable(after)
	if err := l.step("expired"); err != nil {
		return err
	}
	return removeManifests(ctx, before, after)
}

// removeManifests removes the manifests and manifest lists that before names and after does not.
func removeManifests(ctx context.Context, before, after *table.Table) error {
	files, err := before.FS(ctx)
	if err != nil {
		return err
	}
	gone, err := manifestsOf(ctx, before, func(s table.Snapshot) bool { return after.SnapshotByID(s.SnapshotID) == nil })
	if err != nil || len(gone) == 0 {
		return err
	}
	kept, err := manifestsOf(ctx, after, func(table.Snapshot) bool { return true })
	if err != nil {
		return err
	}
	for path := range gone {
		if kept[path] {
			continue
		}
		if err := files.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove expired metadata: %w", err)
		}
	}
	return nil
}

// manifestsOf returns the manifests and manifest lists of some of a table's snapshots.
func manifestsOf(ctx context.Context, t *table.Table, which func(table.Snapshot) bool) (map[string]bool, error) {
	files, err := t.FS(ctx)
	if err != nil {
		return nil, err
	}
	paths := make(map[string]bool)
	for _, s := range t.Metadata().Snapshots() {
		if !which(s) {
			continue
		}
		manifests, err := s.Manifests(files)
		if err != nil {
			return nil, fmt.Errorf("read the manifests of snapshot %d: %w", s.SnapshotID, err)
		}
		paths[s.ManifestList] = true
		for _, m := range manifests {
			paths[m.FilePath()] = true
		}
	}
	return paths, nil
}
