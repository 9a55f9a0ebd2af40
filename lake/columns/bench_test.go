package columns

import (
	"fmt"
	"path/filepath"
	"testing"

	"kith/event"
)

func shopEvents(n int) []*event.Event {
	s := newShop(1)
	events := make([]*event.Event, n)
	for i := range events {
		events[i] = s.event()
	}
	return events
}

func filled(events []*event.Event) *Set {
	s := New()
	for _, e := range events {
		s.Append(e)
	}
	return s
}

func BenchmarkAppend(b *testing.B) {
	events := shopEvents(512) // as many as fit into a cache, as those that have just been scanned do
	s := New()
	fill := func() {
		s.Reset()
		for i := range 60_000 {
			s.Append(events[i%len(events)])
		}
	}
	fill()
	s.Reset()
	b.ReportAllocs()
	for b.Loop() {
		if s.Len() == 60_000 {
			s.Reset()
		}
		s.Append(events[s.Len()%len(events)])
	}
}

func BenchmarkWrite(b *testing.B) {
	events := shopEvents(60_000)
	for _, rows := range []int{1, 100, 1_000, 8_000, 60_000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			s, path := filled(events[:rows]), filepath.Join(b.TempDir(), "a.parquet")
			b.ReportAllocs()
			var info Info
			for b.Loop() {
				var err error
				if info, err = s.Write(path); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/event")
			b.ReportMetric(float64(info.Bytes)/float64(rows), "B/event")
		})
	}
}

func BenchmarkJoin(b *testing.B) {
	const files, rows = 10, 6_000
	events, dir := shopEvents(files*rows), b.TempDir()
	var srcs []string
	for i := range files {
		path := filepath.Join(dir, fmt.Sprint(i))
		if _, err := filled(events[i*rows : (i+1)*rows]).Write(path); err != nil {
			b.Fatal(err)
		}
		srcs = append(srcs, path)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Join(filepath.Join(dir, "joined"), srcs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*files*rows), "ns/event")
}
