package columns_test

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kith/event"
	"kith/lake/columns"
)

// Whatever events are appended, however they are spread over files and joined again, they are read as they went in.
func TestRowsSurvive(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue { // each costs a handful of fsyncs
		if err := f.Value.Set("30"); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	files := 0
	next := func() string { files++; return filepath.Join(dir, fmt.Sprint(files)) }
	set := columns.New() // one for all runs: it has to forget
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		set.Reset()
		var inSet, written []row
		var srcs []string
		var bounds columns.Info
		for range rapid.IntRange(1, 3).Draw(t, "files") {
			if rapid.Bool().Draw(t, "reset") {
				set.Reset()
				inSet = nil
			}
			for range rapid.IntRange(1, 20).Draw(t, "rows") {
				e := randomEvent(r)
				inSet = append(inSet, rowOf(e))
				set.Append(e)
				scribble(e)
			}
			info, err := set.Write(next())
			if err != nil {
				t.Fatal(err)
			}
			if info.Rows != int64(len(inSet)) || set.Len() != len(inSet) {
				t.Fatalf("%d rows, the set has %d, the file %d", len(inSet), set.Len(), info.Rows)
			}
			srcs, written = append(srcs, info.Path), append(written, inSet...)
			bounds = widen(bounds, info)
		}
		info, err := columns.Join(next(), srcs)
		if err != nil {
			t.Fatal(err)
		}
		got, err := read(info.Path)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, written)
		size, err := os.Stat(info.Path)
		if err != nil {
			t.Fatal(err)
		}
		bounds.Path, bounds.Rows, bounds.Bytes = info.Path, int64(len(written)), size.Size()
		if info != bounds {
			t.Fatalf("joined\n%+v from files that make\n%+v", info, bounds)
		}
	})
}

func widen(a, b columns.Info) columns.Info {
	if a.Rows == 0 {
		return b
	}
	a.Rows += b.Rows
	a.MinSeq, a.MaxSeq, a.MinTS, a.MaxTS = min(a.MinSeq, b.MinSeq), max(a.MaxSeq, b.MaxSeq), min(a.MinTS, b.MinTS), max(a.MaxTS, b.MaxTS)
	return a
}

// randomEvent fills about half of the fields, whatever their type, with values that are often the same, and sometimes
// empty, huge or negative.
func randomEvent(r *rand.Rand) *event.Event {
	e := &event.Event{}
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		if r.IntN(2) == 0 {
			fill(r, v.Field(i))
		}
	}
	e.Seq, e.TS = event.Seq(1+r.Int64N(1e9)), 1+r.Int64N(math.MaxInt64-1)
	return e
}

func fill(r *rand.Rand, v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *event.Text:
		*p = bytes.Repeat([]byte{byte('a' + r.IntN(3))}, r.IntN(4))
		if r.IntN(50) == 0 {
			*p = bytes.Repeat([]byte("ü"), r.IntN(9000))
		}
	case **event.Agent:
		*p = &event.Agent{Browser: "Firefox", BrowserVersion: r.Int32N(3), OS: strings.Repeat("x", r.IntN(2)), Device: "phone", Bot: r.IntN(2) == 0}
	case *event.Money:
		*p = event.Money{Units: (r.Int64() - math.MaxInt64/2) / 10, Set: true}
	case *event.Number:
		*p = event.Number{Float: r.NormFloat64(), Set: true}
	default:
		if v.CanInt() {
			v.SetInt(int64(r.Uint64()) >> r.IntN(64))
		}
	}
}

// scribble writes over all texts, as the next run does.
func scribble(e *event.Event) {
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		if t, ok := v.Field(i).Interface().(event.Text); ok {
			for k := range t {
				t[k] = '!'
			}
		}
	}
}

// An event without anything and one with everything at its limits.
func TestExtremes(t *testing.T) {
	full := &event.Event{}
	v := reflect.ValueOf(full).Elem()
	for i := range v.NumField() {
		if v.Field(i).CanInt() {
			v.Field(i).SetInt(math.MinInt32)
		} else if v.Type().Field(i).Type == reflect.TypeFor[event.Text]() {
			v.Field(i).SetBytes([]byte(v.Type().Field(i).Name))
		}
	}
	full.Agent = &event.Agent{}
	full.Price = event.Money{Units: 999_999_999_999_999_999, Set: true}
	full.Total = event.Money{Units: -999_999_999_999_999_999, Set: true}
	full.Value = event.Money{Set: true}
	full.Quantity = event.Number{Float: math.Inf(1), Set: true}
	events := []*event.Event{{}, full, {Properties: event.Text{}}, {}}
	set, path := columns.New(), filepath.Join(t.TempDir(), "a.parquet")
	var want []row
	for _, e := range events {
		set.Append(e)
		want = append(want, rowOf(e))
	}
	info, err := set.Write(path)
	if err != nil {
		t.Fatal(err)
	}
	same(t, mustRead(t, path), want)
	if info.MinSeq != math.MinInt32 || info.MaxTS != math.MinInt32 {
		t.Errorf("bounds %+v", info)
	}
}

// decimal(18,4) has no place for 19 digits.
func TestAmountTooLarge(t *testing.T) {
	set, path := columns.New(), filepath.Join(t.TempDir(), "a.parquet")
	for _, units := range []int64{1e18, -1e18, math.MaxInt64, math.MinInt64} {
		set.Append(&event.Event{Revenue: event.Money{Units: units, Set: true}})
	}
	if _, err := set.Write(path); err != nil {
		t.Fatal(err)
	}
	same(t, mustRead(t, path), make([]row, 4))
}

// More different texts than a dictionary may hold, and more than a page.
func TestOverfullDictionary(t *testing.T) {
	set, path := columns.New(), filepath.Join(t.TempDir(), "a.parquet")
	var want []row
	for i := range 3000 {
		e := &event.Event{Seq: event.Seq(i + 1), TS: 1, Category: bytes.Repeat(fmt.Appendf(nil, "%06d", i), 400), Event: event.Text("a")}
		set.Append(e)
		want = append(want, rowOf(e))
	}
	if set.Bytes() < 3000*2400 || set.Bytes() > 3000*2600 {
		t.Errorf("%d bytes in the set", set.Bytes())
	}
	if _, err := set.Write(path); err != nil {
		t.Fatal(err)
	}
	same(t, mustRead(t, path), want)
	if set.Reset(); set.Bytes() != 0 || set.Len() != 0 {
		t.Errorf("after Reset %d bytes, %d rows", set.Bytes(), set.Len())
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	e := randomEvent(rand.New(rand.NewPCG(1, 1)))
	set := columns.New()
	fill := func() {
		for range 1000 {
			set.Append(e)
		}
		set.Reset()
	}
	fill()
	if n := testing.AllocsPerRun(3, fill); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A write that fails leaves nothing behind.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "by a folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	set := columns.New()
	if _, err := set.Write(filepath.Join(dir, "a")); event.CodeOf(err) != event.Invalid {
		t.Errorf("no rows: %v", err)
	}
	set.Append(&event.Event{Seq: 1})
	for _, path := range []string{taken, filepath.Join(dir, "no such folder", "a")} {
		if _, err := set.Write(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	only(t, dir, "taken")
	if _, err := set.Write(filepath.Join(dir, "a")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	only(t, dir, "a", "taken")
}

// only fails where a folder holds other files than these.
func only(t testing.TB, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, ",") != strings.Join(names, ",") {
		t.Errorf("the folder holds %v instead of %v", got, names)
	}
}
