package lake_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"kith/event"
	"kith/lake"
	"kith/lake/columns"
)

// A split is a stable sort by day, whatever the size of its pieces: columns of all types keep their values, and the
// files can be joined with those that they were made from.
func TestASplitIsASortByDay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ files, rows, days, batch int }{
		{1, 5, 1, 100}, {3, 40, 7, 1000}, {4, 50, 30, 16}, {5, 60, 2, 16}, {3, 300, 150, 4},
	} {
		t.Run(fmt.Sprintf("%d rows of %d days", c.files*c.rows, c.days), func(t *testing.T) {
			dir := t.TempDir()
			want := make(map[int64][]int64)
			var sources []string
			seq := event.Seq(0)
			random := rand.New(rand.NewPCG(3, uint64(c.days)))
			for range c.files {
				set := columns.New()
				for range c.rows {
					seq++
					back := int64(random.IntN(c.days))
					set.Append(happened(seq, today-back*day+int64(seq)))
					want[(today-back*day)/day] = append(want[(today-back*day)/day], int64(seq))
				}
				path := filepath.Join(dir, fmt.Sprintf("source-%d.parquet", seq))
				if _, err := set.Write(path); err != nil {
					t.Fatal(err)
				}
				sources = append(sources, path)
			}
			days, paths, err := lake.SplitByDay(sources, dir, c.batch)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.IsSorted(days) || len(days) != len(want) {
				t.Errorf("days %v", days)
			}
			for i, path := range paths {
				got, err := column(path, "seq")
				if err != nil || !slices.Equal(got, want[days[i]]) {
					t.Errorf("day %d holds %v, %v; want %v", days[i], got, err, want[days[i]])
				}
				anchors, err := column(path, "anchor")
				if err != nil || len(anchors) != len(got) {
					t.Fatalf("anchors %v, %v", anchors, err)
				}
				for k := range anchors {
					if anchors[k] != got[k]*3 {
						t.Errorf("event %d has the anchor %d", got[k], anchors[k])
					}
				}
			}
			info, err := columns.Join(filepath.Join(dir, "all.parquet"), append(paths, sources...))
			if err != nil || info.Rows != int64(2*c.files*c.rows) {
				t.Errorf("joined: %+v, %v", info, err)
			}
			if left := files(t, dir); len(left) != len(paths)+len(sources)+1 {
				t.Errorf("left: %v", left)
			}
		})
	}
}
