package files

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

var update = flag.Bool("update", false, "rewrite what the cases want")

// TestCases reads testdata/*.case: a mapping, a CSV, and the events or the error that they make.
func TestCases(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.case")
	if err != nil || len(paths) == 0 {
		t.Fatal("no cases", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".case"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			mapping, rest, ok := strings.Cut(string(text), "-- rows.csv --\n")
			rows, want, ok2 := strings.Cut(rest, "-- want --\n")
			if !ok || !ok2 {
				t.Fatal("a case has -- rows.csv -- and -- want --")
			}
			got := run(t, mapping, strings.NewReplacer("␍", "\r", "␀", "\xff", "␂", "\xef\xbb\xbf").Replace(rows))
			if *update {
				if err := os.WriteFile(path, []byte(mapping+"-- rows.csv --\n"+rows+"-- want --\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func run(t *testing.T, mapping, rows string) string {
	m, err := ParseMapping([]byte(mapping))
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	out, err := read(t, write(t, rows), m)
	if err != nil {
		return "error: " + strings.ReplaceAll(err.Error(), t.TempDir(), "") + "\n"
	}
	return out
}

func write(t *testing.T, rows string) string {
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string, m *Mapping) (string, error) {
	r, err := Open(path, m)
	if err != nil {
		return "", fmt.Errorf("%s", strings.ReplaceAll(err.Error(), path, "rows.csv"))
	}
	defer r.Close()
	var out strings.Builder
	for {
		row, err := r.Next()
		if err == io.EOF {
			if done, total := r.Progress(); done != total {
				t.Errorf("progress ends at %d of %d", done, total)
			}
			return out.String(), nil
		}
		if err != nil {
			return "", err
		}
		if !json.Valid(row.Event) {
			t.Fatalf("row %d is no JSON: %s", row.Number, row.Event)
		}
		fmt.Fprintf(&out, "%d:%d %s\n", row.Number, row.Line, row.Event)
		if row.Bad != nil {
			fmt.Fprintf(&out, "  bad: %s\n", strings.ReplaceAll(row.Bad.Error(), path, "rows.csv"))
		}
	}
}

// ids returns the message ids of a CSV's events.
func ids(t *testing.T, rows string) (all []string) {
	m, err := ParseMapping([]byte("event: E\nrest: true\n"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := read(t, write(t, rows), m)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		_, after, _ := strings.Cut(line, `"messageId":"`)
		id, _, _ := strings.Cut(after, `"`)
		all = append(all, id)
	}
	return all
}

func TestAFileThatGrows(t *testing.T) {
	one := ids(t, "a,b\n1,x\n1,x\n2,y\n")
	if one[0] == one[1] {
		t.Error("equal lines have one id")
	}
	grown := ids(t, "a,b\n1,x\n1,x\n2,y\n3,z\n")
	for i := range one {
		if one[i] != grown[i] {
			t.Errorf("row %d has another id after the file grew", i+1)
		}
	}
	if other := ids(t, "a,b\n0,x\n1,x\n2,y\n"); other[1] == one[1] {
		t.Error("two files that begin differently share the id of a row")
	}
}

func TestACorrectedRowIsKept(t *testing.T) {
	before, after := ids(t, "a,b\n1,x\n2,y\n3,z\n"), ids(t, "a,b\n1,x\n2,Y\n3,z\n")
	if before[1] == after[1] {
		t.Error("the corrected row has the old id: it would be lost")
	}
	if before[0] != after[0] || before[2] != after[2] {
		t.Error("rows around the corrected one have other ids: they would be doubled")
	}
}

func TestParquetKeepsTypes(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "price", Type: &arrow.Decimal128Type{Precision: 12, Scale: 3}, Nullable: true},
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Microsecond}, Nullable: true},
		{Name: "ok", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		{Name: "f", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "list", Type: arrow.ListOf(arrow.PrimitiveTypes.Int64), Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.Field(0).(*array.Int64Builder).AppendValues([]int64{9007199254740993, 0}, []bool{true, false})
	b.Field(1).(*array.Decimal128Builder).AppendValues([]decimal128.Num{decimal128.FromI64(2550), {}}, []bool{true, false})
	b.Field(2).(*array.TimestampBuilder).AppendValues([]arrow.Timestamp{1291191960000000, 0}, []bool{true, false})
	b.Field(3).(*array.BooleanBuilder).AppendValues([]bool{true, false}, nil)
	b.Field(4).(*array.Float64Builder).AppendValues([]float64{1.5, 1e21}, nil)
	list := b.Field(5).(*array.ListBuilder)
	list.Append(true)
	list.ValueBuilder().(*array.Int64Builder).AppendValues([]int64{1, 2}, nil)
	list.AppendNull()
	path := filepath.Join(t.TempDir(), "x.parquet")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pqarrow.NewFileWriter(schema, file, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(b.NewRecordBatch()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := ParseMapping([]byte("event: E\ntimestamp: \"{at}\"\nzone: Europe/Berlin\nuser_id: \"{id}\"\nrest: true\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(t, path, m)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"userId":"9007199254740993"`, `"timestamp":"2010-12-01T07:26:00Z"`, `"price":2.55,`, `"ok":true`, `"f":1.5`, `"list":[1,2]`, `"ok":false,"f":1e+21`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("a,b\n1,2\n", "event: \"{a}\"\nproperties: {price: \"{b}\"}\n")
	f.Add("a;b\n\"x\n", "event: E\nrest: true\n")
	f.Fuzz(func(t *testing.T, rows, mapping string) {
		if m, err := ParseMapping([]byte(mapping)); err == nil {
			read(t, write(t, rows), m) // panics and invalid JSON fail inside
		}
	})
}
