package query_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kith/query"
)

func TestAccepted(t *testing.T) {
	w := newWorld(t, query.Limits{}, nil)
	text, err := os.ReadFile(filepath.Join("testdata", "accepted.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if got, _, err := w.run(query.Request{SQL: line}); err != nil || got == "" {
			t.Errorf("%s\t%v", line, err)
		}
	}
}

// A new version of DuckDB may bring functions. They are refused until somebody has read what they do; this test
// shows them.
func TestFunctionsKnown(t *testing.T) {
	w := newWorld(t, query.Limits{}, nil)
	listed, err := os.ReadFile("functions.txt")
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for _, name := range strings.Fields(string(listed)) {
		allowed[name] = true
	}
	var refused strings.Builder
	for _, name := range w.functions(t) {
		if !allowed[name] && !strings.HasPrefix(name, "icu_collate_") {
			refused.WriteString(name + "\n")
		}
	}
	path := filepath.Join("testdata", "refused_functions.txt")
	if *update {
		if err := os.WriteFile(path, []byte(refused.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if refused.String() != string(want) {
		t.Errorf("DuckDB's functions changed: %s", firstDifference(string(want), refused.String()))
	}
}
