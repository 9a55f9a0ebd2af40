package prepare_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"kith/event"
	"kith/prepare"
)

var update = flag.Bool("update", false, "write what is into testdata/*.case, instead of comparing")

// Each file of testdata holds cases: "=== title", the raw line, which may be broken anywhere between its tokens,
// "-- want --", and the fields of the event that comes out. Run with -update and read what it wrote.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.case")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var now strings.Builder
		for _, c := range strings.Split(string(content), "=== ")[1:] {
			title, rest, _ := strings.Cut(c, "\n")
			given, want, _ := strings.Cut(rest, "-- want --\n")
			got := prepared(strings.Join(strings.Fields(given), " "))
			fmt.Fprintf(&now, "=== %s\n%s\n-- want --\n%s\n", title, strings.TrimSpace(given), got)
			if want = strings.TrimSpace(want) + "\n"; got != want && !*update {
				t.Errorf("%s: %s\ngot:\n%s\nwant:\n%s", file, title, got, want)
			}
		}
		if *update {
			if err := os.WriteFile(file, []byte(now.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// prepared is the outcome, the fields in the order of event.Event, and the conflicts.
func prepared(line string) string {
	p := prepare.New(prepare.Options{Agents: 16})
	var e event.Event
	var b strings.Builder
	o := p.Line([]byte(line+"\n"), &e)
	if o.Result == event.Quarantined {
		fmt.Fprintf(&b, "%s %s at %s: %s\n", o.Result, o.Reason, o.Place, p.Explain(o))
		return b.String()
	}
	fmt.Fprintln(&b, o.Result)
	d := describe(&e)
	for i := range reflect.TypeFor[event.Event]().NumField() {
		if name := reflect.TypeFor[event.Event]().Field(i).Name; d[name] != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, d[name])
		}
	}
	for _, c := range p.Counters() {
		fmt.Fprintf(&b, "conflicts in %s: %d\n", c.Column, c.Conflicts)
	}
	return b.String()
}
