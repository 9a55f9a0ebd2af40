package duck_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kith/internal/duck"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	if os.Getenv(duck.ChildVariable) != "" {
		os.Exit(duck.Main())
	}
	if os.Getenv(parentVariable) != "" {
		beParent()
	}
	os.Exit(m.Run())
}

// newPool makes a pool whose children may read the returned folder.
func newPool(t testing.TB, change func(*duck.Options)) (*duck.Pool, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(root, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	o := duck.Options{Command: []string{self}, Folder: filepath.Join(root, "spill"), Read: []string{data},
		Grace: 300 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	p, err := duck.NewPool(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(filepath.Join(o.Folder, "*")); len(left) > 0 {
			t.Errorf("left in the spill folder: %v", left)
		}
	})
	return p, data
}

// answer is a sink that keeps everything.
type answer struct {
	columns []duck.Column
	bytes.Buffer
}

func (a *answer) Columns(c []duck.Column) error { a.columns = c; return nil }

func run(t testing.TB, p *duck.Pool, job duck.Job) (*answer, duck.Done, error) {
	t.Helper()
	s, err := p.Session(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if job.Format == "" {
		job.Format = duck.NDJSON
	}
	a := &answer{}
	done, err := s.Run(context.Background(), job, a)
	return a, done, err
}
