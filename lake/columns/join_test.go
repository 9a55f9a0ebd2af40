package columns_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"kith/event"
	"kith/lake/columns"
)

// write makes a file of rows events that are all different from those of other first numbers.
func write(t testing.TB, path string, first, rows int) {
	t.Helper()
	set := columns.New()
	for i := range rows {
		e := randomEvent(rand.New(rand.NewPCG(uint64(first+i), 0)))
		e.Seq, e.TS = event.Seq(first+i), int64(first+i)*1000
		set.Append(e)
	}
	if _, err := set.Write(path); err != nil {
		t.Fatal(err)
	}
}

// writeForeign makes a file as somebody else might: other columns, page indexes, bloom filters, metadata.
func writeForeign(t testing.TB, path, third string, values ...int64) {
	t.Helper()
	var fields []arrow.Field
	for i, name := range []string{"seq", "ts", third} {
		id := arrow.NewMetadata([]string{"PARQUET:field_id"}, []string{fmt.Sprint(i + 1)})
		fields = append(fields, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64, Nullable: true, Metadata: id})
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	for c := range fields {
		b.Field(c).(*array.Int64Builder).AppendValues(values, nil)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	batch := b.NewRecordBatch()
	defer batch.Release()
	props := parquet.NewWriterProperties(parquet.WithPageIndexEnabled(true), parquet.WithBloomFilterEnabled(true))
	w, err := pqarrow.NewFileWriter(batch.Schema(), f, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(batch), w.Close()); err != nil {
		t.Fatal(err)
	}
}

// A joined file is a file like any other: it can be joined again.
func TestJoinOfJoined(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("a"), 1, 3)
	write(t, at("b"), 10, 1)
	write(t, at("c"), 20, 2)
	for _, j := range [][]string{{"ab", "a", "b"}, {"abc", "ab", "c"}, {"aabcc", "a", "abc", "c"}, {"copy", "aabcc"}} {
		var srcs []string
		var want []row
		for _, src := range j[1:] {
			srcs, want = append(srcs, at(src)), append(want, mustRead(t, at(src))...)
		}
		info, err := columns.Join(at(j[0]), srcs)
		if err != nil {
			t.Fatal(err)
		}
		same(t, mustRead(t, at(j[0])), want)
		sameChunks(t, mustChunks(t, at(j[0])), mustChunks(t, srcs...))
		if stat, err := columns.Stat(at(j[0])); err != nil || stat != info {
			t.Errorf("Stat %+v, %v, but Join %+v", stat, err, info)
		}
	}
	if info, err := columns.Stat(at("aabcc")); err != nil || info.Rows != 11 || info.MinSeq != 1 || info.MaxSeq != 21 || info.MinTS != 1000 || info.MaxTS != 21000 {
		t.Errorf("%+v, %v", info, err)
	}
	f, err := file.OpenParquetFile(at("aabcc"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range f.NumRowGroups() {
		if got := f.MetaData().RowGroup(i).Ordinal(); int(got) != i {
			t.Errorf("row group %d is numbered %d", i, got)
		}
	}
}

// Metadata is kept once; page indexes and bloom filters, whose offsets would be wrong, are not kept.
func TestJoinForeign(t *testing.T) {
	dir := t.TempDir()
	a, b, ab := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "ab")
	writeForeign(t, a, "other", 1, 2, 3)
	writeForeign(t, b, "other", 7)
	info, err := columns.Join(ab, []string{a, b})
	if err != nil {
		t.Fatal(err)
	}
	if info.MinSeq != 1 || info.MaxTS != 7 {
		t.Errorf("%+v", info)
	}
	same(t, mustRead(t, ab), append(mustRead(t, a), mustRead(t, b)...))
	f, err := file.OpenParquetFile(ab, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if keys := f.MetaData().KeyValueMetadata().Keys(); len(keys) != 1 || keys[0] != "ARROW:schema" {
		t.Errorf("metadata %v", keys)
	}
	for i := range f.NumRowGroups() {
		group := f.MetaData().RowGroup(i)
		chunk, err := group.ColumnChunk(0)
		if err != nil {
			t.Fatal(err)
		}
		_, index := group.ColumnIndexLocation(0)
		_, offsets := group.OffsetIndexLocation(0)
		if index || offsets || chunk.BloomFilterOffset() != 0 {
			t.Errorf("row group %d points to what is not there", i)
		}
		if set, err := chunk.StatsSet(); err != nil || !set {
			t.Errorf("row group %d has lost its statistics: %v", i, err)
		}
	}
}

func TestJoinRefuses(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("a"), 1, 2)
	writeForeign(t, at("foreign"), "other", 1)
	writeForeign(t, at("foreign2"), "another", 1)
	names := []string{"a", "foreign", "foreign2"}
	for _, c := range []struct {
		srcs []string
		want string
	}{
		{nil, "there are no files to join"},
		{[]string{"a", "missing"}, "no such file"},
		{[]string{"a", "foreign"}, at("foreign") + `: its schema is not that of ` + at("a") + `: they differ at column "seq"; join files of one schema only`},
		{[]string{"foreign", "foreign2"}, `they differ at column "another"`},
		{[]string{"foreign", "foreign", "a"}, `they differ at column "seq"`},
	} {
		var srcs []string
		for _, s := range c.srcs {
			srcs = append(srcs, at(s))
		}
		if _, err := columns.Join(at("joined"), srcs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, not %s", c.srcs, err, c.want)
		}
		only(t, dir, names...)
	}
}

// damage is a way in which a file may be broken.
type damage struct {
	name   string
	change func([]byte) []byte
}

func damages() []damage {
	flip := func(from int) func([]byte) []byte { // counted from the end where negative
		return func(b []byte) []byte { b[(from+len(b))%len(b)] ^= 0x10; return b }
	}
	return []damage{
		{"empty", func(b []byte) []byte { return nil }},
		{"eleven bytes", func(b []byte) []byte { return b[:11] }},
		{"only magic", func(b []byte) []byte { return []byte("PAR1\x00\x00\x00\x00PAR1") }},
		{"first magic", flip(0)},
		{"last magic", flip(-1)},
		{"cut by one", func(b []byte) []byte { return b[:len(b)-1] }},
		{"cut in half", func(b []byte) []byte { return b[:len(b)/2] }},
		{"first half lost", func(b []byte) []byte { return append([]byte("PAR1"), b[len(b)/2:]...) }},
		{"a byte lost", func(b []byte) []byte { return slices.Delete(b, 100, 101) }},
		{"a byte added", func(b []byte) []byte { return slices.Insert(b, 100, 0) }},
		{"footer length", flip(-8)},
		{"footer length huge", func(b []byte) []byte { binary.LittleEndian.PutUint32(b[len(b)-8:], 1<<31); return b }},
		{"first byte of the footer", func(b []byte) []byte { b[footerStart(b)] ^= 0x10; return b }},
		{"footer of zeros", func(b []byte) []byte { clear(b[footerStart(b) : len(b)-8]); return b }},
		{"footer of ones", func(b []byte) []byte {
			for i := footerStart(b); i < len(b)-8; i++ {
				b[i] = 0xff
			}
			return b
		}},
	}
}

func footerStart(b []byte) int {
	return len(b) - 8 - int(binary.LittleEndian.Uint32(b[len(b)-8:]))
}

func TestDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	write(t, good, 1, 5)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range damages() {
		if err := os.WriteFile(bad, d.change(slices.Clone(whole)), 0o644); err != nil {
			t.Fatal(err)
		}
		_, joinErr := columns.Join(filepath.Join(dir, "joined"), []string{good, bad})
		_, statErr := columns.Stat(bad)
		for _, err := range []error{joinErr, statErr} {
			var e *event.Error
			if !errors.As(err, &e) || e.Code != event.Corrupt || e.Place.File != bad {
				t.Errorf("%s: %v", d.name, err)
			}
		}
		only(t, dir, "bad", "good")
	}
}

