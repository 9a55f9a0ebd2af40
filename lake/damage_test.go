package lake_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kith/event"
	"kith/lake"
)

func TestVerifyNamesTheDamagedFile(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"flipped bit": func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b[len(b)/2] ^= 4
			return os.WriteFile(path, b, 0o644)
		},
		"flipped bit in the footer's length": func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b[len(b)-6] ^= 0x40
			return os.WriteFile(path, b, 0o644)
		},
		"cut short": func(path string) error { return os.Truncate(path, 100) },
		"missing":   os.Remove,
	} {
		for _, hot := range []bool{true, false} {
			l := open(t, small(t.TempDir()))
			add(t, l, 1, 6)
			flush(t, l, 6)
			commit(t, l)
			add(t, l, 6, 9)
			flush(t, l, 9)
			v := l.View()
			i := slices.IndexFunc(v.Files, func(f lake.File) bool { return f.Hot == hot })
			path := v.Files[i].Path
			v.Release()
			if err := damage(path); err != nil {
				t.Fatal(err)
			}
			r, err := l.Verify(t.Context())
			if err != nil || len(r.Problems) != 1 || r.Problems[0].Place.File != path || r.Problems[0].Code != event.Corrupt {
				t.Errorf("%s, hot %v: %+v, %v", name, hot, r, err)
			}
			l.Close()
		}
	}
}

func TestVerifyReadsTheTablesMetadata(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"snap-*.avro", "*-m*.avro", "*.metadata.json"} {
		dir := t.TempDir()
		l := open(t, small(dir))
		add(t, l, 1, 6)
		flush(t, l, 6)
		commit(t, l)
		names, err := filepath.Glob(filepath.Join(dir, "clean/events/metadata", pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		if err := os.Truncate(names[len(names)-1], 50); err != nil {
			t.Fatal(err)
		}
		if r, err := l.Verify(t.Context()); err != nil || len(r.Problems) != 1 {
			t.Errorf("%s cut short: %+v, %v", pattern, r, err)
		}
	}
}

func TestAMissingHotFileIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, small(dir))
	add(t, l, 1, 6)
	flush(t, l, 6)
	v := l.View()
	path := v.Files[0].Path
	v.Release()
	l.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err := lake.Open(t.Context(), small(dir))
	if event.CodeOf(err) != event.Corrupt || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

// TestViewFindsTheDamagedFile asks a View, and one that is restricted to what came before the damage.
func TestViewFindsTheDamagedFile(t *testing.T) {
	t.Parallel()
	l := open(t, small(t.TempDir()))
	add(t, l, 1, 6)
	flush(t, l, 6)
	commit(t, l)
	add(t, l, 6, 9)
	flush(t, l, 9)
	v := l.View()
	defer v.Release()
	before := v.Restrict(5)
	defer before.Release()
	if err := v.Damaged(t.Context()); err != nil {
		t.Errorf("nothing is damaged: %v", err)
	}
	path := v.Files[slices.IndexFunc(v.Files, func(f lake.File) bool { return f.Hot })].Path
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 4
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	e := (*event.Error)(nil)
	if err := v.Damaged(t.Context()); !errors.As(err, &e) || e.Code != event.Corrupt || e.Place.File != path {
		t.Errorf("got %v, want %s", err, path)
	}
	if err := before.Damaged(t.Context()); err != nil {
		t.Errorf("no file of the View is damaged: %v", err)
	}
}
