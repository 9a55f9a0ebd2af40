package duck_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kith/event"
	"kith/internal/duck"
)

// Whatever a query gets past the judges, DuckDB's lock holds; and should that not hold, the kernel does. The paths
// given with a job are what DuckDB's lock allows, for writing too.
func TestSandbox(t *testing.T) {
	p, data := newPool(t, nil)
	inside, outside := filepath.Join(data, "in.csv"), filepath.Join(filepath.Dir(data), "out.csv")
	link := filepath.Join(data, "link.csv")
	for _, path := range []string{inside, outside} {
		if err := os.WriteFile(path, []byte("a\n1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	works(t, p)
	if !strings.HasPrefix(p.Sandbox(), "landlock") {
		t.Skipf("this kernel has no Landlock: %s", p.Sandbox())
	}
	all := []string{inside, outside, link, "/etc/passwd", "/proc/self/environ"}
	refused := func(why, sql string, paths []string) {
		t.Helper()
		a, _, err := run(t, p, duck.Job{Query: sql, Paths: paths, Format: duck.CSV})
		if err == nil {
			t.Errorf("%s: %s gave %q", why, sql, a.String())
		}
	}
	for _, path := range all {
		refused("DuckDB's lock", "select content from read_text('"+path+"')", nil)
		refused("nothing can be written", "copy (select 2 as a) to '"+path+"' (use_tmp_file false, format csv)", []string{path})
	}
	for _, path := range []string{outside, link, "/etc/passwd"} {
		refused("the kernel", "select content from read_text('"+path+"')", []string{path})
	}
	for _, sql := range []string{"set enable_external_access=true", "set lock_configuration=false", "set allowed_paths=['/etc']",
		"install httpfs", "load httpfs", "attach '" + filepath.Join(data, "x.db") + "' as x", "set memory_limit='100GB'"} {
		refused("the lock", sql, nil)
	}
	a, _, err := run(t, p, duck.Job{Query: "select a from read_csv('" + inside + "')", Paths: []string{inside}, Format: duck.CSV})
	if err != nil || a.String() != "a\n1\n" {
		t.Errorf("what is allowed: %q, %v", a.String(), err)
	}
	if text, err := os.ReadFile(inside); err != nil || string(text) != "a\n1\n" {
		t.Errorf("written over: %q, %v", text, err)
	}
}

// Nothing that one query leaves is there for the next, and a file that is shown to a session goes with it.
func TestSessionsShareNothing(t *testing.T) {
	p, _ := newPool(t, func(o *duck.Options) { o.Children = 1 })
	s := session(t, p)
	folder, err := s.Folder()
	if err != nil {
		t.Fatal(err)
	}
	shown := filepath.Join(folder, "shown.csv")
	if err := os.WriteFile(shown, []byte("a\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	view := duck.View{Schema: "clean", Name: `odd "name"`, SQL: "from read_csv('" + shown + "')"}
	job := duck.Job{Query: `select a from clean."odd ""name"""`, Views: []duck.View{view}, Paths: []string{shown}, Format: duck.CSV}
	a := &answer{}
	if _, err := s.Run(t.Context(), job, a); err != nil || a.String() != "a\n1\n" {
		t.Fatalf("%q, %v", a.String(), err)
	}
	if _, err := s.Run(t.Context(), duck.Job{Query: "create table kith.clean.left_behind as select 1 as a", Format: duck.CSV}, &answer{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{`"odd ""name"""`, "left_behind"} {
		if _, err := s.Run(t.Context(), duck.Job{Query: "from kith.clean." + name, Format: duck.CSV}, &answer{}); event.CodeOf(err) != event.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Close()
	if _, err := os.Stat(shown); !os.IsNotExist(err) {
		t.Errorf("still shown: %v", err)
	}
}

func TestBrokenViewIsNotTheUsersFault(t *testing.T) {
	p, _ := newPool(t, nil)
	view := duck.View{Schema: "clean", Name: "events", SQL: "select nosuch"}
	_, _, err := run(t, p, duck.Job{Query: "from clean.events", Views: []duck.View{view}})
	if event.CodeOf(err) != event.Corrupt || !strings.Contains(err.Error(), "clean.events cannot be read") {
		t.Error(err)
	}
	if _, _, err := run(t, p, duck.Job{Query: "select 1", Format: "xml"}); event.CodeOf(err) != event.Usage || !strings.Contains(err.Error(), "ndjson") {
		t.Error(err)
	}
}

// A data folder may lie behind a symbolic link: /var/lib/kith often does.
func TestFolderBehindALink(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(root, "link")
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(link, "in.csv")
	if err := os.WriteFile(path, []byte("a\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, _ := newPool(t, func(o *duck.Options) { o.Read = []string{link} })
	a, _, err := run(t, p, duck.Job{Query: "select a from read_csv('" + path + "')", Paths: []string{path}, Format: duck.CSV})
	if err != nil || a.String() != "a\n1\n" {
		t.Errorf("%q, %v", a.String(), err)
	}
	if _, err := duck.NewPool(duck.Options{Command: []string{"x"}, Folder: root, Read: []string{filepath.Join(root, "none")}}); err == nil {
		t.Error("a folder that is not there was taken")
	}
}