// Most flipped bits of a footer are seen. Parquet has no checksum there, so a few are not: in a bound, a name of the
// writer. Those may not lead to a joined file that reads other than its sources.
func TestFlippedFooter(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	write(t, good, 1, 5)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	seen, all := 0, 0
	for i := footerStart(whole); i < len(whole); i += 83 {
		b := slices.Clone(whole)
		b[i] ^= 1 << (i % 8)
		all++
		if joinDamaged(t, dir, good, bad, b) != nil {
			seen++
		}
	}
	if seen < all/2 {
		t.Errorf("only %d of %d flipped bits were seen", seen, all)
	}
	t.Logf("%d of %d flipped bits were seen", seen, all)
}

// joinDamaged joins good with a file of these bytes. It fails the test where the joined file does not hold what its
// sources do, or where an error leaves something behind.
func joinDamaged(t testing.TB, dir, good, bad string, b []byte) error {
	t.Helper()
	joined := filepath.Join(dir, "joined")
	if err := os.WriteFile(bad, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := columns.Join(joined, []string{good, bad}); err != nil {
		only(t, dir, filepath.Base(bad), filepath.Base(good))
		return err
	}
	defer os.Remove(joined)
	want, err := chunks(bad, false)
	if err != nil {
		return nil // damaged in what concerns no other file
	}
	before, err := chunks(good, false)
	if err != nil {
		t.Fatal(err)
	}
	got, err := chunks(joined, false)
	if err != nil {
		t.Fatalf("both sources have a footer, the joined file has not: %v", err)
	}
	sameChunks(t, got, append(before, want...))
	return nil
}

func mustChunks(t testing.TB, paths ...string) (all []string) {
	t.Helper()
	for _, path := range paths {
		c, err := chunks(path, true)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c...)
	}
	return all
}

