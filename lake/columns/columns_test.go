package columns_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"kith/event"
	"kith/lake/columns"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has changed. What is in files that exist must go on being read: ids, names and types stay for ever.\ngot\n%s", path, got)
	}
}

// The schema of the files, as others read it. The golden file is the promise; only new lines may come.
func TestSchema(t *testing.T) {
	set, path := columns.New(), filepath.Join(t.TempDir(), "a.parquet")
	set.Append(&event.Event{Seq: 1})
	if _, err := set.Write(path); err != nil {
		t.Fatal(err)
	}
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := columns.Columns()
	sc := f.MetaData().Schema
	if sc.NumColumns() != len(all) {
		t.Fatalf("the file has %d columns, the definition %d", sc.NumColumns(), len(all))
	}
	var b strings.Builder
	for i, c := range all {
		node := sc.Column(i).SchemaNode().(*schema.PrimitiveNode)
		if int(node.FieldID()) != c.ID || node.Name() != c.Name || c.ID != i+1 {
			t.Errorf("column %d of the file is %d %s, of the definition %d %s", i, node.FieldID(), node.Name(), c.ID, c.Name)
		}
		if strings.Count(c.Doc, ".") == 0 || !strings.HasSuffix(c.Doc, ".") {
			t.Errorf("column %s: %q is not a sentence", c.Name, c.Doc)
		}
		logical, _, _ := strings.Cut(node.LogicalType().String(), ", is_from")
		fmt.Fprintf(&b, "%2d %-18s %-13s %s %s %s\n", c.ID, c.Name, c.Type, node.RepetitionType(), node.PhysicalType(), logical)
	}
	golden(t, "schema.txt", b.String())
}
