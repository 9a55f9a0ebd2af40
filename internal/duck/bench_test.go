package duck_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"kith/internal/duck"
)

// What one query costs beyond the work: a child is there already.
func BenchmarkQuery(b *testing.B) {
	p, _ := newPool(b, nil)
	s := session(b, p)
	for b.Loop() {
		if _, err := s.Run(b.Context(), duck.Job{Query: "select 42", Format: duck.CSV}, &answer{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	p, _ := newPool(b, nil)
	s := session(b, p)
	for b.Loop() {
		if _, err := s.Parse(b.Context(), "select event, count(*) from clean.events where ts > now() group by 1 order by 2 desc limit 10"); err != nil {
			b.Fatal(err)
		}
	}
}

// From nothing to a locked child that waits, and what it weighs.
func BenchmarkStart(b *testing.B) {
	resident := ""
	for b.Loop() {
		p, _ := newPool(b, nil)
		s, err := p.Session(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
		if err != nil {
			b.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(status), "VmRSS:")
		resident = strings.Fields(rest)[0]
		s.Close()
	}
	var kilobytes float64
	fmt.Sscan(resident, &kilobytes)
	b.ReportMetric(kilobytes/1024, "MB")
}

func BenchmarkFormat(b *testing.B) {
	p, _ := newPool(b, nil)
	s := session(b, p)
	const rows = 500_000
	sql := fmt.Sprintf("select i as seq, timestamptz '2025-01-01' + interval (i) second as ts, 'Order Completed' as event, (i %% 10000)::decimal(18,4) as revenue, "+
		"'{\"sku\":\"' || i || '\"}' as properties from range(%d) t(i)", rows)
	for _, f := range duck.Formats() {
		b.Run(string(f), func(b *testing.B) {
			for b.Loop() {
				sink := &slow{most: 1 << 40}
				done, err := s.Run(b.Context(), duck.Job{Query: sql, Format: f}, sink)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(done.Bytes)
				b.ReportMetric(float64(done.Peak>>20), "peak-MB")
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