// sameChunks fails where got is not want, with the first chunk that differs.
func sameChunks(t testing.TB, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("chunk %d is\n%.300q\nand should be\n%.300q", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d chunks instead of %d", len(got), len(want))
	}
}

// chunks returns the column chunks of a file: all that a reader is told of each, and its bytes. Chunks that are the
// same read the same. Pages are not decoded: arrow-go asks for as much memory as a damaged page says. The statistics
// of damaged files are better left out: what is believed of them depends on who the file says has written it.
func chunks(path string, statistics bool) (all []string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for g := range f.NumRowGroups() {
		group := f.MetaData().RowGroup(g)
		for c := range group.NumColumns() {
			m, err := group.ColumnChunk(c)
			if err != nil {
				return nil, err
			}
			at := m.DataPageOffset()
			if m.HasDictionaryPage() {
				at = m.DictionaryPageOffset()
			}
			said := fmt.Sprint(group.NumRows(), m.Type(), m.NumValues(), m.PathInSchema(), m.Compression(), m.Encodings(),
				m.EncodingStats(), m.TotalUncompressedSize(), m.DataPageOffset()-at)
			if stats, err := m.Statistics(); statistics && err == nil && stats != nil {
				said += fmt.Sprintf("%d %q %q", stats.NullCount(), stats.EncodeMin(), stats.EncodeMax())
			}
			all = append(all, said+string(whole[at:at+m.TotalCompressedSize()]))
		}
	}
	return all, nil
}

func FuzzJoin(f *testing.F) {
	dir := f.TempDir()
	good, foreign := filepath.Join(dir, "good"), filepath.Join(dir, "foreign")
	writeForeign(f, good, "other", 1, 2, 3)
	writeForeign(f, foreign, "other", 4)
	for _, path := range []string{good, foreign} {
		whole, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(whole)
		for _, d := range damages() {
			f.Add(d.change(slices.Clone(whole)))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
		writeForeign(t, good, "other", 1, 2, 3)
		_ = joinDamaged(t, dir, good, bad, b)
	})
}
