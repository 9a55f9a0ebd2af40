package query_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kith/event"
	"kith/query"
)

const secret = "SECRET-4711"

func TestAttacks(t *testing.T) {
	w := newWorld(t, query.Limits{}, nil)
	w.parquet(t, "secret.parquet", true, `[{"seq":9,"event_name":"`+secret+`"}]`)
	path := filepath.Join("testdata", "attacks.txt")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var after strings.Builder
	count := 0
	for line := range strings.Lines(string(before)) {
		if strings.HasPrefix(line, "\t") {
			continue
		}
		after.WriteString(line)
		sql := strings.ReplaceAll(strings.TrimSpace(line), "D/", w.data+"/")
		if sql == "" || strings.HasPrefix(line, "#") {
			continue
		}
		count++
		verdict := "ok"
		got, _, err := w.run(query.Request{SQL: sql})
		if err != nil {
			verdict = fmt.Sprintf("%s: %v", event.CodeOf(err), err)
		}
		leaks(t, sql, got, w.data)
		verdict = strings.ReplaceAll(verdict, w.data+"/", "D/")
		if strings.Contains(line, "D/") { // the folder's name is not always of the same length
			verdict = regexp.MustCompile(`column \d+`).ReplaceAllString(verdict, "column n")
		}
		leaks(t, sql, verdict, w.data)
		fmt.Fprintf(&after, "\t%s\n", verdict)
	}
	if count < 60 {
		t.Errorf("only %d attacks", count)
	}
	if *update {
		if err := os.WriteFile(path, []byte(after.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if after.String() != string(before) {
		t.Errorf("answers changed; -update and look at the difference:\n%s", firstDifference(string(before), after.String()))
	}
	left, err := filepath.Glob(filepath.Join(w.data, "x.*"))
	if err != nil || len(left) > 0 {
		t.Errorf("written: %v %v", left, err)
	}
}

// leaks looks for what no answer may hold. The text of the statement itself may come back.
func leaks(t *testing.T, sql, got, data string) {
	t.Helper()
	for _, word := range []string{secret, "root:", data, "landlock", "/spill/"} {
		if strings.Contains(strings.ReplaceAll(got, sql, ""), word) {
			t.Errorf("%s\nleaks %q: %s", sql, word, got)
		}
	}
}

func firstDifference(a, b string) string {
	before, after := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(before), len(after)) {
		if before[i] != after[i] {
			return fmt.Sprintf("line %d\n- %s\n+ %s", i+1, before[i], after[i])
		}
	}
	return fmt.Sprintf("%d lines, now %d", len(before), len(after))
}
