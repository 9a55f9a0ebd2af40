package duck_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"kith/event"
	"kith/internal/duck"
)

// A value of every type, in every format, and NULL. The golden file is the documentation of the formats.
func TestTypes(t *testing.T) {
	p, _ := newPool(t, nil)
	var expressions []string
	path := filepath.Join("testdata", "types.txt")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for text := range strings.Lines(string(before)) {
		if text = strings.TrimRight(text, "\n"); text != "" && text[0] != '\t' && text[0] != '#' {
			expressions = append(expressions, text)
		}
	}
	var list []string
	for i, e := range expressions {
		list = append(list, fmt.Sprintf("%s as c%d", e, i))
	}
	sql := "select " + strings.Join(list, ", ") + " from (values (1::bigint)) t(i) union all select " + strings.Repeat("null, ", len(list)-1) + "null order by 1 nulls last"
	columns, texts := readCSV(t, p, sql)
	values, rawNulls := readJSON(t, p, sql)
	arrows, schema := readArrow(t, p, sql)
	parquets := readParquet(t, p, sql)
	after := &strings.Builder{}
	for text := range strings.Lines(string(before)) {
		if text[0] == '#' {
			after.WriteString(text)
		}
	}
	for i, e := range expressions {
		fmt.Fprintf(after, "\n%s\n\ttype     %s\n\tjson     %s\n\tcsv      %s\n\tarrow    %s  %s\n\tparquet  %s\n",
			e, columns[i].Type, values[i], line(texts[i]), schema.Field(i).Type, line(arrows[i]), line(parquets[i]))
		if rawNulls[i] != "null" {
			t.Errorf("%s: NULL is %s", e, rawNulls[i])
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(after.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if after.String() != string(before) {
		t.Errorf("types changed; -update and look at the difference:\n%s", after.String())
	}
}

// line keeps a value in its line of the golden file.
func line(s string) string { return strings.ReplaceAll(s, "\n", "⏎") }

func readCSV(t *testing.T, p *duck.Pool, sql string) ([]duck.Column, []string) {
	a, _, err := run(t, p, duck.Job{Query: sql, Format: duck.CSV})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&a.Buffer).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d lines, %v", len(rows), err)
	}
	for _, null := range rows[2] {
		if null != "" {
			t.Errorf("NULL is %q", null)
		}
	}
	return a.columns, rows[1]
}

func readJSON(t *testing.T, p *duck.Pool, sql string) (values, nulls []string) {
	a, _, err := run(t, p, duck.Job{Query: sql, Format: duck.JSON})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Rows [][]json.RawMessage }
	if err := json.Unmarshal(a.Bytes(), &answer); err != nil {
		t.Fatalf("%v: %s", err, a.String())
	}
	for i := range answer.Rows[0] {
		values, nulls = append(values, string(answer.Rows[0][i])), append(nulls, string(answer.Rows[1][i]))
	}
	return values, nulls
}

func readArrow(t *testing.T, p *duck.Pool, sql string) ([]string, *arrow.Schema) {
	a, _, err := run(t, p, duck.Job{Query: sql, Format: duck.Arrow})
	if err != nil {
		t.Fatal(err)
	}
	r, err := ipc.NewReader(&a.Buffer)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if !r.Next() {
		t.Fatal(r.Err())
	}
	return firstRow(t, r.RecordBatch().Columns()), r.Schema()
}

func readParquet(t *testing.T, p *duck.Pool, sql string) []string {
	a, _, err := run(t, p, duck.Job{Query: sql, Format: duck.Parquet})
	if err != nil {
		t.Fatal(err)
	}
	table := parquetTable(t, a.Bytes())
	defer table.Release()
	var columns []arrow.Array
	for i := range int(table.NumCols()) {
		columns = append(columns, table.Column(i).Data().Chunk(0))
	}
	return firstRow(t, columns)
}

func parquetTable(t *testing.T, data []byte) arrow.Table {
	r, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	table, err := pqarrow.ReadTable(t.Context(), bytes.NewReader(data), nil, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	if r.NumRows() != table.NumRows() {
		t.Fatalf("%d rows, %d read", r.NumRows(), table.NumRows())
	}
	return table
}

func firstRow(t *testing.T, columns []arrow.Array) (row []string) {
	for i, c := range columns {
		if c.Len() != 2 || c.IsNull(0) || !c.IsNull(1) {
			t.Fatalf("column %d has %d values; null %v %v", i, c.Len(), c.IsNull(0), c.IsNull(1))
		}
		if s, ok := c.(*array.Binary); ok {
			row = append(row, fmt.Sprintf("%x", s.Value(0)))
			continue
		}
		row = append(row, c.ValueStr(0))
	}
	return row
}

func TestTypesThatCannotLeave(t *testing.T) {
	p, _ := newPool(t, nil)
	for sql, want := range map[string]string{
		"select 1::variant as v": `column "v" has the type VARIANT, which cannot be given out`,
		"select 170141183460469231731687303715884105727::hugeint as h": `column "h": 170141183460469231731687303715884105727 has more than the 38 digits`,
	} {
		_, _, err := run(t, p, duck.Job{Query: sql, Format: duck.Parquet})
		if event.CodeOf(err) != event.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// Every format gives the same rows, many chunks and row groups long.
func TestFormatsRoundTrip(t *testing.T) {
	p, _ := newPool(t, nil)
	const rows, sum = int64(130_000), int64(130_000) * 129_999 / 2
	const sql = "select i as n, 'row ' || i as text, i as n from range(130000) t(i)"
	answers := map[duck.Format]*answer{}
	for _, f := range duck.Formats() {
		a, done, err := run(t, p, duck.Job{Query: sql, Format: f})
		if err != nil || done.Rows != rows || done.Bytes != int64(a.Len()) {
			t.Fatalf("%s: %+v %v", f, done, err)
		}
		answers[f] = a
	}
	got := map[duck.Format]int64{}
	var object struct{ Rows [][3]any }
	if err := json.Unmarshal(answers[duck.JSON].Bytes(), &object); err != nil {
		t.Fatal(err)
	}
	for _, row := range object.Rows {
		got[duck.JSON] += int64(row[0].(float64))
	}
	for lines := json.NewDecoder(answers[duck.NDJSON]); lines.More(); {
		var row struct {
			N    int64
			Text string
			N2   int64 `json:"n_2"`
		}
		if err := lines.Decode(&row); err != nil || row.N != row.N2 || row.Text != fmt.Sprint("row ", row.N) {
			t.Fatal(row, err)
		}
		got[duck.NDJSON] += row.N
	}
	records, err := csv.NewReader(answers[duck.CSV]).ReadAll()
	if err != nil || strings.Join(records[0], " ") != "n text n_2" {
		t.Fatal(records[0], err)
	}
	for _, record := range records[1:] {
		var n int64
		fmt.Sscan(record[0], &n)
		got[duck.CSV] += n
	}
	stream, err := ipc.NewReader(answers[duck.Arrow])
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Release()
	for stream.Next() {
		for _, n := range stream.RecordBatch().Column(0).(*array.Int64).Int64Values() {
			got[duck.Arrow] += n
		}
	}
	table := parquetTable(t, answers[duck.Parquet].Bytes())
	defer table.Release()
	for _, chunk := range table.Column(0).Data().Chunks() {
		for _, n := range chunk.(*array.Int64).Int64Values() {
			got[duck.Parquet] += n
		}
	}
	for _, f := range duck.Formats() {
		if got[f] != sum {
			t.Errorf("%s: sum %d, not %d", f, got[f], sum)
		}
	}
}
