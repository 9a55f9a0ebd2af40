package shop

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"
)

var end = time.Date(2026, 11, 24, 15, 0, 0, 0, time.UTC)

func small() Options { return Options{Seed: 1, Customers: 300, End: end} }

// read calls fn with every line, and what it says where it is good.
func read(t *testing.T, w *World, fn func(*Line, map[string]any)) {
	t.Helper()
	var before time.Time
	err := w.Lines(func(l *Line) error {
		if l.Received.Before(before) || !l.Received.Before(w.End()) {
			t.Fatalf("%s arrives after %s", before, l.Received)
		}
		before = l.Received
		var object map[string]any
		if err := json.Unmarshal(l.AppendHistory(nil), &object); l.Broken == "" && err != nil {
			t.Fatalf("%v in %s", err, l.Text)
		}
		fn(l, object)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The sum is that of this world on every machine. It changes when the model does, and only then.
func TestSameBytes(t *testing.T) {
	const want = "22bd02fcc3f5a00baa34da0837a59595888c0b19c43f010e5a8051bd82cd347a"
	for range 2 {
		sum := sha256.New()
		var b []byte
		err := New(small()).Lines(func(l *Line) error {
			b = append(l.AppendHistory(append(b[:0], l.Source...)), '\n')
			sum.Write(b)
			return nil
		})
		if got := hex.EncodeToString(sum.Sum(nil)); err != nil || got != want {
			t.Errorf("sha256 %s, want %s (%v)", got, want, err)
		}
	}
}

func TestSeedsDiffer(t *testing.T) {
	o := small()
	a := New(o).Expected()
	o.Seed = 2
	if b := New(o).Expected(); a.Revenue == b.Revenue {
		t.Error("two seeds, one shop")
	}
}

// A fraction of the days is the end of the whole.
func TestDays(t *testing.T) {
	o := small()
	var whole, part []string
	keep := func(to *[]string) func(*Line) error {
		return func(l *Line) error { *to = append(*to, string(l.Text)); return nil }
	}
	if err := New(o).Lines(keep(&whole)); err != nil {
		t.Fatal(err)
	}
	o.Days = 30
	w := New(o)
	if err := w.Lines(keep(&part)); err != nil {
		t.Fatal(err)
	}
	if x := w.Expected(); len(part) != x.Total() || len(part) < 500 || len(part) > len(whole)/4 {
		t.Fatalf("%d lines of %d, expected %d", len(part), len(whole), x.Total())
	}
	if !reflect.DeepEqual(part[100:], whole[len(whole)-len(part)+100:]) { // resends of what lies before may stand between the first
		t.Error("the days are not the last ones of the whole")
	}
}

func TestStops(t *testing.T) {
	stop := errors.New("enough")
	n := 0
	err := New(small()).Lines(func(*Line) error {
		if n++; n == 7 {
			return stop
		}
		return nil
	})
	if err != stop || n != 7 {
		t.Error(err, n)
	}
}

func TestAnySize(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 2, 19} {
		if x := New(Options{Seed: 9, Customers: n, End: end}).Expected(); x.Total() == 0 {
			t.Errorf("%d customers send nothing", n)
		}
	}
}

func BenchmarkLines(b *testing.B) {
	o := Options{Seed: 1, Customers: 2400, End: end}
	lines, size := 0, int64(0)
	for b.Loop() {
		lines, size = 0, 0
		if err := New(o).Lines(func(l *Line) error { lines++; size += int64(len(l.Text)); return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(size)
	b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	b.ReportMetric(float64(lines), "lines")
}
