package query_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/klauspost/compress/zstd"

	"kith/event"
	"kith/internal/duck"
	"kith/query"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	if os.Getenv(duck.ChildVariable) != "" {
		os.Exit(duck.Main())
	}
	os.Exit(m.Run())
}

func columns() []query.Column {
	return []query.Column{{1, "seq", "long"}, {2, "event", "string"}, {3, "ts", "timestamptz"}, {4, "revenue", "decimal(18,4)"}, {5, "properties", "string"}}
}

// world is a lake of three events and a journal of four lines, and an engine that reads them.
type world struct {
	*query.Engine
	pool   *duck.Pool
	data   string
	tables query.Tables
	wanted []query.Want
	pins   int // pinned now
}

func (w *world) Tables(_ context.Context, want query.Want) (*query.Tables, error) {
	w.wanted = append(w.wanted, want)
	w.pins++
	t := w.tables
	t.Through = want.Seq
	t.Release = func() { w.pins-- }
	return &t, nil
}

func newWorld(t testing.TB, limits query.Limits, change func(*duck.Options)) *world {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{data: filepath.Join(root, "data")}
	if err := os.Mkdir(w.data, 0o700); err != nil {
		t.Fatal(err)
	}
	o := duck.Options{Command: []string{self}, Folder: filepath.Join(root, "spill"), Read: []string{w.data}, Grace: 200 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	if w.pool, err = duck.NewPool(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.pool.Close(); err != nil {
			t.Error(err)
		}
		if w.pins != 0 {
			t.Errorf("%d views are still pinned", w.pins)
		}
	})
	w.Engine = query.New(query.Options{Pool: w.pool, Source: w, Limits: limits})
	w.tables = query.Tables{View: "7@4", Snapshot: 7, Upto: 4, Columns: columns(),
		Events:   []string{w.parquet(t, "a.parquet", true, oldRows), w.parquet(t, "b.parquet", false, newRows)},
		Segments: []query.Segment{{Path: w.segment(t, "sealed.jsonl.zst", 0)}, w.open(t)},
		Quarantine: func(yield func(query.Refusal) error) error {
			return yield(query.Refusal{Seq: 3, ReceivedAt: micros, Source: "web", Reason: "type_unknown", Place: "type", Message: "there is no type \"trakc\""})
		}}
	return w
}

const micros = 1764032527123456 // 2025-11-25T01:02:07.123456Z

// parquet writes a file; the first is older than a rename and the last column.
func (w *world) parquet(t testing.TB, name string, old bool, rows string) string {
	t.Helper()
	field := func(id, name string, typ arrow.DataType) arrow.Field {
		return arrow.Field{Name: name, Type: typ, Nullable: true, Metadata: arrow.MetadataFrom(map[string]string{"PARQUET:field_id": id})}
	}
	fields := []arrow.Field{field("1", "seq", arrow.PrimitiveTypes.Int64), field("2", "event", arrow.BinaryTypes.String),
		field("3", "ts", &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}),
		field("4", "revenue", &arrow.Decimal128Type{Precision: 18, Scale: 4}), field("5", "properties", arrow.BinaryTypes.String)}
	if old {
		fields = fields[:4]
		fields[1].Name = "event_name"
	}
	schema := arrow.NewSchema(fields, nil)
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	writer, err := pqarrow.NewFileWriter(schema, &b, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(writer.WriteBuffered(batch), writer.Close()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(w.data, name)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	oldRows = `[{"seq":1,"event_name":"Signed Up","ts":"2025-11-25T01:02:07.123456Z"}]`
	newRows = `[{"seq":2,"event":"Order Completed","ts":"2025-11-25T01:02:08.123456Z","revenue":"19.99","properties":"{\"sku\":\"a\"}"},
		{"seq":4,"event":"Order Completed","ts":"2025-11-25T01:02:09.123456Z","revenue":"5","properties":"{\"sku\":\"b\"}"}]`
)

// segment writes two frames, each behind a skippable one, as the journal does.
func (w *world) segment(t testing.TB, name string, more int) string {
	t.Helper()
	lines := []string{
		`{"seq":1,"received_at":1764032527123456,"source":"web","source_id":1,"door":"events","ip":"::1","event":{"type":"track","event":"Signed Up","properties":{"n":1.50,"big":123456789012345678901234567890}}}` + "\n",
		`{"seq":2,"received_at":1764032528123456,"source":"web","source_id":1,"door":"events","batch":{"context":{"event":"x"}},"event":{"type":"track"}}` + "\n" +
			`{"seq":3,"received_at":1764032528123457,"source":"web","source_id":1,"door":"events","bytes":"/w=="}` + "\n"}
	if more > 0 {
		lines = []string{`{"seq":4,"received_at":1764032529123456,"source":"web","source_id":1,"door":"import","claimed_at":1600000000000000,"event":{"type":"track"}}` + "\n"}
	}
	var b []byte
	for _, text := range lines {
		b = binary.LittleEndian.AppendUint32(b, 0x184D2A50)
		b = append(binary.LittleEndian.AppendUint32(b, 4), 'k', 'i', 't', 'h')
		encoder, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		b = encoder.EncodeAll([]byte(text), b)
	}
	path := filepath.Join(w.data, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// open is a segment with half a frame behind its durable part.
func (w *world) open(t testing.TB) query.Segment {
	t.Helper()
	path := w.segment(t, "open.jsonl.zst", 1)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(whole, whole[:len(whole)/2]...), 0o600); err != nil {
		t.Fatal(err)
	}
	return query.Segment{Path: path, Bytes: int64(len(whole))}
}

// answer keeps what is given.
type answer struct {
	header *query.Header
	bytes.Buffer
}

func (a *answer) Begin(h query.Header) error { a.header = &h; return nil }

func (w *world) run(r query.Request) (string, query.Summary, error) {
	if r.Format == "" {
		r.Format = duck.CSV
	}
	a := &answer{}
	s, err := w.Run(context.Background(), r, a)
	return a.String(), s, err
}

func (w *world) sql(t testing.TB, text string) string {
	t.Helper()
	got, _, err := w.run(query.Request{SQL: text})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return got
}

func code(err error) event.Code { return event.CodeOf(err) }

// functions asks DuckDB itself, behind the engine's back.
func (w *world) functions(t testing.TB) []string {
	t.Helper()
	session, err := w.pool.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	list := &plain{}
	const sql = "select distinct lower(function_name) as name from duckdb_functions() order by name"
	if _, err := session.Run(t.Context(), duck.Job{Query: sql, Format: duck.CSV}, list); err != nil {
		t.Fatal(err)
	}
	return strings.Fields(list.String())[1:]
}

type plain struct{ bytes.Buffer }

func (*plain) Columns([]duck.Column) error { return nil }
