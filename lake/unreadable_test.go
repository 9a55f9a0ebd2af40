package lake_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"kith/event"
	"kith/lake"
)

// TestOpenNamesUnreadableMetadata cuts each file that opening the table reads: the error says which.
func TestOpenNamesUnreadableMetadata(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"*.metadata.json", "snap-*.avro", "[0-9a-f]*-m*.avro"} {
		for _, moved := range []bool{false, true} {
			o := small(t.TempDir())
			l := open(t, o)
			add(t, l, 1, 6)
			flush(t, l, 6)
			commit(t, l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(o.Dir, "clean/events/metadata", pattern))
			if err != nil || len(files) == 0 {
				t.Fatalf("%s: %v", pattern, err)
			}
			newest := slices.Max(files) // metadata is counted up, and of the others there is one
			if err := os.Truncate(newest, 20); err != nil {
				t.Fatal(err)
			}
			if moved {
				there := o.Dir + "-moved"
				if err := os.Rename(o.Dir, there); err != nil {
					t.Fatal(err)
				}
				o.Dir = there
			}
			_, err = lake.Open(t.Context(), o)
			var e *event.Error
			if !errors.As(err, &e) || e.Code != event.Corrupt || filepath.Base(e.Place.File) != filepath.Base(newest) {
				t.Errorf("%s, moved %t: %v", pattern, moved, err)
			}
		}
	}
}
