package lake_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kith/event"
	"kith/lake"
)

// BenchmarkAppendFlushCommit is the whole way of a row, with a flush every 60,000 rows and one commit at the end, for
// events that happen now and for events of any day of five years. It reports CPU and bytes per event.
func BenchmarkAppendFlushCommit(b *testing.B) {
	for _, c := range []struct {
		name       string
		rows, days int
	}{{"today", 300_000, 1}, {"5years", 300_000, 1826}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				benchmark(b, c.rows, c.days)
			}
		})
	}
}

// BenchmarkBulk is a load of two million events of five years in any order.
func BenchmarkBulk(b *testing.B) {
	for b.Loop() {
		benchmark(b, 2_000_000, 1826)
	}
}

func benchmark(b *testing.B, rows, days int) {
	dir := b.TempDir()
	l := open(b, lake.Options{Dir: dir})
	g := generator{random: rand.New(rand.NewPCG(1, 2)), days: days}
	began, cpu := time.Now(), cpuTime(b)
	for seq := event.Seq(1); seq <= event.Seq(rows); seq++ {
		if err := l.Append(g.next(seq)); err != nil {
			b.Fatal(err)
		}
		if seq%60_000 == 0 {
			if err := l.Flush(b.Context(), lake.Checkpoint{Next: seq + 1}, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	flush(b, l, event.Seq(rows)+1)
	commit(b, l)
	used, wall := cpuTime(b)-cpu, time.Since(began)
	v := l.View()
	defer v.Release()
	var bytes int64
	for _, f := range v.Files {
		bytes += f.Bytes
	}
	if v.Rows != int64(rows) {
		b.Fatalf("%d rows, want %d", v.Rows, rows)
	}
	b.ReportMetric(float64(used.Nanoseconds())/1e3/float64(rows), "cpu-µs/event")
	b.ReportMetric(float64(rows)/wall.Seconds(), "events/s")
	b.ReportMetric(float64(bytes)/float64(rows), "B/event")
	b.ReportMetric(float64(len(v.Files)), "files")
	b.ReportMetric(peakMB(b), "peak-MB")
}

// generator makes events that look like a shop's; the time for making them is part of the measurement.
type generator struct {
	random *rand.Rand
	days   int
	e      event.Event
}

func (g *generator) next(seq event.Seq) *event.Event {
	r, person := g.random, g.random.IntN(200_000)
	g.e = event.Event{Seq: seq, ReceivedAt: today + int64(seq)*16, TS: today + int64(seq)*16 - int64(r.IntN(g.days))*day,
		SentAt: today + int64(seq)*16, Source: event.Text("web"), SourceID: 1, Door: event.Text("batch"),
		Type: event.Text("track"), Event: event.Text([]string{"Product Viewed", "Product Added", "Order Completed"}[r.IntN(3)]),
		MessageID:   fmt.Appendf(g.e.MessageID[:0], "%016x-%08x", r.Uint64(), seq),
		AnonymousID: fmt.Appendf(g.e.AnonymousID[:0], "%08x-anonymous-%08x", person*7919, person),
		Anchor:      int64(person), Person: int64(person), PageHost: event.Text("shop.example"),
		PagePath: fmt.Appendf(g.e.PagePath[:0], "/product/%d", r.IntN(5000)), IP: fmt.Appendf(g.e.IP[:0], "10.%d.%d.%d", person>>16, person>>8&255, person&255),
		Price: event.Money{Units: int64(r.IntN(1e6)), Set: true}, ProductID: fmt.Appendf(g.e.ProductID[:0], "p%d", r.IntN(5000)),
		Properties: fmt.Appendf(g.e.Properties[:0], `{"product_id":"p%d","price":%d.99,"quantity":%d,"category":"c%d","list":"home"}`,
			r.IntN(5000), r.IntN(1000), r.IntN(9), r.IntN(40)),
	}
	return &g.e
}

func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMB is the process's largest memory so far.
func peakMB(b *testing.B) float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Maxrss) / 1024
}

// BenchmarkOpen opens a lake with 200 data files.
func BenchmarkOpen(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "lake")
	l := open(b, lake.Options{Dir: dir})
	for seq := event.Seq(1); seq <= 200; seq++ {
		if err := l.Append(happened(seq, today-int64(seq)*day)); err != nil {
			b.Fatal(err)
		}
	}
	flush(b, l, 201)
	commit(b, l)
	l.Close()
	for b.Loop() {
		l, err := lake.Open(b.Context(), lake.Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
	if _, err := os.Stat(dir); err != nil {
		b.Fatal(err)
	}
}
