package lake_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/parquet/file"
	"go.uber.org/goleak"

	"kith/event"
	"kith/lake"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		f.Value.Set("30") // each writes and syncs files: more by -rapid.checks
	}
	goleak.VerifyTestMain(m)
}

const (
	hour = int64(time.Hour / time.Microsecond)
	day  = 24 * hour
)

// today is the day most events of the tests happen on.
var today = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC).UnixMicro()

func open(t testing.TB, o lake.Options) *lake.Lake {
	t.Helper()
	l, err := lake.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// small are Options that make every path of the code come up with few rows.
func small(dir string) lake.Options {
	return lake.Options{Dir: dir, OpenRows: 8, GroupRows: 20, CommitLate: 24 * time.Hour}
}

func happened(seq event.Seq, ts int64) *event.Event {
	return &event.Event{Seq: seq, TS: ts, ReceivedAt: today + int64(seq), Source: event.Text("web"), SourceID: 1,
		Type: event.Text("track"), Event: event.Text("Order Completed"), Anchor: int64(seq) * 3,
		Revenue: event.Money{Units: int64(seq), Set: seq%2 == 0}, Properties: fmt.Appendf(nil, `{"n":%d}`, seq)}
}

// add appends events from..to-1, all today.
func add(t testing.TB, l *lake.Lake, from, to event.Seq) {
	t.Helper()
	for seq := from; seq < to; seq++ {
		if err := l.Append(happened(seq, today+int64(seq))); err != nil {
			t.Fatal(err)
		}
	}
}

func flush(t testing.TB, l *lake.Lake, next event.Seq) {
	t.Helper()
	if err := l.Flush(t.Context(), lake.Checkpoint{Next: next, Identity: int64(next) * 10}, nil); err != nil {
		t.Fatal(err)
	}
	v, err := l.Wait(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	v.Release()
}

func commit(t testing.TB, l *lake.Lake) {
	t.Helper()
	if err := l.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// seqs reads the View's events, sorted.
func seqs(v *lake.View) ([]event.Seq, error) {
	var all []event.Seq
	for _, f := range v.Files {
		got, err := column(f.Path, "seq")
		if err != nil {
			return nil, err
		}
		if int64(len(got)) != f.Rows {
			return nil, fmt.Errorf("%s holds %d rows, listed with %d", f.Path, len(got), f.Rows)
		}
		for _, seq := range got {
			if event.Seq(seq) < f.MinSeq || event.Seq(seq) > f.MaxSeq {
				return nil, fmt.Errorf("%s holds %d, which is not within %d..%d", f.Path, seq, f.MinSeq, f.MaxSeq)
			}
			if v.Limit == 0 || event.Seq(seq) <= v.Limit {
				all = append(all, event.Seq(seq))
			}
		}
	}
	slices.Sort(all)
	return all, nil
}

// column reads a column of 64-bit numbers.
func column(path, name string) ([]int64, error) {
	r, err := file.OpenParquetFile(path, false)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	at := r.MetaData().Schema.ColumnIndexByName(name)
	var all []int64
	for i := range r.NumRowGroups() {
		g := r.RowGroup(i)
		c, err := g.Column(at)
		if err != nil {
			return nil, err
		}
		n := int(g.NumRows())
		values, levels := make([]int64, n), make([]int16, n)
		for got := 0; got < n; {
			total, have, err := c.(*file.Int64ColumnChunkReader).ReadBatch(int64(n-got), values, levels, nil)
			if err != nil || int(total) != have || have == 0 {
				return nil, fmt.Errorf("%s: %d rows, %d values: %v", path, total, have, err)
			}
			all = append(all, values[:have]...)
			got += have
		}
	}
	return all, nil
}

// expect fails unless the View holds exactly the events 1..next-1, each once.
func expect(t testing.TB, l *lake.Lake, next event.Seq) {
	t.Helper()
	v := l.View()
	defer v.Release()
	if v.Next != next {
		t.Errorf("the view reaches up to %d, want %d", v.Next, next)
	}
	if err := whole(v); err != nil {
		t.Error(err)
	}
}

// whole returns an error unless the View holds exactly the events below its Next, each once.
func whole(v *lake.View) error {
	got, err := seqs(v)
	if err != nil {
		return err
	}
	if int64(len(got)) != v.Rows && v.Limit == 0 {
		return fmt.Errorf("view %s says %d rows and holds %d", v.ID, v.Rows, len(got))
	}
	for i, seq := range got {
		if seq != event.Seq(i)+1 {
			return fmt.Errorf("view %s holds event %d where %d must stand: %d rows in all", v.ID, seq, i+1, len(got))
		}
	}
	if len(got) != int(v.Next)-1 {
		return fmt.Errorf("view %s holds %d events", v.ID, len(got))
	}
	return nil
}

func files(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
